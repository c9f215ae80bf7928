package s3_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// ways are all the ways in which Put sends content.
func ways() map[string]func(big []byte) (content io.Reader, size int64, want []byte) {
	onlyReader := func(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }
	return map[string]func([]byte) (io.Reader, int64, []byte){
		"whole":                     func(b []byte) (io.Reader, int64, []byte) { return bytes.NewReader(b[:999]), 999, b[:999] },
		"whole, read once":          func(b []byte) (io.Reader, int64, []byte) { return onlyReader(b[:999]), 999, b[:999] },
		"nothing":                   func(b []byte) (io.Reader, int64, []byte) { return bytes.NewReader(nil), 0, nil },
		"in parts":                  func(b []byte) (io.Reader, int64, []byte) { return bytes.NewReader(b), int64(len(b)), b },
		"in parts, of unknown size": func(b []byte) (io.Reader, int64, []byte) { return onlyReader(b), -1, b },
	}
}

func random(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 17<<20) // more than one part
	_, _ = rand.Read(b)
	return b
}

// curl downloads a link as scripts do that take compressed content, and returns what it got.
func curl(t *testing.T, link string) []byte {
	t.Helper()
	program, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("NOT TESTED: curl is not installed; its option --compressed has failed once")
	}
	cmd := exec.CommandContext(t.Context(), program, "-sSf", "--compressed", link)
	var said bytes.Buffer
	cmd.Stderr = &said
	got, err := cmd.Output()
	if err != nil {
		t.Errorf("curl --compressed: %v: %s", err, said.String())
	}
	return got
}

// TestContentEncoding stores and downloads content that is encoded in no way, and says so.
func TestContentEncoding(t *testing.T) {
	s, b, c := open(t)
	big := random(t)
	for name, way := range ways() {
		content, size, want := way(big)
		key := "jobs/1/" + strings.ReplaceAll(name, " ", "-")
		if _, err := s.Put(t.Context(), key, content, size); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info, err := c.StatObject(t.Context(), b.Bucket, baseKey+"/"+key, minio.StatObjectOptions{})
		if err != nil || info.Metadata.Get("Content-Encoding") != "" {
			t.Errorf("%s: it is stored as %q, %v", name, info.Metadata.Get("Content-Encoding"), err)
		}
		if got := curl(t, link(t)(s.PresignGet(t.Context(), key, "a", time.Hour))); !bytes.Equal(got, want) {
			t.Errorf("%s: curl got %d bytes, want %d", name, len(got), len(want))
		}
	}

	// What earlier versions have stored, and some users' clients store, says that it is.
	const key, text = "jobs/1/old", "old"
	if _, err := c.PutObject(t.Context(), b.Bucket, baseKey+"/"+key, strings.NewReader(text), 3, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if info, err := c.StatObject(
		t.Context(),
		b.Bucket,
		baseKey+"/"+key,
		minio.StatObjectOptions{},
	); err != nil ||
		info.Metadata.Get("Content-Encoding") != "aws-chunked" {
		t.Fatalf("it is stored as %q, %v: this shows nothing", info.Metadata.Get("Content-Encoding"), err)
	}
	from := link(t)(s.PresignGet(t.Context(), key, "a", time.Hour))
	if got := curl(t, from); string(got) != text {
		t.Errorf("curl got %q", got)
	}
	answer, got := do(t, http.MethodGet, from, nil)
	if encoding := answer.Header.Get("Content-Encoding"); got != text || encoding != "identity" {
		t.Errorf("the link answers %q as %q", got, encoding)
	}
	if got, err := s.Get(t.Context(), key, 10); string(got) != text || err != nil {
		t.Errorf("get: %q, %v", got, err)
	}
	if content, file, err := s.Open(t.Context(), key, ""); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(content); string(got) != text || file.Size != 3 || err != nil {
		t.Errorf("open: %q of %d bytes, %v", got, file.Size, err)
	}
}

// edit serves a store, with the requests and answers that the functions change.
func edit(t *testing.T, endpoint string, request func(*http.Request), answer func(*http.Response) error) string {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // what was signed
			if request != nil {
				request(r.Out)
			}
		},
		ModifyResponse: answer,
	}
	server := httptest.NewServer(through)
	t.Cleanup(server.Close)
	return server.URL
}

// TestContentDamagedOnItsWay changes a byte of what is stored.
func TestContentDamagedOnItsWay(t *testing.T) {
	_, b, _ := open(t)
	o := optionsOf(b)
	o.Endpoint = edit(t, b.Endpoint, func(r *http.Request) {
		if r.Method == http.MethodPut && r.ContentLength > 0 {
			r.Body = &damaged{ReadCloser: r.Body}
		}
	}, nil)
	s := newStore(t, o)
	big := random(t)
	for name, way := range ways() {
		content, size, want := way(big)
		if _, err := s.Put(t.Context(), "a", content, size); !job.Is(err, job.Unavailable) && len(want) > 0 {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
	}
}

// damaged is content of which the first byte is another one.
type damaged struct {
	io.ReadCloser
	read bool
}

func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if n > 0 && !d.read {
		p[0], d.read = p[0]^1, true
	}
	return n, err
}

var etagElement = regexp.MustCompile(`<ETag>.*</ETag>`)

// withoutETag takes the ETag out of the answer to a completion.
func withoutETag(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	body = etagElement.ReplaceAll(body, []byte("<ETag></ETag>"))
	replace(r, http.StatusOK, string(body))
	return r.Body.Close()
}

func replace(r *http.Response, status int, body string) {
	r.StatusCode, r.ContentLength = status, int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.Body = io.NopCloser(strings.NewReader(body))
}

func completes(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

const completed = `<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><ETag></ETag></CompleteMultipartUploadResult>`

// TestAnswersWithoutETag stores in stores that do not say what they have stored, as Ceph's RGW does.
func TestAnswersWithoutETag(t *testing.T) {
	big := random(t)
	for _, tt := range []struct {
		name string
		// answer changes the store's answers; n counts those to completions.
		answer func(r *http.Response, n int32) error
		way    string
	}{
		{"the first completion has none", func(r *http.Response, _ int32) error {
			if completes(r.Request) {
				return withoutETag(r)
			}
			return nil
		}, "in parts"},
		{"a repeated completion has none", func(r *http.Response, n int32) error {
			switch {
			case completes(r.Request) && n == 1:
				replace(r, http.StatusServiceUnavailable, "")
			case completes(r.Request):
				replace(r, http.StatusOK, completed)
			}
			return nil
		}, "in parts"},
		{"a repeated completion is refused", func(r *http.Response, n int32) error {
			if completes(r.Request) && n == 1 {
				replace(r, http.StatusServiceUnavailable, "")
			}
			return nil
		}, "in parts, of unknown size"},
		{"a whole object's has none", func(r *http.Response, _ int32) error {
			if r.Request.Method == http.MethodPut {
				r.Header.Del("ETag")
			}
			return nil
		}, "whole"},
		{"ETags that are made of something else", func(r *http.Response, _ int32) error {
			switch {
			case completes(r.Request):
				return withoutETag(r)
			case r.Request.Method == http.MethodHead || r.Request.Method == http.MethodGet && r.Request.URL.RawQuery == "":
				r.Header.Set("ETag", `"of-something-else"`)
			}
			return nil
		}, "in parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, b, c := open(t)
			var n atomic.Int32
			o := optionsOf(b)
			o.Endpoint = edit(t, b.Endpoint, nil, func(r *http.Response) error {
				if completes(r.Request) {
					n.Add(1)
				}
				return tt.answer(r, n.Load())
			})
			s := newStore(t, o)
			content, size, want := ways()[tt.way](big)
			got, err := s.Put(t.Context(), "a", content, size)
			if err != nil {
				t.Fatal(err)
			}
			if is, err := s.Stat(t.Context(), "a"); err != nil || is != got || got.ETag == "" || got.Size != int64(len(want)) {
				t.Errorf("%+v was stored, %+v is there, %v", got, is, err)
			}
			stored, err := c.GetObject(t.Context(), b.Bucket, baseKey+"/a", minio.GetObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if content, err := io.ReadAll(stored); !bytes.Equal(content, want) || err != nil {
				t.Errorf("%d bytes are there, %v", len(content), err)
			}
			noUploads(t, b, c)
		})
	}
}

// TestAnswersThatAreNotTrue has the store say, without an ETag, that it has stored what it has not.
func TestAnswersThatAreNotTrue(t *testing.T) {
	big := random(t)
	other := bytes.Clone(big)
	other[len(other)-1] ^= 1
	for name, there := range map[string][]byte{"nothing": nil, "less": big[:len(big)-1], "other content": other} {
		t.Run(name, func(t *testing.T) {
			_, b, c := open(t)
			if there != nil {
				if _, err := c.PutObject(
					t.Context(),
					b.Bucket,
					baseKey+"/a",
					bytes.NewReader(there),
					int64(len(there)),
					minio.PutObjectOptions{},
				); err != nil {
					t.Fatal(err)
				}
			}
			o := optionsOf(b)
			o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
				if completes(r) {
					fmt.Fprint(w, completed)
				}
				return completes(r)
			})
			if got, err := newStore(t, o).Put(t.Context(), "a", bytes.NewReader(big), int64(len(big))); !job.Is(err, job.Unavailable) {
				t.Errorf("%+v, %v, want unavailable", got, err)
			}
			noUploads(t, b, c)
		})
	}
}

func noUploads(t *testing.T, b teststores.S3, c *minio.Client) {
	t.Helper()
	for u := range c.ListIncompleteUploads(t.Context(), b.Bucket, "", true) {
		t.Errorf("parts are left of an upload to %s, %v", u.Key, u.Err)
	}
}

// TestFullStore refuses content as stores do that have no room for it.
func TestFullStore(t *testing.T) {
	_, b, c := open(t)
	big := random(t)
	var status atomic.Int32
	var code atomic.Value
	o := optionsOf(b)
	o.Endpoint = proxy(t, b.Endpoint, func(w http.ResponseWriter, r *http.Request) bool {
		// Of parts, the first is taken.
		if r.Method != http.MethodPut || r.URL.Query().Get("partNumber") == "1" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
		if code := code.Load().(string); code != "" {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
		}
		return true
	})
	s := newStore(t, o)
	for _, tt := range []struct {
		status int32
		code   string
		want   job.Code
	}{
		{http.StatusInsufficientStorage, "InsufficientStorage", job.Exhausted}, // versitygw
		{http.StatusInsufficientStorage, "XMinioStorageFull", job.Exhausted},
		{http.StatusInsufficientStorage, "", job.Exhausted},
		{http.StatusForbidden, "QuotaExceeded", job.Exhausted}, // Ceph's RGW
		{http.StatusBadRequest, "XMinioAdminBucketQuotaExceeded", job.Exhausted},
		{http.StatusForbidden, "AccessDenied", job.Unavailable},
	} {
		status.Store(tt.status)
		code.Store(tt.code)
		for _, way := range []string{"whole", "whole, read once", "in parts"} {
			content, size, _ := ways()[way](big)
			if _, err := s.Put(t.Context(), "a", content, size); !job.Is(err, tt.want) {
				t.Errorf("%d %s, %s: %v, want %s", tt.status, tt.code, way, err, tt.want)
			}
		}
	}
	noUploads(t, b, c)
}
