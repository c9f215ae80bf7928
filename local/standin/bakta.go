package standin

import (
	"os"
	"strings"

	"github.com/dustin/go-humanize"
)

// annotation is one run of bakta: what was asked, what was found.
type annotation struct {
	*run
	*options
	complete  bool // all sequences are replicons
	sequences []*sequence
	stats     stats
}

// bakta plays the program of that name.
func (r *run) bakta(args []string) error {
	o := newOptions()
	var err error
	if o.genome, err = o.line.parse(args); err != nil || r.introduce(o.line) {
		return err
	}
	a := &annotation{run: r, options: o}
	return r.logged(&o.output, o.genome, args, a.check, a.read, a.annotate, a.summarize, a.export)
}

// logged does the parts of a run of a program of Bakta's one after the other, with a log file beside the results.
func (r *run) logged(o *output, input string, args []string, parts ...func() error) error {
	if err := o.prepare(input); err != nil {
		return err
	}
	log, err := os.Create(o.path("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	r.log = log
	r.printf("%s", notice)
	r.logf("%s version=%s: %s", Name, Version, notice)
	r.logf("command: %s %s", r.program, strings.Join(args, " "))
	for _, part := range parts {
		if err := part(); err != nil {
			r.logf("failed: %v", err)
			return err
		}
	}
	return nil
}

// read brings the genome and the replicon table in.
func (a *annotation) read() error {
	if err := a.step("Parse genome sequences..."); err != nil {
		return err
	}
	sequences, err := readGenome(a.genome)
	if err != nil {
		a.logf("reading %s: %v", a.genome, err)
		return fail("ERROR: wrong genome file format!")
	}
	a.printf("\timported: %d", len(sequences))
	var replicons map[string]replicon
	if a.replicons != "" {
		if replicons, err = readReplicons(a.replicons); err != nil {
			a.logf("reading %s: %v", a.replicons, err)
			return fail("ERROR: wrong replicon table file format!")
		}
	}
	if a.sequences, err = a.revise(sequences, replicons); err != nil {
		return err
	}
	kinds := map[string]int{}
	for _, s := range a.sequences {
		kinds[s.Type]++
	}
	a.complete = a.completeGenome || kinds["contig"] == 0
	a.printf("\tfiltered & revised: %d", len(a.sequences))
	for _, kind := range []string{"chromosome", "plasmid", "contig"} {
		if kinds[kind] > 0 {
			a.printf("\t%ss: %d", kind, kinds[kind])
		}
	}
	if len(a.sequences) == 0 {
		return fail("Error: input file contains no valid sequences.")
	}
	return nil
}

// annotate goes through Bakta's steps in Bakta's order; most find nothing here.
func (a *annotation) annotate() error {
	a.printf("\nStart annotation...")
	nothing := func() error { a.printf("\tfound: 0"); return nil }
	quiet := func() error { return nil }
	for _, s := range []struct {
		skip, title, skipped string
		do                   func() error
	}{
		{"trna", "predict tRNAs...", "skip tRNA prediction...", nothing},
		{"tmrna", "predict tmRNAs...", "skip tmRNA prediction...", nothing},
		{"rrna", "predict rRNAs...", "skip rRNA prediction...", nothing},
		{"ncrna", "predict ncRNAs...", "skip ncRNA prediction...", nothing},
		{"ncrna-region", "predict ncRNA regions...", "skip ncRNA region prediction...", nothing},
		{"crispr", "predict CRISPR arrays...", "skip CRISPR array prediction...", nothing},
		{"cds", "predict & annotate CDSs...", "skip CDS prediction...", a.findCDSs},
		{"sorf", "detect & annotate sORF...", "skip sORF prediction...", nothing},
		{"gap", "detect gaps...", "skip gap annotation...", a.findGaps},
		{"ori", "detect oriCs/oriVs...", "skip oriC/T annotation...", nothing},
		{"ori", "detect oriTs...", "", nothing},
		{"filter", "apply feature overlap filters...", "skip feature overlap filters...", quiet},
		{"", "select features and create locus tags...", "", a.number},
		{"", "improve annotations...", "", quiet},
	} {
		if s.skip != "" && *a.skip[s.skip] {
			if s.skipped != "" {
				a.printf("%s", s.skipped)
			}
			continue
		}
		if err := a.step("%s", s.title); err != nil {
			return err
		}
		if err := s.do(); err != nil {
			return err
		}
	}
	return nil
}

// summarize works the statistics out and prints them with the counts.
func (a *annotation) summarize() error {
	s := calculate(a.sequences)
	a.stats = s
	comma := func(n int) string { return humanize.Comma(int64(n)) }
	a.printf("\nGenome statistics:\n\tGenome size: %s bp\n\tContigs/replicons: %d", comma(s.Size), len(a.sequences))
	a.printf("\tGC: %.1f %%\n\tN50: %s\n\tN90: %s", 100*s.GC, comma(s.N50), comma(s.N90))
	a.printf("\tN ratio: %.1f %%\n\tcoding density: %.1f %%", 100*s.NRatio, 100*s.CodingRatio)
	a.printf("\nannotation summary:\n\ttRNAs: 0\n\ttmRNAs: 0\n\trRNAs: 0\n\tncRNAs: 0\n\tncRNA regions: 0\n\tCRISPR arrays: 0")
	a.printf("\tCDSs: %d\n\t\thypotheticals: %[1]d\n\t\tpseudogenes: 0\n\tsORFs: 0\n\tgaps: %d\n\toriCs/oriVs: 0\n\toriTs: 0", s.cdss, s.gaps)
	return nil
}
