package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// bucket is what is known of the bucket.
type bucket struct {
	mu     sync.Mutex
	exists bool      // it existed once
	asked  time.Time // when the store last did not answer
}

const (
	// askTime bounds the time for which Missing delays a call.
	askTime = time.Second
	// askAgain is how long Missing does not ask a store that did not answer.
	askAgain = 10 * time.Second
)

// Ping checks that the bucket exists, and that the credentials may list it.
func (s *Store) Ping(ctx context.Context) error {
	return failed("listing bucket "+s.options.Bucket, s.ask(ctx))
}

// ask lists at most one object, because the answer to GET says what is wrong. The answer to HEAD has no body, and versitygw 1.8.0
// answers 404 to an access key that it does not know.
func (s *Store) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for o := range s.inside.ListObjectsIter(ctx, s.options.Bucket, minio.ListObjectsOptions{Prefix: s.base + job.AllPrefix, MaxKeys: 1}) {
		return o.Err
	}
	return ctx.Err() // the list of an empty bucket has ended, or the context
}

// Missing implements store.Files.
func (s *Store) Missing(ctx context.Context) bool {
	s.bucket.mu.Lock()
	defer s.bucket.mu.Unlock()
	if s.bucket.exists || time.Since(s.bucket.asked) < askAgain {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := s.ask(ctx)
	switch {
	case err == nil:
		s.bucket.exists = true
	case missing(err):
		return true
	default:
		s.bucket.asked = time.Now()
	}
	return false
}

// missing reports whether a store answers that the bucket does not exist.
func missing(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && answer.Code == minio.NoSuchBucket
}

// needBucket returns an error if the bucket does not exist. SeaweedFS 4.48 would create it when an object is stored with the
// credentials of an administrator, without the rules for web pages, and nobody would notice a wrong name.
func (s *Store) needBucket(ctx context.Context) error {
	if !s.Missing(ctx) {
		return nil
	}
	return job.Errorf(job.Unavailable, "the object storage is not set up; contact the operators").
		Because(fmt.Errorf("bucket %s does not exist; run the program setup, or correct the name", s.options.Bucket))
}
