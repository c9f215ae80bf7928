package status

import (
	"context"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

const (
	// tailSize is how much of the end of a stage's log is read for its step, in bytes: hundreds of lines.
	tailSize = 32 << 10
	// stepTime is how long a step counts as known where reading a log asks other servers: the API server and a kubelet.
	stepTime = 5 * time.Second
	// stepReads is how many ends of logs are read in a second where reading asks other servers. The steps of further jobs are
	// those that are known already, or missing.
	stepReads = 10
	// stepLimit bounds a read: a node that hangs must not delay an answer.
	stepLimit = 2 * time.Second
	// maxSteps bounds how many jobs' steps are kept.
	maxSteps = 2000
)

// steps knows the steps that programs have reached, from the ends of their logs.
type steps struct {
	logs   Logs
	remote bool // reading a log asks other servers

	mu    sync.Mutex
	known map[string]known // by job
	since time.Time        // when the second began in which so many logs were read
	reads int
}

// known is a step that was read.
type known struct {
	run   int
	stage string
	step  *program.Step // nil if the log showed none
	until time.Time     // until when it is not read again
}

func newSteps(logs Logs, remote bool) *steps {
	return &steps{logs: logs, remote: remote, known: make(map[string]known)}
}

// of returns the step of a job whose stage runs; nil if it is not known.
func (s *steps) of(ctx context.Context, j job.Job, stage string) *program.Step {
	s.mu.Lock()
	was, found := s.known[j.ID]
	s.mu.Unlock()
	if found = found && was.run == j.Run && was.stage == stage; !found {
		was = known{run: j.Run, stage: stage}
	}
	if s.remote {
		if found && time.Now().Before(was.until) {
			return was.step
		}
		if !s.mayRead() {
			return was.step
		}
	}
	now := was
	if step, ok := s.read(ctx, j, stage); ok && (was.step == nil || step.Number >= was.step.Number) {
		now.step = &step // an end of the log that shows no step, or an earlier one, says nothing new
	}
	now.until = time.Now().Add(stepTime)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxSteps {
		clear(s.known)
	}
	s.known[j.ID] = now
	return now.step
}

// mayRead reports whether another log may be read in this second.
func (s *steps) mayRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.since) >= time.Second {
		s.since, s.reads = now, 0
	}
	s.reads++
	return s.reads <= stepReads
}

// read returns the step that the end of a stage's log shows.
func (s *steps) read(ctx context.Context, j job.Job, stage string) (program.Step, bool) {
	w, ok := workflow.Lookup(j.Workflow)
	if !ok {
		return program.Step{}, false
	}
	limited, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	tail, err := s.logs.Tail(limited, j, stage, tailSize)
	if err != nil {
		return program.Step{}, false // it has not begun, or its place is away for a moment
	}
	progress := workflow.NewProgress(w.Kind)
	for _, row := range w.Stages {
		if row.Name == stage {
			// The beginning of the log, which says of which stage it is, may be cut off.
			_, _ = progress.Write([]byte(row.Title + " Command: \n"))
		}
	}
	return progress.ReadAll(string(tail))
}
