package main

import (
	"context"
	"io"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

// storage reaches the object storage. It makes no network call.
func storage(s stager.Storage) (stage.Files, error) {
	store, err := s3.New(s3.Options{
		Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket, BaseKey: s.BaseKey, VirtualHosted: s.VirtualHosted,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	})
	if err != nil {
		return nil, err
	}
	return files{store}, nil
}

// files is the storage as a run sees it.
type files struct{ *s3.Store }

// Open reads an object as it was pinned. One that was replaced since then is, to a run, not there any more: it
// won't come back.
func (f files) Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	content, file, err := f.Store.Open(ctx, key, etag)
	if job.Is(err, job.NotReady) {
		err = job.Errorf(job.NotFound, "%s was replaced", key).Because(err)
	}
	return content, file, err
}
