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

// Jobs remembers jobs. Errors are job.Unavailable when the store cannot be asked.
type Jobs interface {
	// Get returns a job, or a job.NotFound error.
	Get(ctx context.Context, id string) (job.Job, error)
	// Delete moves any state to deleting. It reports false for a job that is deleting already, or gone.
	Delete(ctx context.Context, id string, at time.Time) (bool, error)
	// Expire moves a job that has expired by then, and of which no run is owed or under way, to deleting, as Delete
	// does. It reports false, and changes nothing, for any other.
	Expire(ctx context.Context, id string, now time.Time) (bool, error)
	// ExpireUnstarted lets created jobs expire, and be due, by that time, which were made before the other one and
	// would be kept for longer. It returns how many there were.
	ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error)
	// Due returns jobs whose time of the next look has come, the oldest first, at most limit. They may lack results
	// and logs.
	Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error)
	// Postpone moves the time of the next look, if the job is still due at the time named.
	Postpone(ctx context.Context, id string, was, due time.Time) error
	// Acquire takes the lease of that name for the holder, if nobody else has it, until ttl from now.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	// ReleaseLease gives a lease back that the holder has.
	ReleaseLease(ctx context.Context, name, holder string) error
}

// Lifecycle settles and removes jobs; lib/lifecycle does.
type Lifecycle interface {
	Settle(ctx context.Context, j job.Job) error
	Remove(ctx context.Context, j job.Job) error
}

// Runs keep the objects of runs until their outcome is recorded. Errors are job.Unavailable when they cannot be
// asked.
type Runs interface {
	// Held calls visit with the job of every run that is over, or was deleted, since before that time, and whose
	// object is still kept. The first error ends it.
	Held(ctx context.Context, before time.Time, visit func(id string) error) error
	// Forget lets go of those runs of a job that are over, or were deleted. It touches no run that goes on.
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
