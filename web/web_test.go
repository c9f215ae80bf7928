package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestBuilt checks without Node.js that dist was built from the present sources: build/sources.ts writes the list that it compares.
func TestBuilt(t *testing.T) {
	t.Parallel()
	var paths []string
	for _, root := range []string{
		"build", "index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts",
	} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				paths = append(paths, filepath.ToSlash(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(paths)
	var want strings.Builder
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(content), path)
	}
	got, err := os.ReadFile("dist/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if want.String() != string(got) {
		t.Error("web/dist was not built from the present sources; run make web")
	}
}

func get(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("Content-Encoding") != "gzip" {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

// loads matches what index.html loads.
var loads = regexp.MustCompile(`(?:src|href)="(/[^"]+)"`)

func TestPage(t *testing.T) {
	t.Parallel()
	h := Handler(Options{Storage: []string{"https://s3.example.org"}})
	page := get(t, h, "GET", "/")
	content := body(t, page)
	if page.StatusCode != 200 || page.Header.Get("Content-Type") != "text/html; charset=utf-8" ||
		page.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("the page is %d, %v", page.StatusCode, page.Header)
	}
	parts := loads.FindAllSubmatch(content, -1)
	if len(parts) < 3 {
		t.Fatalf("the page loads %q", parts)
	}
	for _, part := range parts {
		path := string(part[1])
		if path == "/api-docs/" {
			continue
		}
		got := get(t, h, "GET", path)
		if immutable := strings.Contains(got.Header.Get("Cache-Control"), "immutable"); got.StatusCode != 200 ||
			immutable != strings.HasPrefix(path, "/assets/") || len(body(t, got)) == 0 {
			t.Errorf("%s is %d, %v", path, got.StatusCode, got.Header)
		}
	}
	// The addresses of the published web UI, with the ids of jobs, are pages of this one.
	for _, path := range []string{"/jobs", "/submit", "/job/eyJqb2JJRCI6IiJ9", "/job/eyJqb2JJRCI6IiJ9/bakta", "/index.html"} {
		if got := get(t, h, "GET", path); !bytes.Equal(body(t, got), content) {
			t.Errorf("%s is %d", path, got.StatusCode)
		}
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/nothing.js", "/inspect/.gitignore", "/web.go", "/../web.go", "/jobs/x"} {
		if got := get(t, h, "GET", path); got.StatusCode != 404 {
			t.Errorf("%s is %d", path, got.StatusCode)
		}
	}
	if got := get(t, h, "POST", "/"); got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST is %d, %v", got.StatusCode, got.Header)
	}
	if got := get(t, h, "HEAD", "/"); got.StatusCode != 200 || len(body(t, got)) != 0 || got.ContentLength != int64(len(content)) {
		t.Errorf("HEAD is %d with %d bytes", got.StatusCode, got.ContentLength)
	}
}

// TestHeaders: no page of another origin can frame this one or load it, and scripts are only those of the page's own files.
func TestHeaders(t *testing.T) {
	t.Parallel()
	got := get(t, Handler(Options{Storage: []string{"https://s3.example.org", "https://*.s3.example.org"}}), "GET", "/").Header
	policy := make(map[string]string)
	for directive := range strings.SplitSeq(got.Get("Content-Security-Policy"), "; ") {
		name, value, _ := strings.Cut(directive, " ")
		policy[name] = value
	}
	for name, value := range map[string]string{
		"default-src": "'none'", "script-src": "'self' 'wasm-unsafe-eval'",
		"connect-src": "'self' https://s3.example.org https://*.s3.example.org",
		"base-uri":    "'none'", "form-action": "'none'", "frame-ancestors": "'none'", "worker-src": "'self'",
	} {
		if policy[name] != value {
			t.Errorf("%s is %q, not %q", name, policy[name], value)
		}
	}
	for name, value := range map[string]string{
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got.Get(name) != value {
			t.Errorf("%s is %q", name, got.Get(name))
		}
	}
	content := body(t, get(t, Handler(Options{}), "GET", "/"))
	if inline := regexp.MustCompile(`<script(?:>| [^>]*[^"]>)|<style| on[a-z]+=| style=`).Find(content); inline != nil {
		t.Errorf("the page has an inline script or style: %s", inline)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	h := Handler(Options{})
	plain := get(t, h, "GET", "/")
	if plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Error("a client that takes no gzip gets", plain.Header)
	}
	content := body(t, plain)
	for accept, packed := range map[string]bool{
		"gzip, deflate, br": true, "GZIP": true, "*": true, "gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "br": false, "": false,
	} {
		got := get(t, h, "GET", "/", "Accept-Encoding", accept)
		if isPacked := got.Header.Get("Content-Encoding") == "gzip"; isPacked != packed || !bytes.Equal(body(t, got), content) {
			t.Errorf("%q gets %v", accept, got.Header)
		}
		again := get(t, h, "GET", "/", "Accept-Encoding", accept, "If-None-Match", `"other", W/`+got.Header.Get("ETag"))
		if again.StatusCode != 304 || len(body(t, again)) != 0 {
			t.Errorf("%q: a client that has the page gets %d", accept, again.StatusCode)
		}
	}
	if got := get(t, h, "GET", "/", "If-None-Match", `"other"`); got.StatusCode != 200 {
		t.Error("a client that has another page gets", got.StatusCode)
	}
	f := newFile(fstest.MapFS{"x.wasm.gz": {Data: pack([]byte("content"))}}, "x.wasm.gz", "x.wasm", true)
	for accept, coding := range map[string]string{"gzip": "gzip", "": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		f.serve(w, r)
		if got := w.Result(); got.Header.Get("Content-Encoding") != coding || string(body(t, got)) != "content" ||
			got.Header.Get("Content-Type") != "application/wasm" {
			t.Errorf("%q gets of a packed file %v", accept, got.Header)
		}
	}
}

// unread is a file system that counts the files that are read.
type unread struct {
	fs.ReadFileFS
	reads int
}

func (u *unread) Open(name string) (fs.File, error) {
	f, err := u.ReadFileFS.Open(name)
	if err == nil {
		if info, err := f.Stat(); err == nil && !info.IsDir() {
			u.reads++
		}
	}
	return f, err
}

func (u *unread) ReadFile(name string) ([]byte, error) {
	u.reads++
	return u.ReadFileFS.ReadFile(name)
}

// TestUnread: what is not asked for is not read, so it takes no memory.
func TestUnread(t *testing.T) {
	t.Parallel()
	all := &unread{ReadFileFS: built}
	files := load(all)
	if all.reads != 0 {
		t.Errorf("a server that starts reads %d files of the page", all.reads)
	}
	files[index].serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if all.reads == 0 {
		t.Error("the page was not read")
	}
}

// The first view needs at most 120 kB as it is sent.
func TestFirstView(t *testing.T) {
	t.Parallel()
	h := Handler(Options{})
	size := int64(0)
	add := func(path string) []byte {
		got := get(t, h, "GET", path, "Accept-Encoding", "gzip")
		size += got.ContentLength
		return body(t, got)
	}
	for _, part := range loads.FindAllSubmatch(add("/"), -1) {
		path := string(part[1])
		if path == "/api-docs/" {
			continue
		}
		content := add(path)
		if !strings.HasSuffix(path, ".css") {
			continue
		}
		for _, font := range regexp.MustCompile(`url\((/[^)]+)\)`).FindAllSubmatch(content, -1) {
			if !strings.Contains(string(font[1]), "latin-ext") { // loaded only for a letter that it has
				add(string(font[1]))
			}
		}
	}
	t.Logf("the first view is sent as %d bytes", size)
	if size < 20_000 || size > 120_000 {
		t.Errorf("the first view is sent as %d bytes; at most 120,000 are allowed", size)
	}
}
