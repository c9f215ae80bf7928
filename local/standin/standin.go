// Package standin plays the programs of all workflows on a machine that has none of them: bakta and bakta_proteins
// of Bakta 1.12.2, and baktfold 0.3.0. It serves the demonstration and the tests. It prints the lines by which the
// programs show their progress, and leaves files of the same names and formats.
//
// Its results are not an annotation. It finds open reading frames, and calls every one a "hypothetical protein". It
// reads no database and no upload but the genome, the proteins or the annotation; options that it can't act on are
// ignored. The statistics are real. It says what it is in its first line of output and in every file whose format has
// room for a comment.
//
// Environment variables control it:
//
//	BAKTA_STAND_IN_STEP_DELAY  the minimum duration of a step, such as "250ms"; 100ms if unset
//	BAKTA_STAND_IN_FAIL        a failure to play, see failures.go
//	BAKTA_STAND_IN_TRACE       a file to which each run appends a line when it begins and ends, see trace.go
package standin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Name and Version appear in the output. The version begins with that of the Bakta whose lines the stand-in prints.
const (
	Name    = "bakta-stand-in"
	Version = "1.12.2+stand-in"
)

// StepDelay is the minimum duration of a step unless the environment names another one.
const StepDelay = 100 * time.Millisecond

// notice goes wherever a reader might mistake the results for an annotation.
const notice = "A stand-in made this. NOT an annotation: nothing was looked up!"

// Main runs the stand-in with the program's name and its arguments, and returns the exit status: 0, 1 for a failure,
// 2 for a wrong command line, 130 if ctx ended before the run did. It plays the program whose name it was started by,
// or else the one that the first argument names, or else bakta.
func Main(ctx context.Context, argv []string, stdout, stderr io.Writer) int {
	if os.Getenv(failEnv) == failHangChild {
		select {
		case <-ctx.Done():
		case <-time.After(24 * time.Hour):
		}
		return 130
	}
	r := &run{ctx: ctx, stdout: stdout, stderr: stderr, log: io.Discard, start: time.Now(), delay: StepDelay}
	err := r.play(argv)
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

// failure ends the run with an exit status and the text that the program would write to its standard error.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(format string, args ...any) error { return &failure{1, fmt.Sprintf(format, args...)} }

// run is one run of one program.
type run struct {
	ctx                 context.Context
	program             string
	options             *pflag.FlagSet
	input, dir, prefix  string // path of the input, directory of the results, and what their names begin with
	stdout, stderr, log io.Writer
	delay               time.Duration // of a step
	start               time.Time
}

func (r *run) play(argv []string) error {
	programs := map[string]func(*run) error{"bakta": (*run).bakta, "bakta_proteins": (*run).proteins, "baktfold": (*run).baktfold}
	r.program = filepath.Base(argv[0])
	args := argv[1:]
	if programs[r.program] == nil {
		r.program = "bakta"
		if len(args) > 0 && programs[args[0]] != nil {
			r.program, args = args[0], args[1:]
		}
	}
	if text := os.Getenv("BAKTA_STAND_IN_STEP_DELAY"); text != "" {
		var err error
		if r.delay, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("reading BAKTA_STAND_IN_STEP_DELAY: %w", err)
		}
	}
	if done, err := r.parse(args); err != nil || done {
		return err
	}
	if info, err := os.Stat(r.input); err != nil || info.Size() == 0 {
		return fail("ERROR: input file (%s) not valid!", r.input)
	}
	if err := os.MkdirAll(r.dir, 0o777); err != nil {
		return fail("ERROR: could not resolve or create output directory (%s)!", r.dir)
	}
	if err := r.trace(Began); err != nil {
		return err
	}
	if err := programs[r.program](r); err != nil {
		return err
	}
	return r.trace(Succeeded)
}

// parse reads the options that the stand-in acts on, and ignores others. It reports whether the help or the version was
// asked for, and nothing else counts.
func (r *run) parse(args []string) (done bool, err error) {
	o := pflag.NewFlagSet(r.program, pflag.ContinueOnError)
	o.ParseErrorsAllowlist.UnknownFlags = true
	for _, name := range []string{"input", "genus", "species", "strain", "gram", "locus", "locus-tag"} {
		o.String(name, "", "")
	}
	o.StringVarP(&r.dir, "output", "o", ".", "directory of the results")
	o.StringVarP(&r.prefix, "prefix", "p", "", "beginning of the results' names")
	o.Int("min-contig-length", 1, "")
	o.Int("translation-table", 11, "")
	o.Int("locus-tag-increment", 1, "")
	for _, name := range []string{"force", "complete", "keep-contig-headers", "skip-pseudo", "skip-plot", "version"} {
		o.Bool(name, false, "")
	}
	for _, s := range steps() {
		if s.skip != "" && o.Lookup(s.skip) == nil {
			o.Bool(s.skip, false, "")
		}
	}
	o.Usage = func() {
		fmt.Fprintf(r.stdout, "%s\n\nOptions of %s that it acts on:\n%s", notice, r.program, o.FlagUsages())
	}
	// The input comes last. It is kept from the parser, which would take it for the value of an unknown option before it.
	if last := len(args) - 1; r.program != "baktfold" && last >= 0 && !strings.HasPrefix(args[last], "-") {
		r.input, args = args[last], args[:last]
	}
	err = o.Parse(args)
	r.options = o
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return true, nil
	case err == nil && r.is("version"):
		_, err := fmt.Fprintf(r.stdout, "%s %s (not Bakta)\n", Name, Version)
		return true, err
	case err == nil && r.program == "baktfold" && o.Arg(0) != "run":
		err = fmt.Errorf("unknown command %q", o.Arg(0))
	}
	if err != nil {
		return false, &failure{2, fmt.Sprintf("%s: error: %v", r.program, err)}
	}
	r.input = cmp.Or(r.input, r.text("input"))
	r.prefix = cmp.Or(r.prefix, strings.TrimSuffix(filepath.Base(r.input), filepath.Ext(r.input)))
	return false, nil
}

func (r *run) text(option string) string { return r.options.Lookup(option).Value.String() }

func (r *run) number(option string) int {
	n, _ := r.options.GetInt(option) // fails only if the option is not declared as a number
	return n
}

func (r *run) is(option string) bool { return r.text(option) == "true" }

func (r *run) path(ending string) string { return filepath.Join(r.dir, r.prefix+"."+ending) }

func (r *run) printf(format string, args ...any) { fmt.Fprintf(r.stdout, format+"\n", args...) }

// step prints the line by which a program shows a step, and takes its time.
func (r *run) step(line string) error {
	fmt.Fprintln(r.stdout, line)
	fmt.Fprintln(r.log, line)
	return r.pause()
}

func (r *run) pause() error {
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-time.After(r.delay):
		return nil
	}
}

// logged does the parts of a run of Bakta's programs one after the other, with a log file beside the results.
func (r *run) logged(parts ...func() error) error {
	log, err := os.Create(r.path("log"))
	if err != nil {
		return err
	}
	defer log.Close()
	r.log = log
	if err := r.step(notice); err != nil {
		return err
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	took := int(time.Since(r.start).Seconds())
	r.printf("\n%s\nAnnotation successfully finished in %d:%02d [mm:ss].", notice, took/60, took%60)
	return nil
}
