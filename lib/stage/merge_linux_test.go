package stage

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestOutMerges has two stages that write the same results: those of the last that succeeded and wrote them count.
func TestOutMerges(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	const (
		first = "for r in json tsv png; do echo first > ../out/bakta/result.$r; done"
		both  = "for r in json tsv; do echo second > ../out/second/result.$r; done"
	)
	ofFirst := map[string]string{"json": "first\n", "tsv": "first\n", "png": "first\n"}
	for _, tt := range []struct {
		name          string
		first, second string
		want          map[string]string
		failed        string // the stage that failed
		says          string
	}{
		{"both write all", first, both, map[string]string{"json": "second\n", "tsv": "second\n", "png": "first\n"}, "", ""},
		{"the second leaves one out", first, "echo second > ../out/second/result.json",
			map[string]string{"json": "second\n", "tsv": "first\n", "png": "first\n"}, "", ""},
		{"the second leaves a link", first, both + "; rm ../out/second/result.tsv; ln -s result.json ../out/second/result.tsv",
			map[string]string{"json": "second\n", "tsv": "first\n", "png": "first\n"}, "", ""},
		{"the second reads the first's and removes them", first, "cp ../out/bakta/result.json ../out/second; rm ../out/bakta/*",
			map[string]string{"json": "first\n"}, "", ""},
		{"the second fails", first, both + "; echo ERROR: no >&2; exit 1", ofFirst, "second", "Second ended with an error: ERROR: no"},
		{"the second leaves out what it has to write", first, "echo second > ../out/second/result.tsv",
			map[string]string{"json": "first\n", "tsv": "second\n", "png": "first\n"}, "second",
			"Second ended without an error, but did not write these results: result.json"},
		{"the first fails", first + "; exit 1", both, map[string]string{}, "bakta", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{Store: files.Store}
			s := newSpec(t, shell(tt.first), second(tt.second))
			s.Stages[1].Title = "Second"
			s.Results = []Expected{
				{Ending: "json", Path: "out/second/result.json", Else: []string{"out/bakta/result.json"}, Required: true},
				{Ending: "tsv", Path: "out/second/result.tsv", Else: []string{"out/bakta/result.tsv"}},
				{Ending: "png", Path: "out/bakta/result.png"},
			}
			if failure, err := In(t.Context(), f, s); failure != nil || err != nil {
				t.Fatal(failure, err)
			}
			perform(t, s)
			if _, err := Out(t.Context(), f, s); err != nil {
				t.Fatal(err)
			}
			m, _ := f.manifest(t, s)
			stored, err := f.Store.List(t.Context(), job.RunPrefix(s.Job, s.Run))
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(m, s.Job, s.Run, stored); err != nil {
				t.Error(err)
			}
			got := make(map[string]string)
			for _, file := range m.Files {
				got[file.Name] = f.content(t, m.Files, file.Name)
			}
			if !maps.Equal(tt.want, got) {
				t.Error(cmp.Diff(tt.want, got))
			}
			switch {
			case tt.failed == "" && m.Outcome != Succeeded:
				t.Errorf("outcome %s, %+v", m.Outcome, m.Failure)
			case tt.failed != "" && (m.Outcome != Failed || m.Failure.Stage != tt.failed || !strings.Contains(m.Failure.Message, tt.says)):
				t.Errorf("outcome %s, %+v", m.Outcome, m.Failure)
			}
		})
	}
}

// Places outside of the stages' output directories are refused, wherever they stand.
func TestSpecRefusesPlaces(t *testing.T) {
	for _, path := range []string{"", "out/bakta", "out/other/result.json", "../out/bakta/result.json", "in/genome.fna", "/out/bakta/x"} {
		for _, r := range []Expected{{Ending: "json", Path: path}, {Ending: "json", Path: "out/bakta/result.json", Else: []string{path}}} {
			s := Spec{Job: testJob, Run: 1, Dir: "/run/j", Inputs: []job.Input{}, Stages: []Command{shell("true")}, Results: []Expected{r}}
			if err := s.Validate(); err == nil {
				t.Errorf("%+v is accepted", r)
			}
		}
	}
}
