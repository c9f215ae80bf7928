package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// The client knows the size of the parts in which results are stored, so it notices damage on the way in large files, too.
func TestClientNoticesDamage(t *testing.T) {
	s, b, _ := open(t)
	const mebi = 1 << 20
	content := bytes.Repeat([]byte("0123456789abcdef"), 37*mebi/16)
	var damage bool
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), r.Method, b.Endpoint+r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		for _, name := range []string{"ETag", "Content-Length"} {
			w.Header().Set(name, answer.Header.Get(name))
		}
		w.WriteHeader(answer.StatusCode)
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		if damage {
			body[len(body)-mebi] ^= 1
		}
		w.Write(body)
	}))
	defer proxy.Close()
	c, err := client.New("http://unused.invalid", client.Options{Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		size int64
	}{{"known", int64(len(content))}, {"unknown", -1}} {
		file, err := s.Put(t.Context(), "jobs/1/"+row.name, bytes.NewReader(content), row.size)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(file.ETag, "-") {
			t.Fatalf("%s: stored in one part", row.name)
		}
		from := link(t)(s.PresignGet(t.Context(), "jobs/1/"+row.name, "a", time.Hour))
		from = strings.Replace(from, b.Endpoint, proxy.URL, 1)
		if !strings.HasPrefix(from, proxy.URL) {
			t.Fatalf("the link leads to %s, past the proxy", from)
		}
		path := filepath.Join(t.TempDir(), "a")
		damage = false
		if _, err := c.Download(t.Context(), from, path, nil); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", row.name, len(got), err)
		}
		damage = true
		if _, err := c.Download(t.Context(), from, path, nil); err == nil || !strings.Contains(err.Error(), "the received file is damaged") {
			t.Errorf("%s: damaged content was taken: %v", row.name, err)
		}
	}
}
