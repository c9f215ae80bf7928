package stage

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// faulty is a real store whose calls can be made to fail.
type faulty struct {
	*s3.Store
	mu    sync.Mutex
	calls []string // so far
	// fault is asked before ("open", "put") and after ("opened", "stored") each call whether it fails.
	fault func(step, key string) error
	// broken cuts the content of an object after so many bytes, if it is set.
	broken func(key string) (int64, bool)
}

func bucket(t *testing.T) *faulty {
	t.Helper()
	b := teststores.Bucket(t)
	store, err := s3.New(s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	var cors *s3.CORSError
	if err := store.Setup(t.Context()); err != nil && !errors.As(err, &cors) {
		t.Fatal(err)
	}
	return &faulty{Store: store}
}

func (f *faulty) step(step, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, step+" "+key)
	if f.fault != nil {
		return f.fault(step, key)
	}
	return nil
}

func (f *faulty) Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	if err := f.step("open", key); err != nil {
		return nil, job.File{}, err
	}
	content, file, err := f.Store.Open(ctx, key, etag)
	if err != nil {
		return nil, job.File{}, err
	}
	if err := f.step("opened", key); err != nil {
		content.Close()
		return nil, job.File{}, err
	}
	if f.broken != nil {
		if n, ok := f.broken(key); ok {
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(content, n), bad{}), content}, file, nil
		}
	}
	return content, file, nil
}

func (f *faulty) Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error) {
	if err := f.step("put", key); err != nil {
		return job.File{}, err
	}
	file, err := f.Store.Put(ctx, key, content, size)
	if err != nil {
		return file, err
	}
	return file, f.step("stored", key)
}

// bad is a connection that breaks.
type bad struct{}

func (bad) Read([]byte) (int, error) {
	return 0, job.Errorf(job.Unavailable, "the connection was closed")
}

var errAway = job.Errorf(job.Unavailable, "the storage is away")

// upload puts a user's file and returns it as an input that is pinned.
func (f *faulty) upload(t *testing.T, id, kind, name, content string) job.Input {
	t.Helper()
	file, err := f.Store.Put(t.Context(), job.UploadKey(id, kind), strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return job.Input{Kind: kind, Size: file.Size, ETag: file.ETag, Name: name}
}

// manifest returns the run's manifest, which must hold if it is there.
func (f *faulty) manifest(t *testing.T, s Spec) (Manifest, bool) {
	t.Helper()
	b, err := f.Store.Get(t.Context(), job.ManifestKey(s.Job, s.Run), MaxManifest)
	if job.Is(err, job.NotFound) {
		return Manifest{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.Store.List(t.Context(), job.RunPrefix(s.Job, s.Run))
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(m, s.Job, s.Run, stored); err != nil {
		t.Fatal(err)
	}
	return m, true
}

// content returns a stored file.
func (f *faulty) content(t *testing.T, files []job.File, name string) string {
	t.Helper()
	i := slices.IndexFunc(files, func(f job.File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("%s is not among %+v", name, files)
	}
	b, err := f.Store.Get(t.Context(), files[i].Key, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newSpec returns a spec of a job of its own.
func newSpec(t *testing.T, stages ...Command) Spec {
	s := spec(filepath.Join(t.TempDir(), "run"), stages...)
	s.Job = uuid.NewString()
	return s
}

const genome = ">c1\nACGTACGT\n"

// TestKilledBetweenAnyTwoSteps kills a run at each of its calls to the storage, before the call and after it,
// and goes on from the beginning, as a pod that is started again does. A manifest that stands, stands whole.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	killed := errors.New("killed")
	for at := 0; ; at++ {
		s := newSpec(
			t,
			shell("cat ../in/genome.fna > ../out/bakta/result.gff3; echo 1 > ../out/bakta/result.svg"),
			second("cp ../out/bakta/result.gff3 ../out/second/"),
		)
		f := &faulty{Store: files.Store}
		s.Inputs = []job.Input{
			f.upload(t, s.Job, upload.GenomeFASTA, "genome.fna", genome),
			f.upload(t, s.Job, upload.ProdigalTrainingFile, "training.tf", "trained"),
		}
		run := func(ctx context.Context) error {
			failure, err := In(ctx, f, s)
			if err != nil || failure != nil {
				return errors.Join(err, reason(failure))
			}
			for _, c := range s.Stages {
				if _, err := Run(ctx, c, s.Dir, Options{Environ: Environment(os.Environ())}); err != nil {
					return err
				}
			}
			_, err = Out(ctx, f, s)
			return err
		}
		ctx, kill := context.WithCancelCause(t.Context())
		left := at
		f.fault = func(step, _ string) error {
			// Several uploads go on at once; a kill ends them all.
			if left--; left < 0 {
				kill(killed)
				return killed
			}
			return nil
		}
		err := run(ctx)
		kill(nil)
		f.fault = nil
		_, found := f.manifest(t, s)
		if err == nil {
			if !found {
				t.Error("ended without a manifest")
			}
			if at < 12 {
				t.Errorf("only %d steps", at)
			}
			return
		}
		if !errors.Is(err, killed) {
			t.Fatalf("step %d: %v", at, err)
		}
		if err := run(t.Context()); err != nil {
			t.Fatalf("after a kill at step %d: %v", at, err)
		}
		m, found := f.manifest(t, s)
		if !found || m.Outcome != Succeeded || f.content(t, m.Files, "second.gff3") != genome {
			t.Errorf("after a kill at step %d: %+v", at, m)
		}
	}
}

func TestOpenRegularOutside(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	for _, path := range []string{"../x", "/etc/passwd", "in/../../x", ".", "in"} {
		if f, _, err := openRegular(Dir(dir), path); err == nil {
			f.Close()
			t.Errorf("%s was opened", path)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "in", "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openRegular(Dir(dir), "in/fifo"); !errors.Is(err, errIrregular) {
		t.Errorf("FIFO: %v", err)
	}
}
