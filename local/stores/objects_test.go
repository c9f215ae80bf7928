package stores

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/versity/versitygw/s3err"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// The tests of the S3 store run one after the other: a process can have one store at a time.

func openObjects(t *testing.T, dir, listen string) *Objects {
	t.Helper()
	o, err := OpenObjects(ObjectsOptions{Dir: dir, Listen: listen, Log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func closeObjects(t *testing.T, o *Objects) {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func openFiles(t *testing.T, o *Objects) *s3.Store {
	t.Helper()
	s, err := s3.New(s3.Options{
		Endpoint: "http://" + o.Address, Region: Region, Bucket: "bakta", AccessKey: o.AccessKey, SecretKey: o.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestObjectsStay(t *testing.T) {
	dir, came := t.TempDir(), workingDirectory(t)
	o := openObjects(t, dir, "127.0.0.1:0")
	s := openFiles(t, o)
	stored, err := s.Put(t.Context(), "jobs/1/a", strings.NewReader("content"), 7)
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.PresignGet(t.Context(), "jobs/1/a", "a.txt", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "credentials.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the credentials' file: %v, %v, want one for us alone", info, err)
	}
	closeObjects(t, o)
	if now := workingDirectory(t); now != came {
		t.Errorf("the working directory is now %s", now)
	}

	// On the same address, links from before still work.
	again := openObjects(t, dir, o.Address)
	defer closeObjects(t, again)
	if again.AccessKey != o.AccessKey || again.SecretKey != o.SecretKey || again.Address != o.Address {
		t.Error("the credentials or the address have changed")
	}
	if f, err := openFiles(t, again).Stat(t.Context(), "jobs/1/a"); f != stored || err != nil {
		t.Errorf("stat: %+v, %v, want %+v", f, err, stored)
	}
	answer, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); string(got) != "content" || err != nil {
		t.Errorf("by the link: %s %q, %v", answer.Status, got, err)
	}
}

func TestObjectsAreServedToBrowsers(t *testing.T) {
	o := openObjects(t, t.TempDir(), "127.0.0.1:0")
	defer closeObjects(t, o)
	s := openFiles(t, o)
	link, err := s.PresignPut(t.Context(), "jobs/1/uploads/fasta", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]int{http.MethodOptions: http.StatusOK, http.MethodPut: http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader(">a\nACGT"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "http://localhost:5173")
		r.Header.Set("Access-Control-Request-Method", http.MethodPut)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want || answer.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s: %s %v", method, answer.Status, answer.Header)
		}
	}
}

func TestObjectsCloseInTime(t *testing.T) {
	o := openObjects(t, t.TempDir(), "127.0.0.1:0")
	openFiles(t, o) // keeps idle connections
	c, err := net.Dial("tcp", o.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	closeObjects(t, o)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("closing took %s, with connections that are idle", took)
	}
}

// A store that is closed as soon as it is open ends, though its server may just begin to serve.
func TestObjectsCloseAtOnce(t *testing.T) {
	for range 20 {
		closeObjects(t, openObjects(t, t.TempDir(), "127.0.0.1:0"))
	}
}

func TestObjectsAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := workingDirectory(t)
	if _, err := OpenObjects(ObjectsOptions{Dir: t.TempDir(), Listen: l.Addr().String(), Log: slog.Default()}); !errors.Is(err,
		syscall.EADDRINUSE) {
		t.Errorf("open: %v, want that the address is in use", err)
	}
	if now := workingDirectory(t); now != came {
		t.Errorf("the working directory is now %s", now)
	}
	closeObjects(t, openObjects(t, t.TempDir(), "127.0.0.1:0"))
}

func TestObjectsWithSpoiledCredentials(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenObjects(ObjectsOptions{Dir: dir, Listen: "127.0.0.1:0", Log: slog.Default()}); err == nil ||
		!strings.Contains(err.Error(), file) {
		t.Errorf("open: %v, want an error that names %s", err, file)
	}
}

// TestObjectsWithoutAttributes keeps ETags in files, as on file systems that have no extended attributes.
func TestObjectsWithoutAttributes(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "attributes"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := openObjects(t, dir, "127.0.0.1:0")
	s := openFiles(t, o)
	f, err := s.Put(t.Context(), "jobs/1/a", strings.NewReader("content"), 7)
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(t, o)
	o = openObjects(t, dir, "127.0.0.1:0")
	defer closeObjects(t, o)
	s = openFiles(t, o)
	content, is, err := s.Open(t.Context(), "jobs/1/a", f.ETag)
	if err != nil || is != f {
		t.Fatalf("open: %+v, %v, want %+v", is, err, f)
	}
	content.Close()
	if _, _, err := s.Open(t.Context(), "jobs/1/a", "another"); !job.Is(err, job.NotReady) {
		t.Errorf("open with another ETag: %v, want not ready", err)
	}
	if err := s.RemovePrefix(t.Context(), "jobs/1/"); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "attributes", "bakta", "jobs", "1", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left of a removed object: %v, %v", left, err)
	}
}

// An upload that a kill interrupts leaves a file that no listing shows, if the file system can't write files without a name.
func TestObjectsForgetInterruptedUploads(t *testing.T) {
	dir := t.TempDir()
	o := openObjects(t, dir, "127.0.0.1:0")
	openFiles(t, o) // makes the bucket
	c := coreClient(t, o)
	id, err := c.NewMultipartUpload(t.Context(), "bakta", "jobs/1/large", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.PutObjectPart(t.Context(), "bakta", "jobs/1/large", id, 1, strings.NewReader("content"), 7, minio.PutObjectPartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(t, o)
	left := filepath.Join(dir, "buckets", "bakta", ".sgwtmp", strings.Repeat("0a", 32)+".123")
	if err := os.WriteFile(left, []byte("a part of an upload"), 0o600); err != nil {
		t.Fatal(err)
	}

	again := openObjects(t, dir, o.Address)
	defer closeObjects(t, again)
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the interrupted upload: %v, want that it is gone", err)
	}
	if _, err := coreClient(t, again).CompleteMultipartUpload(t.Context(), "bakta", "jobs/1/large", id,
		[]minio.CompletePart{{PartNumber: 1, ETag: part.ETag}}, minio.PutObjectOptions{}); err != nil {
		t.Errorf("completing the multipart upload: %v", err)
	}
	content, err := openFiles(t, again).Get(t.Context(), "jobs/1/large", 100)
	if string(content) != "content" || err != nil {
		t.Errorf("get: %q, %v", content, err)
	}
}

func coreClient(t *testing.T, o *Objects) *minio.Core {
	t.Helper()
	c, err := minio.NewCore(o.Address, &minio.Options{Creds: miniocredentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Region: Region})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The place of the attributes is chosen once: those of objects that are stored already would not be found elsewhere.
func TestObjectsChooseThePlaceOfAttributes(t *testing.T) {
	for _, row := range []struct {
		name    string
		stored  bool  // an object, with extended attributes
		fails   error // of the file system
		opens   bool
		sidecar bool
		says    string
	}{
		{"a new store", false, nil, true, false, ""},
		{"a new store without attributes", false, &os.PathError{Op: "setxattr", Err: syscall.ENOTSUP}, true, true, ""},
		{"a new store on a bad disk", false, syscall.EIO, false, false, "can't be set"},
		{"a store on a bad disk", true, syscall.EIO, true, false, ""},
		{"a new store on a full disk", false, s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice), false, false, "is it full"},
		{"a store on a full disk", true, s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice), true, false, ""},
		{"a store that was moved", true, syscall.EOPNOTSUPP, false, false, "move the directory back"},
		{"a store that was not moved", true, nil, true, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			if row.stored {
				o := openObjects(t, dir, "127.0.0.1:0")
				if _, err := openFiles(t, o).Put(t.Context(), "a", strings.NewReader("x"), 1); err != nil {
					t.Fatal(err)
				}
				closeObjects(t, o)
			}
			var log strings.Builder
			o, err := OpenObjects(ObjectsOptions{Dir: dir, Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&log, nil)),
				setAttribute: func(*os.File) error { return row.fails }})
			if err == nil {
				if _, err := openFiles(t, o).Put(t.Context(), "b", strings.NewReader("x"), 1); err != nil {
					t.Errorf("put: %v", err)
				}
				closeObjects(t, o)
			}
			if (err == nil) != row.opens || err != nil && (!errors.Is(err, row.fails) || !strings.Contains(err.Error(), row.says) ||
				!strings.Contains(err.Error(), dir)) {
				t.Errorf("open: %v", err)
			}
			_, err = os.Stat(filepath.Join(dir, "attributes"))
			if (err == nil) != row.sidecar || strings.Contains(log.String(), "no extended attributes") != row.sidecar {
				t.Errorf("the directory of attributes: %v; log: %s", err, log.String())
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".probe-*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// BenchmarkSync is the cost of a small object with and without Sync.
func BenchmarkSync(b *testing.B) {
	dir := b.TempDir()
	o, err := OpenObjects(ObjectsOptions{Dir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	s, err := s3.New(s3.Options{
		Endpoint: "http://" + o.Address, Region: Region, Bucket: "bakta", AccessKey: o.AccessKey, SecretKey: o.SecretKey,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Setup(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, sync := range map[string]func() error{"put": func() error { return nil }, "put and sync": o.Sync} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Put(b.Context(), "jobs/1/a", strings.NewReader("content"), 7)
				if err := errors.Join(err, sync()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestDirectoriesOfAnyName opens stores in directories that users may have.
func TestDirectoriesOfAnyName(t *testing.T) {
	for _, name := range []string{
		"with space", "Bäckerhefe 酵母", "a&b=c", "quote's \"double\"", "(brackets)", "Upper.Case", "what?", "#1", "50%",
		strings.Repeat("long/", 50) + "name",
	} {
		o := openObjects(t, filepath.Join(t.TempDir(), filepath.FromSlash(name)), "127.0.0.1:0")
		if _, err := openFiles(t, o).Put(t.Context(), "a", strings.NewReader("x"), 1); err != nil {
			t.Errorf("%q: put: %v", name, err)
		}
		closeObjects(t, o)
	}
}

func workingDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
