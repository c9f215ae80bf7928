// Package standin plays Bakta where there is none: for a demonstration on a bare machine, and for tests. It
// takes Bakta 1.12.2's command line, refuses what Bakta refuses with the same exit status and error lines,
// says the same steps on its standard output and leaves files of the same names and formats behind.
//
// It is no annotation. It finds open reading frames and gaps, and nothing else: every coding sequence is a
// "hypothetical protein", and no database is read (--db may be left out; a directory that is named must
// exist). It says so when it starts, in its log, and in every file whose format has room for it. Statistics
// are real. Options that it can't act on (--regions, --proteins, --hmms, --prodigal-tf, --meta, --partial)
// are checked and left at that. An open reading frame does not run across the ends of a circular replicon.
//
// Two environment variables are for tests and demonstrations:
//
//	BAKTA_STAND_IN_STEP_DELAY  how long each step takes at least, as in "250ms"; 100ms if unset
//	BAKTA_STAND_IN_FAIL        a failure to play, see failures.go
package standin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Name and Version are what the stand-in calls itself in its output. The version begins with that of the
// Bakta whose command line it has.
const (
	Name    = "bakta-stand-in"
	Version = "1.12.2+stand-in"
)

// notice goes wherever a reader might take the results for an annotation.
const notice = "A stand-in made this from open reading frames. NOT a Bakta annotation!"

// Main runs the stand-in with the arguments after the program's name and returns the exit status: 0, 1 for
// a failure, 2 for a wrong command line, 130 when ctx ended before the run did.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if os.Getenv(failEnv) == failHangChild {
		select {
		case <-ctx.Done():
		case <-time.After(24 * time.Hour):
		}
		return 130
	}
	err := run(ctx, args, stdout)
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		fmt.Fprintln(stderr, f.text)
		return f.status
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "ERROR: interrupted")
		return 130
	}
	fmt.Fprintf(stderr, "ERROR: %v\n", err)
	return 1
}

// failure ends the run with an exit status and the text that Bakta would write to its standard error.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(format string, args ...any) error { return &failure{1, fmt.Sprintf(format, args...)} }

// annotation is one run: what was asked, what was found.
type annotation struct {
	*options
	complete   bool // all sequences are replicons
	sequences  []*sequence
	stats      stats
	start, end time.Time

	ctx         context.Context
	stdout, log io.Writer
	delay       time.Duration
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args)
	switch {
	case err != nil:
		return err
	case o.help:
		fmt.Fprintf(stdout, "usage: bakta [OPTIONS] <genome>\n\n%s\n\n%s", notice, o.flags.FlagUsages())
		return nil
	case o.version:
		fmt.Fprintf(stdout, "%s %s (not Bakta)\n", Name, Version)
		return nil
	}
	if err := o.prepareOutput(); err != nil {
		return err
	}
	log, err := os.Create(o.path("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	a := &annotation{options: o, start: time.Now(), ctx: ctx, stdout: stdout, log: log, delay: 100 * time.Millisecond}
	if text := os.Getenv("BAKTA_STAND_IN_STEP_DELAY"); text != "" {
		if a.delay, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("reading BAKTA_STAND_IN_STEP_DELAY: %w", err)
		}
	}
	a.printf("%s", notice)
	a.logf("%s version=%s: %s", Name, Version, notice)
	a.logf("command: %s", strings.Join(args, " "))
	for _, part := range []func() error{a.check, a.read, a.annotate, a.summarize, a.export} {
		if err := part(); err != nil {
			a.logf("failed: %v", err)
			return err
		}
	}
	return nil
}

func (o *options) path(ending string) string { return filepath.Join(o.output, o.prefix+"."+ending) }

func (a *annotation) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }

func (a *annotation) logf(format string, args ...any) {
	fmt.Fprintf(a.log, "%s - INFO - MAIN - %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// step says a step on the standard output and takes its time.
func (a *annotation) step(format string, args ...any) error {
	a.printf(format, args...)
	a.logf(format, args...)
	select {
	case <-a.ctx.Done():
		return a.ctx.Err()
	case <-time.After(a.delay):
		return nil
	}
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
