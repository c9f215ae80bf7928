package database

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// holdEnv makes the test binary a process that takes the volume in that directory and keeps it until its stdin
// ends.
const holdEnv = "DATABASE_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		v, err := Open(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("held")
		io.Copy(io.Discard, os.Stdin)
		v.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// store is a bucket with databases.
func store(t *testing.T) *s3.Store {
	t.Helper()
	b := teststores.Bucket(t)
	s, err := s3.New(s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var cors *s3.CORSError
	if err := s.Setup(t.Context()); err != nil && !errors.As(err, &cors) {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *s3.Store, prefix string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if _, err := s.Put(t.Context(), prefix+"/"+name, bytes.NewReader(content), int64(len(content))); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dir string) *Volume {
	t.Helper()
	v, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// sample is a small database, with one file that is uploaded in parts, and an empty one.
func sample() map[string][]byte {
	large := make([]byte, 40<<20)
	for i := range large {
		large[i] = byte(i * i >> 7)
	}
	return map[string][]byte{
		"version.json":             []byte(`{"major": 6, "minor": 0, "type": "light"}`),
		"bakta.db":                 large,
		"amrfinderplus-db/1/db.fa": []byte(">a\nACGT\n"),
		"empty":                    {},
	}
}

// content reads all files below a directory but the record.
func content(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == record {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if files[name], err = os.ReadFile(path); err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o444 != 0o444 {
			t.Errorf("%s is %s: not everybody may read it", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func same(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))) {
		t.Errorf("files %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name := range want {
		if !bytes.Equal(want[name], got[name]) {
			t.Errorf("%s has %d bytes, and not the %d that it should have", name, len(got[name]), len(want[name]))
		}
	}
}

func silent(string) {}

func TestFetchAndSwitch(t *testing.T) {
	t.Parallel()
	s, dir := store(t), t.TempDir()
	old, fresh := sample(), sample()
	fresh["version.json"] = []byte(`{"major": 6, "minor": 1}`)
	put(t, s, "bakta/6.0", old)
	put(t, s, "bakta/6.1", fresh)
	v := open(t, dir)
	if current, err := v.Current("db"); current != "" || err != nil {
		t.Errorf("at first: %q, %v", current, err)
	}
	if err := v.Switch("db", "6.0"); err == nil {
		t.Error("the link points to a missing version")
	}
	var reported []string
	for _, version := range []string{"6.0", "6.1", "6.1"} {
		if err := v.Fetch(t.Context(), s, "bakta/"+version, version, func(text string) { reported = append(reported, text) }); err != nil {
			t.Fatal(err)
		}
		if err := v.Switch("db", version); err != nil {
			t.Fatal(err)
		}
	}
	same(t, fresh, content(t, filepath.Join(dir, "db")))
	same(t, old, content(t, filepath.Join(dir, versions, "6.0")))
	if target, err := os.Readlink(filepath.Join(dir, "db")); target != "versions/6.1" || err != nil {
		t.Errorf("the link is %q, %v: it has to hold wherever the volume is mounted", target, err)
	}
	if last := reported[len(reported)-1]; last != "version 6.1 exists already" {
		t.Errorf("reported %q", reported)
	}
	if err := v.Remove("6.1"); err == nil {
		t.Error("the version that jobs read was removed")
	}
	if err := v.Switch("db", "6.0"); err != nil {
		t.Fatal(err)
	}
	if err := v.Remove("6.1"); err != nil {
		t.Fatal(err)
	}
	if all, err := v.Versions(); !slices.Equal(all, []string{"6.0"}) || err != nil {
		t.Errorf("versions %q, %v", all, err)
	}
}

// flaky is a source that dies when it has given so many bytes away.
type flaky struct {
	Source
	mu   sync.Mutex
	left int64
	gave int64
}

var errDied = &os.PathError{Op: "read", Path: "test", Err: errors.New("died")} // not tried again

func (f *flaky) OpenAt(ctx context.Context, key, etag string, offset int64) (io.ReadCloser, error) {
	content, err := f.Source.OpenAt(ctx, key, etag, offset)
	if err != nil {
		return nil, err
	}
	return altered{content, func(b []byte) (int, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.left == 0 {
			return 0, errDied
		}
		n, err := content.Read(b[:min(int64(len(b)), f.left)])
		f.left -= int64(n)
		f.gave += int64(n)
		return n, err
	}}, nil
}

// altered is content that is read in another way.
type altered struct {
	io.Closer
	read func([]byte) (int, error)
}

func (a altered) Read(b []byte) (int, error) { return a.read(b) }

func TestFetchGoesOn(t *testing.T) {
	t.Parallel()
	s, dir, files := store(t), t.TempDir(), sample()
	put(t, s, "bakta/6.0", files)
	total := int64(0)
	for _, c := range files {
		total += int64(len(c))
	}
	gave, calls := int64(0), 0
	for {
		calls++
		f := &flaky{Source: s, left: 9 << 20}
		v, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = v.Fetch(t.Context(), f, "bakta/6.0", "6.0", silent)
		gave += f.gave
		if closeErr := v.Close(); closeErr != nil {
			t.Fatal(closeErr)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errDied) || calls > 10 {
			t.Fatalf("call %d: %v", calls, err)
		}
		if _, err := os.Stat(filepath.Join(dir, versions, "6.0")); err == nil {
			t.Fatal("it passes for whole")
		}
	}
	if calls != 5 || gave != total {
		t.Errorf("%d calls fetched %d bytes of %d", calls, gave, total)
	}
	same(t, files, content(t, filepath.Join(dir, versions, "6.0")))
}

func TestFetchOfWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	s, dir, files := store(t), t.TempDir(), sample()
	put(t, s, "bakta/6.0", files)
	v := open(t, dir)
	if err := v.Fetch(t.Context(), &flaky{Source: s, left: 20 << 20}, "bakta/6.0", "6.0", silent); err == nil {
		t.Fatal("it did not die")
	}
	files["bakta.db"] = bytes.Repeat([]byte("another"), 3<<20)
	put(t, s, "bakta/6.0", files)
	if err := v.Fetch(t.Context(), s, "bakta/6.0", "6.0", silent); err != nil {
		t.Fatal(err)
	}
	same(t, files, content(t, filepath.Join(dir, versions, "6.0")))
	files["version.json"] = []byte("{}")
	put(t, s, "bakta/6.0", files)
	if err := v.Fetch(t.Context(), s, "bakta/6.0", "6.0", silent); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("what jobs read was changed: %v", err)
	}
}

// lying is a source that gives away something else than it says.
type lying struct{ Source }

func (l lying) OpenAt(ctx context.Context, key, etag string, offset int64) (io.ReadCloser, error) {
	content, err := l.Source.OpenAt(ctx, key, etag, offset)
	if err != nil || strings.HasSuffix(key, sumsFile) {
		return content, err
	}
	first := true
	return altered{content, func(b []byte) (int, error) {
		n, err := content.Read(b)
		if n > 0 && first {
			b[0], first = b[0]^1, false
		}
		return n, err
	}}, nil
}

func TestFetchVerifies(t *testing.T) {
	t.Parallel()
	s := store(t)
	small := map[string][]byte{"version.json": []byte("{}")}
	large := map[string][]byte{"bakta.db": sample()["bakta.db"]}
	sum := sha256.Sum256(small["version.json"])
	with := func(sums string) map[string][]byte {
		return map[string][]byte{"version.json": small["version.json"], sumsFile: []byte(sums)}
	}
	summed := with(hex.EncodeToString(sum[:]) + "  ./version.json\n")
	const wrong = "does not match its checksum"
	for name, tt := range map[string]struct {
		files map[string][]byte
		from  Source
		fails string
	}{
		"a small file":                 {small, s, ""},
		"a small file, damaged":        {small, lying{s}, wrong},
		"a file of parts":              {large, s, ""},
		"a file of parts, damaged":     {large, lying{s}, wrong},
		"a file with its sum":          {summed, s, ""},
		"a file with its sum, damaged": {summed, lying{s}, wrong},
		"a file with another sum":      {with(strings.Repeat("0", 64) + " *version.json\n"), s, wrong},
		"sums that are none":           {with("hello\n"), s, "sha256sum"},
		"nothing":                      {nil, s, "no object has the prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, prefix := t.TempDir(), strings.ReplaceAll(name, " ", "-")
			put(t, s, prefix, tt.files)
			v := open(t, dir)
			err := v.Fetch(t.Context(), tt.from, prefix, "1", silent)
			if tt.fails == "" {
				if err != nil {
					t.Fatal(err)
				}
				same(t, tt.files, content(t, filepath.Join(dir, versions, "1")))
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%v, want %q", err, tt.fails)
			}
			if all, err := v.Versions(); len(all) > 0 || err != nil {
				t.Errorf("versions %v, %v", all, err)
			}
		})
	}
}

// listOf is a source that has what it says, and gives nothing of it.
type listOf []job.File

func (l listOf) List(context.Context, string) ([]job.File, error) { return slices.Clone(l), nil }
func (l listOf) OpenAt(context.Context, string, string, int64) (io.ReadCloser, error) {
	return nil, errDied
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	v := open(t, t.TempDir())
	for name, f := range map[string]job.File{
		"out of the version": {Name: "../x", Key: "p/../x", ETag: "e"},
		"an absolute path":   {Name: "/etc/x", Key: "p//etc/x", ETag: "e"},
		"the record":         {Name: record, Key: "p/" + record, ETag: "e"},
		"no ETag":            {Name: "x", Key: "p/x"},
		"too large":          {Name: "x", Key: "p/x", ETag: "e", Size: 1 << 60},
	} {
		t.Run(name, func(t *testing.T) {
			if err := v.Fetch(t.Context(), listOf{f}, "p", "1", silent); err == nil || errors.Is(err, errDied) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, name := range []string{"", "..", "a/b", ".hidden", strings.Repeat("x", 64)} {
		if v.Fetch(t.Context(), listOf{}, "p", name, silent) == nil || v.Switch(name, "1") == nil || v.Switch("db", name) == nil ||
			v.Remove(name) == nil {
			t.Errorf("%q is accepted as a name", name)
		}
	}
	if v.Switch(versions, "1") == nil {
		t.Error("the link may be in the place of all versions")
	}
}

func TestSwitchFromADirectory(t *testing.T) {
	t.Parallel()
	s, dir := store(t), t.TempDir()
	put(t, s, "6.0", map[string][]byte{"version.json": []byte("new")})
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "db", "version.json"), []byte("by hand"), 0o644); err != nil {
		t.Fatal(err)
	}
	v := open(t, dir)
	if err := v.Fetch(t.Context(), s, "6.0", "6.0", silent); err != nil {
		t.Fatal(err)
	}
	if err := v.Switch("db", "6.0"); err != nil {
		t.Fatal(err)
	}
	same(t, map[string][]byte{"version.json": []byte("new")}, content(t, filepath.Join(dir, "db")))
	same(t, map[string][]byte{"version.json": []byte("by hand")}, content(t, filepath.Join(dir, versions, "db-before")))
	if err := v.Switch("db", "db-before"); err != nil {
		t.Fatal(err)
	}
	same(t, map[string][]byte{"version.json": []byte("by hand")}, content(t, filepath.Join(dir, "db")))
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"="+dir)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, len("held"))); err != nil {
		t.Fatal(err)
	}
	if v, err := Open(dir); !errors.Is(err, ErrBusy) {
		t.Fatalf("%v, %v", v, err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	open(t, dir)
}

func TestMultipartSum(t *testing.T) {
	t.Parallel()
	content := make([]byte, 12<<20)
	pieces, once := &multipart{part: 5 << 20}, &multipart{part: 5 << 20}
	for i := 0; i < len(content); i += 1 << 20 {
		pieces.Write(content[i : i+1<<20])
	}
	once.Write(content)
	if !bytes.Equal(pieces.Sum(nil), once.Sum(nil)) {
		t.Error("it depends on how the content comes")
	}
	if !bytes.Equal(once.Sum(nil), once.Sum(nil)) {
		t.Error("asking for the sum changes it")
	}
}

// ending is a source that calls what follows when the content of a file has come.
type ending struct {
	Source
	then func()
}

func (e ending) OpenAt(ctx context.Context, key, etag string, offset int64) (io.ReadCloser, error) {
	content, err := e.Source.OpenAt(ctx, key, etag, offset)
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(content)
	rest := bytes.NewReader(whole)
	return altered{content, func(b []byte) (int, error) {
		n, err := rest.Read(b)
		if rest.Len() == 0 {
			e.then()
		}
		return n, err
	}}, err
}

// TestInterruptedVerification: what has come stays, and the next call only verifies it.
func TestInterruptedVerification(t *testing.T) {
	t.Parallel()
	s, dir := store(t), t.TempDir()
	files := map[string][]byte{"bakta.db": sample()["bakta.db"]}
	put(t, s, "bakta/6.0", files)
	v := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	if err := v.Fetch(ctx, ending{s, cancel}, "bakta/6.0", "6.0", silent); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	f := &flaky{Source: s, left: 1}
	if err := v.Fetch(t.Context(), f, "bakta/6.0", "6.0", silent); err != nil || f.gave > 0 {
		t.Errorf("%d bytes came again, %v", f.gave, err)
	}
	same(t, files, content(t, filepath.Join(dir, versions, "6.0")))
}

// opaque is a source whose ETags are no checksums, as those of a store that encrypts with a key of its own.
type opaque struct {
	Source
	etag string

	mu     sync.Mutex
	real   map[string]string // by key
	opened int
}

func (o *opaque) List(ctx context.Context, prefix string) ([]job.File, error) {
	files, err := o.Source.List(ctx, prefix)
	o.real = make(map[string]string)
	for i := range files {
		o.real[files[i].Key], files[i].ETag = files[i].ETag, o.etag
	}
	return files, err
}

func (o *opaque) OpenAt(ctx context.Context, key, _ string, offset int64) (io.ReadCloser, error) {
	o.mu.Lock()
	o.opened++
	o.mu.Unlock()
	return o.Source.OpenAt(ctx, key, o.real[key], offset)
}

// TestETagsThatAreNoChecksums: with a file of checksums the version is verified by it, whatever the ETags look like. Without it, what can't
// be verified is refused before it is downloaded.
func TestETagsThatAreNoChecksums(t *testing.T) {
	t.Parallel()
	s := store(t)
	plain := map[string][]byte{"version.json": []byte("{}")}
	sum := sha256.Sum256(plain["version.json"])
	summed := map[string][]byte{"version.json": plain["version.json"], sumsFile: []byte(hex.EncodeToString(sum[:]) + "  version.json\n")}
	put(t, s, "plain", plain)
	put(t, s, "summed", summed)
	for _, etag := range []string{strings.Repeat("0", 32), "opaque"} {
		v := open(t, t.TempDir())
		if err := v.Fetch(t.Context(), &opaque{Source: s, etag: etag}, "summed", "1", silent); err != nil {
			t.Errorf("%s: %v", etag, err)
			continue
		}
		same(t, summed, content(t, v.path(versions, "1")))
	}
	o := &opaque{Source: s, etag: "opaque"}
	v := open(t, t.TempDir())
	if err := v.Fetch(t.Context(), o, "plain", "1", silent); err == nil || o.opened > 0 ||
		!strings.Contains(err.Error(), "is not a checksum; put a file SHA256SUMS beside it") {
		t.Errorf("opened %d files, %v", o.opened, err)
	}
}

// stalling is a source whose first connection brings a part of a file, and then nothing.
type stalling struct {
	content []byte
	opened  *int
}

func (s stalling) List(context.Context, string) ([]job.File, error) {
	sum := md5.Sum(s.content)
	return []job.File{{Name: "x", Key: "p/x", ETag: hex.EncodeToString(sum[:]), Size: int64(len(s.content))}}, nil
}

func (s stalling) OpenAt(ctx context.Context, _, _ string, offset int64) (io.ReadCloser, error) {
	*s.opened++
	rest := bytes.NewReader(s.content[offset:])
	if *s.opened > 1 {
		return io.NopCloser(rest), nil
	}
	part := io.LimitReader(rest, 3)
	return altered{io.NopCloser(rest), func(b []byte) (int, error) {
		if n, err := part.Read(b); err == nil {
			return n, nil
		}
		<-ctx.Done()
		return 0, ctx.Err()
	}}, nil
}

// TestSourceThatStalls is asked again for what is missing.
func TestSourceThatStalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		v, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		began, opened := time.Now(), 0
		if err := v.Fetch(t.Context(), stalling{[]byte("content"), &opened}, "p", "1", silent); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); opened != 2 || took < stallTimeout || took > 2*stallTimeout {
			t.Errorf("opened %d times in %v", opened, took)
		}
	})
	same(t, map[string][]byte{"x": []byte("content")}, content(t, filepath.Join(dir, versions, "1")))
}

// TestSwitchAfterAKill: a process exchanged the directory for the link, and was killed before it made the directory a version.
func TestSwitchAfterAKill(t *testing.T) {
	t.Parallel()
	s, dir := store(t), t.TempDir()
	put(t, s, "6.0", map[string][]byte{"version.json": []byte("new")})
	v := open(t, dir)
	if err := v.Fetch(t.Context(), s, "6.0", "6.0", silent); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, ".db.new")
	if err := errors.Join(os.Mkdir(old, 0o755), os.WriteFile(filepath.Join(old, "version.json"), []byte("by hand"), 0o644),
		os.Symlink(filepath.Join(versions, "6.0"), filepath.Join(dir, "db"))); err != nil {
		t.Fatal(err)
	}
	if err := v.Switch("db", "6.0"); err != nil {
		t.Fatal(err)
	}
	same(t, map[string][]byte{"version.json": []byte("new")}, content(t, filepath.Join(dir, "db")))
	same(t, map[string][]byte{"version.json": []byte("by hand")}, content(t, filepath.Join(dir, versions, "db-before")))
}
