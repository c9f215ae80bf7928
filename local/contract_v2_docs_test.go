package local_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// testDocumentationV2 reads the documents of both versions and opens the one page that shows them.
func testDocumentationV2(t *testing.T, s *siteV2) {
	type document struct {
		Info  struct{ Version string }
		Paths map[string]map[string]json.RawMessage
	}
	for path, want := range map[string]string{
		"/api-docs/openapi.json": "v1", "/api-docs/openapi-v1.json": "v1", "/api-docs/openapi-v2.json": "v2",
		"/api-docs/openapi-3.1-v1.json": "v1", "/api-docs/openapi-3.1-v2.json": "v2",
	} {
		a := s.get(t, path)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: status %d, %s", path, a.status, a.header.Get("Content-Type"))
		}
		if got := decode[document](t, a.body).Info.Version; got != want {
			t.Errorf("%s is of version %s", path, got)
		}
	}
	var calls []string
	for path, methods := range decode[document](t, s.get(t, "/api-docs/openapi-v2.json").body).Paths {
		for method := range methods {
			method = strings.ToUpper(method)
			calls = append(calls, method+" "+path)
			// Every call that it has is there. The list of own jobs needs a token, and this server takes none.
			if a := send(t, s.http1, method, s.url+path, ""); !slices.Contains([]int{200, 400, 401, 422}, a.status) ||
				strings.Contains(a.body, "nothing at this path") {
				t.Errorf("%s %s is documented: status %d: %s", method, path, a.status, a.body)
			}
		}
	}
	if diff := cmp.Diff(keysOf(map[string]bool{"GET /api/v2/workflows": true, "GET /api/v2/options": true,
		"POST /api/v2/job/init": true, "POST /api/v2/job/start": true,
		"POST /api/v2/job/submit": true, "POST /api/v2/job/rerun": true, "POST /api/v2/job/list": true, "GET /api/v2/job/status": true,
		"POST /api/v2/job/result": true, "GET /api/v2/job/logs": true, "DELETE /api/v2/job/delete": true, "GET /api/v2/version": true,
		"POST /api/v2/job/logs": true, "POST /api/v2/job/delete": true, "GET /api/v2/jobs": true, "GET /api/v2/access": true}),
		sorted(calls)); diff != "" {
		t.Errorf("documented: %s", diff)
	}
	page := s.get(t, "/api-docs/")
	if page.status != http.StatusOK || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("the page: status %d, %s", page.status, page.header.Get("Content-Type"))
	}
	for _, version := range []string{"v1", "v2", "3.1-v1", "3.1-v2"} {
		if !strings.Contains(page.body, `"/api-docs/openapi-`+version+`.json"`) {
			t.Errorf("the page does not show %s", version)
		}
	}
	for _, part := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1) {
		if a := s.get(t, part[1]); a.status != http.StatusOK {
			t.Errorf("the page's part %s: status %d", part[1], a.status)
		}
	}
	for _, bookmark := range []string{"/swagger-ui", "/swagger-ui/", "/swagger-ui/index.html"} {
		if a := s.get(t, bookmark); a.status != http.StatusOK || a.body != page.body {
			t.Errorf("%s: status %d", bookmark, a.status)
		}
	}
}

func sorted(list []string) []string {
	set := make(map[string]bool, len(list))
	for _, l := range list {
		set[l] = true
	}
	return keysOf(set)
}

// testCommandsV2 goes through the commands that docs/api.md has for the second version.
func testCommandsV2(t *testing.T, s *siteV2) {
	var job madeV2
	goThrough(t, s.site, "/api/v2", func() []string {
		link := ""
		for _, u := range job.Uploads {
			if u.Required {
				link = u.URL
			}
		}
		return []string{`$(jq -r '.uploads[] | select(.required) | .url' job.json)`, link, `$(jq -c .job job.json)`,
			strings.ReplaceAll(job.ref(), `"`, `\"`),
			`$(uuidgen)`, uuid.NewString(), `$(jq -r .job.job_id job.json)`, job.Job.ID, `$(jq -r .job.secret job.json)`, job.Job.Secret}
	}, func(call, body string) {
		switch call {
		case "/job/init":
			job = decode[madeV2](t, body)
		case "/job/list":
			s.awaitV2(t, job, "successful") // a person looks again and again
		}
	}, "/workflows", "/job/init", "/job/start", "/job/list", "/job/logs", "/job/result", "/job/rerun", "/job/delete", "/version")
	if got := s.stateV2(t, job); got != "not_found" {
		t.Errorf("after all commands the job is %s", got)
	}
}
