package observability

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	repository = "../.."
	runbooks   = repository + "/docs/runbooks"
	runbookURL = "https://github.com/ag-computational-bio/bakta-web-backend/blob/main/docs/runbooks/"
)

// sections are the headings that each page has, in this order.
var sections = []string{"Meaning", "Impact", "Check", "Causes", "Mend", "Over when"}

// TestRunbooks checks that each alert links to its page, that each page belongs to an alert, and that the index lists all.
func TestRunbooks(t *testing.T) {
	_, alerts := rules(t)
	if len(alerts) == 0 {
		t.Fatal("no alerts found")
	}
	var want []string
	for _, a := range alerts {
		page := a.Alert + ".md"
		want = append(want, page)
		if got := a.Annotations["runbook_url"]; got != runbookURL+page {
			t.Errorf("%s has the runbook_url %q, want %q", a.Alert, got, runbookURL+page)
		}
	}
	slices.Sort(want)
	if got := pages(t); !slices.Equal(got, want) {
		t.Errorf("pages in %s: %v\nwant one for each alert: %v", runbooks, got, want)
	}
	index := read(t, filepath.Join(runbooks, "README.md"))
	for _, a := range alerts {
		row := "| [" + a.Alert + "](" + a.Alert + ".md) | " + a.Labels["severity"] + " |"
		if !strings.Contains(index, row) {
			t.Errorf("the index lacks the row %q", row)
		}
	}
}

// TestRunbookPages checks what each page says against its source: PromQL against the metrics, messages of the log against
// the code that logs them, the names of objects against the deployment, links against the pages.
func TestRunbookPages(t *testing.T) {
	metrics := metrics(t)
	records, _ := rules(t)
	for _, r := range records {
		metrics.record(t, r)
	}
	logged := sources(t)
	objects := deployed(t)
	message := regexp.MustCompile(`\.msg=="([^"]+)"`)
	object := regexp.MustCompile(`\b(pingsource|apiserversource|ksvc|podmonitor|networkpolicy|broker|trigger) ([a-z][a-z-]*)\b`)
	function := regexp.MustCompile(`serving\.knative\.dev/service=([a-z]+)`)
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, page := range append(pages(t), "README.md") {
		text := read(t, filepath.Join(runbooks, page))
		if page != "README.md" {
			if got := headings(text); !slices.Equal(got, sections) {
				t.Errorf("%s has the sections %q, want %q", page, got, sections)
			}
			queries := queriesOf(text)
			if len(queries) == 0 {
				t.Errorf("%s has no PromQL", page)
			}
			for _, q := range queries {
				metrics.check(t, page, q)
			}
		}
		for _, m := range message.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(logged, `"`+m[1]+`"`) {
				t.Errorf("%s: no code logs %q", page, m[1])
			}
		}
		for _, m := range object.FindAllStringSubmatch(text, -1) {
			if !objects[m[1]+" "+m[2]] {
				t.Errorf("%s: the deployment has no %s named %s", page, m[1], m[2])
			}
		}
		for _, m := range function.FindAllStringSubmatch(text, -1) {
			if !objects["ksvc "+m[1]] {
				t.Errorf("%s: the deployment has no function %s", page, m[1])
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(runbooks, m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// pages returns the names of the pages, sorted.
func pages(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(runbooks)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		if f.Name() != "README.md" {
			names = append(names, f.Name())
		}
	}
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// headings returns the headings of the second level.
func headings(markdown string) (titles []string) {
	for line := range strings.Lines(markdown) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			titles = append(titles, strings.TrimSpace(title))
		}
	}
	return titles
}

// queriesOf returns the blocks of PromQL.
func queriesOf(markdown string) (queries []string) {
	for _, block := range strings.Split(markdown, "```promql\n")[1:] {
		query, _, _ := strings.Cut(block, "```")
		queries = append(queries, query)
	}
	return queries
}

// sources returns the Go code of the functions and of what they use.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"cmd", "functions", "lib"} {
		err := filepath.WalkDir(filepath.Join(repository, dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				all.WriteString(read(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// deployed returns the objects of the deployment and its components, as "kind name", by the names that kubectl has for kinds.
func deployed(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, dir := range []string{"base", "broker", "notify", "observability"} {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, document := range strings.Split(read(t, file), "\n---\n") {
				var object struct {
					APIVersion string `yaml:"apiVersion"`
					Kind       string
					Metadata   struct{ Name string }
				}
				if err := yaml.Unmarshal([]byte(document), &object); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				kind := strings.ToLower(object.Kind)
				if strings.HasPrefix(object.APIVersion, "serving.knative.dev/") {
					kind = "ksvc"
				}
				all[kind+" "+object.Metadata.Name] = true
			}
		}
	}
	return all
}
