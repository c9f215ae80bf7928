package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// execute runs the program and returns its record.
func execute(ctx context.Context, c Command, d Dir, state *os.Root, o Options) (Record, error) {
	log, err := createLog(state)
	if err != nil {
		return Record{}, fmt.Errorf("creating the log: %w", err)
	}
	defer log.Close()
	limit := cmp.Or(o.MaxLog, DefaultMaxLog)
	out := &recorder{log: log, left: limit, limit: limit}
	stdout := &stream{to: out, copy: o.Stdout, tail: &tail{}}
	errout := &stream{to: out, copy: o.Stderr, tail: &tail{}}
	c.Argv = bounded(c.Argv, runtime.NumCPU())
	stdout.emit(fmt.Appendf(nil, "%s Command: %s\n", c.Title, quote(c.Argv)))
	for _, w := range c.Warnings {
		stdout.emit(fmt.Appendf(nil, "Warning: %s\n", w))
	}

	p := &process{grace: cmp.Or(o.Grace, DefaultGrace), alone: o.Alone, offline: o.Offline}
	p.cmd = exec.Command(c.Argv[0], c.Argv[1:]...)
	p.cmd.Dir = d.Temp()
	p.cmd.Env = environ(d, o.Environ, c.Env)
	p.cmd.SysProcAttr = attributes()

	if o.Alone {
		if err := adopt(); err != nil {
			return Record{}, fmt.Errorf("becoming the parent of orphans: %w", err)
		}
		if err := closed(); err != nil {
			return Record{}, fmt.Errorf("protecting this process from its program: %w", err)
		}
	}
	rec := Record{Result: Result{Name: c.Stage, Status: job.StageRunning, Started: now()}}
	p.note = func(pid int) {
		// If this write fails, because the program has filled the disk already, the program can be found by its mark only, and
		// its stage seems not to have begun. That does not justify ending it.
		var err error
		if rec.Process, err = identify(pid); err == nil {
			if !o.Fresh {
				_ = write(state, recordFile, rec)
			}
		}
		if o.Note != nil {
			o.Note(rec)
		}
	}
	killedBefore := oomKills()
	err = p.start(stdout, errout)
	if unstartable(err) {
		rec.Status, rec.ExitCode, rec.Ended = job.StageFailed, -1, now()
		rec.Failure = &job.Failure{Code: job.BadImage, Stage: c.Stage,
			Message: fmt.Sprintf("%s could not be started: %s. This is not a fault of your data; please contact the operators.", c.Title,
				cause(err))}
		fmt.Fprintf(errout, "%s\n", rec.Failure.Message)
		return rec, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.Limit > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, o.Limit, errLate)
	}
	defer cancel()
	cut, err := p.wait(limited, o.Gone)
	if o.OwnMemory && oomKills() > killedBefore {
		return Record{}, errors.Join(ErrOutOfMemory, err)
	}
	late := errors.Is(cut, errLate)
	if cut != nil && !late {
		err = errors.Join(fmt.Errorf("interrupted: %w", cut), err)
	}
	if err != nil {
		return Record{}, err
	}
	if out.err != nil && o.Stderr != nil {
		fmt.Fprintf(o.Stderr, "the log of stage %s is not complete: %v\n", c.Stage, out.err)
	}
	rec.Ended, rec.Status = now(), job.StageSucceeded
	if rec.ExitCode, rec.Signal = p.status(); rec.ExitCode != 0 {
		rec.Status = job.StageFailed
		why := workflow.Explain(program.Exit{Stage: c.Stage, Title: c.Title, Code: rec.ExitCode, Signal: rec.Signal,
			Stdout: stdout.tail.kept, Stderr: errout.tail.kept})
		rec.Failure = &why
	}
	if late {
		rec.Status = job.StageFailed
		rec.Failure = &job.Failure{
			Code:  job.OutOfTime,
			Stage: c.Stage,
			Message: fmt.Sprintf("%s took longer than its limit of %s, and was ended. "+
				"Large genomes, and assemblies of very many contigs, take longer; please contact the operators.", c.Title, o.Limit),
		}
		fmt.Fprintf(errout, "%s\n", rec.Failure.Message)
	}
	return rec, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// threadsFlag is the option of programs for their number of threads. They refuse more than the machine has processors.
const threadsFlag = "--threads="

// bounded returns the arguments with no more threads than there are processors. The number was chosen when the run was launched, by the
// limit of processor time, and its node may have fewer processors than that.
func bounded(argv []string, processors int) []string {
	argv = slices.Clone(argv)
	for i, word := range argv {
		if number, ok := strings.CutPrefix(word, threadsFlag); ok {
			if n, err := strconv.Atoi(number); err == nil && n > processors {
				argv[i] = threadsFlag + strconv.Itoa(processors)
			}
		}
	}
	return argv
}
