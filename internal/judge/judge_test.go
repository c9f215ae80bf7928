package main

import (
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
)

const table = "| variant | our start | the program | why |\n|---|---|---|---|\n" +
	"| `ids/a*` | refuses | succeeds | rubbish |\n| `gff/x` | accepts | ignores | harmless |\n"

func TestReport(t *testing.T) {
	agreed := finding{name: "genome/plain", ours: accepts, real: succeeds}
	refused := finding{name: "genome/bom", ours: refuses, real: fails}
	first := finding{name: "ids/ab", ours: refuses, real: succeeds, ourWords: "why not"}
	second := finding{name: "gff/x", ours: accepts, real: ignores}
	for _, tt := range []struct {
		name     string
		findings []finding
		all      bool
		says     string // in the error; empty: there is none
	}{
		{"all is well", []finding{agreed, refused, first, second}, true, ""},
		{"another disagreement", []finding{agreed, first, second, {name: "gff/y", ours: accepts, real: ignores}}, true,
			"1 disagreements are not explained"},
		{"the other way round", []finding{{name: "ids/ab", ours: accepts, real: fails}, first, second}, true,
			"1 disagreements are not explained"},
		{"an explanation without its disagreement", []finding{agreed, first, {name: "gff/x", ours: accepts, real: succeeds}}, true,
			"1 explanations are outdated"},
		{"the same of some variants alone", []finding{agreed, first}, false, ""},
		{"a warning of a file without effect", []finding{first, second, {name: "gff/z", ours: warns, real: ignores}}, true, ""},
		{"a warning, and a run that fails", []finding{first, second, {name: "gff/z", ours: warns, real: fails}}, true,
			"1 disagreements are not explained"},
		{"a file without effect that is refused", []finding{first, second, {name: "gff/z", ours: refuses, real: ignores}}, true,
			"1 disagreements are not explained"},
	} {
		rows, err := parseExplained(table)
		if err != nil {
			t.Fatal(err)
		}
		var to bytes.Buffer
		err = report(&to, rows, tt.findings, tt.all)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v\n%s", tt.name, err, to.Bytes())
		}
		for _, f := range tt.findings {
			if !strings.Contains(to.String(), f.name) || !strings.Contains(to.String(), f.ourWords) {
				t.Errorf("%s: %s is not in the report\n%s", tt.name, f.name, to.Bytes())
			}
		}
	}
}

func TestParseExplained(t *testing.T) {
	for _, row := range []string{
		"| `a` | refuses | succeeds |", "| `a` | refuses | succeeds | |", "| `a` | refuses | fails | agreed |",
		"| `a` | declines | fails | why |", "| `[` | refuses | succeeds | why |",
	} {
		if _, err := parseExplained(row); err == nil {
			t.Errorf("%s is accepted", row)
		}
	}
}

// TestCatalogue: names are unique, and each row of explained.md is about a variant.
func TestCatalogue(t *testing.T) {
	s := newSample()
	made := make(packed)
	for name := range recipes(s) {
		made[name] = make([]byte, 1000)
	}
	all, err := catalogue(s, made)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 316 {
		t.Errorf("%d variants", len(all))
	}
	rows, err := parseExplained(explainedText)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		found := false
		for _, v := range all {
			ok, _ := path.Match(row.pattern, v.name)
			found = found || ok
		}
		if !found {
			t.Errorf("explained.md explains %s, which is not a variant", row.pattern)
		}
	}
}

// TestOutcome: an outcome is judged by the same rules as a job's run.
func TestOutcome(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outcome outcome
		shows   string
		want    verdict
		says    string
	}{
		{"whole", outcome{Results: map[string]string{"json": "{}"}}, "", succeeds, ""},
		{"with its effect", outcome{Results: map[string]string{"tsv": "a known gene"}}, "known", succeeds, ""},
		{"with its effect in the output", outcome{Output: "3 imported"}, `\d imported`, succeeds, ""},
		{"without its effect", outcome{Results: map[string]string{"tsv": "a gene"}}, "known", ignores, "known"},
		{"without a result", outcome{Missing: []string{"json"}}, "", fails, "no json"},
		{"with an error", outcome{Exit: 1, Errors: "warning\nERROR: wrong genome file format!\n"}, "", fails, "wrong genome"},
		{"with a traceback", outcome{Exit: 1, Errors: "Traceback:\n  File x\nValueError: no\n"}, "", fails, "ValueError: no"},
		{"without a word", outcome{Exit: 3}, "", fails, "exit code 3"},
		{"at the limit of time", outcome{Exit: -9}, "", fails, "does not end"},
		{"by a signal", outcome{Exit: -11}, "", fails, "signal"},
	} {
		if got, words := tt.outcome.judge(variant{shows: tt.shows}); got != tt.want || !strings.Contains(words, tt.says) {
			t.Errorf("%s: %s, %s", tt.name, got, words)
		}
	}
}

// TestJudge runs the real programs for each workflow with a variant that they accept and one that they refuse.
func TestJudge(t *testing.T) {
	set, err := realbakta.Locate()
	if err != nil {
		t.Logf("ATTENTION: nothing is judged: %v", err)
		return
	}
	s := newSample()
	made, err := pack(t.Context(), set, recipes(s))
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalogue(s, made)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]finding{
		"genome/plain": {
			ours: accepts,
			real: succeeds,
		},
		"genome/letter-x": {ours: refuses, real: fails},
		"proteins/plain":  {ours: accepts, real: succeeds},
		"annotation/plain": {
			ours: accepts,
			real: succeeds,
		},
		"annotation/cut": {ours: refuses, real: fails},
		"gff/plain":      {ours: accepts, real: succeeds},
	}
	var some []variant
	for _, v := range all {
		if _, ok := want[v.name]; ok {
			some = append(some, v)
		}
	}
	cache := t.TempDir()
	found, err := findings(t.Context(), set, cache, some, 1, false)
	if err != nil || len(found) != len(want) {
		t.Fatalf("%d findings, %v", len(found), err)
	}
	for _, f := range found {
		if w := want[f.name]; f.ours != w.ours || f.real != w.real {
			t.Errorf("%s: %+v", f.name, f)
		}
	}
	again, err := findings(t.Context(), set, cache, some, 2, true)
	if err != nil || !cmp.Equal(again, found, cmp.AllowUnexported(finding{})) {
		t.Errorf("the kept outcomes are %+v, %v", again, err)
	}
	none, err := findings(t.Context(), set, t.TempDir(), some, 1, true)
	if err != nil || len(none) > 0 {
		t.Errorf("without kept outcomes the findings are %+v, %v", none, err)
	}
}
