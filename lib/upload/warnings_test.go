package upload

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// randomLetters returns letters of which a share is G or C.
func randomLetters(random *rand.Rand, n int, gc float64) string {
	b := make([]byte, n)
	for i := range b {
		pair := "AT"
		if random.Float64() < gc {
			pair = "GC"
		}
		b[i] = pair[random.IntN(2)]
	}
	return string(b)
}

// randomGene returns a gene of that many codons.
func randomGene(random *rand.Rand, codons int, gc float64) string {
	gene := "ATG"
	for len(gene) < 3*codons-3 {
		if codon := randomLetters(random, 3, gc); !stops([]byte(codon), 11) {
			gene += codon
		}
	}
	return gene + "TAA"
}

func TestWarnings(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	before, behind := randomLetters(random, 4000, .5), "TAATTAACTAG"+randomLetters(random, 4000, .5)
	gene := randomGene(random, 500, .5)
	// circular is a circular sequence that begins at that letter of the gene.
	circular := func(header string, at int) string {
		return ">" + header + "\n" + gene[at:] + behind + before + gene[:at] + "\n"
	}
	reverse := func(s string) string {
		header, letters, _ := strings.Cut(strings.TrimSpace(s), "\n")
		return header + "\n" + string(complement([]byte(letters))) + "\n"
	}
	usual := ">a x\n" + behind + "\n"
	for _, tt := range []struct {
		name   string
		genome string
		table  string
		c      option.Config
		codes  []string
		says   string
	}{
		{name: "usual", genome: usual},
		{name: "a few base pairs", genome: ">a\nACGT\n", codes: []string{warnSmall}, says: "no more than 4 base pairs"},
		{name: "a few base pairs that are long enough", genome: usual + ">b\nACGT\n", c: option.Config{MinContigLength: 5}},
		{name: "a few base pairs are left", genome: ">a\n" + behind[:300] + "\n>b\n" + behind[:299] + "\n",
			c: option.Config{MinContigLength: 300}, codes: []string{warnSmall}},
		{name: "complete", genome: ">a x complete genome\n" + behind + "\n"},
		{name: "incomplete", genome: ">a x Incomplete genome\n" + behind + "\n", codes: []string{warnComplete}, says: `sequence "a" (line 1)`},
		{name: "incomplete in its name", genome: ">incomplete x\n" + behind + "\n"},
		{name: "not complete", genome: ">a not complete\n" + behind + "\n", codes: []string{warnComplete}},
		{name: "nearly complete", genome: ">a near-complete\n" + behind + "\n", codes: []string{warnComplete}},
		{name: "complete=no", genome: ">a complete=no\n" + behind + "\n", codes: []string{warnComplete}},
		{name: "complete=false, which Bakta knows", genome: ">a complete=false\n" + behind + "\n"},
		{name: "circular, of which another says no", genome: ">a circular=true complete=no\n" + behind + "\n", codes: []string{warnComplete}},
		{name: "incomplete, as a table says", genome: ">a incomplete\n" + behind + "\n", table: "a\t\tcontig\tl\t\n"},
		{name: "incomplete, but all are complete", genome: ">a incomplete\n" + behind + "\n", c: option.Config{CompleteGenome: true}},
		{name: "incomplete, but left out", genome: usual + ">b incomplete\nACGT\n", c: option.Config{MinContigLength: 5}},
		{name: "many that are incomplete", genome: strings.Repeat(">a incomplete\n"+behind+"\n", 9),
			codes: []string{warnComplete, warnComplete, warnComplete}},
		{name: "many that are told to be complete", genome: strings.Repeat(usual, manyReplicons+1), c: option.Config{CompleteGenome: true},
			codes: []string{warnDraft}, says: "31 sequences"},
		{name: "a table of another genome", genome: usual, table: "b\tx\tc\tc\t\n", codes: []string{warnUnusedTable},
			says: "none of its original ids"},
		{name: "a table of several genomes", genome: usual, table: "b\tx\tc\tc\t\na\ty\tc\tc\t\n"},
		{name: "a table beside a plasmid", genome: usual, table: "a\tx\tc\tc\t\n", c: option.Config{Plasmid: "pX"},
			codes: []string{warnUnusedTable}, says: "has one sequence"},
		{name: "cut in a codon", genome: circular("a complete", 700), codes: []string{warnCutGene}, says: `sequence "a" (line 1)`},
		{name: "cut in a codon, elsewhere", genome: circular("a complete", 701), codes: []string{warnCutGene}},
		{name: "cut in a codon, the other strand", genome: reverse(circular("a complete", 700)), codes: []string{warnCutGene}},
		{name: "cut in a codon, in lower case and lines",
			genome: strings.ReplaceAll(strings.ToLower(circular("a complete", 700)), "acg", "a-\ncg"), codes: []string{warnCutGene}},
		{name: "cut in a codon, as the table says", genome: circular("a", 700), table: "a\t\tp\tcircular\t\n", codes: []string{warnCutGene}},
		{name: "cut in a codon, as the configuration says", genome: circular("a", 700), c: option.Config{CompleteGenome: true},
			codes: []string{warnCutGene}},
		{name: "cut in a codon, a plasmid", genome: circular("a", 700), c: option.Config{Plasmid: "pX"}, codes: []string{warnCutGene}},
		{name: "cut between codons", genome: circular("a complete", 699)},
		{name: "cut in a codon, linear", genome: circular("a", 700)},
		{name: "cut in a codon, linear as the table says", genome: circular("a complete", 700), table: "a\t\tp\tlinear\t\n"},
		{name: "begins with a gene", genome: circular("a complete", 0)},
		{name: "ends with a gene", genome: circular("a complete", len(gene))},
	} {
		i := NewInspection(tt.c)
		if tt.table != "" {
			if _, err := i.Inspect(RepliconsTable, strings.NewReader(tt.table)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := i.Inspect(GenomeFASTA, strings.NewReader(tt.genome)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var codes []string
		for _, w := range i.Warnings() {
			codes = append(codes, w.Code)
		}
		if !slices.Equal(codes, tt.codes) || tt.says != "" && !strings.Contains(i.Warnings()[0].Message, tt.says) {
			t.Errorf("%s: %v; want %v, %q", tt.name, i.Warnings(), tt.codes, tt.says)
		}
	}
	for tail, want := range map[string]int{"": 0, "x": 1, "hello": 1} {
		i := NewInspection(option.Config{})
		genome := append(xzed([]byte(usual)), tail...)
		if _, err := i.Inspect(GenomeFASTA, strings.NewReader(string(genome))); err != nil || len(i.Warnings()) != want {
			t.Errorf("an xz file with %q behind it: %v, %v", tail, i.Warnings(), err)
		}
	}
}

// A sequence that is cut between genes is rarely taken for one that is not, however rich in G and C it is.
func TestCutGeneByChance(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, gc := range []float64{.3, .5, .7} {
		found := 0
		const times = 300
		for range times {
			// It begins with a gene and ends between two, as a sequence does that was rotated.
			letters := randomGene(random, 300, gc) + randomLetters(random, 6000, gc)
			var e ends
			e.take([]byte(letters))
			if e.cutGene(int64(len(letters)), 11) {
				found++
			}
		}
		if found > times/20 {
			t.Errorf("of %d sequences with %.0f %% G and C, %d seem to be cut in a gene", times, 100*gc, found)
		}
	}
}

// TestUnusedFiles: files that Bakta passes over, because their step is skipped, are taken with a warning. No option excludes another one.
func TestUnusedFiles(t *testing.T) {
	for kind, content := range map[string]string{RegionsFile: geneLine, TrustedProteinsFile: trustedOne} {
		for _, skip := range [][]string{{"trna", "cds"}, {"trna"}} {
			i := NewInspection(option.Config{Skip: skip})
			_, err := i.Inspect(kind, strings.NewReader(content))
			if got := i.Warnings(); err != nil || (len(got) == 1 && got[0].Code == warnUnused && got[0].Upload == kind) != (len(skip) == 2) {
				t.Errorf("%s, without %v: %+v, %v", kind, skip, got, err)
			}
		}
	}
}
