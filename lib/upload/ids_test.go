package upload

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// Ids in the results that are not good: they are refused at the start, with the file and the line.
func TestIDs(t *testing.T) {
	const two = ">chr x\nACGT\n>plas y\nACG\n"
	keep := option.Config{KeepContigHeaders: true}
	for _, tt := range []struct {
		name   string
		genome string
		table  string
		c      option.Config
		says   string // "" if it is taken
	}{
		{"automatic ids", two, "", option.Config{}, ""},
		{"a new id", two, "chr\tx\tc\tc\t\n", option.Config{}, ""},
		{"the id that another has anyway", two, "chr\tcontig_2\tc\tc\t\n", option.Config{},
			`new id "contig_2" in line 1, which is the name that Bakta gives another sequence, "plas" (line 3`},
		{"the id that the one before has anyway", two, "plas\tcontig_1\tc\tc\t\n", option.Config{}, `gives another sequence, "chr" (line 1`},
		{"the id that it has anyway", two, "chr\tcontig_1\tc\tc\t\n", option.Config{}, ""},
		{"ids exchanged", two, "chr\tcontig_2\tc\tc\t\nplas\tcontig_1\tp\tc\t\n", option.Config{}, ""},
		{"an id with the locus", two, "chr\tab_2\tc\tc\t\n", option.Config{Locus: "ab"}, `"ab_2"`},
		{"an id without the locus", two, "chr\tcontig_2\tc\tc\t\n", option.Config{Locus: "ab"}, ""},
		{"short ones are not counted", two, "chr\tcontig_2\tc\tc\t\n", option.Config{MinContigLength: 4}, ""},
		{"short ones are not counted, before", ">s\nA\n" + two, "chr\tcontig_2\tc\tc\t\n", option.Config{MinContigLength: 3}, `"plas"`},
		{"none is kept", two, "chr\tcontig_2\tc\tc\t\n", keep, ""},
		{"a row of a sequence that is too short", two, "plas\tcontig_1\tc\tc\t\n", option.Config{MinContigLength: 4}, ""},
		{"the same id twice", two, "chr\tx\tc\tc\t\n\nplas\tx y\tp\tc\t\n", option.Config{}, `new id "x" twice, in lines 1 and 3`},
		{"the same id for others", two, "chr\tx\tc\tc\t\nz\tx\tp\tc\t\n", option.Config{}, ""},
		{"the same id for others that are too short", two, "chr\tx\tc\tc\t\nplas\tx\tp\tc\t\n", option.Config{MinContigLength: 4}, ""},
		{"the same id, not used", two, "chr\tx\tc\tc\t\nplas\tx\tp\tc\t\n", keep, ""},
		{"the last row counts", two, "chr\tcontig_2\tc\tc\t\nchr\tx\tc\tc\t\n", option.Config{}, ""},
		{"one row for two", ">a\nAC\n>a\nAG\n", "a\tx\tc\tc\t\n", option.Config{}, `two sequences called "a", in lines 1 and 3`},
		{"one row without an id for two", ">a\nAC\n>a\nAG\n", "a\t-\tc\tc\t\n", option.Config{}, ""},
		{"a plasmid goes before the table", ">a\nAC\n", "a\tx;y\tc\tc\t\n", option.Config{Plasmid: "pX"}, ""},
		{"two with a plasmid do not", two, "chr\tx;y\tc\tc\t\n", option.Config{Plasmid: "pX"}, "character ;"},
		{"a semicolon in a new id", two, "chr\tx;y\tc\tc\t\n", option.Config{}, `replicon table has the new id "x;y" in line 1`},
		{"a semicolon in a kept id", ">a;b\nAC\n", "", keep, `sequence called "a;b" in line 1`},
		{"a semicolon in an id that is not kept", ">a;b\nAC\n", "", option.Config{}, ""},
		{"a semicolon in one that is left out", ">a;b\nAC\n>c\nACGT\n", "", option.Config{KeepContigHeaders: true, MinContigLength: 3}, ""},
		{"a semicolon behind an id", ">a b;c\nAC\n", "", keep, ""},
		{"a percent sign", ">50%\nAC\n", "", keep, "CRISPR"},
		{"a percent sign, no CRISPR", ">50%\nAC\n", "", option.Config{KeepContigHeaders: true, Skip: []string{"crispr"}}, ""},
		{"a formula", ">$a$\nAC\n", "", keep, "formula"},
		{"a formula, no plot", ">$a$\nAC\n", "", option.Config{KeepContigHeaders: true, Skip: []string{"plot"}}, ""},
		{"a formula of several", ">$a$\nAC\n>b\nAC\n", "", keep, ""},
		{"too long", ">" + strings.Repeat("x", maxSequenceID+1) + "\nAC\n", "", keep, "longer than the 1000 bytes"},
		{"long", ">" + strings.Repeat("x", maxSequenceID) + "\nAC\n", "", keep, ""},
		{"a control character", ">a\x07b\nAC\n", "", keep, "control character"},
		{"no name", ">\nAC\n", "", keep, "a header without a name in line 1"},
		{"no name, only a description", ">a\nAC\n> \nAG\n", "", keep, "a header without a name in line 3"},
		{"no name, not kept", ">\nAC\n", "", option.Config{}, ""},
		{"no name, left out", ">\nAC\n>b\nACGT\n", "", option.Config{KeepContigHeaders: true, MinContigLength: 3}, ""},
		{"a new id for one without a name", ">\nAC\n>b\nACGT\n", "\tcontig_2\tc\tc\t\n", option.Config{}, `"contig_2"`},
		{"not compliant", ">a\n" + strings.Repeat("A", 200) + "\n", "a\tx|y\tc\tc\t\n", option.Config{Compliant: true}, `new id "x|y" in line 1`},
		{"too long to be compliant", ">a\n" + strings.Repeat("A", 200) + "\n", "a\t" + strings.Repeat("x", 26) + "\tc\tc\t\n",
			option.Config{Compliant: true}, "at most 25"},
		{"not compliant, of another genome", ">a\n" + strings.Repeat("A", 200) + "\n", "b\tx|y\tc\tc\t\n", option.Config{Compliant: true}, ""},
		{"not compliant, not used", ">a\n" + strings.Repeat("A", 200) + "\n", "a\tx|y\tc\tc\t\n",
			option.Config{Compliant: true, KeepContigHeaders: true}, ""},
		{"too many to be compliant", strings.Repeat(">a\n"+strings.Repeat("A", 200)+"\n", 10_000), "",
			option.Config{Compliant: true, Locus: strings.Repeat("x", 20)}, "shorter locus"},
		{"behind the beginning", ">a\n" + strings.Repeat("ACGT\n", headSize) + ">chr\nA\n>plas\nA\n", "chr\tcontig_3\tc\tc\t\n", option.Config{},
			`"contig_3"`},
	} {
		for packing, pack := range map[string]func([]byte) []byte{"": func(b []byte) []byte { return b }, "gzip": gzipped, "xz": xzed,
			"zstd": func(b []byte) []byte { return zstded(b) }} {
			i := NewInspection(tt.c)
			if tt.table != "" {
				if _, err := i.Inspect(RepliconsTable, strings.NewReader(tt.table)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := i.Inspect(GenomeFASTA, strings.NewReader(string(pack([]byte(tt.genome)))))
			if tt.says == "" && err != nil || tt.says != "" && (!job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%s %s: %v; want %q", tt.name, packing, err, tt.says)
			}
		}
	}
}

// result is what of a run decides whether its files can be written.
type result struct {
	Genus     string   `json:"genus,omitempty"`
	Species   string   `json:"species,omitempty"`
	Strain    string   `json:"strain,omitempty"`
	Plasmid   string   `json:"plasmid,omitempty"`
	LocusTag  string   `json:"locus_tag,omitempty"`
	Plot      bool     `json:"plot,omitempty"`
	Sequences [][5]any `json:"sequences"` // id, length, type, topology and name
}

// TestWritersAgree has Bakta's own code write its files with ids and texts of all printable characters and many lengths.
func TestWritersAgree(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	type test struct {
		name    string
		result  result
		refused bool // by us
		kinder  bool // we refuse it, and the writers may not
	}
	var tests []test
	noCRISPR := []string{"crispr"}
	// A label takes long to draw, and of its characters these alone mean something.
	drawn := func(s string) bool { return strings.ContainsAny(s, `$\{^_`) || len(s) > 1 && s[1] > '~' }
	id := func(id string, length int) {
		for _, plot := range []bool{false, true} {
			if plot && !drawn(id) {
				continue
			}
			c := option.Config{KeepContigHeaders: true, Skip: noCRISPR}
			if !plot {
				c.Skip = []string{"crispr", "plot"}
			}
			tests = append(tests, test{name: fmt.Sprintf("id %.60q (%d bytes) of %d", id, len(id), length),
				result:  result{Plot: plot, Sequences: [][5]any{{id, length, "contig", "linear", ""}}},
				refused: idProblem(id, c, true) != "", kinder: strings.Count(id, "$") > 1 && plot})
		}
	}
	text := func(s string) {
		for _, r := range []result{{Genus: s}, {Species: s}, {Genus: s, Species: s}, {Strain: s}, {LocusTag: s}, {Plasmid: s}} {
			c := option.Config{Genus: r.Genus, Species: r.Species, Strain: r.Strain}
			r.Plot = drawn(s)
			r.Sequences = [][5]any{{"a", 50, "chromosome", "circular", s}}
			if r.Plasmid != "" {
				r.Plot, r.Sequences[0][2] = false, "plasmid" // plasmids have names of few characters
			}
			if r.LocusTag != "" && len(option.Config{LocusTag: s}.Check()) > 0 {
				continue
			}
			tests = append(
				tests,
				test{
					name:    fmt.Sprintf("text %.60q in %+.80v", s, r),
					result:  r,
					refused: len(c.Check()) > 0,
					kinder:  strings.Count(s, "$") > 0,
				},
			)
		}
	}
	for c := '!'; c <= '~'; c++ {
		for _, s := range []string{string(c), "a" + string(c) + "b", "a." + string(c) + string(c)} {
			id(s, 50)
			text(s)
		}
	}
	for _, s := range []string{"é", "日本", "a\U0001f600", "a.1", "a.b.1", "1.1.1", "gi|1|ref|NC_1.1|"} {
		id(s, 50)
		text(s)
	}
	tests = append(tests, test{name: "no id", kinder: true, refused: true, // a program that reads the sequences fails before
		result: result{Sequences: [][5]any{{"", 50, "contig", "linear", ""}}}})
	for n := 1; n <= 200; n++ {
		for _, length := range []int{1, 50, 12345} {
			id(strings.Repeat("x", n), length)
		}
		if n%10 == 0 {
			text(strings.Repeat("x", n))
		}
	}
	id(strings.Repeat("x", maxSequenceID), 50)
	long := strings.Repeat("name ", 10_000)
	tests = append(
		tests,
		test{name: "a long name", result: result{Sequences: [][5]any{{"a", 50, "plasmid", "circular", long}}}},
		test{
			name:   "a long word as a name",
			result: result{Sequences: [][5]any{{"a", 50, "plasmid", "circular", strings.ReplaceAll(long, " ", "-")}}},
		},
		test{name: "two ids", result: result{Sequences: [][5]any{{"a", 50, "contig", "linear", ""}, {"b", 50, "contig", "linear", ""}}}},
		test{
			name:    "the same id twice",
			refused: true,
			result:  result{Sequences: [][5]any{{"a", 50, "contig", "linear", ""}, {"a", 50, "contig", "linear", ""}}},
		},
	)
	results := make([]result, len(tests))
	for i := range tests {
		results[i] = tests[i].result
	}
	var raised []string
	realbakta.Python(t, prefix, filepath.Join("testdata", "writers.py"), results, &raised)
	n := 0
	for i, tt := range tests {
		if raised[i] != "" {
			n++
		}
		if got := raised[i] != ""; got != tt.refused && !(tt.kinder && !got) {
			t.Errorf("%s: refused is %t, and the writers say %q", tt.name, tt.refused, raised[i])
		}
	}
	t.Logf("%d of %d results can't be written", n, len(tests))
}
