package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Copy implements store.Files. The store itself copies the content, which never passes this process, on the condition that
// the object has that ETag. Where the store can't copy, or the credentials may not, or the object is larger than one request
// copies (5 GiB, more than any upload), the content is read and stored again.
//
// The new ETag may be another one: stores compute it again for an object that was uploaded in parts, or is encrypted. Then it
// does not prove what was copied from a store that ignores the condition. So the ETag of the old object is compared once more.
func (s *Store) Copy(ctx context.Context, from, tag, to string) (job.File, error) {
	object, err := s.object(from)
	if err != nil {
		return job.File{}, err
	}
	target, err := s.object(to)
	if err != nil {
		return job.File{}, err
	}
	was, err := s.Stat(ctx, from)
	if err != nil {
		return job.File{}, err
	}
	if was.ETag != tag {
		return job.File{}, replaced(from)
	}
	_, err = s.inside.CopyObject(ctx, minio.CopyDestOptions{Bucket: s.options.Bucket, Object: target},
		minio.CopySrcOptions{Bucket: s.options.Bucket, Object: object, MatchETag: tag})
	if uncopied(err) {
		return s.copyThrough(ctx, from, tag, to, was.Size)
	}
	if err != nil {
		return job.File{}, failed("copying "+object+" to "+target, err)
	}
	made, err := s.Stat(ctx, to)
	if err != nil {
		return job.File{}, err
	}
	if made.ETag != tag {
		if is, err := s.Stat(ctx, from); err != nil || is.ETag != tag {
			return job.File{}, errors.Join(err, replaced(from))
		}
	}
	if made.Size != was.Size {
		return job.File{}, job.Errorf(job.Unavailable, "the object storage does not copy correctly; try again later").
			Because(fmt.Errorf("copying %s to %s: %d bytes became %d", object, target, was.Size, made.Size))
	}
	return made, nil
}

// uncopied reports whether a store has no copies, or not of such an object (InvalidRequest), or not for these credentials.
func uncopied(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && !full(answer) && (refused(err) || answer.Code == "InvalidRequest")
}

// copyThrough copies an object by reading it.
func (s *Store) copyThrough(ctx context.Context, from, tag, to string, size int64) (job.File, error) {
	content, _, err := s.Open(ctx, from, tag)
	if err != nil {
		return job.File{}, err
	}
	defer content.Close()
	return s.Put(ctx, to, content, size)
}

func replaced(key string) error {
	return job.Errorf(job.NotReady, "the file was replaced by another one").Because(fmt.Errorf("copying %s: its ETag is another one", key))
}
