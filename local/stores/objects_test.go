package stores

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
