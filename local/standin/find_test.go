package standin

import (
	"strings"
	"testing"

	"github.com/bebop/poly/synthesis/codon"
	"github.com/google/go-cmp/cmp"
)

func TestFindORFs(t *testing.T) {
	long := strings.Repeat("GCC", 60) // 180 bases without start or stop in any frame of the forward strand
	for _, test := range []struct {
		name  string
		table int
		nt    string
		want  []span
	}{
		{"one", 11, "CC" + "ATG" + long + "TAA", []span{{2, 188}}},
		{"first start counts", 11, "GTG" + "ATG" + long + "TAG", []span{{0, 189}}},
		{"no stop", 11, "ATG" + long, nil},
		{"no start", 11, long + "TAA", nil},
		{"too short", 11, "ATG" + long[:138] + "TAA", nil},
		{"just long enough", 11, "ATG" + long[:144] + "TAA", []span{{0, 150}}},
		{"broken by N", 11, "ATG" + long[:90] + "GNC" + long[:90] + "TAA", nil},
		{"TGA stops", 11, "ATG" + long + "TGA" + long + "TAA", []span{{0, 186}}},
		{"TGA is tryptophan", 4, "ATG" + long + "TGA" + long + "TAA", []span{{0, 369}}},
		{"two frames", 11, "ATG" + long + "TAAC" + "TTG" + long + "TAA", []span{{0, 186}, {187, 373}}},
	} {
		table, err := codon.NewTranslationTable(test.table)
		if err != nil {
			t.Fatal(err)
		}
		got := findORFs(test.nt, table)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestStatistics(t *testing.T) {
	a := &annotation{Features: []*feature{{Start: 1, Stop: 9}}}
	for _, nt := range []string{strings.Repeat("G", 10) + strings.Repeat("N", 10), strings.Repeat("AC", 25), strings.Repeat("T", 30), "R"} {
		a.Sequences = append(a.Sequences, &sequence{NT: nt, Length: len(nt)}) // 20, 50, 30 and 1 bases
	}
	// 50 is less than half of 101, so half is reached with the sequence of 30.
	want := stats{Size: 101, GC: 35.0 / 91, NRatio: 10.0 / 101, N50: 30, N90: 20, Coding: 9.0 / 91}
	if diff := cmp.Diff(want, calculate(a)); diff != "" {
		t.Error(diff)
	}
	if got := calculate(&annotation{Sequences: []*sequence{{NT: "NNNN", Length: 4}}}); got.GC != 0 || got.NRatio != 1 || got.N50 != 4 {
		t.Errorf("nothing but N: %+v", got)
	}
}
