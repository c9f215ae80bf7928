package main

import (
	_ "embed"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// outcome is the result of a run of the programs.
type outcome struct {
	Exit    int               `json:"exit"` // of the last stage that ran; -9 if it did not end in time
	Output  string            `json:"output"`
	Errors  string            `json:"errors"`
	Results map[string]string `json:"results"` // beginning of the results' texts, by ending
	Missing []string          `json:"missing"` // required results that do not exist
}

// maxKept is the maximum length of a kept text in bytes. The texts of a variant are shorter.
const maxKept = 256 << 10

// beginning returns the first maxKept bytes of a file.
func beginning(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxKept))
	return string(b)
}

// verdict is the result of the programs for a variant.
type verdict string

// The verdicts of the real programs.
const (
	succeeds verdict = "succeeds"
	fails    verdict = "fails"
	ignores  verdict = "ignores" // it succeeds, but the upload or option in question has no effect
)

// judge returns the verdict of an outcome for a variant, and for a failure the program's error.
func (o outcome) judge(v variant) (verdict, string) {
	switch {
	case o.Exit == -9:
		return fails, "does not end"
	case o.Exit < 0:
		return fails, "a signal ended it: " + strconv.Itoa(-o.Exit)
	case o.Exit != 0:
		return fails, reason(o.Errors, o.Exit)
	case len(o.Missing) > 0:
		return fails, "exit code 0, and no " + strings.Join(o.Missing, ", ")
	case v.shows != "" && !o.matches(v.shows):
		return ignores, "no effect: nothing in the results matches " + v.shows
	}
	return succeeds, ""
}

// reason returns the line of a program's errors with the cause of its end.
func reason(errors string, exit int) string {
	lines := strings.Split(strings.TrimSpace(errors), "\n")
	for _, line := range slices.Backward(lines) {
		for _, sign := range []string{"ERROR", "Error", "bakta: error", "bakta_proteins: error"} {
			if strings.HasPrefix(line, sign) {
				return line
			}
		}
	}
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return "exit code " + strconv.Itoa(exit) + " without an error message"
}
