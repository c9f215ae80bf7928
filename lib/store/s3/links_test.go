package s3_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// do sends a request like a browser or a script, which has only the link.
func do(t *testing.T, method, link string, body []byte, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, link, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(content)
}

func link(t *testing.T) func(link string, err error) string {
	return func(link string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
}

func TestUploadLinks(t *testing.T) {
	s, _, _ := open(t)
	ctx := t.Context()
	key := job.UploadKey("123e4567-e89b-42d3-a456-426614174000", "fasta")
	to := link(t)(s.PresignPut(ctx, key, 10_000*time.Second))

	big := bytes.Repeat([]byte("ACGT"), 5<<20)
	for _, tt := range []struct {
		name    string
		content []byte
		header  []string
	}{
		{"without a type", []byte("a"), nil},
		{"a browser's text", []byte("text"), []string{"Content-Type", "text/plain;charset=UTF-8", "Origin", "https://ui.example.org"}},
		{"bytes", []byte{0, 1, 2}, []string{"Content-Type", "application/octet-stream"}},
		{"curl's default", []byte("a=b"), []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"nothing", nil, []string{"Content-Type", "text/plain"}},
		{"20 MB", big, []string{"Content-Type", "text/x-fasta"}},
	} {
		answer, text := do(t, http.MethodPut, to, tt.content, tt.header...)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: %s", tt.name, answer.Status, text)
			continue
		}
		f, err := s.Stat(ctx, key)
		if err != nil || f.Size != int64(len(tt.content)) {
			t.Errorf("%s: %+v, %v", tt.name, f, err)
		}
		if tag := strings.Trim(answer.Header.Get("ETag"), `"`); tag != f.ETag {
			t.Errorf("%s: the browser gets the ETag %q, the store has %q", tt.name, tag, f.ETag)
		}
	}

	// The link outlives the start; what was pinned there is not what lies there now.
	pinned, err := s.Stat(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if answer, _ := do(t, http.MethodPut, to, []byte("another genome")); answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	if _, _, err := s.Open(ctx, key, pinned.ETag); !job.Is(err, job.NotReady) {
		t.Errorf("open what was pinned and then replaced: %v, want not ready", err)
	}
}

func TestDownloadLinks(t *testing.T) {
	s, _, _ := open(t)
	ctx := t.Context()
	put(t, s, "jobs/1/a.json", `{"genome":"E. coli"}`)
	names := map[string]string{
		"plain":            "E. coli.json",
		"quotes and lines": "say \"hi\"\r\nSet-Cookie: a=b.json",
		"unicode":          "Bäckerhefe 酵母 🧬.json",
		"10 kB":            strings.Repeat("長", 3_400) + ".json",
		"signs":            "100% & more = a+b #1?.json",
	}
	for name, fileName := range names {
		from := link(t)(s.PresignGet(ctx, "jobs/1/a.json", fileName, 6*24*time.Hour))
		answer, content := do(t, http.MethodGet, from, nil)
		if answer.StatusCode != http.StatusOK || content != `{"genome":"E. coli"}` {
			t.Errorf("%s: %s: %s", name, answer.Status, content)
		}
		if answer.ContentLength != 20 {
			t.Errorf("%s: Content-Length %d, want 20: the viewer draws its progress from it", name, answer.ContentLength)
		}
		u, err := url.Parse(from)
		if err != nil {
			t.Fatal(err)
		}
		want := u.Query().Get("response-content-disposition")
		if got := answer.Header.Get("Content-Disposition"); got != want || !strings.HasPrefix(got, "attachment; ") {
			t.Errorf("%s: Content-Disposition %q, want %q", name, got, want)
		}
		if answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a name became a header", name)
		}
	}

	from := link(t)(s.PresignGet(ctx, "jobs/1/a.json", "a.json", time.Hour))
	if answer, content := do(t, http.MethodGet, from, nil, "Range", "bytes=2-7"); answer.StatusCode != http.StatusPartialContent ||
		content != "genome" || answer.Header.Get("Content-Range") != "bytes 2-7/20" {
		t.Errorf("a range: %s %q %q", answer.Status, content, answer.Header.Get("Content-Range"))
	}
	missing := link(t)(s.PresignGet(ctx, "jobs/1/b.json", "b.json", time.Hour))
	if answer, _ := do(t, http.MethodGet, missing, nil); answer.StatusCode != http.StatusNotFound {
		t.Errorf("a link to nothing: %s", answer.Status)
	}
}

func TestLinksAllowNothingElse(t *testing.T) {
	s, b, _ := open(t)
	ctx := t.Context()
	put(t, s, "jobs/1/a", "content")
	put(t, s, "jobs/2/a", "another's")
	get := link(t)(s.PresignGet(ctx, "jobs/1/a", "a", time.Hour))
	upload := link(t)(s.PresignPut(ctx, "jobs/1/a", time.Hour))
	replace := func(link, from, to string) string {
		t.Helper()
		if !strings.Contains(link, from) {
			t.Fatalf("%q is not in %s", from, link)
		}
		return strings.Replace(link, from, to, 1)
	}
	o := optionsOf(b)
	o.SecretKey = "not-the-secret-key"
	forged := link(t)(newStore(t, o).PresignGet(ctx, "jobs/1/a", "a", time.Hour))
	short := link(t)(s.PresignGet(ctx, "jobs/1/a", "a", time.Second))
	for deadline := time.Now().Add(time.Minute); ; {
		if answer, _ := do(t, http.MethodGet, short, nil); answer.StatusCode != http.StatusOK {
			break // expired; the refusal is checked below
		}
		if time.Now().After(deadline) {
			t.Fatal("a link of one second never expires")
		}
	}
	for _, tt := range []struct{ name, method, link string }{
		{"another object", http.MethodGet, replace(get, "jobs/1/a", "jobs/2/a")},
		{"another method", http.MethodPut, get},
		{"deleting", http.MethodDelete, upload},
		{"reading by an upload link", http.MethodGet, upload},
		{"a longer life", http.MethodGet, replace(get, "X-Amz-Expires=3600", "X-Amz-Expires=7200")},
		{"another file name", http.MethodGet, replace(get, "response-content-disposition=attachment", "response-content-disposition=inline")},
		{"another signature", http.MethodGet, replace(get, "X-Amz-Signature=", "X-Amz-Signature=0")},
		{"another secret", http.MethodGet, forged},
		{"no signature", http.MethodGet, get[:strings.Index(get, "?")]},
		{"an expired link", http.MethodGet, short},
	} {
		if answer, content := do(t, tt.method, tt.link, []byte("x")); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s, want 403: %s", tt.name, answer.Status, content)
		}
	}
	if got, err := s.Get(ctx, "jobs/1/a", 100); string(got) != "content" || err != nil {
		t.Errorf("the object is now %q, %v", got, err)
	}
	for _, ttl := range []time.Duration{0, -time.Hour, 8 * 24 * time.Hour} {
		if _, err := s.PresignGet(ctx, "jobs/1/a", "a", ttl); err == nil {
			t.Errorf("there is a link of %s", ttl)
		}
	}
}

// TestCrossOrigin asks as a browser does before and while it uploads and downloads from another site's page.
func TestCrossOrigin(t *testing.T) {
	_, b, _ := open(t)
	restricted := optionsOf(b)
	restricted.Origins = []string{"https://ui.example.org"}
	for _, tt := range []struct {
		name    string
		options s3.Options
		origin  string
		allowed bool
	}{
		{"any origin", optionsOf(b), "https://anything.example.org", true},
		{"the configured origin", restricted, "https://ui.example.org", true},
		{"another origin", restricted, "https://evil.example.org", false},
	} {
		s := newStore(t, tt.options)
		if err := s.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		upload := link(t)(s.PresignPut(t.Context(), "a", time.Hour))
		download := link(t)(s.PresignGet(t.Context(), "a", "a", time.Hour))
		allows := func(answer *http.Response) bool {
			o := answer.Header.Get("Access-Control-Allow-Origin")
			return o == "*" || o == tt.origin
		}
		for _, to := range []struct{ method, link string }{{http.MethodPut, upload}, {http.MethodGet, download}} {
			answer, _ := do(t, http.MethodOptions, to.link, nil, "Origin", tt.origin,
				"Access-Control-Request-Method", to.method, "Access-Control-Request-Headers", "content-type,range")
			if got := allows(answer) && answer.StatusCode/100 == 2; got != tt.allowed {
				t.Errorf("%s: preflight of %s: %s %v", tt.name, to.method, answer.Status, answer.Header)
			}
			if tt.allowed && !strings.Contains(answer.Header.Get("Access-Control-Allow-Methods"), to.method) {
				t.Errorf("%s: preflight of %s allows %q", tt.name, to.method, answer.Header.Get("Access-Control-Allow-Methods"))
			}
			answer, text := do(t, to.method, to.link, []byte("x"), "Origin", tt.origin, "Content-Type", "text/plain;charset=UTF-8")
			if answer.StatusCode != http.StatusOK || allows(answer) != tt.allowed {
				t.Errorf("%s: %s: %s %v %s", tt.name, to.method, answer.Status, answer.Header, text)
			}
			if exposed := answer.Header.Get("Access-Control-Expose-Headers"); tt.allowed &&
				(!strings.Contains(exposed, "ETag") || !strings.Contains(exposed, "Content-Length")) {
				t.Errorf("%s: %s shows scripts %q", tt.name, to.method, exposed)
			}
		}
	}
}

// TestLinksNeedNoCall creates links without a connection to the store, and checks their addresses.
func TestLinksNeedNoCall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan bool, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
			called <- true
		}
		close(called)
	}()
	inside := "http://" + l.Addr().String()
	for _, tt := range []struct {
		name    string
		options s3.Options
		begin   string
	}{
		{"one endpoint", s3.Options{Endpoint: inside}, inside + "/bakta-data/base/jobs/1/a?"},
		{"a public endpoint", s3.Options{Endpoint: inside, PublicEndpoint: "https://s3.example.org"},
			"https://s3.example.org/bakta-data/base/jobs/1/a?"},
		{"its standard port", s3.Options{Endpoint: inside, PublicEndpoint: "https://s3.example.org:443"},
			"https://s3.example.org/bakta-data/base/jobs/1/a?"},
		{"a port of its own", s3.Options{Endpoint: inside, PublicEndpoint: "http://localhost:9000/"},
			"http://localhost:9000/bakta-data/base/jobs/1/a?"},
		{"virtual hosts", s3.Options{Endpoint: inside, PublicEndpoint: "https://s3.example.org", VirtualHosted: true},
			"https://bakta-data.s3.example.org/base/jobs/1/a?"},
		{"a region", s3.Options{Endpoint: inside, Region: "eu-central-1"}, inside + "/bakta-data/base/jobs/1/a?"},
	} {
		tt.options.Bucket, tt.options.BaseKey, tt.options.AccessKey, tt.options.SecretKey = "bakta-data", "base", "key", "the-secret-key"
		s := newStore(t, tt.options)
		for _, made := range []string{
			link(t)(s.PresignPut(t.Context(), "jobs/1/a", time.Hour)),
			link(t)(s.PresignGet(t.Context(), "jobs/1/a", "a.txt", time.Hour)),
		} {
			if !strings.HasPrefix(made, tt.begin) {
				t.Errorf("%s: %s does not begin with %s", tt.name, made, tt.begin)
			}
			u, err := url.Parse(made)
			if err != nil {
				t.Fatal(err)
			}
			region := tt.options.Region
			if region == "" {
				region = "us-east-1"
			}
			if q := u.Query(); q.Get("X-Amz-SignedHeaders") != "host" || !strings.Contains(q.Get("X-Amz-Credential"), "/"+region+"/") {
				t.Errorf("%s: it signs %s for %s", tt.name, q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Credential"))
			}
			if strings.Contains(made, "the-secret-key") {
				t.Errorf("%s: the link shows the secret key", tt.name)
			}
		}
	}
	l.Close()
	if <-called {
		t.Error("the store was asked")
	}
}
