// Package jobupdate is the function that is told when something happened to a run, by an event or by the run
// itself. Whatever it is told is a hint that says where to look, never what to believe.
package jobupdate

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Jobs remembers jobs. Errors are job.Unavailable when the store cannot be asked.
type Jobs interface {
	// Get returns a job, or a job.NotFound error.
	Get(ctx context.Context, id string) (job.Job, error)
}

// Lifecycle settles jobs; lib/lifecycle does.
type Lifecycle interface {
	Settle(ctx context.Context, j job.Job) error
}

// Deps is what the function works with.
type Deps struct {
	Jobs      Jobs
	Lifecycle Lifecycle
	Log       *slog.Logger
}

// maxHints bounds the status updates that are followed at once: anybody inside may send them, and each may cost
// a look at a job.
const maxHints = 16

// Function is the jobupdate function.
type Function struct {
	Deps
	hints chan struct{}
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Lifecycle == nil || d.Log == nil {
		return nil, errors.New("jobupdate needs jobs, a lifecycle and a log")
	}
	return &Function{Deps: d, hints: make(chan struct{}, maxHints)}, nil
}

// Look looks at a job and records what holds. A job that does not exist, or whose state has nothing to learn,
// costs one read.
func (f *Function) Look(ctx context.Context, id string) error {
	j, err := f.Jobs.Get(ctx, id)
	if job.Is(err, job.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !j.State.Active() && !j.State.Ended() {
		function.Ignore(ctx, "nothing to learn")
		return nil
	}
	// An ended job is looked at, too: killed between recording the outcome and freeing the run's object, the
	// object's next event repairs it.
	return f.Lifecycle.Settle(ctx, j)
}

// Event handles an event of Knative's ApiServerSource about a Job or a Pod of ours. An event that names none
// of our jobs is acknowledged: it would not mean more the second time.
func (f *Function) Event(ctx context.Context, e cloudevents.Event) error {
	if !strings.HasPrefix(e.Type(), "dev.knative.apiserver.resource.") {
		f.Log.InfoContext(ctx, "event of a foreign type", "type", e.Type())
		function.Ignore(ctx, "a foreign type")
		return nil
	}
	name := e.Subject()
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	id, ok := job.ParseObjectName(name)
	if !ok {
		f.Log.InfoContext(ctx, "event of a foreign object", "subject", e.Subject())
		function.Ignore(ctx, "a foreign object")
		return nil
	}
	function.Note(ctx, "job", id)
	return f.Look(ctx, id)
}
