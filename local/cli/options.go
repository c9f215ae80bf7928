package cli

import (
	"strings"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/spf13/cobra"
)

// baktaOptions are Bakta's options under Bakta's names.
type baktaOptions struct {
	genus, species, strain, plasmid string
	locus, locusTag                 string
	translationTable                int32
	gram                            string
	complete, keepContigHeaders     bool
	compliant                       bool
	minContigLength                 int64
}

func (o *baktaOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.genus, "genus", "", "`genus`, for example Escherichia")
	f.StringVar(&o.species, "species", "", "`species`, for example coli")
	f.StringVar(&o.strain, "strain", "", "`strain`, for example Sakai")
	f.StringVar(&o.plasmid, "plasmid", "", "`name` of the plasmid, for a genome that is one: p… or unnamed…")
	f.StringVar(&o.locus, "locus", "", "`prefix` of the sequences' new ids")
	f.StringVar(&o.locusTag, "locus-tag", "", "`prefix` of the features' locus tags")
	f.Int32Var(&o.translationTable, "translation-table", 11, "translation `table`: 4, 11 or 25")
	f.StringVar(&o.gram, "gram", "?", "cell envelope by its `sign`: + (monoderm), - (diderm) or ? (unknown)")
	f.BoolVar(&o.complete, "complete", false, "all sequences are complete replicons")
	f.BoolVar(&o.keepContigHeaders, "keep-contig-headers", false, "keep the ids of the sequences")
	f.BoolVar(&o.compliant, "compliant", false, "make the result acceptable to the public databases")
	f.Int64Var(&o.minContigLength, "min-contig-length", 0, "leave out sequences of less than `N` base pairs")
	cmd.RegisterFlagCompletionFunc("gram", cobra.FixedCompletions([]string{"+", "-", "?", "monoderm", "diderm", "unknown"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("translation-table", cobra.FixedCompletions([]string{"4", "11", "25"}, cobra.ShellCompDirectiveNoFileComp))
}

// dermTypes are the spellings of --gram.
var dermTypes = map[string]protov1.DermType{
	"+": protov1.DermType_MONODERM, "monoderm": protov1.DermType_MONODERM,
	"-": protov1.DermType_DIDERM, "diderm": protov1.DermType_DIDERM,
	"?": protov1.DermType_UNKNOWN, "unknown": protov1.DermType_UNKNOWN, "": protov1.DermType_UNKNOWN,
}

// config returns the options in the API's words.
func (o *baktaOptions) config() (*protov1.JobConfig, error) {
	derm, ok := dermTypes[strings.ToLower(o.gram)]
	if !ok {
		return nil, usagef("--gram is %q; it is one of + (monoderm), - (diderm), ? (unknown)", o.gram)
	}
	return &protov1.JobConfig{
		TranslationalTable: o.translationTable,
		CompleteGenome:     o.complete,
		KeepContigHeaders:  o.keepContigHeaders,
		MinContigLength:    o.minContigLength,
		DermType:           derm,
		Genus:              o.genus,
		Species:            o.species,
		Strain:             o.strain,
		Plasmid:            o.plasmid,
		Locus:              o.locus,
		LocusTag:           o.locusTag,
		Compliant:          o.compliant,
	}, nil
}
