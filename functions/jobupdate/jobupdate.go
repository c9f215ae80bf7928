// Package jobupdate is the function that receives events about runs, and status updates from runs. Each is a hint that names
// a job; what is recorded is what the manifest and the runner state.
package jobupdate

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Get(ctx context.Context, id string) (job.Job, error)
}

// Lifecycle settles jobs; lib/lifecycle does.
type Lifecycle interface {
	Settle(ctx context.Context, j job.Job) error
}

// Runs is what is used of a runner that keeps objects, see lib/runner.
type Runs interface {
	Forget(ctx context.Context, id string) error
}

// Deps is what the function works with.
type Deps struct {
	Jobs      Jobs
	Lifecycle Lifecycle
	Runs      Runs // nil where the objects of runs end with this process
	Log       *slog.Logger
}

// maxHints bounds the jobs that are settled at once because of status updates, which need no secret. A job is settled by one
// of them at a time.
const maxHints = 16

// lookTime is how long a status update may take to settle a job.
const lookTime = 20 * time.Second

// Function is the jobupdate function.
type Function struct {
	deps Deps

	mu    sync.Mutex
	hints map[string]bool // the jobs that are being settled because of a status update; true if another update came since
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Lifecycle == nil || d.Log == nil {
		return nil, errors.New("jobupdate: jobs, a lifecycle and a log are required")
	}
	return &Function{deps: d, hints: make(map[string]bool)}, nil
}

// Look settles a job. A job that does not exist, or whose state can't change by an event, costs one read.
func (f *Function) Look(ctx context.Context, id string) error {
	_, err := f.look(ctx, id, false)
	return err
}

// look also reports whether the job has a document. It is false only if the store has answered so. After the creation of a Kubernetes Job
// whose launch is recorded, there is nothing to settle.
func (f *Function) look(ctx context.Context, id string, creation bool) (known bool, err error) {
	j, err := f.deps.Jobs.Get(ctx, id)
	if job.Is(err, job.NotFound) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if !j.State.Active() && !j.State.Ended() || creation && j.State == job.Submitted && j.RunName != "" {
		server.Ignore(ctx, "nothing to settle")
		return true, nil
	}
	// An ended job is settled, too: after a kill between the record of the outcome and the release of the run, the next event
	// of the run's object repairs that.
	return true, f.deps.Lifecycle.Settle(ctx, j)
}

// Hint settles a job because of a status update. While the job is being settled it returns at once, and the job is settled
// once more after that. The error is job.Exhausted when too many jobs are being settled.
func (f *Function) Hint(ctx context.Context, id string) error {
	f.mu.Lock()
	if _, looks := f.hints[id]; looks {
		f.hints[id] = true
		f.mu.Unlock()
		return nil
	}
	if len(f.hints) >= maxHints {
		f.mu.Unlock()
		return job.Errorf(job.Exhausted, "too many status updates at once")
	}
	f.hints[id] = false
	f.mu.Unlock()
	over := false
	defer func() {
		if !over { // a panic, which the server answers
			f.mu.Lock()
			delete(f.hints, id)
			f.mu.Unlock()
		}
	}()
	// Callers whose updates came later have their answer already, so this must not end with the first caller.
	ctx = context.WithoutCancel(ctx)
	for {
		look, cancel := context.WithTimeout(ctx, lookTime)
		err := f.Look(look, id)
		cancel()
		f.mu.Lock()
		again := f.hints[id]
		if again {
			f.hints[id] = false
		} else {
			delete(f.hints, id)
			over = true
		}
		f.mu.Unlock()
		if !again {
			return err
		}
	}
}

// Event handles an event of Knative's ApiServerSource about a Job or a Pod of a run. An event of another object is
// acknowledged: a retry would not change anything.
func (f *Function) Event(ctx context.Context, e event.Event) error {
	// The middle of the type depends on the source's mode, resource or reference.
	if !strings.HasPrefix(e.Type(), "dev.knative.apiserver.") {
		f.deps.Log.InfoContext(ctx, "event of an unknown type", "type", e.Type())
		server.Ignore(ctx, "an unknown type")
		return nil
	}
	name := e.Subject()
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	id, ok := job.ParseObjectName(name)
	if !ok {
		f.deps.Log.InfoContext(ctx, "event of another object", "subject", e.Subject())
		server.Ignore(ctx, "another object")
		return nil
	}
	server.Note(ctx, "job", id)
	known, err := f.look(ctx, id, strings.HasSuffix(e.Type(), ".add") && strings.Contains(e.Subject(), "/jobs/"))
	if known || f.deps.Runs == nil {
		return err
	}
	// The run has no job: the database was replaced by an empty one or by an older copy. A document is stored before its run
	// is launched, so the job can't come later.
	f.deps.Log.WarnContext(ctx, "event of a run whose job does not exist", "job", id)
	return f.deps.Runs.Forget(ctx, id)
}
