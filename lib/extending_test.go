package lib_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// additions are the sections of docs/extending.md.
var additions = []string{"Add an option", "Add an upload", "Add a program", "Add a workflow", "Add a store", "Add a runner"}

// TestExtending checks the lists of docs/extending.md: each addition has one, numbered from 1, and each item begins with a
// file, whose messages exist if it is a proto file. TestPaths and TestSymbols check that the files and Go names exist.
func TestExtending(t *testing.T) {
	text := readFile(t, "../docs/extending.md")
	parts := strings.Split(text, "\n## ")[1:]
	var titles []string
	number := regexp.MustCompile(`(?m)^(\d+)\. `)
	path := regexp.MustCompile("^`([a-z]+/[^`]+\\.[a-z]+)`")
	message := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	for _, part := range parts {
		title, list, _ := strings.Cut(part, "\n")
		titles = append(titles, title)
		numbers := number.FindAllStringSubmatch(list, -1)
		items := number.Split(list, -1)[1:]
		if len(items) == 0 {
			t.Errorf("%s: no list", title)
		}
		for i, item := range items {
			if numbers[i][1] != strconv.Itoa(i+1) {
				t.Errorf("%s: item %s stands at %d", title, numbers[i][1], i+1)
			}
			file := path.FindStringSubmatch(item)
			if file == nil {
				t.Errorf("%s: item %d does not begin with a file: %s", title, i+1, item)
				continue
			}
			if !strings.HasSuffix(file[1], ".proto") {
				continue
			}
			proto := readFile(t, "../"+file[1])
			for _, name := range message.FindAllStringSubmatch(item, -1) {
				if !strings.Contains(proto, "message "+name[1]+" {") && !strings.Contains(proto, "enum "+name[1]+" {") {
					t.Errorf("%s: item %d names %s, which %s does not have", title, i+1, name[1], file[1])
				}
			}
		}
	}
	if !slices.Equal(titles, additions) {
		t.Errorf("sections %q, want %q", titles, additions)
	}
}
