package lib_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documents are the folders of documentation whose links are checked.
var documents = []string{
	"../*.md", "../docs/*.md", "../docs/*/*.md", "../findings/*.md", "../bakta/*.md", "../internal/judge/*.md", "../local/demo/*.md",
	"../e2e/*.md",
}

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks checks that each relative link in the documentation leads to a file.
func TestLinks(t *testing.T) {
	links := 0
	for _, pattern := range documents {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, m := range markdownLink.FindAllStringSubmatch(readFile(t, file), -1) {
				target, _, _ := strings.Cut(m[1], "#")
				if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				links++
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
					t.Errorf("%s links to %s: %v", file, m[1], err)
				}
			}
		}
	}
	if links == 0 {
		t.Error("found no links")
	}
}

// TestDecisions checks the form of the decision records: numbered without a gap, short, with the same sections, all in the index.
func TestDecisions(t *testing.T) {
	const dir = "../docs/decisions"
	index := readFile(t, filepath.Join(dir, "README.md"))
	files, err := filepath.Glob(filepath.Join(dir, "[0-9]*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d records, %v", len(files), err)
	}
	for i, file := range files {
		name := filepath.Base(file)
		if want := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, want) {
			t.Errorf("%s: want a name that begins with %s", name, want)
		}
		text := readFile(t, file)
		if lines := strings.Count(text, "\n"); lines >= 40 {
			t.Errorf("%s has %d lines; the limit is 39", name, lines)
		}
		title, rest, _ := strings.Cut(text, "\n")
		title, numbered := strings.CutPrefix(title, fmt.Sprintf("# %d. ", i+1))
		if !numbered {
			t.Errorf("%s: the title is %q; want it to begin with the number %d", name, title, i+1)
		}
		for _, section := range []string{"Context", "Decision", "Consequences"} {
			var found bool
			if _, rest, found = strings.Cut(rest, "\n## "+section+"\n"); !found {
				t.Errorf("%s: the section %s is missing or out of order", name, section)
			}
		}
		if row := fmt.Sprintf("| %d | [%s](%s) |", i+1, title, name); !strings.Contains(index, row) {
			t.Errorf("the index lacks the row %q", row)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// TestPaths checks that each path in backticks that begins with a folder of this repository exists. Patterns with * have to match.
func TestPaths(t *testing.T) {
	folders := topLevel(t)
	// A command, or a path with a placeholder: kservices/overlays/NAME, kservices/overlays/mine.
	notAPath := regexp.MustCompile(`[ =:(<$…]|/[A-Z]+(/|$)|/mine(/|$)`)
	paths := 0
	for _, pattern := range documents {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			for _, m := range codeSpan.FindAllStringSubmatch(readFile(t, file), -1) {
				path := m[1]
				first, _, nested := strings.Cut(path, "/")
				if !nested || !slices.Contains(folders, first) || notAPath.MatchString(path) {
					continue
				}
				paths++
				if found, err := filepath.Glob(filepath.Join("..", path)); err != nil || len(found) == 0 {
					t.Errorf("%s names %s, which does not exist", file, path)
				}
			}
		}
	}
	if paths < 50 {
		t.Errorf("found only %d paths", paths)
	}
}

// TestFolders checks the table of docs/architecture.md: it has every folder of the repository and of lib, and no other.
func TestFolders(t *testing.T) {
	_, table, found := strings.Cut(readFile(t, "../docs/architecture.md"), "| folder | content |\n")
	if !found {
		t.Fatal("docs/architecture.md has no table of folders")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for line := range strings.Lines(table) {
		if cell := strings.Split(line, "|")[1]; !strings.HasPrefix(cell, "---") {
			for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
				rows = append(rows, m[1])
			}
		}
	}
	var want []string
	for _, folder := range topLevel(t) {
		if folder != "lib" {
			want = append(want, folder)
		}
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			want = append(want, "lib/"+e.Name())
		}
	}
	slices.Sort(rows)
	slices.Sort(want)
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("folders (-there +documented)\n%s", diff)
	}
}

// topLevel returns the folders of the repository. Those that Git ignores are not among them.
func topLevel(t *testing.T) []string {
	t.Helper()
	ignored := strings.Fields(readFile(t, "../.gitignore"))
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && !strings.HasPrefix(name, ".") && !slices.Contains(ignored, "/"+name+"/") {
			folders = append(folders, name)
		}
	}
	return folders
}
