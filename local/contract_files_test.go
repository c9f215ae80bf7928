package local_test

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// endings are the names of the result files after the job's name, by their keys.
func endings() map[string]string {
	return map[string]string{
		"EMBL": ".embl", "FAA": ".faa", "FAAHypothetical": ".hypotheticals.faa", "FFN": ".ffn", "FNA": ".fna", "GBFF": ".gbff", "GFF3": ".gff3",
		"JSON": ".json", "TSV": ".tsv", "TSVHypothetical": ".hypotheticals.tsv", "TSVInference": ".inference.tsv", "TXTLogs": ".txt",
		"PNGCircularPlot": ".png", "SVGCircularPlot": ".svg",
	}
}

// testFiles holds the links: how long they live, what they lead to, and what it is called.
func testFiles(t *testing.T, s *site) {
	m := s.started(t, "E. coli K-12", `{}`)
	for _, link := range []string{m.UploadLinkFasta, m.UploadLinkProdigal, m.UploadLinkReplicons} {
		if life := signed(t, link); life < 10_000 {
			t.Errorf("an upload link lives %d s", life)
		}
	}
	s.await(t, m, "SUCCESSFUL")
	links := s.results(t, m)
	if len(links) != len(endings()) {
		t.Errorf("%d result files, want %d", len(links), len(endings()))
	}
	for key, ending := range endings() {
		link := links[key]
		if life := signed(t, link); life != 6*24*3600 {
			t.Errorf("the link of %s lives %d s", key, life)
		}
		a := s.download(t, link)
		if a.length != int64(len(a.body)) {
			t.Errorf("%s: Content-Length %d, and %d bytes came", key, a.length, len(a.body))
		}
		if got := fileName(t, a); got != "E. coli K-12"+ending {
			t.Errorf("%s: the file is called %q", key, got)
		}
	}
	if a := s.download(t, links["JSON"]); !json.Valid([]byte(a.body)) {
		t.Errorf("JSON: %.100s", a.body)
	}
	if a := s.download(t, links["GFF3"]); !strings.HasPrefix(a.body, "##gff-version 3") {
		t.Errorf("GFF3: %.100s", a.body)
	}

	for _, name := range []string{"", "../say \"hi\"\r\nSet-Cookie: a=b\x00 \U0001f9ec \u202egnp", strings.Repeat("長", 341)} {
		m := s.started(t, name, `{}`)
		s.await(t, m, "SUCCESSFUL")
		a := s.post(t, "/api/v1/job/result", m.auth())
		result := decode[struct {
			Name        string
			ResultFiles map[string]string
		}](t, a.body)
		if result.Name != name {
			t.Errorf("a job called %q is called %q in its result", name, result.Name)
		}
		a = s.download(t, result.ResultFiles["TSVHypothetical"])
		got := fileName(t, a)
		if !strings.HasSuffix(got, ".hypotheticals.tsv") || strings.ContainsAny(got, `/\"`) || strings.ContainsFunc(got, unicode.IsControl) ||
			strings.HasPrefix(got, ".") || len(got) > 255 {
			t.Errorf("a file of the job %q is called %q", name, got)
		}
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("the name %q became a header", name)
		}
	}
}

// signed returns how long a link lives, in seconds. Nothing but the host may be signed beside it: browsers and
// scripts add headers of their own.
func signed(t *testing.T, link string) int {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query().Get("X-Amz-SignedHeaders"); got != "host" {
		t.Errorf("a link signs %q", got)
	}
	life, err := strconv.Atoi(u.Query().Get("X-Amz-Expires"))
	if err != nil {
		t.Fatal(err)
	}
	return life
}

// fileName returns what a browser calls the file that it saves.
func fileName(t *testing.T, a answer) string {
	t.Helper()
	disposition, parameters, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
	if err != nil || disposition != "attachment" {
		t.Fatalf("Content-Disposition %q: %v", a.header.Get("Content-Disposition"), err)
	}
	return parameters["filename"]
}

// testBrowsers asks as a browser does for a page of another origin.
func testBrowsers(t *testing.T, s *site) {
	const origin = "https://bakta.example.org"
	m := s.started(t, "browsers", `{}`)
	s.await(t, m, "SUCCESSFUL")
	json := s.results(t, m)["JSON"]
	allowed := func(t *testing.T, a answer) {
		t.Helper()
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "*" && got != origin {
			t.Errorf("status %d, Access-Control-Allow-Origin %q", a.status, got)
		}
		if got := a.header.Get("Access-Control-Allow-Credentials"); got == "true" {
			t.Error("credentials are allowed")
		}
	}
	for _, to := range []struct{ method, link string }{
		{http.MethodPost, s.url + "/api/v1/job/init"},
		{http.MethodPost, s.url + "/api/v1/job/start"},
		{http.MethodPost, s.url + "/api/v1/job/list"},
		{http.MethodPost, s.url + "/api/v1/job/result"},
		{http.MethodGet, s.url + "/api/v1/version"},
		{http.MethodGet, s.url + "/api/v1/job/logs?" + m.query()},
		{http.MethodDelete, s.url + "/api/v1/delete?" + m.query()},
		{http.MethodDelete, s.url + "/api/v1/job/delete?" + m.query()},
		{http.MethodPut, m.UploadLinkFasta},
		{http.MethodPut, m.UploadLinkReplicons},
		{http.MethodGet, json},
	} {
		for _, headers := range []string{"content-type", "accept,authorization,content-type", ""} {
			ask := []string{"Origin", origin, "Access-Control-Request-Method", to.method}
			if headers != "" {
				ask = append(ask, "Access-Control-Request-Headers", headers)
			}
			a := send(t, s.http1, http.MethodOptions, to.link, "", ask...)
			name := to.method + " " + strings.TrimPrefix(strings.SplitN(to.link, "?", 2)[0], s.url)
			t.Run(name+" with "+headers, func(t *testing.T) {
				allowed(t, a)
				if a.status != http.StatusOK && a.status != http.StatusNoContent {
					t.Errorf("status %d", a.status)
				}
				if got := a.header.Get("Access-Control-Allow-Methods"); !strings.Contains(got, to.method) {
					t.Errorf("methods %q", got)
				}
				for _, h := range strings.Split(headers, ",") {
					if got := strings.ToLower(a.header.Get("Access-Control-Allow-Headers")); !strings.Contains(got, h) && got != "*" {
						t.Errorf("headers %q", got)
					}
				}
			})
		}
	}
	// The answers, too, and those to bad requests, whose message the page shows.
	for _, call := range []struct {
		method, link, body string
		status             int
	}{
		{http.MethodGet, s.url + "/api/v1/version", "", 200},
		{http.MethodPost, s.url + "/api/v1/job/init", `{}`, 200},
		{http.MethodPost, s.url + "/api/v1/job/init", `{`, 400},
		{http.MethodPost, s.url + "/api/v1/job/result", unknownJob, 404},
		{http.MethodPost, s.url + "/api/v1/job/result", `{"jobID":"` + m.Job.JobID + `","secret":"x"}`, 401},
		{http.MethodPost, s.url + "/api/v1/job/list", strings.Repeat(" ", 2<<20), 413},
		{http.MethodGet, s.url + "/api/v1/job/logs?" + m.query(), "", 200},
		{http.MethodGet, s.url + "/api/v1/nothing", "", 404},
		{http.MethodGet, s.url + "/api-docs/openapi.json", "", 200},
		{http.MethodPut, s.create(t, "x").UploadLinkFasta, genome, 200},
		{http.MethodGet, json, "", 200},
	} {
		a := send(t, s.http1, call.method, call.link, call.body, "Origin", origin, "Content-Type", "text/plain;charset=UTF-8")
		if a.status != call.status {
			t.Errorf("%s %s: status %d, want %d: %s", call.method, call.link, a.status, call.status, a.body)
		}
		allowed(t, a)
	}
}
