package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// options are Bakta's options under Bakta's names.
type options struct {
	config option.Config
	gram   string             // as it was typed
	skip   map[string]*bool   // by the workflow's names of the steps
	files  map[string]*string // paths of what is uploaded beside the input, by upload kind; empty: none
	names  []string           // of all these flags
}

// files are what may be given beside a genome, in the order in which it is looked at, and sent.
var files = []struct{ kind, flag, usage string }{
	{upload.RepliconsTable, "replicons", "table of replicons, a CSV or TSV `file`: id, new id, type, topology, name"},
	{upload.ProdigalTrainingFile, "prodigal-tf", "Prodigal training `file`"},
	{upload.RegionsFile, "regions", "`file` of coding sequences that are known, GFF3 or GenBank"},
	{upload.TrustedProteinsFile, "proteins", "`file` of proteins whose annotation is trusted, FASTA or GenBank"},
	{upload.HMMsFile, "hmms", "`file` of profile HMMs that are trusted, as HMMER writes it"},
}

// flags gives a command the flags.
func (o *options) flags(cmd *cobra.Command) {
	f, c := pflag.NewFlagSet("", pflag.ContinueOnError), &o.config
	f.SortFlags = false
	f.StringVar(&c.Genus, "genus", "", "`genus`, for example Escherichia")
	f.StringVar(&c.Species, "species", "", "`species`, for example coli")
	f.StringVar(&c.Strain, "strain", "", "`strain`, for example Sakai")
	f.StringVar(&c.Plasmid, "plasmid", "", "`name` of the plasmid, for a genome that is one: p… or unnamed…")
	f.StringVar(&c.Locus, "locus", "", "`prefix` of the sequences' new ids")
	f.StringVar(&c.LocusTag, "locus-tag", "", "`prefix` of the features' locus tags")
	f.IntVar(&c.LocusTagIncrement, "locus-tag-increment", 1, "count locus tags by `N`: 1, 5 or 10")
	f.IntVar(&c.TranslationTable, "translation-table", 11, "translation `table`: 4, 11 or 25")
	f.StringVar(&o.gram, "gram", "?", "cell envelope by its `sign`: + (monoderm), - (diderm) or ? (unknown)")
	f.BoolVar(&c.CompleteGenome, "complete", false, "all sequences are complete replicons")
	f.BoolVar(&c.KeepContigHeaders, "keep-contig-headers", false, "keep the ids of the sequences")
	f.BoolVar(&c.Compliant, "compliant", false, "make the result acceptable to the public databases")
	f.BoolVar(&c.Meta, "meta", false, "find genes as in a metagenome")
	f.Int64Var(&c.MinContigLength, "min-contig-length", 0, "leave out sequences of less than `N` base pairs")
	o.files = make(map[string]*string)
	for _, file := range files {
		o.files[file.kind] = f.String(file.flag, "", file.usage)
	}
	o.skip = make(map[string]*bool)
	for _, step := range option.Steps() {
		o.skip[step] = f.Bool(skipFlag(step), false, "leave out "+steps[step])
	}
	f.VisitAll(func(flag *pflag.Flag) { o.names = append(o.names, flag.Name) })
	cmd.Flags().AddFlagSet(f)
	for flag, values := range map[string][]string{
		"gram":                {"+", "-", "?", "monoderm", "diderm", "unknown"},
		"translation-table":   {"4", "11", "25"},
		"locus-tag-increment": {"1", "5", "10"},
	} {
		// It fails for a flag that isn't there, which the test of the completion would show.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// skipFlag is the flag that leaves out a step.
func skipFlag(step string) string { return "skip-" + strings.ReplaceAll(step, "_", "-") }

// steps are what people call the steps that can be left out.
var steps = map[string]string{
	"trna": "tRNAs", "tmrna": "tmRNAs", "rrna": "rRNAs", "ncrna": "ncRNAs", "ncrna_region": "ncRNA regions", "crispr": "CRISPR arrays",
	"cds": "coding sequences", "pseudo": "pseudogenes", "sorf": "small open reading frames", "gap": "gaps",
	"ori": "origins of replication and transfer", "filter": "the filter of overlapping features", "plot": "the circular plots",
}

// spelling says by which flag or file an option of the workflow is known here.
var spelling = map[string]string{
	"translation_table": "--translation-table", "min_contig_length": "--min-contig-length", "derm_type": "--gram",
	"genus": "--genus", "species": "--species", "strain": "--strain", "plasmid": "--plasmid", "locus": "--locus", "locus_tag": "--locus-tag",
	"locus_tag_increment": "--locus-tag-increment", "skip": "--skip-…",
	upload.GenomeFASTA: "the genome", upload.ProteinFASTA: "the proteins", upload.BaktaJSON: "the annotation",
	upload.RepliconsTable: "--replicons", upload.ProdigalTrainingFile: "--prodigal-tf", upload.RegionsFile: "--regions",
	upload.TrustedProteinsFile: "--proteins", upload.HMMsFile: "--hmms",
}

// dermTypes are the spellings of --gram.
var dermTypes = map[string]string{
	"+": option.Monoderm, "monoderm": option.Monoderm, "-": option.Diderm, "diderm": option.Diderm,
	"?": option.DermUnknown, "unknown": option.DermUnknown, "": option.DermUnknown,
}

// read returns the configuration of a workflow, after the rules that Bakta has for it. changed tells which flags
// were typed: those that the workflow has no use for are a mistake.
func (o *options) read(w workflow.Workflow, changed func(flag string) bool) (option.Config, error) {
	if !slices.ContainsFunc(w.Uploads, func(u workflow.Upload) bool { return u.Kind == upload.GenomeFASTA }) {
		for _, flag := range o.names {
			if changed(flag) {
				return option.Config{}, Usagef("--%s: the workflow %s has no such option; it is one of those that annotate a genome", flag, workflowName(w.Kind))
			}
		}
		return option.Config{}, nil
	}
	derm, ok := dermTypes[strings.ToLower(o.gram)]
	if !ok {
		return option.Config{}, Usagef("--gram: %q is none of + (monoderm), - (diderm), ? (unknown)", o.gram)
	}
	config := o.config
	config.DermType = derm
	config.Skip = nil
	for _, step := range option.Steps() {
		if *o.skip[step] {
			config.Skip = append(config.Skip, step)
		}
	}
	config.Use = make(map[string]bool)
	for _, file := range files {
		config.Use[file.kind] = *o.files[file.kind] != ""
	}
	config = config.Normalise()
	if err := w.Validate(config); err != nil {
		return option.Config{}, &usageError{option.Respell(err, spelling)}
	}
	return config, nil
}

// request returns a configuration in the API's words.
func request(c option.Config) client.Config {
	skips := func(step string) bool { return slices.Contains(c.Skip, step) }
	return client.Config{
		UseProdigalTrainingFile: c.Use[upload.ProdigalTrainingFile],
		UseReplicons:            c.Use[upload.RepliconsTable],
		UseRegions:              c.Use[upload.RegionsFile],
		UseTrustedProteins:      c.Use[upload.TrustedProteinsFile],
		UseHMMs:                 c.Use[upload.HMMsFile],
		TranslationTable:        c.TranslationTable,
		CompleteGenome:          c.CompleteGenome,
		KeepContigHeaders:       c.KeepContigHeaders,
		MinContigLength:         c.MinContigLength,
		DermType:                c.DermType,
		Genus:                   c.Genus,
		Species:                 c.Species,
		Strain:                  c.Strain,
		Plasmid:                 c.Plasmid,
		Locus:                   c.Locus,
		LocusTag:                c.LocusTag,
		LocusTagIncrement:       c.LocusTagIncrement,
		Compliant:               c.Compliant,
		Meta:                    c.Meta,
		SkipTRNA:                skips("trna"),
		SkipTMRNA:               skips("tmrna"),
		SkipRRNA:                skips("rrna"),
		SkipNCRNA:               skips("ncrna"),
		SkipNCRNARegion:         skips("ncrna_region"),
		SkipCRISPR:              skips("crispr"),
		SkipCDS:                 skips("cds"),
		SkipPseudo:              skips("pseudo"),
		SkipSORF:                skips("sorf"),
		SkipGap:                 skips("gap"),
		SkipOri:                 skips("ori"),
		SkipFilter:              skips("filter"),
		SkipPlot:                skips("plot"),
	}
}
