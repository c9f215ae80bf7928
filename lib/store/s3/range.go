package s3

import (
	"context"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// OpenAt reads an object from a byte on, if it has the ETag named. If it was replaced since, the error is
// job.NotReady. Errors of the reader are job.Unavailable; it never ends early without one.
func (s *Store) OpenAt(ctx context.Context, key, tag string, offset int64) (io.ReadCloser, error) {
	o := minio.GetObjectOptions{}
	if err := o.SetMatchETag(tag); err != nil {
		return nil, job.Errorf(job.Invalid, "%q is not an ETag", tag).Because(err)
	}
	if offset > 0 {
		if err := o.SetRange(offset, 0); err != nil { // 0 stands for the object's end
			return nil, job.Errorf(job.Invalid, "no object has a byte %d", offset).Because(err)
		}
	}
	content, _, err := s.get(ctx, key, o)
	return content, err
}
