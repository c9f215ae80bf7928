// Package jobupdate is the function that is told when something happened to a run, by an event or by the run
// itself. Whatever it is told is a hint that says where to look, never what to believe.
package jobupdate

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

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
	Runs      Runs // nil where runs have no objects that anybody has to let go of
	Log       *slog.Logger
}

// maxHints bounds the jobs that are looked at at once because of status updates: anybody inside may send them. Of one job
// there is one look at a time, however many come.
const maxHints = 16

// lookTime is how long one look because of a status update may take.
const lookTime = 20 * time.Second

// Function is the jobupdate function.
type Function struct {
	deps Deps

	mu    sync.Mutex
	hints map[string]bool // the jobs that are looked at because of a status update, and whether another came since
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Lifecycle == nil || d.Log == nil {
		return nil, errors.New("jobupdate needs jobs, a lifecycle and a log")
	}
	return &Function{deps: d, hints: make(map[string]bool)}, nil
}

// Look looks at a job and records what holds. A job that does not exist, or whose state has nothing to learn,
// costs one read.
func (f *Function) Look(ctx context.Context, id string) error {
	_, err := f.look(ctx, id)
	return err
}

// look also reports whether the job is known. It says no only if the store was asked and said so.
func (f *Function) look(ctx context.Context, id string) (known bool, err error) {
	j, err := f.deps.Jobs.Get(ctx, id)
	if job.Is(err, job.NotFound) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if !j.State.Active() && !j.State.Ended() {
		server.Ignore(ctx, "nothing to learn")
		return true, nil
	}
	// An ended job is looked at, too: killed between recording the outcome and freeing the run's object, the
	// object's next event repairs it.
	return true, f.deps.Lifecycle.Settle(ctx, j)
}

// Hint looks at a job that somebody says has news. While a look at it is under way it returns at once, and that look is
// followed by another. The error is job.Exhausted when too many jobs are looked at.
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
		if !over { // a panic, which the host answers
			f.mu.Lock()
			delete(f.hints, id)
			f.mu.Unlock()
		}
	}()
	// Others were told that their hint is looked at, so that does not end with the caller who happened to be the first.
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

// Event handles an event of Knative's ApiServerSource about a Job or a Pod of ours. An event that names none
// of our jobs is acknowledged: it would not mean more the second time.
func (f *Function) Event(ctx context.Context, e cloudevents.Event) error {
	// What is between depends on the source's mode: resource, or ref.
	if !strings.HasPrefix(e.Type(), "dev.knative.apiserver.") {
		f.deps.Log.InfoContext(ctx, "event of a foreign type", "type", e.Type())
		server.Ignore(ctx, "a foreign type")
		return nil
	}
	name := e.Subject()
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	id, ok := job.ParseObjectName(name)
	if !ok {
		f.deps.Log.InfoContext(ctx, "event of a foreign object", "subject", e.Subject())
		server.Ignore(ctx, "a foreign object")
		return nil
	}
	server.Note(ctx, "job", id)
	known, err := f.look(ctx, id)
	if known || f.deps.Runs == nil {
		return err
	}
	// There is a run, and nobody who waits for its outcome: the database was set up anew, or is an older copy of
	// itself. Documents are there before their runs, so this is no run that came early.
	f.deps.Log.WarnContext(ctx, "an event of a run whose job is not known", "job", id)
	return f.deps.Runs.Forget(ctx, id)
}
