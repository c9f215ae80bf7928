package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// maxErrors is how many failures of one removal are reported.
const maxErrors = 10

// RemovePrefix implements store.Files. It removes all versions of all objects, if the store has versions and lists them, and the
// parts of uploads that were never completed. If it can't remove an object, it removes the others and returns an error.
func (s *Store) RemovePrefix(ctx context.Context, prefix string) error {
	// "jobs/1" would also remove jobs/10, and "" everything.
	if !strings.HasSuffix(prefix, "/") {
		return job.Errorf(job.Invalid, "%q is not a prefix that can be removed", prefix)
	}
	if _, err := clean(strings.TrimSuffix(prefix, "/")); err != nil {
		return err
	}
	err := s.removeObjects(ctx, prefix, true)
	if refused(err) {
		err = s.removeObjects(ctx, prefix, false)
	}
	if uploads := s.removeUploads(ctx, prefix); !refused(uploads) {
		err = errors.Join(err, uploads)
	}
	return failed("removing what is under "+s.base+prefix, err)
}

// refused reports whether the store does not support a call, or denies it to these credentials.
func refused(err error) bool {
	switch status(err) {
	case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

func (s *Store) removeObjects(ctx context.Context, prefix string, versions bool) error {
	var errs errorList
	var listed error
	// The pages of the list become batches of removals, of a thousand objects each.
	var objects iter.Seq[minio.ObjectInfo] = func(yield func(minio.ObjectInfo) bool) {
		for o, err := range s.objects(ctx, prefix, versions) {
			if err != nil {
				listed = err
				return
			}
			if !yield(o) {
				return
			}
		}
	}
	results, err := s.inside.RemoveObjectsWithIter(ctx, s.options.Bucket, objects, minio.RemoveObjectsOptions{})
	if err != nil {
		return err
	}
	for r := range results {
		if r.Err != nil {
			errs.add(fmt.Errorf("%s: %w", r.ObjectName, r.Err))
		}
	}
	if listed != nil {
		errs.add(listed)
	}
	// The client stops without an error when the context ends.
	if err := ctx.Err(); err != nil {
		errs.add(err)
	}
	return errs.join()
}

func (s *Store) removeUploads(ctx context.Context, prefix string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the list after an early return
	var errs errorList
	core := minio.Core{Client: s.inside}
	for u := range s.inside.ListIncompleteUploads(ctx, s.options.Bucket, s.base+prefix, true) {
		if u.Err != nil {
			errs.add(u.Err)
			break
		}
		err := core.AbortMultipartUpload(ctx, s.options.Bucket, u.Key, u.UploadID)
		if status(err) == http.StatusNotFound {
			continue // it was completed or aborted in between
		}
		if err != nil {
			errs.add(fmt.Errorf("upload to %s: %w", u.Key, err))
		}
	}
	if err := ctx.Err(); err != nil {
		errs.add(err)
	}
	return errs.join()
}

// errorList joins errors, up to maxErrors.
type errorList struct {
	errs []error
	more int
}

func (l *errorList) add(err error) {
	if len(l.errs) < maxErrors {
		l.errs = append(l.errs, err)
	} else {
		l.more++
	}
}

func (l *errorList) join() error {
	if l.more > 0 {
		l.errs = append(l.errs, fmt.Errorf("and %d more", l.more))
	}
	return errors.Join(l.errs...)
}
