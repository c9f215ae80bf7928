// Package standin plays the programs of all workflows where there are none: bakta and bakta_proteins of Bakta
// 1.12.2, and baktfold 0.3.0, for a demonstration on a bare machine and for tests. It takes their command lines,
// refuses what they refuse with the same exit status and error lines, says the same steps on the same stream and
// leaves files of the same names and formats behind.
//
// It is no annotation. It finds open reading frames and gaps, and nothing else: every coding sequence is a
// "hypothetical protein" unless a JSON file that Baktfold is given says better, and no database is read (--db
// may be left out; a directory that is named must exist). It says so when it starts, in its log, and in every
// file whose format has room for it. Statistics are real. So are the coding sequences of --regions. Other options
// that it can't act on (--proteins, --hmms, --prodigal-tf, --meta, --partial) are checked and left at that. An
// open reading frame does not run across the ends of a circular replicon.
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
	"time"
)

// Name and Version are what the stand-in calls itself in its output. The version begins with that of the
// Bakta whose command line it has.
const (
	Name    = "bakta-stand-in"
	Version = "1.12.2+stand-in"
)

// notice goes wherever a reader might take the results for an annotation.
const notice = "A stand-in made this. NOT an annotation: nothing was looked up!"

// Main runs the stand-in with the program's name and its arguments, and returns the exit status: 0, 1 for a
// failure, 2 for a wrong command line, 130 when ctx ended before the run did. It plays the program that the name
// is of, else the one that the first argument names, else bakta.
func Main(ctx context.Context, argv []string, stdout, stderr io.Writer) int {
	if os.Getenv(failEnv) == failHangChild {
		select {
		case <-ctx.Done():
		case <-time.After(24 * time.Hour):
		}
		return 130
	}
	r := &run{ctx: ctx, stdout: stdout, stderr: stderr, log: io.Discard, start: time.Now()}
	err := r.play(argv)
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		if f.text != "" {
			fmt.Fprintln(stderr, f.text)
		}
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

// traceback ends the run as an exception that nobody catches ends a program of Python.
func traceback(program, format string, args ...any) error {
	return fail("Traceback (most recent call last):\n  File %q, line 8, in <module>\n    sys.exit(main())\n%s", program, fmt.Sprintf(format, args...))
}

// run is one run of one program.
type run struct {
	ctx                 context.Context
	program             string
	stdout, stderr, log io.Writer
	delay               time.Duration // of a step
	start, end          time.Time
}

// play runs the program that is meant.
func (r *run) play(argv []string) error {
	programs := map[string]func(args []string) error{"bakta": r.bakta, "bakta_proteins": r.proteins, "baktfold": r.baktfold}
	r.program = filepath.Base(argv[0])
	args := argv[1:]
	if programs[r.program] == nil {
		r.program = "bakta"
		if len(args) > 0 && programs[args[0]] != nil {
			r.program, args = args[0], args[1:]
		}
	}
	r.delay = 100 * time.Millisecond
	if text := os.Getenv("BAKTA_STAND_IN_STEP_DELAY"); text != "" {
		var err error
		if r.delay, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("reading BAKTA_STAND_IN_STEP_DELAY: %w", err)
		}
	}
	return programs[r.program](args)
}

func (r *run) printf(format string, args ...any) { fmt.Fprintf(r.stdout, format+"\n", args...) }

// logf writes to the log file of Bakta's programs.
func (r *run) logf(format string, args ...any) {
	fmt.Fprintf(r.log, "%s - INFO - MAIN - %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// step says a step on the standard output and takes its time.
func (r *run) step(format string, args ...any) error {
	r.printf(format, args...)
	r.logf(format, args...)
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

// introduce tells what this is instead of a program of Bakta's: its help or its version, if they are asked for.
func (r *run) introduce(p *argparse) (done bool) {
	switch {
	case p.help:
		fmt.Fprintf(r.stdout, "usage: %s [OPTIONS] %s\n\n%s\n\n%s", p.program, p.input, notice, p.FlagUsages())
	case p.version:
		fmt.Fprintf(r.stdout, "%s %s (not Bakta)\n", Name, Version)
	}
	return p.help || p.version
}

// finished says the last lines of Bakta's programs.
func (r *run) finished() {
	took := int(r.end.Sub(r.start).Seconds())
	r.printf("\n%s\nAnnotation successfully finished in %d:%02d [mm:ss].", notice, took/60, took%60)
}
