package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// explained is a disagreement that a person has reviewed and accepted.
type explained struct {
	pattern string // of variants' names, as path.Match reads it
	ours    string // accepts, warns or refuses
	real    verdict
	why     string
	used    bool
}

// parseExplained reads the rows of the tables in a Markdown text whose first cell is a name in backquotes.
func parseExplained(text string) ([]*explained, error) {
	var rows []*explained
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), "|")
		if len(cells) != 4 {
			return nil, fmt.Errorf("line %d: %d cells, want 4: the variant, ours, the program's, why", i+1, len(cells))
		}
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		e := &explained{pattern: strings.Trim(cells[0], "`"), ours: cells[1], real: verdict(cells[2]), why: cells[3]}
		if _, err := path.Match(e.pattern, ""); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if !slices.Contains([]string{accepts, warns, refuses}, e.ours) || e.real != succeeds && e.real != fails && e.real != ignores ||
			e.why == "" {
			return nil, fmt.Errorf("line %d: ours is %q, the program's %q, and why is %q", i+1, e.ours, e.real, e.why)
		}
		if agree(e.ours, e.real) {
			return nil, fmt.Errorf("line %d: %s and %s is not a disagreement", i+1, e.ours, e.real)
		}
		rows = append(rows, e)
	}
	return rows, nil
}

// agree reports whether the verdicts agree. After a warning, an ignored upload or option is acceptable; a failure is not.
func agree(ours string, real verdict) bool {
	switch ours {
	case accepts:
		return real == succeeds
	case warns:
		return real == succeeds || real == ignores
	}
	return real == fails
}

// explain returns the explanation of a disagreement.
func explain(rows []*explained, f finding) (*explained, bool) {
	for _, e := range rows {
		if ok, _ := path.Match(e.pattern, f.name); ok && e.ours == f.ours && e.real == f.real {
			e.used = true
			return e, true
		}
	}
	return nil, false
}
