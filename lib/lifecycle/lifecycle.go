// Package lifecycle is what more than one function does with a job: launch a run that is owed, settle what is
// observed of it, remove a job for good. Everything here may be called by several processes at once, may be
// killed between any two lines, and may be called again.
package lifecycle

import (
	"context"
	"io"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Jobs remembers jobs. Every write is one compare-and-set on one document: it reports false, and changes
// nothing, when the job has left the states that may be left, or its run is not the one named.
// Errors are job.Unavailable when the store cannot be asked; then a write may or may not have happened.
type Jobs interface {
	// Get returns a job, or a job.NotFound error.
	Get(ctx context.Context, id string) (job.Job, error)
	// Launched records what the runner calls the run's object, and when to look at it next.
	Launched(ctx context.Context, id string, run int, object string, due time.Time) (bool, error)
	// Running moves submitted to running, or updates the stages of a running job.
	Running(ctx context.Context, id string, run int, stages []job.Stage, at, due time.Time) (bool, error)
	// Finish records the outcome of a run.
	Finish(ctx context.Context, id string, run int, end job.End) (bool, error)
	// Relaunch gives up a run that vanished and owes the next one.
	Relaunch(ctx context.Context, id string, run int, due time.Time) (bool, error)
	// Delete moves any state to deleting and empties the document of all that was the user's. Updated becomes
	// the time named. It reports false for a job that is deleting already, or gone.
	Delete(ctx context.Context, id string, at time.Time) (bool, error)
	// Remove forgets a job that is deleting.
	Remove(ctx context.Context, id string) error
	// Postpone moves the time of the next look, if the job is still due at the time named.
	Postpone(ctx context.Context, id string, was, due time.Time) error
}

// Files keeps what jobs read and write. Keys are relative to the configured base key.
// Errors are job.NotFound for a missing object and job.Unavailable when the store cannot be asked.
type Files interface {
	// Get returns an object's content, at most limit bytes of it.
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	// List returns all objects under a prefix. The Name of each is its key without the prefix.
	List(ctx context.Context, prefix string) ([]job.File, error)
	// Put stores an object. A size of -1 means that it is not known.
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
	// RemovePrefix removes all objects under a prefix. It is no error when there are none.
	RemovePrefix(ctx context.Context, prefix string) error
}

// Runner runs jobs: Kubernetes Jobs in a cluster, processes in local mode.
// Errors are job.Unavailable when it cannot be asked.
type Runner interface {
	// Launch makes the object of the job's run and returns what it is called. It is idempotent: a run that was
	// launched before is left alone, and its object's name returned.
	Launch(ctx context.Context, j job.Job) (object string, err error)
	// Observe says how the job's run does.
	Observe(ctx context.Context, j job.Job) (job.Observation, error)
	// Log returns what is left of a stage's output where the run ran, while that exists; else job.NotFound.
	Log(ctx context.Context, j job.Job, stage string) (io.ReadCloser, error)
	// Release frees what the runner kept of a run until its outcome and logs were stored.
	Release(ctx context.Context, j job.Job) error
	// Discard ends the job's run and removes its object, outcome or not. It is no error when there is none.
	Discard(ctx context.Context, j job.Job) error
	// Stop ends all runs of the job and removes their objects. When it returns nil, nothing of the job goes
	// on writing; while something still ends, the error may be job.NotReady. It is no error when there are none.
	Stop(ctx context.Context, id string) error
}
