package cli

import (
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
)

// options are Bakta's options under Bakta's names.
type options struct {
	config workflow.Config
	gram   string // as it was typed
}

func (o *options) flags(cmd *cobra.Command) {
	f, c := cmd.Flags(), &o.config
	f.SortFlags = false
	f.StringVar(&c.Genus, "genus", "", "`genus`, for example Escherichia")
	f.StringVar(&c.Species, "species", "", "`species`, for example coli")
	f.StringVar(&c.Strain, "strain", "", "`strain`, for example Sakai")
	f.StringVar(&c.Plasmid, "plasmid", "", "`name` of the plasmid, for a genome that is one: p… or unnamed…")
	f.StringVar(&c.Locus, "locus", "", "`prefix` of the sequences' new ids")
	f.StringVar(&c.LocusTag, "locus-tag", "", "`prefix` of the features' locus tags")
	f.IntVar(&c.TranslationTable, "translation-table", 11, "translation `table`: 4, 11 or 25")
	f.StringVar(&o.gram, "gram", "?", "cell envelope by its `sign`: + (monoderm), - (diderm) or ? (unknown)")
	f.BoolVar(&c.CompleteGenome, "complete", false, "all sequences are complete replicons")
	f.BoolVar(&c.KeepContigHeaders, "keep-contig-headers", false, "keep the ids of the sequences")
	f.BoolVar(&c.Compliant, "compliant", false, "make the result acceptable to the public databases")
	f.Int64Var(&c.MinContigLength, "min-contig-length", 0, "leave out sequences of less than `N` base pairs")
	for flag, values := range map[string][]string{
		"gram":              {"+", "-", "?", "monoderm", "diderm", "unknown"},
		"translation-table": {"4", "11", "25"},
	} {
		// It fails for a flag that isn't there, which the test of the completion would show.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// spelling says by which flag or file an option of the workflow is known here.
var spelling = map[string]string{
	"translation_table": "--translation-table", "min_contig_length": "--min-contig-length", "derm_type": "--gram",
	"genus": "--genus", "species": "--species", "strain": "--strain", "plasmid": "--plasmid", "locus": "--locus", "locus_tag": "--locus-tag",
	workflow.GenomeFASTA: "the genome", workflow.RepliconsTable: "--replicons", workflow.ProdigalTrainingFile: "--prodigal-tf",
}

// dermTypes are the spellings of --gram.
var dermTypes = map[string]string{
	"+": workflow.Monoderm, "monoderm": workflow.Monoderm, "-": workflow.Diderm, "diderm": workflow.Diderm,
	"?": workflow.DermUnknown, "unknown": workflow.DermUnknown, "": workflow.DermUnknown,
}

// read returns the configuration, after the rules that Bakta has for it.
func (o *options) read(bakta workflow.Workflow) (workflow.Config, error) {
	derm, ok := dermTypes[strings.ToLower(o.gram)]
	if !ok {
		return workflow.Config{}, usagef("--gram: %q is none of + (monoderm), - (diderm), ? (unknown)", o.gram)
	}
	config := o.config
	config.DermType = derm
	config = config.Normalise()
	if err := bakta.Validate(config); err != nil {
		return workflow.Config{}, &usageError{workflow.Respell(err, spelling)}
	}
	return config, nil
}

// request returns a configuration in the API's words.
func request(c workflow.Config) *protov1.JobConfig {
	derm := map[string]protov1.DermType{workflow.Monoderm: protov1.DermType_MONODERM, workflow.Diderm: protov1.DermType_DIDERM}
	return &protov1.JobConfig{
		HasReplicons:       proto.Bool(c.Use[workflow.RepliconsTable]),
		HasProdigal:        proto.Bool(c.Use[workflow.ProdigalTrainingFile]),
		TranslationalTable: int32(c.TranslationTable),
		CompleteGenome:     c.CompleteGenome,
		KeepContigHeaders:  c.KeepContigHeaders,
		MinContigLength:    c.MinContigLength,
		DermType:           derm[c.DermType],
		Genus:              c.Genus,
		Species:            c.Species,
		Strain:             c.Strain,
		Plasmid:            c.Plasmid,
		Locus:              c.Locus,
		LocusTag:           c.LocusTag,
		Compliant:          c.Compliant,
	}
}
