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

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Get(ctx context.Context, id string) (job.Job, error)
	Launched(ctx context.Context, id string, run int, object string, due time.Time) (bool, error)
	Running(ctx context.Context, id string, run int, stages []job.Stage, at, due time.Time) (bool, error)
	Finish(ctx context.Context, id string, run int, end job.End) (bool, error)
	Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error)
	Relaunch(ctx context.Context, id string, run int, due time.Time) (bool, error)
	Delete(ctx context.Context, id string, at time.Time) (bool, error)
	Remove(ctx context.Context, id string) error
	Postpone(ctx context.Context, id string, was, due time.Time) error
}

// Files is what is used of the store of files, see lib/store.
type Files interface {
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	List(ctx context.Context, prefix string) ([]job.File, error)
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
	RemovePrefix(ctx context.Context, prefix string) error
}
