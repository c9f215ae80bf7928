package server_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// documents are two, the newer one first.
func documents() []server.Document {
	return []server.Document{{Version: "v2", Swagger2: protov2.Swagger2(), OpenAPI31: protov2.OpenAPI31()},
		{Version: "v1", Swagger2: protov1.Swagger2(), OpenAPI31: protov1.OpenAPI31()}}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{}, func(s *server.Server) error { return s.Docs("Bakta Web API", documents()...) })
	c := client(t)

	got := send(t, c, "GET", s.url+"/api-docs/openapi.json", "", "Origin", "https://other.example.org")
	if got.status != 200 || got.body != protov1.Swagger2() || got.header.Get("Content-Type") != "application/json" ||
		got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("the document is %d, %v", got.status, got.header)
	}
	for path, want := range map[string]string{
		"openapi-v1.json": protov1.Swagger2(), "openapi-v2.json": protov2.Swagger2(),
		"openapi-3.1-v1.json": protov1.OpenAPI31(), "openapi-3.1-v2.json": protov2.OpenAPI31(),
	} {
		if got := send(t, c, "GET", s.url+"/api-docs/"+path, ""); got.status != 200 || got.body != want {
			t.Errorf("%s is %d, %d bytes", path, got.status, len(got.body))
		}
	}
	again := send(t, c, "GET", s.url+"/api-docs/openapi.json", "", "If-Modified-Since", got.header.Get("Last-Modified"))
	if again.status != http.StatusNotModified {
		t.Error("the document is sent again with", again.status)
	}
	page := send(t, c, "GET", s.url+"/", "")
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(page.body,
		`{"url":"/api-docs/openapi-v2.json","name":"Bakta Web API v2"},{"url":"/api-docs/openapi-v1.json","name":"Bakta Web API v1"}`) {
		t.Errorf("the page is %d, %v: %s", page.status, page.header, page.body)
	}
	if !strings.Contains(page.body, `url: "/api-docs/openapi.json"`) {
		t.Error("the viewer has no document where it has no bar to select one")
	}
	if other := send(t, c, "GET", s.url+"/api-docs/", ""); other.body != page.body {
		t.Error("/api-docs/ is another page")
	}
	for _, path := range []string{"/api-docs/openapi-3.1-v1.json", "/api-docs/openapi-v2.json"} {
		if !strings.Contains(page.body, `<a href="`+path+`">`) {
			t.Error("the page does not lead to", path)
		}
	}
	for _, path := range []string{"/", "/api-docs/", "/api-docs/openapi.json", "/api-docs/openapi-3.1-v2.json"} {
		if got := send(t, c, "HEAD", s.url+path, ""); got.status != 200 || got.body != "" {
			t.Errorf("HEAD %s is %d", path, got.status)
		}
		if got := send(t, c, "POST", s.url+path, ""); got.status != 405 {
			t.Errorf("POST %s is %d", path, got.status)
		}
	}
	for _, path := range []string{"/swagger-ui", "/swagger-ui/", "/swagger-ui/index.html"} {
		if got := send(t, c, "GET", s.url+path, ""); got.body != page.body {
			t.Errorf("%s leads to %d %s", path, got.status, got.body)
		}
	}
	for _, path := range []string{"/nothing", "/api-docs", "/api/v1/version"} {
		if got := send(t, c, "GET", s.url+path, ""); got.status != 404 || *got.failure(t).Code != 5 {
			t.Errorf("GET %s is %d", path, got.status)
		}
	}
	if got := send(t, c, "GET", s.url+"/api-docs/nothing.js", ""); got.status != 404 {
		t.Errorf("a file that is not there is %d", got.status)
	}
}

// The page loads nothing but what this server serves, and its policy would not let it.
func TestDocsAreSelfContained(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{}, func(s *server.Server) error { return s.Docs("Bakta Web API", documents()...) })
	c := client(t)
	page := send(t, c, "GET", s.url+"/", "")
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy,
		"http") || strings.Contains(policy, "*") {
		t.Errorf("the policy is %q", policy)
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.body, -1)
	if len(loads) < 4 {
		t.Fatalf("the page loads %v", loads)
	}
	for _, l := range loads {
		if !strings.HasPrefix(l[1], "/api-docs/") {
			t.Error("the page loads", l[1])
			continue
		}
		// As a browser asks, and as one that can't unpack.
		if got := send(t, c, "GET", s.url+l[1], "", "Accept-Encoding", "identity"); got.status != 200 || got.body == "" {
			t.Error(l[1], "is", got.status)
		}
	}
	for _, part := range []string{`<meta name="viewport" content="width=device-width, initial-scale=1">`, "prefers-color-scheme: dark",
		"max-width: 640px"} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
	if !strings.Contains(page.body, "validatorUrl: null") {
		t.Error("the viewer would show the document to a server on the internet")
	}
}

// Where something else is at / already, the documentation keeps to its own path.
func TestDocsBesideAnotherPage(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{}, func(s *server.Server) error {
		if err := s.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, "the UI")
		})); err != nil {
			return err
		}
		return s.Docs("Bakta Web API", documents()...)
	})
	c := client(t)
	for _, path := range []string{"/", "/index.html", "/jobs/x"} {
		if got := send(t, c, "GET", s.url+path, ""); got.body != "the UI" {
			t.Errorf("%s is %s", path, got.body)
		}
	}
	if got := send(t, c, "GET", s.url+"/api-docs/", ""); !strings.Contains(got.body, "swagger-ui") {
		t.Error("/api-docs/ is", got.body)
	}
}
