package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Files is a store that tests can look into.
type Files interface {
	stage.Files
	content(key string) ([]byte, bool)
	list(prefix string) []job.File
}

// directory is a store in a directory, which several processes can share.
type directory string

func store(t *testing.T) directory { return directory(t.TempDir()) }

func etag(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

func (d directory) Open(_ context.Context, key, want string) (io.ReadCloser, job.File, error) {
	b, found := d.content(key)
	if !found || etag(b) != want {
		return nil, job.File{}, job.Errorf(job.NotFound, "%s is not there", key)
	}
	return io.NopCloser(bytes.NewReader(b)), job.File{Key: key, Size: int64(len(b)), ETag: want}, nil
}

func (d directory) Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error) {
	b, err := io.ReadAll(content)
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		return job.File{}, err
	}
	path := filepath.Join(string(d), key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return job.File{}, err
	}
	return job.File{Key: key, Size: int64(len(b)), ETag: etag(b)}, stage.WriteFile(path, b)
}

func (d directory) content(key string) ([]byte, bool) {
	b, err := os.ReadFile(filepath.Join(string(d), key))
	return b, err == nil
}

func (d directory) list(prefix string) []job.File {
	var files []job.File
	filepath.WalkDir(filepath.Join(string(d), prefix), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			key, _ := filepath.Rel(string(d), path)
			b, _ := d.content(key)
			files = append(files, job.File{Key: key, Size: int64(len(b)), ETag: etag(b)})
		}
		return nil
	})
	return files
}
