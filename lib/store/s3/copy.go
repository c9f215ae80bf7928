package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// maxCopy is the largest object that one request copies, in bytes (S3's limit).
const maxCopy = 5 << 30

// Copy implements store.Files. The store itself copies the content, which never passes this process, on the condition that
// the object has that ETag. Where the store can't copy, or the credentials may not, the content is read and stored again.
//
// The new ETag may be another one: stores compute it anew for an object that was uploaded in parts, or is encrypted. A store
// that ignores the condition (some do, without an error) is noticed: then the old ETag can't have come from the old content.
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
	into := minio.CopyDestOptions{Bucket: s.options.Bucket, Object: target}
	source := minio.CopySrcOptions{Bucket: s.options.Bucket, Object: object, MatchETag: tag}
	if was.Size <= maxCopy {
		_, err = s.inside.CopyObject(ctx, into, source)
	} else {
		_, err = s.inside.ComposeObject(ctx, into, source) // in parts, each on the same condition
	}
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
		// It says nothing about the content. But the source has had this ETag before and after.
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

// uncopied reports whether a store has no copies, or not of such an object, or not for these credentials.
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
