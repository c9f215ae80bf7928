package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// stagerProcess is a process that runs programs of stages, one at a time, see lib/stage/stager. It is a process of its own for two reasons:
// it adopts all processes that a program starts, and it outlives this process for as long as it takes to kill them. Its stdin ends
// when this process ends. It serves one run after the other, because its start takes longer than a small program.
type stagerProcess struct {
	process stage.Process
	orders  io.WriteCloser
	cancel  context.CancelFunc // ends it, and the program that it runs, with SIGTERM
	dead    chan struct{}      // closed when it has ended
	err     error              // set before dead is closed: why; nil if it was asked to
	since   time.Time          // when it became idle; guarded by stagers

	mu    sync.Mutex
	wrote func()
	took  func(stage.Record)
	line  []byte
}

// idleTime is how long a stager that has nothing to do is kept.
const idleTime = 30 * time.Second

// newStager starts a stager.
func (r *Runner) newStager() (*stagerProcess, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stagerProcess{cancel: cancel, dead: make(chan struct{})}
	cmd := exec.CommandContext(ctx, r.o.Stager[0], append(r.o.Stager[1:len(r.o.Stager):len(r.o.Stager)], "serve")...)
	// A separate process group, so that Ctrl-C in a terminal reaches the backend and not its jobs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = stage.Environment(r.o.Environ)
	said := &bounded{left: 16 << 10}
	cmd.Stdout, cmd.Stderr = s, said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = r.o.Grace + 2*killTimeout // then the stager itself is killed
	var err error
	if s.orders, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("starting the stager: %w", err)
	}
	s.process, err = stage.Identify(cmd.Process.Pid)
	go func() {
		defer close(s.dead)
		defer cancel()
		if err := cmd.Wait(); err != nil {
			s.err = fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
		}
	}()
	if err != nil {
		s.close()
		return nil, fmt.Errorf("starting the stager: %w", err)
	}
	return s, nil
}

// run runs a program and returns its record. When it returns no error, no process of the program is alive, and the stager can run
// another one. After an error the stager has ended.
func (s *stagerProcess) run(ctx context.Context, o stage.Order, wrote func(), took func(stage.Record)) (stage.Record, error) {
	over := make(chan stage.Record, 1)
	s.mu.Lock()
	s.wrote = wrote
	s.took = func(rec stage.Record) {
		took(rec)
		if rec.Status == job.StageSucceeded || rec.Status == job.StageFailed {
			over <- rec
			s.wrote, s.took = nil, nil // it writes nothing more
		}
	}
	s.mu.Unlock()
	order, err := json.Marshal(o)
	if err == nil {
		_, err = s.orders.Write(append(order, '\n'))
	}
	if err != nil {
		s.cancel()
		<-s.dead
		return stage.Record{}, fmt.Errorf("the stager takes no order: %w", errors.Join(err, s.err))
	}
	select {
	case rec := <-over:
		return rec, nil
	case <-ctx.Done():
		s.cancel()
		<-s.dead
	case <-s.dead:
	}
	if ctx.Err() != nil {
		return stage.Record{}, context.Cause(ctx)
	}
	return stage.Record{}, fmt.Errorf("the stager ended without a record of its program's end: %w", s.err)
}

// close ends a stager that runs nothing, and waits for its end.
func (s *stagerProcess) close() {
	s.orders.Close()
	<-s.dead
}

// alive reports whether the stager can still run programs, as far as is known.
func (s *stagerProcess) alive() bool {
	select {
	case <-s.dead:
		return false
	default:
		return true
	}
}

// maxReport bounds a line, in bytes: the stager itself writes far less.
const maxReport = 64 << 10

// Write reads what the stager prints: its records, one per line, and an empty line where its program has written output.
func (s *stagerProcess) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		if s.line = append(s.line, line...); len(s.line) > maxReport {
			return 0, errors.New("the stager's record is too long")
		}
		if !ended {
			return n, nil
		}
		b = rest
		switch {
		case s.took == nil: // late output of a program that has ended
		case len(s.line) == 0:
			s.wrote()
		default:
			rec, err := stage.ReadRecord(s.line)
			if err != nil {
				return 0, err
			}
			s.took(rec)
		}
		s.line = s.line[:0]
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

// stagers keeps stagers that have nothing to do.
type stagers struct {
	mu     sync.Mutex
	closed bool
	idle   []*stagerProcess
	wait   sync.WaitGroup
}

// get returns an idle stager, or nil if there is none.
func (p *stagers) get() *stagerProcess {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		s := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if s.alive() {
			return s
		}
	}
	return nil
}

// put keeps a stager for a while. Those that are used least end first.
func (p *stagers) put(s *stagerProcess) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.wait.Go(s.close)
		return
	}
	p.idle = append(p.idle, s)
	s.since = time.Now()
	time.AfterFunc(idleTime, func() { p.expire(s) })
}

// expire ends a stager that has been idle for so long.
func (p *stagers) expire(s *stagerProcess) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.idle, s)
	if at < 0 || time.Since(s.since) < idleTime {
		return
	}
	p.idle = slices.Delete(p.idle, at, at+1)
	p.wait.Go(s.close)
}

// close ends all stagers that are kept, and those that are put later.
func (p *stagers) close() {
	p.mu.Lock()
	p.closed = true
	for _, s := range p.idle {
		p.wait.Go(s.close)
	}
	p.idle = nil
	p.mu.Unlock()
	p.wait.Wait()
}
