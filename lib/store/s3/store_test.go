package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

const baseKey = "bakta/test"

func optionsOf(b teststores.S3) s3.Options {
	return s3.Options{
		Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, BaseKey: "/" + baseKey + "/",
		AccessKey: b.AccessKey, SecretKey: b.SecretKey,
	}
}

func newStore(t *testing.T, o s3.Options) *s3.Store {
	t.Helper()
	s, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// open returns a store on a bucket of its own, and a plain client of the bucket's store.
func open(t *testing.T) (*s3.Store, teststores.S3, *minio.Client) {
	t.Helper()
	b := teststores.Bucket(t)
	s := newStore(t, optionsOf(b))
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := b.Client()
	if err != nil {
		t.Fatal(err)
	}
	return s, b, c
}

func put(t *testing.T, s *s3.Store, key, content string) job.File {
	t.Helper()
	f, err := s.Put(t.Context(), key, strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNew(t *testing.T) {
	good := s3.Options{Endpoint: "http://h:9000", Bucket: "b-b", AccessKey: "a", SecretKey: "the-secret"}
	with := func(change func(o *s3.Options)) s3.Options {
		o := good
		change(&o)
		return o
	}
	tests := []struct {
		name    string
		options s3.Options
		want    string // part of the error; empty: none
	}{
		{"good", good, ""},
		{"https", with(func(o *s3.Options) { o.Endpoint = "https://s3.example.org/" }), ""},
		{"no scheme", with(func(o *s3.Options) { o.Endpoint = "h:9000" }), "URL"},
		{"other scheme", with(func(o *s3.Options) { o.Endpoint = "s3://h" }), "URL"},
		{"path", with(func(o *s3.Options) { o.Endpoint = "http://h/s3" }), "URL"},
		{"public path", with(func(o *s3.Options) { o.PublicEndpoint = "http://h/s3" }), "URL"},
		{"nothing", with(func(o *s3.Options) { o.Endpoint = "" }), "URL"},
		{"no bucket", with(func(o *s3.Options) { o.Bucket = "" }), "bucket"},
		{"no key", with(func(o *s3.Options) { o.AccessKey = "" }), "key"},
		{"base key that leads out", with(func(o *s3.Options) { o.BaseKey = "a/../../b" }), "base key"},
	}
	for _, tt := range tests {
		_, err := s3.New(tt.options)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want something about %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "the-secret") {
			t.Errorf("%s: the error shows the secret key: %v", tt.name, err)
		}
	}
}

func TestObjects(t *testing.T) {
	s, b, c := open(t)
	ctx := t.Context()

	stored := put(t, s, "jobs/1/uploads/fasta", ">a\nACGT\n")
	if stored.Key != "jobs/1/uploads/fasta" || stored.Size != 8 || stored.ETag == "" || strings.Contains(stored.ETag, `"`) {
		t.Errorf("put returned %+v", stored)
	}
	if _, err := c.StatObject(ctx, b.Bucket, baseKey+"/jobs/1/uploads/fasta", minio.StatObjectOptions{}); err != nil {
		t.Errorf("the object is not below the base key: %v", err)
	}
	if got, err := s.Stat(ctx, stored.Key); err != nil || got != stored {
		t.Errorf("stat: %+v, %v, want %+v", got, err, stored)
	}

	t.Run("get", func(t *testing.T) {
		put(t, s, "jobs/1/empty", "")
		for _, tt := range []struct {
			key   string
			limit int64
			want  string
		}{
			{stored.Key, 1, ">"}, {stored.Key, 7, ">a\nACGT"}, {stored.Key, 8, ">a\nACGT\n"}, {stored.Key, 1 << 40, ">a\nACGT\n"},
			{"jobs/1/empty", 1, ""}, {"jobs/1/empty", 100, ""},
		} {
			if got, err := s.Get(ctx, tt.key, tt.limit); err != nil || string(got) != tt.want {
				t.Errorf("at most %d bytes of %s: %q, %v, want %q", tt.limit, tt.key, got, err, tt.want)
			}
		}
		if _, err := s.Get(ctx, stored.Key, 0); err == nil {
			t.Error("0 bytes were got")
		}
	})

	t.Run("missing", func(t *testing.T) {
		for name, call := range map[string]func() error{
			"stat": func() error { _, err := s.Stat(ctx, "jobs/2/x"); return err },
			"open": func() error { _, _, err := s.Open(ctx, "jobs/2/x", ""); return err },
			"open a certain one": func() error {
				_, _, err := s.Open(ctx, "jobs/2/x", stored.ETag)
				return err
			},
			"get":                      func() error { _, err := s.Get(ctx, "jobs/2/x", 10); return err },
			"get what is a directory":  func() error { _, err := s.Get(ctx, "jobs/1/uploads", 10); return err },
			"stat what is a directory": func() error { _, err := s.Stat(ctx, "jobs/1/uploads"); return err },
		} {
			if err := call(); !job.Is(err, job.NotFound) {
				t.Errorf("%s: %v, want not found", name, err)
			}
		}
	})

	t.Run("bad keys", func(t *testing.T) {
		for _, key := range []string{"", "/", "/a", "a/", "a//b", "../a", "a/../../b", ".", "a/./b", "a\x00b", "\xff"} {
			_, statErr := s.Stat(ctx, key)
			_, putErr := s.Put(ctx, key, strings.NewReader("x"), 1)
			_, linkErr := s.PresignPut(ctx, key, time.Hour)
			for _, err := range []error{statErr, putErr, linkErr} {
				if !job.Is(err, job.Invalid) {
					t.Errorf("%q: %v, want invalid", key, err)
				}
			}
		}
	})

	t.Run("open what was replaced", func(t *testing.T) {
		content, is, err := s.Open(ctx, stored.Key, stored.ETag)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(content)
		if string(got) != ">a\nACGT\n" || err != nil || is != stored {
			t.Errorf("open: %q, %+v, %v", got, is, err)
		}
		if err := content.Close(); err != nil {
			t.Error(err)
		}
		again := put(t, s, stored.Key, ">b\nACGT\n")
		if _, _, err := s.Open(ctx, stored.Key, stored.ETag); !job.Is(err, job.NotReady) {
			t.Errorf("open the one that was replaced: %v, want not ready", err)
		}
		content, is, err = s.Open(ctx, stored.Key, "")
		if err != nil || is != again {
			t.Fatalf("open any: %+v, %v, want %+v", is, err, again)
		}
		content.Close()
	})

	t.Run("list", func(t *testing.T) {
		var want []job.File
		for _, name := range []string{"a.gff3", "sub/b.tsv", "sub/c d+é%.txt"} {
			f := put(t, s, "jobs/7/runs/1/"+name, name)
			f.Name = name
			want = append(want, f)
		}
		put(t, s, "jobs/7/runs/10/a.gff3", "of another run")
		got, err := s.List(ctx, "jobs/7/runs/1/")
		if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b job.File) bool { return a.Key < b.Key })); diff != "" || err != nil {
			t.Errorf("list: %v (-want +got):\n%s", err, diff)
		}
		if got, err := s.List(ctx, "jobs/unknown/"); len(got) != 0 || err != nil {
			t.Errorf("list of nothing: %v, %v", got, err)
		}
	})
}

func TestPut(t *testing.T) {
	s, _, _ := open(t)
	ctx := t.Context()
	big := make([]byte, 33<<20+1) // three parts
	rand.Read(big)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, big[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	onlyReader := func(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }
	offset := bytes.NewReader(big[:200])
	if _, err := offset.Seek(100, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is broken")
	tests := []struct {
		name    string
		content io.Reader
		size    int64
		want    []byte // nil: an error, and nothing stored
		err     error
	}{
		{"seekable", bytes.NewReader(big[:100]), 100, big[:100], nil},
		{"not seekable", onlyReader(big[:100]), 100, big[:100], nil},
		{"from where it stands", offset, 100, big[100:200], nil},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(big[:100])), 100, big[:100], nil},
		{"data with the end", iotest.DataErrReader(bytes.NewReader(big[:100])), 100, big[:100], nil},
		{"empty", bytes.NewReader(nil), 0, []byte{}, nil},
		{"of unknown size", onlyReader(big[:100]), -1, big[:100], nil},
		{"empty, of unknown size", onlyReader(nil), -1, []byte{}, nil},
		{"in parts", bytes.NewReader(big), int64(len(big)), big, nil},
		{"in parts, not seekable", onlyReader(big), int64(len(big)), big, nil},
		{"in parts, of unknown size", onlyReader(big), -1, big, nil},
		{"a little, of unknown size", onlyReader(big[:1<<20]), -1, big[:1<<20], nil},
		{"too short", bytes.NewReader(big[:99]), 100, nil, io.ErrUnexpectedEOF},
		{"too short, not seekable", onlyReader(big[:99]), 100, nil, io.ErrUnexpectedEOF},
		{"too long", bytes.NewReader(big[:101]), 100, nil, nil},
		{"too long, not seekable", onlyReader(big[:101]), 100, nil, nil},
		{"too long for empty", bytes.NewReader(big[:1]), 0, nil, nil},
		{"in parts, too short", onlyReader(big), int64(len(big)) + 1, nil, io.ErrUnexpectedEOF},
		{"in parts, too long", onlyReader(big), int64(len(big)) - 1, nil, nil},
		{"broken", io.MultiReader(bytes.NewReader(big[:50]), iotest.ErrReader(broken)), 100, nil, broken},
		{"broken, of unknown size", io.MultiReader(bytes.NewReader(big[:50]), iotest.ErrReader(broken)), -1, nil, broken},
	}
	for i, tt := range tests {
		key := fmt.Sprintf("put/%d", i)
		got, err := s.Put(ctx, key, tt.content, tt.size)
		if tt.want == nil {
			if err == nil || job.CodeOf(err) != "" || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%s: %v, want an error of the content's", tt.name, err)
			}
			if _, err := s.Stat(ctx, key); !job.Is(err, job.NotFound) {
				t.Errorf("%s: something was stored: %v", tt.name, err)
			}
			continue
		}
		if err != nil || got.Size != int64(len(tt.want)) || got.Key != key {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
			continue
		}
		content, is, err := s.Open(ctx, key, got.ETag)
		if err != nil || is != got {
			t.Errorf("%s: open: %+v, %v, want %+v", tt.name, is, err, got)
			continue
		}
		if stored, err := io.ReadAll(content); !bytes.Equal(stored, tt.want) || err != nil {
			t.Errorf("%s: %d bytes are stored, %v, want %d", tt.name, len(stored), err, len(tt.want))
		}
		content.Close()
	}
	if f, err := s.PutFile(ctx, "put/file", file); err != nil || f.Size != 100 {
		t.Errorf("a file: %+v, %v", f, err)
	}
	if _, err := s.PutFile(ctx, "put/file", file+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestPutNothing stores empty objects, of which Bakta makes some: what is asked next has to be understood.
func TestPutNothing(t *testing.T) {
	s, _, _ := open(t)
	for i, size := range slices.Repeat([]int64{0, -1}, 20) {
		key := fmt.Sprintf("nothing/%d", i)
		f, err := s.Put(t.Context(), key, strings.NewReader(""), size)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), key, 10); len(got) != 0 || err != nil {
			t.Fatalf("get: %q, %v", got, err)
		}
		if is, err := s.Stat(t.Context(), key); is != f || err != nil {
			t.Fatalf("stat: %+v, %v, want %+v", is, err, f)
		}
	}
}

func TestRemovePrefix(t *testing.T) {
	s, b, c := open(t)
	ctx := t.Context()
	const many = 1100 // more than one page, and more than one batch
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < many; i += 16 {
				key := fmt.Sprintf("jobs/1/runs/1/%04d", i)
				if _, err := s.Put(ctx, key, strings.NewReader("x"), 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, err := s.List(ctx, "jobs/1/"); len(got) != many || err != nil {
		t.Fatalf("%d objects are listed, %v, want %d", len(got), err, many)
	}
	put(t, s, "jobs/10/uploads/fasta", "another's")
	core := minio.Core{Client: c}
	object := baseKey + "/jobs/1/runs/1/unfinished"
	upload, err := core.NewMultipartUpload(ctx, b.Bucket, object, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := core.PutObjectPart(ctx, b.Bucket, object, upload, 1, strings.NewReader("part"), 4, minio.PutObjectPartOptions{}); err != nil {
		t.Fatal(err)
	}

	for _, prefix := range []string{"", "/", "jobs/1", "../", "jobs/../"} {
		if err := s.RemovePrefix(ctx, prefix); !job.Is(err, job.Invalid) {
			t.Errorf("remove %q: %v, want invalid", prefix, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.RemovePrefix(gone, "jobs/1/"); !job.Is(err, job.Unavailable) {
		t.Errorf("a removal whose caller goes away: %v, want unavailable", err)
	}
	for range 2 {
		if err := s.RemovePrefix(ctx, "jobs/1/"); err != nil {
			t.Fatal(err)
		}
	}
	for o := range c.ListObjects(ctx, b.Bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if o.Err != nil || o.Key != baseKey+"/jobs/10/uploads/fasta" {
			t.Errorf("left: %s, %v", o.Key, o.Err)
		}
	}
	for u := range c.ListIncompleteUploads(ctx, b.Bucket, "", true) {
		t.Errorf("left: an upload to %s, %v", u.Key, u.Err)
	}
	if _, err := s.Stat(ctx, "jobs/10/uploads/fasta"); err != nil {
		t.Errorf("another job's upload: %v", err)
	}
}

// TestRemoveVersions removes all versions of objects from a bucket that keeps them, where the store can.
func TestRemoveVersions(t *testing.T) {
	s, b, c := open(t)
	ctx := t.Context()
	err := c.EnableVersioning(ctx, b.Bucket)
	if err != nil { // versitygw's store for local mode keeps no versions
		t.Logf("the store keeps no versions, so this shows only that there are none: %v", err)
	}
	for _, key := range []string{"jobs/1/a", "jobs/1/a", "jobs/1/b"} {
		put(t, s, key, "x")
	}
	if err := c.RemoveObject(ctx, b.Bucket, baseKey+"/jobs/1/b", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	versions := func() (n int) {
		for o := range c.ListObjects(ctx, b.Bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			n++
		}
		return n
	}
	if n := versions(); err == nil && n != 4 { // one of them marks the removal
		t.Errorf("there are %d versions, want 4", n)
	}
	if err := s.RemovePrefix(ctx, "jobs/1/"); err != nil {
		t.Error(err)
	}
	if n := versions(); n > 0 {
		t.Errorf("%d versions are left", n)
	}
}

// ours is the rule by which a store removes abandoned parts.
const ours = "<LifecycleConfiguration><Rule><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation>" +
	"</AbortIncompleteMultipartUpload>" +
	"<ID>bakta-web</ID><Filter><Prefix>bakta/test/jobs/</Prefix></Filter><Status>Enabled</Status></Rule></LifecycleConfiguration>"

func TestSetup(t *testing.T) {
	s, b, c := open(t)
	ctx := t.Context()
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
	put(t, s, "a", "stays")
	rules, err := c.GetBucketCors(ctx, b.Bucket)
	if err != nil || len(rules.CORSRules) != 1 {
		t.Fatalf("rules: %+v, %v", rules, err)
	}
	foreign := rules.CORSRules[0]
	foreign.ID, foreign.AllowedOrigin = "the operator's", []string{"https://other.example.org"}
	rules.CORSRules = append(rules.CORSRules, foreign)
	if err := c.SetBucketCors(ctx, b.Bucket, rules); err != nil {
		t.Fatal(err)
	}
	o := optionsOf(b)
	o.Origins = []string{"https://bakta.example.org"}
	for range 2 {
		if err := newStore(t, o).Setup(ctx); err != nil {
			t.Fatal(err)
		}
	}
	rules, err = c.GetBucketCors(ctx, b.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	origins := make(map[string]string)
	for _, r := range rules.CORSRules {
		origins[r.ID] = strings.Join(r.AllowedOrigin, " ")
	}
	want := map[string]string{"bakta-web": "https://bakta.example.org", "the operator's": "https://other.example.org"}
	if diff := cmp.Diff(want, origins); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if _, err := s.Stat(ctx, "a"); err != nil {
		t.Error(err)
	}

	t.Run("a store with rules for abandoned uploads", func(t *testing.T) {
		const none = "<Error><Code>NoSuchLifecycleConfiguration</Code><Message>none</Message></Error>"
		for name, tt := range map[string]struct {
			status int
			rules  string // what the bucket has
			made   bool
		}{
			"none yet": {http.StatusNotFound, none, true},
			"ours":     {http.StatusOK, "", false},
			"the operator's": {http.StatusOK, "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status></Rule></LifecycleConfiguration>",
				false},
			"of another place": {http.StatusOK,
				"<LifecycleConfiguration><Rule><ID>bakta-web</ID><Status>Enabled</Status></Rule></LifecycleConfiguration>", true},
			"not for us": {http.StatusForbidden, "<Error><Code>AccessDenied</Code></Error>", false},
			"not known":  {http.StatusNotImplemented, "", false},
		} {
			b := teststores.Bucket(t)
			made := ""
			o := optionsOf(b)
			o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
				if !r.URL.Query().Has("lifecycle") {
					return false
				}
				if r.Method == http.MethodPut {
					body, _ := io.ReadAll(r.Body)
					made = string(body)
					return true
				}
				rules := tt.rules
				if name == "ours" {
					rules = ours
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, rules)
				return true
			})
			if err := newStore(t, o).Setup(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if want := map[bool]string{true: ours}[tt.made]; made != want {
				t.Errorf("%s: made %q, want %q", name, made, want)
			}
		}
	})
	t.Run("by several at once", func(t *testing.T) {
		b := teststores.Bucket(t)
		var all sync.WaitGroup
		for range 4 {
			s := newStore(t, optionsOf(b))
			all.Go(func() {
				if err := s.Setup(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("a store without CORS rules", func(t *testing.T) {
		for _, code := range []int{http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusForbidden} {
			b := teststores.Bucket(t)
			o := optionsOf(b)
			o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Has("cors") {
					w.WriteHeader(code)
					return true
				}
				return false
			})
			err := newStore(t, o).Setup(ctx)
			if _, ok := errors.AsType[*s3.CORSError](err); !ok || !strings.Contains(err.Error(), b.Bucket) {
				t.Errorf("%d: %v, want a CORS error that names the bucket", code, err)
			}
			if err := newStore(t, o).Ping(ctx); err != nil {
				t.Errorf("%d: the bucket is not there: %v", code, err)
			}
		}
	})
}

// proxy serves a store, but for the requests that intercept answers itself.
func proxy(t *testing.T, endpoint string, intercept func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // what was signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !intercept(w, r) {
			through.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestTransientErrors has the store fail and then work: the client tries again.
func TestTransientErrors(t *testing.T) {
	_, b, _ := open(t)
	var fail atomic.Int32
	var failed atomic.Int32
	o := optionsOf(b)
	o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
		if fail.Add(-1) < 0 {
			return false
		}
		failed.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	s := newStore(t, o)
	fail.Store(2)
	f, err := s.Put(t.Context(), "a", strings.NewReader("content"), 7)
	if err != nil || failed.Load() != 2 {
		t.Fatalf("put: %v after %d failures, want success after 2", err, failed.Load())
	}
	fail.Store(1)
	if got, err := s.Get(t.Context(), "a", 100); string(got) != "content" || err != nil {
		t.Errorf("get: %q, %v", got, err)
	}
	// What can't be sent again is for the caller to try again.
	fail.Store(1)
	if _, err := s.Put(t.Context(), "a", struct{ io.Reader }{strings.NewReader("content")}, 7); !job.Is(err, job.Unavailable) {
		t.Errorf("put of what can't be read twice: %v, want unavailable", err)
	}
	fail.Store(1 << 30)
	if _, _, err := s.Open(t.Context(), "a", f.ETag); !job.Is(err, job.Unavailable) {
		t.Errorf("open: %v, want unavailable", err)
	}
}

// TestShortAnswers cuts content off on its way here.
func TestShortAnswers(t *testing.T) {
	_, b, _ := open(t)
	for name, end := range map[string]func(net.Conn){
		"the connection ends": func(c net.Conn) { c.Close() },
		"the connection is reset": func(c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		},
	} {
		o := optionsOf(b)
		o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				return false
			}
			c, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return true
			}
			_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: \"e\"\r\n" +
				"Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\nhalf of it")
			_ = buf.Flush()
			end(c)
			return true
		})
		s := newStore(t, o)
		content, _, err := s.Open(t.Context(), "a", "")
		if err == nil {
			_, err = io.ReadAll(content)
			content.Close()
		}
		if !job.Is(err, job.Unavailable) {
			t.Errorf("%s: open and read: %v, want unavailable", name, err)
		}
		if _, err := s.Get(t.Context(), "a", 200); !job.Is(err, job.Unavailable) {
			t.Errorf("%s: get: %v, want unavailable", name, err)
		}
	}
}

// TestAbsentStore calls everything where no store, no bucket or no access is.
func TestAbsentStore(t *testing.T) {
	_, b, _ := open(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	with := func(change func(o *s3.Options)) *s3.Store {
		o := optionsOf(b)
		change(&o)
		return newStore(t, o)
	}
	const secret = "not-the-secret-key"
	for name, s := range map[string]*s3.Store{
		"connection refused": with(func(o *s3.Options) { o.Endpoint = closed.URL }),
		"no such host":       with(func(o *s3.Options) { o.Endpoint = "http://nowhere.invalid" }),
		"no bucket":          with(func(o *s3.Options) { o.Bucket += "-x" }),
		"wrong secret":       with(func(o *s3.Options) { o.SecretKey = secret }),
		"wrong key":          with(func(o *s3.Options) { o.AccessKey, o.SecretKey = "unknown", secret }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			calls := map[string]func() error{
				"ping":   func() error { return s.Ping(ctx) },
				"stat":   func() error { _, err := s.Stat(ctx, "a"); return err },
				"open":   func() error { _, _, err := s.Open(ctx, "a", ""); return err },
				"get":    func() error { _, err := s.Get(ctx, "a", 1); return err },
				"put":    func() error { _, err := s.Put(ctx, "a", strings.NewReader("x"), 1); return err },
				"list":   func() error { _, err := s.List(ctx, "a/"); return err },
				"remove": func() error { return s.RemovePrefix(ctx, "a/") },
			}
			if got := s.Missing(ctx); got != (name == "no bucket") {
				t.Errorf("the bucket is reported missing: %v", got)
			}
			for call, do := range calls {
				err := do()
				if !job.Is(err, job.Unavailable) {
					t.Errorf("%s: %v, want unavailable", call, err)
				} else if strings.Contains(err.Error(), secret) {
					t.Errorf("%s: the error shows the secret key: %v", call, err)
				}
			}
		})
	}
}

// TestMissingBucket plays a store that makes a missing bucket when an object is stored. No object is stored, and the bucket is asked for
// until it exists.
func TestMissingBucket(t *testing.T) {
	b := teststores.Bucket(t)
	var asked, stored atomic.Int32
	o := optionsOf(b)
	o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodGet && r.URL.Query().Has("list-type"):
			asked.Add(1)
		case r.Method == http.MethodPut && r.URL.Path != "/"+b.Bucket+"/" || r.Method == http.MethodPost:
			stored.Add(1)
			w.Header().Set("ETag", `"7215ee9c7d9dc229d2921a40e899ec5f"`)
			return true
		}
		return false
	})
	s := newStore(t, o)
	for call, do := range map[string]func() error{
		"put":          func() error { _, err := s.Put(t.Context(), "a", strings.NewReader(" "), 1); return err },
		"put in parts": func() error { _, err := s.Put(t.Context(), "a", bytes.NewReader(random(t)), -1); return err },
		"ping":         func() error { return s.Ping(t.Context()) },
	} {
		if err := do(); !job.Is(err, job.Unavailable) {
			t.Errorf("%s: %v, want unavailable", call, err)
		} else if text := fmt.Sprint(err); !strings.Contains(text, b.Bucket) || !strings.Contains(text, "exist") {
			t.Errorf("%s: %v does not name the missing bucket", call, err)
		}
	}
	if !s.Missing(t.Context()) || stored.Load() > 0 {
		t.Errorf("the bucket is not missing, or %d objects were stored", stored.Load())
	}
	if err := newStore(t, optionsOf(b)).Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked.Store(0)
	for range 3 {
		if _, err := s.Put(t.Context(), "a", strings.NewReader(" "), 1); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 1 || stored.Load() != 3 {
		t.Errorf("the store was asked %d times for the bucket, and got %d objects; want 1 and 3", asked.Load(), stored.Load())
	}
}
