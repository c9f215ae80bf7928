package client

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestUpload(t *testing.T) {
	content := bytes.Repeat([]byte("ACGT"), 100_000)
	path := filepath.Join(t.TempDir(), "genome.fna")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := FileContent(path)
	if err != nil {
		t.Fatal(err)
	}
	// cut reads a part of the body and breaks off.
	cut := func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }
	for _, row := range []struct {
		name     string
		content  Content
		handlers []http.HandlerFunc
		requests int
		fails    string
	}{
		{"at once", file, []http.HandlerFunc{answer(200, "")}, 1, ""},
		{"nothing", BytesContent(nil), []http.HandlerFunc{answer(200, "")}, 1, ""},
		{"broken off", file, []http.HandlerFunc{cut, cut, answer(200, "")}, 3, ""},
		{"storage away", file, []http.HandlerFunc{answer(503, "<Error><Code>SlowDown</Code></Error>"), answer(200, "")}, 2, ""},
		{"sent elsewhere", file, []http.HandlerFunc{answer(307, "", "Location", "/other"), answer(200, "")}, 2, ""},
		{"too large", file, []http.HandlerFunc{answer(413, "")}, 1, "too large"},
		{"expired", file, []http.HandlerFunc{answer(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")}, 1,
			"the link has expired"},
		{"refused", file, []http.HandlerFunc{answer(403, "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")}, 1,
			"AccessDenied: Access Denied."},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, row.handlers...)
			var last atomic.Int64
			err := s.client(t, Options{}).Upload(t.Context(), s.URL+"/key?sig=1", row.content, func(n int64) { last.Store(n) })
			if (err != nil) != (row.fails != "") || err != nil && !strings.Contains(err.Error(), row.fails) {
				t.Fatalf("err = %v, want one with %q", err, row.fails)
			}
			seen := s.requests()
			if len(seen) != row.requests {
				t.Fatalf("%d requests", len(seen))
			}
			if err == nil && (int64(len(seen[len(seen)-1].Body)) != row.content.Size || last.Load() != row.content.Size) {
				t.Errorf("%d bytes arrived, %d were reported, of %d", len(seen[len(seen)-1].Body), last.Load(), row.content.Size)
			}
			if seen[0].Method != http.MethodPut {
				t.Errorf("it is a %s", seen[0].Method)
			}
		})
	}
}

// TestUploadForm: the link signs no content type, and the object storage requires the length.
func TestUploadForm(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 3 || len(r.TransferEncoding) > 0 || r.Header.Get("Content-Type") != "" || r.Header.Get("Expect") != "" {
			w.WriteHeader(400)
		}
	})
	if err := s.client(t, Options{}).Upload(t.Context(), s.URL, BytesContent([]byte("abc")), nil); err != nil {
		t.Error(err)
	}
}

func TestUploadOfWhatCantBeRead(t *testing.T) {
	s := serve(t, answer(200, ""))
	broken := errors.New("disk broke")
	for name, content := range map[string]Content{
		"not opened": {Size: 10, Open: func() (io.ReadCloser, error) { return nil, broken }},
		"not read":   {Size: 10, Open: func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }},
	} {
		if err := s.client(t, Options{}).Upload(t.Context(), s.URL, content, nil); !errors.Is(err, broken) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	if _, err := FileContent(t.TempDir()); err == nil {
		t.Error("a directory can be uploaded")
	}
	if _, err := FileContent(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}

func TestUploadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, answer(200, ""))
	endless := Content{Size: 1 << 40, Open: func() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }}
	err := s.client(t, Options{}).Upload(ctx, s.URL, endless, func(n int64) {
		if n > 1<<20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// object serves an object as S3 does, and breaks off after so many bytes of an answer.
func object(content []byte, etag string, upTo int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		from := 0
		if ranged := r.Header.Get("Range"); ranged != "" && r.Header.Get("If-Range") == etag {
			fmt.Sscanf(ranged, "bytes=%d-", &from)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
			w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		}
		rest := content[from:]
		if upTo < len(rest) {
			w.Write(rest[:upTo])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Write(rest)
	}
}

func md5Of(content []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(content)) }

// flipped is content one bit of which is another.
func flipped(content []byte) []byte {
	other := bytes.Clone(content)
	other[len(other)/2] ^= 1
	return other
}

func encrypted(object http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Server-Side-Encryption", "aws:kms")
		object(w, r)
	}
}

// endless answers without a size until its reader has enough.
func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 100_000)); err != nil {
			return
		}
	}
}

// An object that was stored in parts has an ETag of the parts' checksums.
func TestDownloadOfParts(t *testing.T) {
	const mebi = 1 << 20
	for _, row := range []struct {
		name       string
		size, part int
		intact     bool // as far as the ETag can show
	}{
		{"three parts, the last one short", 40 * mebi, 16 * mebi, false},
		{"two whole parts", 32 * mebi, 16 * mebi, false},
		{"one part", 3 * mebi, 16 * mebi, false},
		{"parts of content whose size was not known", 23 * mebi, 5 * mebi, false},
		{"parts of another size", 40 * mebi, 8 * mebi, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			content := bytes.Repeat([]byte("0123456789abcdef"), row.size/16)
			sums := md5.New()
			for part := range slices.Chunk(content, row.part) {
				sum := md5.Sum(part)
				sums.Write(sum[:])
			}
			header := http.Header{"Etag": {fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), (row.size+row.part-1)/row.part)}}
			intact := func(content []byte) bool {
				c := contentOf(header, int64(row.size))
				for b := range slices.Chunk(content, 1_000_003) { // in pieces that no part ends with
					c.add(b)
				}
				return c.intact()
			}
			if !intact(content) {
				t.Error("content as it was stored passes for damaged")
			}
			if got := intact(flipped(content)); got != row.intact {
				t.Errorf("damaged content passes for intact: %v, want %v", got, row.intact)
			}
		})
	}
}

func TestDownload(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 50_000)
	other := bytes.Repeat([]byte("abcdefghij"), 60_000)
	all := len(content) + len(other)
	chunked := func(w http.ResponseWriter, r *http.Request) {
		w.Write(content[:10])
		w.(http.Flusher).Flush()
		w.Write(content[10:])
	}
	for _, row := range []struct {
		name     string
		handlers []http.HandlerFunc
		requests int
		want     []byte
		fails    string
	}{
		{"at once", []http.HandlerFunc{object(content, `"a"`, all)}, 1, content, ""},
		{"empty", []http.HandlerFunc{object(nil, `"a"`, all)}, 1, []byte{}, ""},
		{"of unknown size", []http.HandlerFunc{chunked}, 1, content, ""},
		{"in three parts", []http.HandlerFunc{object(content, `"a"`, 100_000), object(content, `"a"`, 200_000), object(content, `"a"`, all)}, 3,
			content, ""},
		{"changed meanwhile", []http.HandlerFunc{object(content, `"a"`, 100_000), object(other, `"b"`, all)}, 2, other, ""},
		{"without an ETag", []http.HandlerFunc{object(content, ``, 100_000), object(content, ``, all)}, 2, content, ""},
		{"away", []http.HandlerFunc{hangUp, answer(500+3, ""), object(content, `"a"`, all)}, 3, content, ""},
		{"a part of something else", []http.HandlerFunc{object(content, `"a"`, 100_000),
			answer(206, "xyz", "Content-Range", "bytes 5-7/500000"), object(content, `"a"`, all)}, 3, content, ""},
		{"gone", []http.HandlerFunc{answer(404, "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>")}, 1,
			nil, "NoSuchKey"},
		{"as its MD5 says", []http.HandlerFunc{object(content, md5Of(content), all)}, 1, content, ""},
		{"as its MD5 says, in two parts", []http.HandlerFunc{object(content, md5Of(content), 100_000), object(content, md5Of(content), all)}, 2,
			content, ""},
		{"damaged once", []http.HandlerFunc{object(flipped(content), md5Of(content), all), object(content, md5Of(content), all)}, 2, content, ""},
		{"always damaged", []http.HandlerFunc{object(flipped(content), md5Of(content), all)}, transferTries, nil, "the received file is damaged"},
		{"encrypted, so the ETag is not a checksum", []http.HandlerFunc{encrypted(object(flipped(content), md5Of(content), all))}, 1,
			flipped(content), ""},
		{"too large by its header", []http.HandlerFunc{object(make([]byte, 2_000_001), "", 3_000_000)}, 1, nil,
			"exceeds the limit of a download, 2000000 bytes"},
		{"too large without a length", []http.HandlerFunc{endless}, 1, nil, "exceeds the limit of a download"},
		{"never whole", []http.HandlerFunc{object(content, ``, 10)}, transferTries, nil, "unexpected EOF"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, row.handlers...)
			path := filepath.Join(t.TempDir(), "out")
			if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			size, err := s.client(t, Options{MaxDownload: 2_000_000}).Download(t.Context(), s.URL, path, nil)
			if (err != nil) != (row.fails != "") || err != nil && !strings.Contains(err.Error(), row.fails) {
				t.Fatalf("err = %v, want one with %q", err, row.fails)
			}
			want := row.want
			if err != nil {
				want = []byte("before")
			} else if size != int64(len(want)) {
				t.Errorf("the size is %d", size)
			}
			got, readErr := os.ReadFile(path)
			if readErr != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d; %v", len(got), len(want), readErr)
			}
			if n := len(s.requests()); n != row.requests {
				t.Errorf("%d requests, want %d", n, row.requests)
			}
			entries, _ := os.ReadDir(filepath.Dir(path))
			if len(entries) != 1 {
				t.Errorf("something is left behind: %v", entries)
			}
		})
	}
}

func TestDownloadProgress(t *testing.T) {
	s := serve(t, object([]byte("0123456789"), `"a"`, 4), object([]byte("0123456789"), `"a"`, 99))
	var last [2]int64
	size, err := s.client(t, Options{}).Download(t.Context(), s.URL, filepath.Join(t.TempDir(), "f"), func(done, total int64) {
		last = [2]int64{done, total}
	})
	if diff := cmp.Diff([2]int64{10, 10}, last); err != nil || size != 10 || diff != "" {
		t.Errorf("%v, %d, %s", err, size, diff)
	}
}
