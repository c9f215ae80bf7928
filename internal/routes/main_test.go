package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
)

const root = "../.."

// What is checked in is what the functions and proto/ make.
func TestGenerated(t *testing.T) {
	t.Parallel()
	if err := run(root, true); err != nil {
		t.Error(err)
	}
}

// No route leads to what is for events and timers, or to what is for inside.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	routes, err := public(all())
	if err != nil {
		t.Fatal(err)
	}
	text := string(manifest(routes))
	for _, path := range []string{"/events", "/sweep", "/healthz", "UpdateStatus", "jobupdate", "value: /}\n        - path: {type: PathPrefix, value: /}"} {
		if strings.Contains(text, path) {
			t.Errorf("a route names %s", path)
		}
	}
}

// A method that no function serves, and one that two serve, are found.
func TestMistakes(t *testing.T) {
	t.Parallel()
	without := slices.DeleteFunc(all(), func(d deployed) bool { return d.name == "submit" })
	if err := complete(root, without); err == nil || !strings.Contains(err.Error(), "/bakta.web.api.proto.v1.BaktaJobs/InitJob") {
		t.Errorf("without submit: %v", err)
	}
	twice := append(all(), deployed{name: "again", register: new(expire.Function).Register})
	if _, err := public(twice); err == nil || !strings.Contains(err.Error(), "by expire and by again") {
		t.Errorf("with expire twice: %v", err)
	}
	broken := []deployed{{name: "broken", register: func(h *function.Host) error { return h.Handle("", nil) }}}
	if _, err := public(broken); err == nil {
		t.Error("a function that can't be registered is taken")
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/":                   "{type: Exact, value: /}",
		"/api-docs/":          "{type: PathPrefix, value: /api-docs}",
		"/api/v1/job/init":    "{type: Exact, value: /api/v1/job/init}",
		"/a.b.Service/Method": "{type: Exact, value: /a.b.Service/Method}",
	} {
		if got := match(path); got != want {
			t.Errorf("%s is matched by %s", path, got)
		}
	}
}
