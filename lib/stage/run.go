package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Options configure Run. The zero value is usable.
type Options struct {
	Environ []string      // the program's environment, see Environment; Run adds TMPDIR and a mark
	Stdout  io.Writer     // receives a copy of the program's stdout; may be nil
	Stderr  io.Writer     // receives a copy of the program's stderr; may be nil
	Grace   time.Duration // from SIGTERM to SIGKILL when ctx or the limit ends; DefaultGrace if zero
	Limit   time.Duration // a program that runs longer is ended, and its stage fails; no limit if zero
	MaxLog  int64         // size in bytes at which the log is cut; DefaultMaxLog if zero

	// Gone is closed when no process waits for the program any more. Then the program is killed at once, without grace.
	// Nil means never.
	Gone <-chan struct{}

	// OwnMemory means that this process shares its memory limit with its program only, as in a container. Then a kill at
	// that limit is an ErrOutOfMemory.
	OwnMemory bool

	// Alone means that this process does nothing else. Then it adopts all descendants of the program, and kills those that
	// remain, even if they left the program's process group. It also prevents the program from tracing it, and so from
	// writing records.
	Alone bool

	// Offline means that the program, and all that it starts, can open no sockets except between processes of this machine.
	Offline bool

	// Fresh means that the caller knows that the stage has not run and that its turn has come, and keeps its record. Then Run
	// writes no record, and does not trust any file in the run's directory: the programs of earlier stages may have written it.
	Fresh bool
	// Note, if not nil, is called with the stage's record when its program has begun.
	Note func(Record)
}

const (
	// DefaultGrace is how long a program has to end after SIGTERM.
	DefaultGrace = 5 * time.Second
	// DefaultMaxLog bounds the log of a stage, in bytes.
	DefaultMaxLog = 8 << 20

	// drain is how long Run reads output after the end of the program and its group. Only a process that has left the group
	// can still write.
	drain = 2 * time.Second
	// killTimeout is how long killed processes may take to disappear.
	killTimeout = 5 * time.Second
)

// Run runs the program of one stage to its end, and records its outcome, whether the program succeeds or fails. An error means
// that there is no outcome: ctx ended before the program did, or this machine failed (no space, no processes). Then Run can
// be called again. A stage after one that failed, or after inputs that are not available, does nothing and stays pending.
//
// A stage that has ended is not run again: its record is written last, when none of its processes is alive. A stage that was
// interrupted runs again from the beginning, with an empty output directory, an empty directory for temporary files and a
// new log, so that the files of two executions are never mixed.
//
// The program leads a process group of its own. When it has exited, or when the grace after the end of ctx is over, the whole
// group is killed: annotation tools start other programs that would run on without them.
func Run(ctx context.Context, c Command, dir string, o Options) (Record, error) {
	if err := c.Validate(); err != nil {
		return Record{}, err
	}
	if err := runnable(); err != nil {
		return Record{}, fmt.Errorf("stage %s: %w", c.Stage, err)
	}
	if ctx.Err() != nil {
		return Record{}, fmt.Errorf("stage %s: %w", c.Stage, context.Cause(ctx))
	}
	d := Dir(dir)
	if !o.Fresh {
		rec, blocked, err := before(d, c.Stage)
		if err != nil || rec.over() || blocked {
			return rec, err
		}
	}
	state, err := prepare(d, c.Stage, o.Fresh)
	if err != nil {
		return Record{}, fmt.Errorf("preparing stage %s: %w", c.Stage, err)
	}
	defer state.Close()
	rec, err := execute(ctx, c, d, state, o)
	if err != nil {
		return Record{}, fmt.Errorf("stage %s: %w", c.Stage, err)
	}
	if o.Fresh {
		return rec, nil
	}
	err = write(state, recordFile, rec)
	if err != nil {
		// The record must fit even if the program has filled the disk.
		if freed := errors.Join(emptyTemp(d), remove(state, reserve)); freed == nil {
			err = write(state, recordFile, rec)
		}
	}
	if err != nil {
		return Record{}, err
	}
	return rec, nil
}

// before returns the stage's record, and whether the inputs or an earlier stage prevent it from running.
func before(d Dir, stage string) (Record, bool, error) {
	rec, _, err := readStage(d, stage)
	if err != nil || rec.over() {
		return rec, false, err
	}
	var in inputRecord
	found, err := read(d, inputState, &in)
	if err != nil {
		return rec, false, err
	}
	if !found {
		return rec, false, fmt.Errorf("stage %s: the inputs have not been downloaded", stage)
	}
	blocked := in.Failure != nil
	state, err := d.open(states)
	if err != nil {
		return rec, false, err
	}
	defer state.Close()
	entries, err := fs.ReadDir(state.FS(), ".")
	if err != nil {
		return rec, false, err
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == stage {
			continue
		}
		other, _, err := readStage(d, e.Name())
		if err != nil {
			return rec, false, err
		}
		blocked = blocked || other.Status == job.StageFailed
	}
	return rec, blocked, nil
}

// prepare creates the stage's output directory and the directory for temporary files, both empty, and opens the directory of
// its state. If fresh, that is empty as well.
func prepare(d Dir, stage string, fresh bool) (*os.Root, error) {
	at, err := d.open()
	if err != nil {
		return nil, err
	}
	defer at.Close()
	out, err := made(at, outputs)
	if errors.Is(err, fs.ErrPermission) { // an earlier stage has removed its permissions
		if at.Chmod(outputs, 0o777) == nil {
			out, err = made(at, outputs)
		}
	}
	if errors.Is(err, errIrregular) { // an earlier stage has replaced it
		out, err = renew(at, outputs)
	}
	if err != nil {
		return nil, err
	}
	defer out.Close()
	own, err := renew(out, stage)
	if err != nil {
		return nil, err
	}
	own.Close()
	if err := emptyTemp(d); err != nil {
		return nil, err
	}
	if !fresh {
		return d.open(states, stage)
	}
	state, err := made(at, states)
	if errors.Is(err, errIrregular) {
		state, err = renew(at, states)
	}
	if err != nil {
		return nil, err
	}
	defer state.Close()
	return renew(state, stage)
}

// emptyTemp removes all temporary files.
func emptyTemp(d Dir) error {
	at, err := d.open()
	if err != nil {
		return err
	}
	defer at.Close()
	temp, err := emptied(at, temps)
	if err != nil {
		temp, err = renew(at, temps)
	}
	if err != nil {
		return err
	}
	return temp.Close()
}
