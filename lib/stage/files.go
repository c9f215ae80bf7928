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

// Files is the object storage as a run uses it. Keys are relative to the configured base key. Errors are
// job.Unavailable when the storage can't be asked; any error while content is read counts as that.
type Files interface {
	// Open reads an object. The error is job.NotFound if it is not there any more, and job.NotReady if it has
	// another ETag.
	Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error)
	// Put stores an object of that size in bytes and returns it as it is stored. The error is job.Exhausted if the
	// storage has no room left.
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
}

// How long storage that is away is waited for. What a run has computed is worth more than what it reads.
const (
	patienceIn  = 2 * time.Minute
	patienceOut = 10 * time.Minute
	// patienceFull is how long storage that is full is waited for: the sweep, once a minute, may make room. If it
	// does not, a retry is needed, and only the end of the run shows that.
	patienceFull = 2 * time.Minute
)

// slowest is the transfer rate, in bytes a second, below which a transfer is taken for one that hangs.
const slowest = 64 << 10

// retry tries a transfer of that size until it succeeds, patience is at its end, or trying again is pointless.
func retry[T any](ctx context.Context, patience time.Duration, size int64, try func(ctx context.Context) (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 100 * time.Millisecond
	pause.MaxInterval = 15 * time.Second
	var full time.Time // since when the storage is full
	return backoff.Retry(ctx, func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(size/slowest)*time.Second)
		defer cancel()
		got, err := try(ctx)
		var local *fs.PathError // this machine's disk, not the storage
		if err != nil && (changed(err) || job.Is(err, job.Invalid) || errors.As(err, &local)) {
			err = backoff.Permanent(err)
		}
		switch {
		case !job.Is(err, job.Exhausted):
			full = time.Time{}
		case full.IsZero():
			full = time.Now()
		case time.Since(full) >= patienceFull:
			err = backoff.Permanent(err)
		}
		return got, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(patience))
}

// changed reports whether an object is not what it was.
func changed(err error) bool { return job.Is(err, job.NotFound) || job.Is(err, job.NotReady) }
