package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

const root = "../.."

// What is checked in is what the functions and proto/ make.
func TestGenerated(t *testing.T) {
	t.Parallel()
	if err := run(root, true); err != nil {
		t.Error(err)
	}
}

// No route leads to the paths for events and timers, or to a function that is reachable only inside.
func TestNothingElse(t *testing.T) {
	t.Parallel()
	routes, err := public(all())
	if err != nil {
		t.Fatal(err)
	}
	text := string(manifest(routes)) + string(kourierManifest(routes))
	for _, path := range []string{"/events", "/sweep", "/healthz", "UpdateStatus", "jobupdate",
		"value: /}\n        - path: {type: PathPrefix, value: /}"} {
		if strings.Contains(text, path) {
			t.Errorf("a route names %s", path)
		}
	}
}

// Every path is named once, and no rule names more than the Gateway API takes.
func TestRules(t *testing.T) {
	t.Parallel()
	var paths, want []string
	for i := range 2*most + 1 {
		paths = append(paths, fmt.Sprintf("/p%d", i))
		want = append(want, match(paths[i]))
	}
	text := string(manifest([]route{{"first", paths}, {"second", paths[:most]}}))
	var sizes []int
	var names, named []string
	for _, object := range strings.Split(text, "---\n") {
		_, name, _ := strings.Cut(object, "name: bakta-web-")
		names = append(names, strings.SplitN(name, "\n", 2)[0])
		lines := strings.Split(object, "- path: ")[1:]
		sizes = append(sizes, len(lines))
		for _, l := range lines {
			named = append(named, strings.SplitN(l, "\n", 2)[0])
		}
	}
	if !slices.Equal(sizes, []int{most, most, 1, most}) || !slices.Equal(names, []string{"first", "first-2", "first-3", "second"}) {
		t.Errorf("%v %v", names, sizes)
	}
	if !slices.Equal(named, append(want, want[:most]...)) {
		t.Errorf("%v are named", named)
	}
	if got := strings.Count(text, "hostname: first.bakta.svc"); got != 3 {
		t.Errorf("%d rules lead to the first", got)
	}
}

// Kourier takes paths as prefixes, so the slash at the end is left out, and / is the first, where the web page's component replaces it.
func TestKourierManifest(t *testing.T) {
	t.Parallel()
	text := string(kourierManifest([]route{{"first", []string{"/a", "/a/", "/b"}}, {"second", []string{"/c", "/"}}}))
	var got []string
	for _, item := range strings.Split(text, "- path: ")[1:] {
		fields := strings.Fields(item)
		got = append(got, fields[0]+" "+fields[2])
	}
	want := []string{"/ second.", "/a first.", "/b first.", "/c second."}
	for i := range want {
		want[i] += "bakta.svc.cluster.local"
	}
	if !slices.Equal(got, want) {
		t.Errorf("the paths are %v, want %v", got, want)
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
	broken := []deployed{{name: "broken", register: func(s *server.Server) error { return s.Handle("", nil) }}}
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
