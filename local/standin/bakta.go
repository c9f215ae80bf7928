package standin

import (
	"cmp"
	"strings"
	"time"
)

// annotating is one run of bakta.
type annotating struct {
	*run
	annotation
}

// bakta plays the program of that name.
func (r *run) bakta() error {
	a := &annotating{run: r, annotation: annotation{Features: []*feature{}}} // an empty list in JSON, not null
	return r.logged(a.read, a.annotate, a.export)
}

// read reads the genome.
func (a *annotating) read() error {
	if err := a.step("Parse genome sequences..."); err != nil {
		return err
	}
	var err error
	if a.Sequences, err = a.readGenome(); err != nil {
		a.printf("reading %s: %v", a.input, err)
		return fail("ERROR: wrong genome file format!")
	}
	if len(a.Sequences) == 0 {
		return fail("Error: input file contains no valid sequences.")
	}
	a.printf("\timported: %d", len(a.Sequences))
	a.Genome = genome{Genus: orNull(a.text("genus")), Species: orNull(a.text("species")), Strain: orNull(a.text("strain")),
		Gram: cmp.Or(a.text("gram"), "?"), Table: a.number("translation-table"), Complete: true}
	a.Genome.Taxon = orNull(a.Genome.taxon())
	for _, s := range a.Sequences {
		a.Genome.Complete = a.Genome.Complete && s.Type != "contig"
	}
	return nil
}

// baktaStep is a step of Bakta, as bakta/main.py of version 1.12.2 prints it.
type baktaStep struct{ skip, title, skipped string } // the option that leaves it out, and the lines that show it done or left out

// steps are the steps of the annotation, in Bakta's order. The stand-in has something to do for CDSs and locus tags alone.
func steps() []baktaStep {
	return []baktaStep{
		{"skip-trna", "predict tRNAs...", "skip tRNA prediction..."},
		{"skip-tmrna", "predict tmRNAs...", "skip tmRNA prediction..."},
		{"skip-rrna", "predict rRNAs...", "skip rRNA prediction..."},
		{"skip-ncrna", "predict ncRNAs...", "skip ncRNA prediction..."},
		{"skip-ncrna-region", "predict ncRNA regions...", "skip ncRNA region prediction..."},
		{"skip-crispr", "predict CRISPR arrays...", "skip CRISPR array prediction..."},
		{"skip-cds", "predict & annotate CDSs...", "skip CDS prediction..."},
		{"skip-sorf", "detect & annotate sORF...", "skip sORF prediction..."},
		{"skip-gap", "detect gaps...", "skip gap annotation..."},
		{"skip-ori", "detect oriCs/oriVs...", "skip oriC/T annotation..."},
		{"skip-ori", "detect oriTs...", ""},
		{"skip-filter", "apply feature overlap filters...", "skip feature overlap filters..."},
		{"", "select features and create locus tags...", ""},
		{"", "improve annotations...", ""},
	}
}

func (a *annotating) annotate() error {
	a.printf("\nStart annotation...")
	for _, s := range steps() {
		if s.skip != "" && a.is(s.skip) {
			if s.skipped != "" {
				a.printf("%s", s.skipped)
			}
			continue
		}
		err := a.step(s.title)
		if err == nil && s.skip == "skip-cds" {
			err = a.findCDSs()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// export prints the statistics, and writes the result files.
func (a *annotating) export() error {
	a.Stats = calculate(&a.annotation)
	a.printf("\nGenome statistics:\n\tGenome size: %d bp\n\tGC: %.1f %%", a.Stats.Size, 100*a.Stats.GC)
	a.printf("\nannotation summary:\n\tCDSs: %d", len(a.Features))
	a.Run = map[string]string{"start": a.start.Format(time.DateTime), "end": time.Now().Format(time.DateTime)}
	a.Version = version()
	if err := a.step("\nExport annotation results to: " + a.dir); err != nil {
		return err
	}
	files := append(a.genomeFiles(), file{"json", a.writeJSON}, file{"txt", a.writeSummary})
	if !a.is("skip-plot") {
		files = append(files, file{"png", a.writePNG}, file{"svg", a.writeSVG})
	}
	if !a.is("skip-cds") {
		files = append(files, file{"hypotheticals.tsv", a.writeHypotheticals}, file{"hypotheticals.faa", a.writeFAA})
	}
	return a.write(files)
}

// version is what the JSON files say of the program that wrote them.
func version() map[string]any {
	return map[string]any{"bakta": Version, "db": map[string]string{"version": "0.0", "type": "none"}, "tool": Name, "note": notice}
}

// orNull is a text without the space around it, or nil if that is all there is.
func orNull(s string) *string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return &s
}
