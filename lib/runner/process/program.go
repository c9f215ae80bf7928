package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// program runs a stage's program under a stager, and returns the stager's record of it when no process of it is alive. The
// stager is a separate process for two reasons: it adopts all processes that the program starts, and it outlives this
// process for as long as it takes to kill them. Its stdin ends when this process ends.
func (r *Runner) program(ctx context.Context, x *run, c stage.Command) (stage.Record, error) {
	args := slices.Concat(r.o.Stager[1:], []string{"run", "--dir", x.dir, "--stage", c.Stage, "--title", c.Title,
		"--watch-stdin", "--quiet", "--fresh", "--report", "--pulse", "--grace", r.o.Grace.String(), "--limit", r.o.Limit.String()})
	for _, e := range c.Env {
		args = append(args, "--env", e)
	}
	for _, w := range c.Warnings {
		args = append(args, "--warning", w)
	}
	args = append(append(args, "--"), c.Argv...)
	cmd := exec.CommandContext(ctx, r.o.Stager[0], args...)
	// A separate process group, so that Ctrl-C in a terminal reaches the backend and not its jobs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(stage.Environment(r.o.Environ), stage.Mark(x.dir))
	said := &bounded{left: 16 << 10}
	cmd.Stderr = said
	received := &reports{wrote: func() { r.o.Changed(x.Job) }, took: func(rec stage.Record) {
		if rec.Status == job.StageRunning {
			r.report(x, c.Stage, rec.Status, rec.Process)
		} else {
			r.report(x, c.Stage, rec.Status)
		}
	}}
	cmd.Stdout = received
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = r.o.Grace + 2*killTimeout // then the stager itself is killed
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
	// Processes remain only if the stager was killed.
	err = errors.Join(err, stage.KillLeft(x.dir, killTimeout, r.programs(x)...))
	if err == nil && received.last.Status != job.StageSucceeded && received.last.Status != job.StageFailed {
		err = errors.New("the stager ended without a record of its program's end")
	}
	if err != nil {
		r.report(x, c.Stage, job.StageFailed)
		return stage.Record{}, err
	}
	return received.last, nil
}

// reports reads the records that a stager writes, one per line, and the empty lines by which it reports output.
type reports struct {
	wrote func()             // called for each empty line: the program has written output
	took  func(stage.Record) // called with each record
	last  stage.Record
	line  []byte
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
		b = rest
		if len(r.line) == 0 {
			r.wrote()
			continue
		}
		rec, err := stage.ReadRecord(r.line)
		if err != nil {
			return 0, err
		}
		r.last, r.line = rec, r.line[:0]
		r.took(rec)
	}
}

// bounded keeps the first bytes that are written to it.
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
