package upload

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// regionCase is a genome and regions on it.
type regionCase struct {
	genome, regions string
	table           int
}

// inspectRegions returns the warnings about the regions of a case.
func inspectRegions(t *testing.T, c regionCase) (name string, codes []string, message string) {
	t.Helper()
	i := NewInspection(option.Config{TranslationTable: c.table})
	name, err := i.Inspect(RegionsFile, strings.NewReader(c.regions))
	if err == nil {
		_, err = i.Inspect(GenomeFASTA, strings.NewReader(c.genome))
	}
	if err != nil {
		t.Fatalf("%q on %q: %v", c.regions, c.genome, err)
	}
	for _, w := range i.Warnings() {
		if w.Upload == RegionsFile {
			codes = append(codes, w.Code)
			message += w.Message
		}
	}
	return name, codes, message
}

func TestSkippedRegions(t *testing.T) {
	const (
		gene   = "ATGAAACCCTAA"
		genome = ">a\nCC" + gene + "CC\n>b\n" + "AAATAACC" + "ATG" + "\n"
		whole  = "a\tx\tCDS\t3\t14\t.\t+\t0\tID=1\n"
	)
	line := func(start, stop int, strand string) string {
		return fmt.Sprintf("a\tx\tCDS\t%d\t%d\t.\t%s\t0\tID=1\n", start, stop, strand)
	}
	record := func(locations ...string) string {
		text := "LOCUS       a 16 bp    DNA     linear   BCT 01-JAN-2026\nFEATURES             Location/Qualifiers\n"
		for _, l := range locations {
			text += "     CDS             " + l + "\n"
		}
		return text + "ORIGIN\n//\n"
	}
	skipped := []string{warnSkipped}
	for _, tt := range []struct {
		name  string
		c     regionCase
		codes []string
		says  string
	}{
		{"all are used", regionCase{genome: genome, regions: whole + whole}, nil, ""},
		{"lower case and gaps", regionCase{genome: strings.ReplaceAll(strings.ToLower(genome), "aacc", "a-\na cc"), regions: whole}, nil, ""},
		{"no start", regionCase{genome: genome, regions: whole + line(6, 14, "+")}, skipped, "will not use 1 of the 2 regions: the one in " +
			"line 2 has no start codon."},
		{"no stop", regionCase{genome: genome, regions: whole + line(3, 11, "+")}, skipped, "line 2 has no stop codon"},
		{"length", regionCase{genome: genome, regions: whole + line(3, 13, "+")}, skipped, "line 2 has a length that is not a multiple of three"},
		{"wrong strand", regionCase{genome: genome, regions: line(3, 14, "-")}, skipped,
			"will use none of the regions, 1 in all: the one in line 1 has no start codon"},
		{"strand unknown", regionCase{genome: genome, regions: line(3, 14, ".")}, nil, ""},
		{"stop within", regionCase{genome: ">a\nATGTAATAA\n", regions: line(1, 9, "+")}, skipped, "line 1 has a stop codon within"},
		{"stop within by another table", regionCase{genome: ">a\nATGTGATAA\n", regions: line(1, 9, "+")}, skipped,
			"line 1 has a stop codon within"},
		{"no stop by table 4", regionCase{genome: ">a\nATGTGATAA\n", regions: line(1, 9, "+"), table: 4}, nil, ""},
		{"start by table 11 alone", regionCase{genome: ">a\nCTGAAATAA\n", regions: line(1, 9, "+"), table: 25}, skipped, "no start codon"},
		{"letters for several", regionCase{genome: ">a\nATNNNNTAR\n", regions: line(1, 9, "+")}, nil, ""},
		{"over the end", regionCase{genome: genome, regions: strings.Replace(line(9, 17, "+"), "a", "b", 1)}, nil, ""},
		{"over the end, cut", regionCase{genome: genome, regions: strings.Replace(line(9, 14, "+"), "a", "b", 1)}, skipped, "no stop codon"},
		{"pseudogene", regionCase{genome: genome, regions: whole + strings.Replace(whole, "ID=1", "pseudogene", 1)}, skipped,
			"line 2 is marked as a pseudogene"},
		{"many", regionCase{genome: genome, regions: whole + strings.Repeat(line(3, 11, "+"), 5)}, skipped,
			"will not use 5 of the 6 regions: the one in line 2 has no stop codon, the one in line 3 has no stop codon, the one in line 4 has " +
				"no stop codon, and 2 more."},
		{"namesakes", regionCase{genome: genome + ">a\nACGT\n", regions: whole}, []string{warnAmbiguous}, `several sequences called "a"`},
		{"more than are remembered", regionCase{genome: genome, regions: strings.Repeat(line(3, 11, "+"), maxRegionsKept+1)}, nil, ""},
		{"record", regionCase{genome: genome, regions: record("3..14")}, nil, ""},
		{"record, joined", regionCase{genome: genome, regions: record("join(3..5,9..14)")}, nil, ""},
		{"record, partial", regionCase{genome: genome, regions: record("3..14", "<3..14")}, skipped, "line 4 is marked as partial"},
		{"record, both strands", regionCase{genome: genome, regions: record("join(3..5,complement(6..14))")}, skipped,
			"line 3, on both strands, has a length that"},
		{"record, protein in the file", regionCase{genome: genome, regions: record("3..13\n                     /ribosomal_slippage\n        " +
			"             /translation=\"MK\"")}, nil, ""},
	} {
		_, codes, message := inspectRegions(t, tt.c)
		if !slices.Equal(codes, tt.codes) || !strings.Contains(message, tt.says) {
			t.Errorf("%s: %v, %q; want %v, %q", tt.name, codes, message, tt.codes, tt.says)
		}
	}
	// Of a genome that was not read to its end nothing is said.
	i := NewInspection(option.Config{})
	if _, err := i.Inspect(RegionsFile, strings.NewReader(line(3, 11, "+"))); err != nil {
		t.Fatal(err)
	}
	long := strings.NewReader(genome + ">c\n" + strings.Repeat("ACGT", maxScanned/4) + "\n")
	if _, err := i.Inspect(GenomeFASTA, long); err != nil || len(i.Warnings()) > 0 {
		t.Errorf("a genome that is too long to be read: %v, %v", i.Warnings(), err)
	}
}

// batch is a genome of many short sequences with a region on each.
type batch struct {
	table           int
	letters         map[string]string // by the names of the sequences
	genome, regions strings.Builder
	inspection      *Inspection
}

// add adds a sequence and a region, in whose text the word ID stands for the sequence's name.
func (b *batch) add(letters, region string) {
	id := fmt.Sprintf("s%d", len(b.letters))
	b.letters[id] = letters
	b.genome.WriteString(">" + id + "\n" + letters + "\n")
	b.regions.WriteString(strings.Replace(region, "ID", id, 1))
}

// TestRegionsAsBakta compares with Bakta which regions are imported, on random genomes with many starts and stops, and for
// each codon there is at both ends of a region.
func TestRegionsAsBakta(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	random := rand.New(rand.NewPCG(5, 6))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	batches := make(map[string]*batch) // by format and table
	add := func(format string, table int, letters, region string) {
		key := fmt.Sprint(table, format)
		if batches[key] == nil {
			batches[key] = &batch{table: table, letters: make(map[string]string)}
		}
		batches[key].add(letters, region)
	}
	for _, table := range []int{4, 11, 25} {
		for _, a := range nucleotides {
			for _, b := range nucleotides {
				for _, c := range nucleotides {
					codon := string([]rune{a, b, c})
					add(gffName, table, codon+"AAATAA", "ID\tx\tCDS\t1\t9\t.\t+\t0\ti\n")
					add(gffName, table, "ATGAAA"+codon, "ID\tx\tCDS\t1\t9\t.\t+\t0\ti\n")
					add(gffName, table, "TTA"+codon+"CAT", "ID\tx\tCDS\t1\t9\t.\t-\t0\ti\n")
				}
			}
		}
	}
	for range 6000 {
		gene := "ATG"
		for range random.IntN(4) {
			gene += pick("AAA", "CCC", "GTG", "TAG", "TGA", "NNN", "tca", "A")
		}
		gene += pick("TAA", "TGA", "TAG", "TAR", "AAA")
		before := strings.Repeat("C", random.IntN(5))
		letters := before + gene + strings.Repeat("G", random.IntN(5))
		start, stop := len(before)+1, len(before)+len(gene)
		if random.IntN(8) == 0 {
			start, stop = max(1, start+random.IntN(5)-2), min(len(letters), stop+random.IntN(5)-2)
			stop = max(start, stop)
		}
		back := random.IntN(2) == 0
		if back {
			letters = string(complement(bytes.ToUpper([]byte(letters))))
			start, stop = len(letters)+1-stop, len(letters)+1-start
		}
		if random.IntN(2) == 0 { // over the end
			by := random.IntN(len(letters))
			letters = letters[by:] + letters[:by]
			if start -= by; start < 1 {
				start += len(letters)
			}
			if stop -= by; stop < start {
				stop += len(letters)
			}
		}
		strand := "+"
		if back {
			strand = "-"
		}
		if random.IntN(20) == 0 {
			strand = pick("+", "-", ".", "?")
		}
		format, text := gffName, fmt.Sprintf("ID\tx\tCDS\t%d\t%d\t.\t%s\t0\ti\n", start, stop, strand)
		if random.IntN(2) == 0 {
			location := fmt.Sprintf("%d..%d", start, stop)
			middle := start + random.IntN(max(1, min(stop, len(letters))-start+1))
			switch {
			case stop > len(letters):
				location = fmt.Sprintf("join(%d..%d,1..%d)", start, len(letters), stop-len(letters))
			case middle < stop && random.IntN(2) == 0:
				location = fmt.Sprintf("join(%d..%d,%d..%d)", start, middle, middle+1, stop)
			}
			if back {
				location = "complement(" + location + ")"
			}
			if middle < min(stop, len(letters)) && random.IntN(6) == 0 {
				location = fmt.Sprintf(pick(
					"join(%d..%d,complement(%d..%d))",
					"join(complement(%d..%d),%d..%d)",
					"join(complement(%d..%d),complement(%d..%d))",
					"join(%d..%d,%d..%d,complement(2..3))",
					"order(%[3]d..%[4]d,%[1]d..%[2]d)",
				),
					start, middle, middle+1, min(stop, len(letters)))
			}
			format, text = genbankName, fmt.Sprintf("LOCUS       ID %d bp    DNA     linear   BCT 01-JAN-2026\n"+
				"FEATURES             Location/Qualifiers\n     CDS             %s\nORIGIN\n//\n", len(letters), location)
		}
		add(format, []int{4, 11, 25}[random.IntN(3)], letters, text)
	}
	type question struct {
		Genome  string `json:"genome"`
		Regions string `json:"regions"`
		Table   int    `json:"table"`
	}
	dir := t.TempDir()
	var questions []question
	keys := slices.Sorted(maps.Keys(batches))
	for _, key := range keys {
		b := batches[key]
		b.inspection = NewInspection(option.Config{TranslationTable: b.table})
		name, err := b.inspection.Inspect(RegionsFile, strings.NewReader(b.regions.String()))
		if err == nil {
			_, err = b.inspection.Inspect(GenomeFASTA, strings.NewReader(b.genome.String()))
		}
		var prepared bytes.Buffer
		q := question{filepath.Join(dir, key+".fna"), filepath.Join(dir, key+name), b.table}
		if err := errors.Join(err, Prepare(RegionsFile, &prepared, strings.NewReader(b.regions.String())),
			os.WriteFile(q.Genome, []byte(b.genome.String()), 0o666), os.WriteFile(q.Regions, prepared.Bytes(), 0o666)); err != nil {
			t.Fatal(err)
		}
		questions = append(questions, q)
	}
	var imported [][]string
	realbakta.Python(t, prefix, filepath.Join("testdata", "regions.py"), questions, &imported)
	all, used := 0, 0
	for n, key := range keys {
		b := batches[key]
		used += len(imported[n])
		for id, s := range b.inspection.regions.spans {
			all++
			if real, ours := slices.Contains(imported[n], id), s.regions[0].why == 0; real != ours {
				t.Errorf("%s: %s, %+v: Bakta imports it: %v, and we say %v", key, b.letters[id], s.regions[0], real, ours)
			}
		}
	}
	t.Logf("%d of %d regions are imported", used, all)
	if used < all/10 {
		t.Error("there are too few that are imported to say much")
	}
}
