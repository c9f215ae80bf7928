package process

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// store is a real store in a bucket of its own. The test can make it unavailable, or slow.
type store struct {
	*s3.Store
	t       *testing.T
	options s3.Options

	mu   sync.Mutex
	away error
	slow func(key string) // is called before an object is put
}

func newStore(t *testing.T) *store {
	t.Helper()
	b := teststores.Bucket(t)
	s := &store{
		t:       t,
		options: s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, AccessKey: b.AccessKey, SecretKey: b.SecretKey},
	}
	var err error
	if s.Store, err = s3.New(s.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var cors *s3.CORSError
	if err := s.Setup(t.Context()); err != nil && !errors.As(err, &cors) {
		t.Fatal(err)
	}
	return s
}

// encode returns what another process needs to open the same store.
func (s *store) encode() string {
	// Some options, such as functions, cannot be passed to another process.
	o := s.options
	b, err := json.Marshal(
		map[string]string{"Endpoint": o.Endpoint, "Region": o.Region, "Bucket": o.Bucket, "AccessKey": o.AccessKey, "SecretKey": o.SecretKey},
	)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

func (s *store) failing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

func (s *store) Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	if err := s.failing(); err != nil {
		return nil, job.File{}, err
	}
	return s.Store.Open(ctx, key, etag)
}

func (s *store) Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error) {
	if err := s.failing(); err != nil {
		return job.File{}, err
	}
	if s.slow != nil {
		s.slow(key)
	}
	return s.Store.Put(ctx, key, content, size)
}

// upload puts a user's file and returns it as an input that is pinned.
func (s *store) upload(id, kind, name, content string) job.Input {
	s.t.Helper()
	f, err := s.Store.Put(s.t.Context(), job.UploadKey(id, kind), strings.NewReader(content), int64(len(content)))
	if err != nil {
		s.t.Fatal(err)
	}
	return job.Input{Kind: kind, Size: f.Size, ETag: f.ETag, Name: name}
}

// content returns an object, if it is there.
func (s *store) content(key string) ([]byte, bool) {
	s.t.Helper()
	b, err := s.Get(s.t.Context(), key, 1<<20)
	if err != nil && !job.Is(err, job.NotFound) {
		s.t.Fatal(err)
	}
	return b, err == nil
}

func (s *store) list(prefix string) []job.File {
	s.t.Helper()
	files, err := s.List(s.t.Context(), prefix)
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

var errAway = job.Errorf(job.Unavailable, "the storage is away")

// ownStore reports whether the tests' store is a child of this process.
func ownStore() bool { return os.Getenv(teststores.S3Endpoint) == "" }
