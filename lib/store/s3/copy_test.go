package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// content reads an object that must have that ETag.
func content(t *testing.T, s *s3.Store, file job.File) []byte {
	t.Helper()
	reader, is, err := s.Open(t.Context(), file.Key, file.ETag)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got, err := io.ReadAll(reader)
	if err != nil || is.Size != file.Size || is.Size != int64(len(got)) {
		t.Fatalf("%+v has %d bytes: %v", is, len(got), err)
	}
	return got
}

// copyAsked is a header that only a request to copy has.
const copyAsked = "X-Amz-Copy-Source"

// around counts the requests to copy that a store gets, and calls a function before each.
func around(o s3.Options, copies *atomic.Int32, before func(*http.Request)) s3.Options {
	o.Around = func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get(copyAsked) != "" {
				copies.Add(1)
				if before != nil {
					before(r)
				}
			}
			return next.RoundTrip(r)
		})
	}
	return o
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCopy(t *testing.T) {
	t.Parallel()
	s, b, c := open(t)
	ctx := t.Context()
	big := random(t)
	inParts := func(key string) job.File {
		info, err := c.PutObject(ctx, b.Bucket, baseKey+"/"+key, bytes.NewReader(big), int64(len(big)), minio.PutObjectOptions{PartSize: 5 << 20})
		if err != nil {
			t.Fatal(err)
		}
		file, err := s.Stat(ctx, key) // Ceph's RGW 16.2 returns no ETag to who completes an upload in parts
		if err != nil || file.Size != info.Size {
			t.Fatal(file, err)
		}
		return file
	}
	for _, row := range []struct {
		name string
		from job.File
		want []byte
	}{
		{"small", put(t, s, "jobs/1/uploads/genome_fasta", ">a\nACGT\n"), []byte(">a\nACGT\n")},
		{"empty", put(t, s, "jobs/1/uploads/replicons_table", ""), nil},
		{"in parts", inParts("jobs/1/uploads/hmms_file"), big},
		{"of another name", put(t, s, "jobs/1/uploads/c d+é%&?=.txt", "x"), []byte("x")},
	} {
		var copies atomic.Int32
		counted := newStore(t, around(optionsOf(b), &copies, nil))
		to := strings.Replace(row.from.Key, "jobs/1/", "jobs/2/", 1)
		put(t, s, to, "from before")
		made, err := counted.Copy(ctx, row.from.Key, row.from.ETag, to)
		if err != nil || made.Key != to || made.Size != int64(len(row.want)) {
			t.Errorf("%s: %+v, %v", row.name, made, err)
			continue
		}
		if got := content(t, s, made); !bytes.Equal(got, row.want) {
			t.Errorf("%s: the copy has other content: %d bytes", row.name, len(got))
		}
		if copies.Load() != 1 {
			t.Errorf("%s: the store was asked %d times for a copy", row.name, copies.Load())
		}
		if got := content(t, s, row.from); !bytes.Equal(got, row.want) {
			t.Errorf("%s: the old object has changed", row.name)
		}
	}

	old := put(t, s, "jobs/1/replaced", "the first one")
	put(t, s, "jobs/1/replaced", "the second 1")
	if _, err := s.Copy(ctx, "jobs/1/replaced", old.ETag, "jobs/2/replaced"); !job.Is(err, job.NotReady) {
		t.Errorf("a file that was replaced: %v", err)
	}
	if _, err := s.Copy(ctx, "jobs/1/missing", old.ETag, "jobs/2/missing"); !job.Is(err, job.NotFound) {
		t.Errorf("a file that does not exist: %v", err)
	}
	for _, key := range []string{"jobs/2/replaced", "jobs/2/missing"} {
		if _, err := s.Stat(ctx, key); !job.Is(err, job.NotFound) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := s.Copy(ctx, "../x", "e", "jobs/2/x"); !job.Is(err, job.Invalid) {
		t.Errorf("a key that leads out: %v", err)
	}
}

// The file is replaced between the moment when it is looked at and the copy: by the condition, or without it, the copy fails.
func TestCopyOfReplaced(t *testing.T) {
	t.Parallel()
	s, b, _ := open(t)
	ctx := t.Context()
	for _, row := range []struct {
		name   string
		change func(*http.Request) // what the store gets
	}{
		{"a store that knows the condition", func(*http.Request) {}},
		// It is signed for what is sent, so the store of the test has to get another request, which is a plain copy.
		{"a store that ignores it", nil},
	} {
		key := "jobs/1/" + strings.ReplaceAll(row.name, " ", "-")
		old := put(t, s, key, "the first one")
		var copies atomic.Int32
		o := around(optionsOf(b), &copies, func(*http.Request) { put(t, s, key, "another file") })
		if row.change == nil {
			direct, err := b.Client()
			if err != nil {
				t.Fatal(err)
			}
			next := o.Around
			o.Around = func(base http.RoundTripper) http.RoundTripper {
				return next(roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Header.Get(copyAsked) == "" {
						return base.RoundTrip(r)
					}
					info, err := direct.CopyObject(r.Context(), minio.CopyDestOptions{Bucket: b.Bucket, Object: baseKey + "/jobs/2/x"},
						minio.CopySrcOptions{Bucket: b.Bucket, Object: baseKey + "/" + key})
					if err != nil {
						return nil, err
					}
					return answered(http.StatusOK, `<CopyObjectResult><ETag>"`+info.ETag+`"</ETag></CopyObjectResult>`), nil
				}))
			}
		}
		_, err := newStore(t, o).Copy(ctx, key, old.ETag, "jobs/2/x")
		if !job.Is(err, job.NotReady) || copies.Load() == 0 {
			t.Errorf("%s: %v after %d requests to copy", row.name, err, copies.Load())
		}
	}
}

// answered is an answer of a store.
func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1}
}

// What a store answers that has no copies, that may make none, that is full, and that fails.
func TestCopyRefused(t *testing.T) {
	t.Parallel()
	s, b, _ := open(t)
	from := put(t, s, "jobs/1/a", "content")
	for _, row := range []struct {
		name   string
		status int
		code   string
		want   job.Code // none: the file is copied all the same
	}{
		{"not implemented", http.StatusNotImplemented, "NotImplemented", ""},
		{"no such method", http.StatusMethodNotAllowed, "MethodNotAllowed", ""},
		{"no permission", http.StatusForbidden, "AccessDenied", ""},
		{"too large for one request", http.StatusBadRequest, "InvalidRequest", ""},
		{"full", http.StatusInsufficientStorage, "InsufficientStorage", job.Exhausted},
		{"quota", http.StatusForbidden, "QuotaExceeded", job.Exhausted},
		{"failing", http.StatusBadRequest, "InvalidArgument", job.Unavailable},
		{"failing after the status", http.StatusOK, "InternalError", job.Unavailable},
	} {
		o := optionsOf(b)
		o.Around = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Header.Get(copyAsked) == "" {
					return next.RoundTrip(r)
				}
				return answered(row.status, "<Error><Code>"+row.code+"</Code><Message>No.</Message></Error>"), nil
			})
		}
		to := "jobs/2/" + strings.ReplaceAll(row.name, " ", "-")
		made, err := newStore(t, o).Copy(t.Context(), from.Key, from.ETag, to)
		if job.CodeOf(err) != row.want || (err != nil) != (row.want != "") {
			t.Errorf("%s: %v", row.name, err)
		}
		if err == nil && string(content(t, s, made)) != "content" {
			t.Errorf("%s: other content", row.name)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Copy(ended, from.Key, from.ETag, "jobs/2/ended"); !job.Is(err, job.Unavailable) {
		t.Errorf("after the end of the call: %v", err)
	}
}
