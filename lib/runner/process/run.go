package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// record is what is kept of a run.
type record struct {
	Job         string          `json:"job"`
	Run         int             `json:"run"`
	Phase       phase           `json:"phase"`
	Since       time.Time       `json:"since"`
	Order       int64           `json:"order"` // its place among those that wait: when it was launched
	Spec        stage.Spec      `json:"spec"`
	Failure     *job.Failure    `json:"failure,omitempty"`     // of a run that ended without a manifest
	Stages      []job.Stage     `json:"stages,omitempty"`      // how far they have come
	Programs    []stage.Process `json:"programs,omitempty"`    // those that were started: what is left of them when their stager is dead is killed
	Interrupted bool            `json:"interrupted,omitempty"` // it ended for no fault of its own
}

// phase is where a run is. It only moves on, but for a run that is cut off by an orderly end: that waits again.
type phase string

const (
	waiting phase = "waiting"
	active  phase = "active"
	ended   phase = "ended"
)

func (r record) object() string { return job.ObjectName(r.Job, r.Run) }

// run is a run that is known. What it embeds is guarded by the runner's lock, except for what never changes:
// job, run, order, spec.
type run struct {
	record
	dir    string
	done   chan struct{} // closed when nothing of it executes; nil before it did
	cancel context.CancelCauseFunc
}

// Why a run is cut off.
var (
	errStopped  = errors.New("the job is to go")
	errReleased = errors.New("the run's outcome is stored")
	errClosing  = errors.New("the backend is shutting down")
)

// save writes the run's record.
func (r *Runner) save(x *run) error {
	content, err := json.Marshal(x.record)
	if err != nil {
		return err
	}
	return stage.WriteFile(filepath.Join(r.records(), x.object()+".json"), content)
}

// execute runs a run from its beginning to its end and reports both. It is called once it is active.
func (r *Runner) execute(ctx context.Context, x *run) {
	failure, err := r.begin(ctx, x)
	if err == nil && failure == nil {
		failure, err = r.perform(ctx, x)
	}
	r.burn(r.conclude(context.Cause(ctx), x, failure, err))
}

// conclude takes note of the end of an execution and makes room for the next. It returns what is left to burn.
func (r *Runner) conclude(cause error, x *run, failure *job.Failure, err error) (left string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.dispatch()
	r.executing--
	defer close(x.done)
	switch {
	case errors.Is(cause, errReleased):
		x.Phase = ended
		if left, err = r.release(x); err != nil {
			r.o.Log.Error("a run is not released", "job", x.Job, "run", x.Run, "error", err)
		}
		return left
	case errors.Is(cause, errStopped):
		// Stop removes it. Until it has, the record says that it is active, which makes it interrupted if this
		// process ends now.
		return ""
	case err != nil && errors.Is(cause, errClosing):
		x.Phase, x.Since = waiting, time.Now().UTC()
		r.put(x)
		return ""
	case err != nil:
		// Not a verdict on the job: storage was away, say.
		r.o.Log.Error("a run ended without an outcome", "job", x.Job, "run", x.Run, "error", err)
		x.Interrupted = true
		failure = &job.Failure{Code: job.Internal, Message: "The job could not be run to its end. This is not a fault of your data; please tell the operators."}
	}
	x.Phase, x.Since, x.Failure = ended, time.Now().UTC(), failure
	r.put(x)
	r.events.send(updated, x.object())
	return ""
}

// put saves a run's record as well as can be. If it can't, the record still says that the run is active, so
// if this process ends before the run is released, the run counts as interrupted: it is run once too often,
// and never too seldom.
func (r *Runner) put(x *run) {
	if err := r.save(x); err != nil {
		r.o.Log.Error("a run's record is not up to date", "job", x.Job, "run", x.Run, "error", err)
	}
}

// begin notes down that the run is active, before anything of it is, and makes place for it.
func (r *Runner) begin(ctx context.Context, x *run) (*job.Failure, error) {
	r.mu.Lock()
	x.Programs, x.Stages = nil, nil
	for _, c := range x.Spec.Stages {
		x.Stages = append(x.Stages, job.Stage{Name: c.Stage, Status: job.StagePending})
	}
	err := r.save(x)
	r.mu.Unlock()
	if err == nil {
		r.events.send(updated, x.object())
		err = stage.Remove(x.dir) // an execution that was cut off may have left it
	}
	return r.full(ctx, x, err)
}

// perform does the run's work, up to the manifest. The failure is set when there is no manifest and never will
// be; an error means that another run of the job may do better.
func (r *Runner) perform(ctx context.Context, x *run) (*job.Failure, error) {
	refused, err := stage.In(ctx, r.o.Files, x.Spec)
	if err != nil {
		return r.full(ctx, x, err)
	}
	// What is believed of the stages is what their stagers say to this process. What lies in the run's directory may be
	// the work of a program: they all run as the same user.
	known := stage.Records{Inputs: refused, Stages: make(map[string]stage.Record)}
	for _, c := range x.Spec.Stages {
		if refused != nil {
			break
		}
		rec, err := r.program(ctx, x, c)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			// The stage has no verdict, which Store turns into one. The log is worth having.
			r.o.Log.Error("a stage did not run to its end", "job", x.Job, "run", x.Run, "stage", c.Stage, "error", err)
			break
		}
		known.Stages[c.Stage] = rec
		if rec.Status != job.StageSucceeded {
			break
		}
	}
	if err := stage.MakeRoom(x.dir); err != nil {
		r.o.Log.Warn("a run's files can't be removed", "dir", x.dir, "error", err)
	}
	if _, err := stage.Store(ctx, r.o.Files, x.Spec, known); err != nil {
		return r.full(ctx, x, err)
	}
	return nil, nil
}

// report records the progress of a stage, and sends an event.
func (r *Runner) report(x *run, stage string, status job.StageStatus, programs ...stage.Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range x.Stages {
		if x.Stages[i].Name == stage {
			x.Stages[i].Status = status
		}
	}
	if len(programs) > 0 {
		x.Programs = append(x.Programs, programs...)
		r.put(x) // the next process has to find them if this one is killed
	}
	r.events.send(updated, x.object())
}

// programs returns the processes of the run's programs that were started.
func (r *Runner) programs(x *run) []stage.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(x.Programs)
}

// full reports whether an error comes from a full disk of this machine, so that it will happen again.
func (r *Runner) full(ctx context.Context, x *run, err error) (*job.Failure, error) {
	if job.Is(err, job.Exhausted) {
		r.o.Log.Error("a run's results find no room in the file storage", "job", x.Job, "run", x.Run, "error", err)
		return &job.Failure{Code: job.Internal, Message: stage.StorageFull}, nil
	}
	var local *fs.PathError
	if err == nil || ctx.Err() != nil || !errors.As(err, &local) {
		return nil, err
	}
	r.o.Log.Error("a run can't use the disk", "job", x.Job, "run", x.Run, "error", err)
	message := "The server can't write to its disk."
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		message = "The server's disk is full."
	}
	return &job.Failure{Code: job.Internal, Message: message + " This is not a fault of your data; please tell the operators."}, nil
}

// program runs a stage's program under a stager, and returns what the stager says of it when nothing of it runs any
// more. A stager is a process of its own so that it can adopt all that the program starts, and outlives this process for
// as long as it takes to kill that: its stdin ends when this process does.
func (r *Runner) program(ctx context.Context, x *run, c stage.Command) (stage.Record, error) {
	args := slices.Concat(r.o.Stager[1:], []string{"run", "--dir", x.dir, "--stage", c.Stage, "--title", c.Title,
		"--watch-stdin", "--quiet", "--anew", "--report", "--grace", r.o.Grace.String(), "--limit", r.o.Limit.String()})
	for _, e := range c.Env {
		args = append(args, "--env", e)
	}
	for _, w := range c.Warnings {
		args = append(args, "--warning", w)
	}
	args = append(append(args, "--"), c.Argv...)
	cmd := exec.CommandContext(ctx, r.o.Stager[0], args...)
	// A group of its own, so that Ctrl-C in a terminal reaches the backend and not its jobs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(stage.Environment(r.o.Environ), stage.Mark(x.dir))
	said := &bounded{left: 16 << 10}
	cmd.Stderr = said
	received := &reports{took: func(rec stage.Record) {
		if rec.Status == job.StageRunning {
			r.report(x, c.Stage, rec.Status, rec.Process)
		} else {
			r.report(x, c.Stage, rec.Status)
		}
	}}
	cmd.Stdout = received
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = r.o.Grace + 2*killing // then the stager itself is killed
	death, err := cmd.StdinPipe()
	if err != nil {
		return stage.Record{}, err
	}
	defer death.Close()
	if err := cmd.Start(); err != nil {
		return stage.Record{}, fmt.Errorf("starting the stager: %w", err)
	}
	if err = cmd.Wait(); err != nil {
		err = fmt.Errorf("the stager: %w: %s", err, strings.TrimSpace(said.String()))
	}
	// Nothing is left, unless somebody killed the stager.
	err = errors.Join(err, stage.KillLeft(x.dir, killing, r.programs(x)...))
	if err == nil && received.last.Status != job.StageSucceeded && received.last.Status != job.StageFailed {
		err = errors.New("the stager ended without a word of how its program did")
	}
	if err != nil {
		r.report(x, c.Stage, job.StageFailed)
		return stage.Record{}, err
	}
	return received.last, nil
}

// reports reads the records that a stager writes, one on a line.
type reports struct {
	took func(stage.Record) // called with each
	last stage.Record
	line []byte
}

// maxReport bounds a line, in bytes: the stager itself writes far less.
const maxReport = 64 << 10

func (r *reports) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		if r.line = append(r.line, line...); len(r.line) > maxReport {
			return 0, errors.New("the stager's record is too long")
		}
		if !ended {
			return n, nil
		}
		rec, err := stage.ReadRecord(r.line)
		if err != nil {
			return 0, err
		}
		r.last, r.line = rec, r.line[:0]
		r.took(rec)
		b = rest
	}
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	keep := p[:min(len(p), b.left)]
	b.left -= len(keep)
	b.Buffer.Write(keep)
	return len(p), nil
}
