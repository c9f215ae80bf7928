package s3

import (
	"context"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// OpenAt is Open for the part of an object that begins at offset.
func (s *Store) OpenAt(ctx context.Context, key, tag string, offset int64) (io.ReadCloser, error) {
	o := minio.GetObjectOptions{}
	if err := o.SetMatchETag(tag); err != nil {
		return nil, job.Errorf(job.Invalid, "%q is not an ETag", tag).Because(err)
	}
	if offset > 0 {
		if err := o.SetRange(offset, 0); err != nil { // 0 is the end of the object
			return nil, job.Errorf(job.Invalid, "the offset %d is not valid", offset).Because(err)
		}
	}
	content, _, err := s.get(ctx, key, o)
	return content, err
}
