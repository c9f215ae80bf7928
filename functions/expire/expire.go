// Package expire is the function that removes jobs, because their owner or the retention wants it, and that
// sweeps: it looks at what is due and repairs what events did not drive.
package expire

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Get(ctx context.Context, id string) (job.Job, error)
	Delete(ctx context.Context, id string, at time.Time) (bool, error)
	Expire(ctx context.Context, id string, now time.Time) (bool, error)
	ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error)
	Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error)
	Postpone(ctx context.Context, id string, was, due time.Time) error
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
}

// Lifecycle settles and removes jobs; lib/lifecycle does.
type Lifecycle interface {
	Settle(ctx context.Context, j job.Job) error
	Remove(ctx context.Context, j job.Job) error
}

// Runs is what is used of a runner that keeps objects, see lib/runner.
type Runs interface {
	Held(ctx context.Context, before time.Time, visit func(id string) error) error
	Forget(ctx context.Context, id string) error
}

// Deps is what the function works with.
type Deps struct {
	Jobs      Jobs
	Lifecycle Lifecycle
	Runs      Runs          // nil where runs have no objects that anybody has to let go of
	UploadTTL time.Duration // how long an upload link lives
	Now       func() time.Time
	Log       *slog.Logger
	Holder    string // a name for this process that no other has, for the sweep's lease

	Parallel int      // how many jobs a sweep looks at at once; 0: 8
	Recorder Recorder // nil: nobody is told
}

// Function is the expire function.
type Function struct {
	deps      Deps
	shortened atomic.Int64 // when jobs that were not started were last looked for, in milliseconds of Unix time
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Lifecycle == nil || d.Now == nil || d.Log == nil || d.Holder == "" {
		return nil, errors.New("expire needs jobs, a lifecycle, a clock, a log and a name for its leases")
	}
	if d.UploadTTL <= 0 {
		return nil, errors.New("expire needs to know how long upload links live")
	}
	if d.Parallel <= 0 {
		d.Parallel = defaultParallel
	}
	if d.Recorder == nil {
		d.Recorder = noRecorder{}
	}
	return &Function{deps: d}, nil
}

// Delete removes a job for its owner. Once it answers success the job is gone for everybody, and its data are
// removed, whatever happens to this process: what this call does not reach, the sweep does.
func (f *Function) Delete(ctx context.Context, rawID, secret string) error {
	id, err := job.ParseID(rawID)
	if err != nil {
		return err
	}
	j, err := f.deps.Jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := j.Authorise(secret); err != nil {
		return err
	}
	now := f.now()
	won, err := f.deps.Jobs.Delete(ctx, id, now)
	if err != nil {
		return err
	}
	if !won {
		return job.Errorf(job.NotFound, "there is no such job; it was deleted a moment ago")
	}
	f.deps.Log.InfoContext(ctx, "job deleted by its owner", "job", id)
	f.deps.Recorder.Removed(ctx, false)
	j.State, j.Updated, j.Due = job.Deleting, now, now
	if err := f.deps.Lifecycle.Remove(ctx, j); err != nil {
		f.deps.Log.WarnContext(ctx, "a deleted job's data are not removed yet, the sweep will do it", "job", id, "error", err)
	}
	return nil
}

// now is the time as the store keeps it.
func (f *Function) now() time.Time { return f.deps.Now().UTC().Truncate(time.Millisecond) }
