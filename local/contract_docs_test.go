package local_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testDocumentation reads the API's document and opens the page that shows it.
func testDocumentation(t *testing.T, s *site) {
	a := s.get(t, "/api-docs/openapi.json")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, %s", a.status, a.header.Get("Content-Type"))
	}
	document := decode[struct {
		Paths map[string]map[string]json.RawMessage
	}](t, a.body)
	var calls []string
	for path, methods := range document.Paths {
		for method := range methods {
			calls = append(calls, strings.ToUpper(method)+" "+path)
		}
	}
	for _, call := range []string{"POST /api/v1/job/init", "POST /api/v1/job/start", "POST /api/v1/job/list", "POST /api/v1/job/result",
		"GET /api/v1/version", "DELETE /api/v1/delete", "DELETE /api/v1/job/delete", "GET /api/v1/job/logs"} {
		if !slices.Contains(calls, call) {
			t.Errorf("the document lacks %s", call)
		}
	}
	// Every call that it has is there.
	for _, call := range calls {
		method, path, _ := strings.Cut(call, " ")
		if a := send(t, s.http1, method, s.url+path, ""); strings.Contains(a.body, "nothing at this path") ||
			a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotImplemented {
			t.Errorf("%s is documented: status %d: %s", call, a.status, a.body)
		}
	}
	page := s.get(t, "/api-docs/")
	if page.status != http.StatusOK || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") ||
		!strings.Contains(page.body, "/api-docs/openapi-v1.json") {
		t.Fatalf("the page: status %d, %s: %.300s", page.status, page.header.Get("Content-Type"), page.body)
	}
	parts := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(parts) == 0 {
		t.Error("the page is without its parts")
	}
	for _, part := range parts {
		if !strings.HasPrefix(part[1], "/") {
			t.Errorf("the page has a part elsewhere: %s", part[1])
		} else if a := s.get(t, part[1]); a.status != http.StatusOK {
			t.Errorf("the page's part %s: status %d", part[1], a.status)
		}
	}
}

// testCommands goes through the commands that docs/api.md has for the first version.
func testCommands(t *testing.T, s *site) {
	var job made
	goThrough(t, s, "/api/v1", func() []string {
		return []string{`$(jq -r .uploadLinkFasta job.json)`, job.UploadLinkFasta, `$(jq -c .job job.json)`,
			strings.ReplaceAll(job.auth(), `"`, `\"`),
			`$(jq -r .job.jobID job.json)`, job.Job.JobID, `$(jq -r .job.secret job.json)`, job.Job.Secret}
	}, func(call, body string) {
		switch call {
		case "/job/init":
			job = decode[made](t, body)
		case "/job/list":
			s.await(t, job, "SUCCESSFUL") // a person repeats the call
		}
	}, "/job/init", "/job/start", "/job/list", "/job/logs", "/job/result", "/job/delete")
	if got := s.state(t, job); got != "NOT_FOUND" {
		t.Errorf("after all commands the job is %s", got)
	}
}

// goThrough makes the calls of the commands in docs/api.md for a version of the API. It replaces curl and jq, which not every
// machine has. words returns pairs of texts to replace in the commands, before each of them; made receives each call and its
// response. The commands must contain all of calls.
func goThrough(t *testing.T, s *site, version string, words func() []string, made func(call, body string), calls ...string) {
	t.Helper()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, found := strings.Cut(string(text), "```sh\napi=http://127.0.0.1:8080"+version+"\n")
	script, _, ended := strings.Cut(script, "\n```")
	if !found || !ended {
		t.Fatal("docs/api.md has no commands")
	}
	count := make(map[string]int)
	curl := regexp.MustCompile(`^curl -s(?:X (\w+))?( --data-binary @genome\.fna)? (?:"([^"]+)"|(\S+))(?: -d (?:'([^']*)'|"((?:[^"\\]|` +
		`\\.)*)"))?(?: > job\.json)?$`)
	for _, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "# ")
		if line == "" {
			continue
		}
		// jq inside double quotes contains quotes itself, so it is replaced first.
		line = strings.NewReplacer(append([]string{"$api", s.url + version}, words()...)...).Replace(line)
		c := curl.FindStringSubmatch(line)
		if c == nil {
			t.Fatalf("docs/api.md: the test does not understand %s", line)
		}
		method, target, body := c[1], c[3]+c[4], c[5]+strings.ReplaceAll(c[6], `\"`, `"`)
		if method == "" {
			method = http.MethodGet
		}
		if c[2] != "" {
			body = genome
		}
		header := []string{"User-Agent", "curl/7.88.1", "Accept", "*/*"}
		if body != "" {
			header = append(header, "Content-Type", "application/x-www-form-urlencoded") // curl's default
		}
		a := send(t, s.http1, method, target, body, header...)
		if a.status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", line, a.status, a.body)
		}
		call, _, _ := strings.Cut(strings.TrimPrefix(target, s.url+version), "?")
		count[call]++
		made(call, a.body)
	}
	for _, call := range calls {
		if count[call] == 0 {
			t.Errorf("docs/api.md shows no %s", version+call)
		}
	}
}
