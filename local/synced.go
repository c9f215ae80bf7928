package local

import (
	"context"
	"io"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// syncedFiles is the store of files for runs, if that store leaves new files to the operating system, which writes them to the disk half a
// minute later. The store of jobs does not: an outcome that is recorded is on the disk, and the run's directory is deleted. Without
// this store, a power loss could leave a job that succeeded with empty results.
type syncedFiles struct {
	stage.Files
	sync func() error // all files that were stored before the call are on the disk when it returns
}

// Put stores a manifest only when all files that were stored before, and so those that it names, are on the disk: as soon as it is
// there, the outcome may be recorded. That names the same files, and nothing reads the manifest afterwards, so the manifest itself is left
// to the operating system: one wait for the disk for each run is enough.
func (f syncedFiles) Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error) {
	if !job.IsManifestKey(key) {
		return f.Files.Put(ctx, key, content, size)
	}
	if err := f.sync(); err != nil {
		return job.File{}, err
	}
	return f.Files.Put(ctx, key, content, size)
}
