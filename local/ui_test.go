package local

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A web UI gets the API of the version that it uses.
func TestUIConfiguration(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ came, path string }{
		"an older UI":           {`{"api":"https://bakta.example.org/api/v1"}`, "/api/v1"},
		"a newer UI":            {`{"api":"https://bakta.example.org/api/v2","umami":{"id":5}}`, "/api/v2"},
		"a slash at the end":    {`{"api":"https://bakta.example.org/api/v2/"}`, "/api/v2"},
		"no configuration":      {"", "/api/v1"},
		"a broken one":          {`{"api":`, "/api/v1"},
		"a version of tomorrow": {`{"api":"https://bakta.example.org/api/v3"}`, "/api/v1"},
	} {
		dir := t.TempDir()
		if tt.came != "" {
			if err := os.Mkdir(filepath.Join(dir, "config"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "config", "config.json"), []byte(tt.came), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w := httptest.NewRecorder()
		webUI(dir).ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:8080/config/config.json", nil))
		if want := `{"api":"http://127.0.0.1:8080` + tt.path + "\"}\n"; w.Body.String() != want {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

// TestUIFiles: the files of the UI are served in a form for browsers, and no others.
func TestUIFiles(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(`{"a":1}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir, outside := t.TempDir(), t.TempDir()
	for path, content := range map[string]string{
		dir + "/index.html": "the index", dir + "/assets/a.js": "script", dir + "/data/example.json.gz": packed.String(),
		dir + "/data/x.gz": packed.String(),
		dir + "/.env":      "hidden", dir + "/.git/config": "hidden", dir + "/a/.b/c.txt": "hidden", outside + "/c.txt": "outside",
		outside + "/d": "outside",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link.txt": outside + "/c.txt", "up": outside, "d": outside + "/d", "within.js": "assets/a.js"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(webUI(dir))
	defer server.Close()
	for _, row := range []struct {
		path, ask      string // a range
		status         int
		body, kind, is string // is: the coding
	}{
		{"/", "", 200, "the index", "text/html; charset=utf-8", ""},
		{"/index.html", "", 200, "the index", "text/html; charset=utf-8", ""},
		{"/jobs/17", "", 200, "the index", "text/html; charset=utf-8", ""},
		{"/assets", "", 200, "the index", "text/html; charset=utf-8", ""},
		{"/assets/a.js/x", "", 200, "the index", "text/html; charset=utf-8", ""},
		{"/assets/a.js", "", 200, "script", "text/javascript; charset=utf-8", ""},
		{"/within.js", "", 200, "script", "text/javascript; charset=utf-8", ""},
		{"/assets/a.js", "bytes=1-2", 206, "cr", "text/javascript; charset=utf-8", ""},
		{"/data/example.json.gz", "", 200, packed.String(), "application/json", "gzip"},
		{"/data/example.json.gz", "bytes=0-3", 206, packed.String()[:4], "application/json", "gzip"},
		{"/data/x.gz", "", 200, packed.String(), "application/octet-stream", "gzip"},
		{"/no.js", "", 404, "", "", ""},
		{"/no.json.gz", "", 404, "", "", ""},
		{"/.env", "", 404, "", "", ""},
		{"/.git", "", 404, "", "", ""},
		{"/.git/config", "", 404, "", "", ""},
		{"/%2egit/config", "", 404, "", "", ""},
		{"/a/.b/c.txt", "", 404, "", "", ""},
		{"/../" + filepath.Base(outside) + "/c.txt", "", 404, "", "", ""},
		{"/%2e%2e/" + filepath.Base(outside) + "/c.txt", "", 404, "", "", ""},
		{"/link.txt", "", 404, "", "", ""},
		{"/up/c.txt", "", 404, "", "", ""},
		{"/d", "", 200, "the index", "text/html; charset=utf-8", ""}, // a page, since no file of the UI
		{"/fifo.txt", "", 404, "", "", ""},
	} {
		r, err := http.NewRequest(http.MethodGet, server.URL+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip") // as browsers do; the test sees what is sent
		if row.ask != "" {
			r.Header.Set("Range", row.ask)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != row.status {
			t.Errorf("%s: %s, %v, want %d", row.path, answer.Status, err, row.status)
			continue
		}
		kind, coding := answer.Header.Get("Content-Type"), answer.Header.Get("Content-Encoding")
		if row.status < 300 && (string(body) != row.body || kind != row.kind || coding != row.is) {
			t.Errorf("%s: %q of type %q, coded %q", row.path, body, kind, coding)
		}
	}
}
