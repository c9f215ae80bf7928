// Package expire is the function that removes jobs, when their owner deletes them or their retention ends. It also sweeps:
// it handles every job that is due, and so repairs what events did not drive.
package expire

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
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
	Next(ctx context.Context, caller string) (bool, error)
}

// Callers finds the callers whose jobs wait for their turn, see store.Turns.
type Callers interface {
	NextCaller(ctx context.Context, after string) (string, error)
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
	Runs      Runs          // nil where the objects of runs end with this process
	Callers   Callers       // nil where the runs of a caller are not limited
	UploadTTL time.Duration // how long an upload link lives
	Now       func() time.Time
	Log       *slog.Logger
	Holder    string // names this process and no other, for the sweep's lease

	OwnersOnly bool     // a job that has an owner is deleted by its owner alone
	Parallel   int      // how many jobs a sweep handles at once; 0: 8
	Recorder   Recorder // nil: nothing is recorded
}

// Function is the expire function.
type Function struct {
	deps      Deps
	shortened atomic.Int64 // Unix time in milliseconds of the last search for jobs to shorten
	sweeping  atomic.Bool  // a sweep of this process is active
	lastTurn  string       // the caller that a sweep gave a turn last, "" if it reached all; for the active sweep
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Lifecycle == nil || d.Now == nil || d.Log == nil || d.Holder == "" {
		return nil, errors.New("expire: jobs, a lifecycle, a clock, a log and a name for leases are required")
	}
	if d.UploadTTL <= 0 {
		return nil, errors.New("expire: UploadTTL is required")
	}
	if d.Parallel <= 0 {
		d.Parallel = defaultParallel
	}
	if d.Recorder == nil {
		d.Recorder = noRecorder{}
	}
	return &Function{deps: d}, nil
}

// Delete removes a job for its owner. After a success no caller sees the job, and its data are removed even if this process is
// killed: the sweep does what this call does not reach.
func (f *Function) Delete(ctx context.Context, rawID, secret string) error {
	id, err := job.ParseID(rawID)
	if err != nil {
		return err
	}
	j, err := f.deps.Jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := j.Authorise(f.key(ctx, secret)); err != nil {
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
		f.deps.Log.WarnContext(ctx, "the data of a deleted job are not removed yet; the sweep will remove them", "job", id, "error", err)
	}
	return nil
}

// key returns what the caller has to open a job with.
func (f *Function) key(ctx context.Context, secret string) job.Key {
	return job.Key{Secret: secret, Subject: caller.From(ctx).Subject, OwnersOnly: f.deps.OwnersOnly}
}

// now is the time with the precision of the store.
func (f *Function) now() time.Time { return f.deps.Now().UTC().Truncate(time.Millisecond) }
