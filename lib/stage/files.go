package stage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Files are the methods of store.Files that a run calls. An error while content is read counts as job.Unavailable.
type Files interface {
	Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error)
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
}

// How long transfers are retried while the store is unavailable, from the first failure on: a long transfer may fail late. Losing results
// costs more than losing a download.
const (
	downloadTimeout = 2 * time.Minute
	uploadTimeout   = 10 * time.Minute
	// fullTimeout is the same for a store that is full: the sweep, once a minute, may free space. If it does not, the
	// operators must, and they learn it from the end of the run.
	fullTimeout = 2 * time.Minute
)

// slowest is the transfer rate, in bytes per second, below which a transfer counts as hanging.
const slowest = 64 << 10

// retry repeats a transfer of that size in bytes until it succeeds, the timeout is over, or the error is permanent.
func retry[T any](ctx context.Context, timeout time.Duration, size int64, try func(ctx context.Context) (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 100 * time.Millisecond
	pause.MaxInterval = 15 * time.Second
	var failing, full time.Time // since when transfers fail, and the store is full
	return backoff.Retry(ctx, func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(size/slowest)*time.Second)
		defer cancel()
		got, err := try(ctx)
		var local *fs.PathError // of this machine's disk, not of the store
		if changed(err) || job.Is(err, job.Invalid) || errors.As(err, &local) {
			err = permanent(err)
		}
		switch {
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) >= timeout:
			err = permanent(err)
		}
		switch {
		case !job.Is(err, job.Exhausted):
			full = time.Time{}
		case full.IsZero():
			full = time.Now()
		case time.Since(full) >= fullTimeout:
			err = permanent(err)
		}
		return got, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0))
}

// permanent has an error end the retries.
func permanent(err error) error {
	if err == nil {
		return nil
	}
	return backoff.Permanent(err)
}

// changed reports whether an object was removed or replaced.
func changed(err error) bool { return job.Is(err, job.NotFound) || job.Is(err, job.NotReady) }
