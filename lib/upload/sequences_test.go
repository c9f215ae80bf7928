package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// scanned reads a FASTA file.
func scanned(t *testing.T, r io.Reader) genome {
	t.Helper()
	s := fastaScan{whole: true, until: time.Now().Add(time.Hour)}
	if _, err := io.Copy(&s, r); err != nil {
		t.Fatal(err)
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	return s.genome()
}

func TestSequenceLengths(t *testing.T) {
	var many strings.Builder
	for i := range maxSequences + 1 {
		fmt.Fprintf(&many, ">%d\nA\n", i)
	}
	for _, tt := range []struct {
		name    string
		content string
		want    map[string]int64 // nil: they can't be told
	}{
		{"two", geneGenome, map[string]int64{"c1": 120, "c2": 30}},
		{"line ends of Windows", strings.ReplaceAll(geneGenome, "\n", "\r\n"), map[string]int64{"c1": 120, "c2": 30}},
		{"old line ends of Macs", strings.ReplaceAll(geneGenome, "\n", "\r"), map[string]int64{"c1": 120, "c2": 30}},
		{"gaps", ">a\nAC-GT AC\tGT\n-\n", map[string]int64{"a": 8}},
		{"no end", ">a\nACGT\n>b\nA", map[string]int64{"a": 4, "b": 1}},
		{"a header sign inside", ">a >b\nAC\n>c d>e\nA", map[string]int64{"a": 2, "c": 1}},
		{"no name", ">\nAC\n", map[string]int64{"": 2}},
		{"a name behind a separator that Python knows", ">a\x1cb c\nAC\n", map[string]int64{"a": 2}},
		{"twice the same name", ">a\nA\n>a\nA\n", nil},
		{"a long header", ">a " + strings.Repeat("x", 2*maxGenomeHeader) + "\nA\n", map[string]int64{"a": 1}},
		{"many", many.String(), nil},
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(tt.content),
			"in pieces": iotest.HalfReader(strings.NewReader(tt.content)), "in bytes": iotest.OneByteReader(strings.NewReader(tt.content))} {
			got, ok := scanned(t, r).lengths()
			if ok != (tt.want != nil) || ok && !maps.Equal(got, tt.want) {
				t.Errorf("%s %s: %v, %t", tt.name, name, got, ok)
			}
		}
	}
}

// A genome that is too large to be compared is taken, with any regions, and what is behind its beginning is compared
// in one that is not.
func TestRegionsOfLargeGenomes(t *testing.T) {
	regions := "late\tx\tCDS\t1\t30\t.\t+\t0\t.\n"
	for _, tt := range []struct {
		name    string
		letters int64
		late    string // the last sequence
		says    string
	}{
		{"there", 1 << 20, "late", ""},
		{"not there", 1 << 20, "other", `"late"`},
		{"too short", 1 << 20, "late x\nACGT\n>other", "4 base pairs"},
		{"too large to be compared", maxScanned, "other", ""},
	} {
		i := NewInspection(option.Config{})
		if _, err := i.Inspect(RegionsFile, strings.NewReader(regions)); err != nil {
			t.Fatal(err)
		}
		genome := io.MultiReader(
			strings.NewReader(">first\n"),
			io.LimitReader(endlessly("ACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACG\n"), tt.letters),
			strings.NewReader("\n>"+tt.late+"\n"+strings.Repeat("ACGT", 100)+"\n"),
		)
		name, err := i.Inspect(GenomeFASTA, genome)
		if tt.says == "" && (err != nil || name != "genome.fna") ||
			tt.says != "" && (!job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %q, %v", tt.name, name, err)
		}
	}
	// A storage that goes away while the genome is compared is no verdict.
	i := NewInspection(option.Config{})
	if _, err := i.Inspect(RegionsFile, strings.NewReader(regions)); err != nil {
		t.Fatal(err)
	}
	away := errors.New("the storage is away")
	if _, err := i.Inspect(
		GenomeFASTA,
		io.MultiReader(strings.NewReader(">first\n"), io.LimitReader(endlessly("ACGT"), 1<<20), iotest.ErrReader(away)),
	); !errors.Is(
		err,
		away,
	) {
		t.Errorf("%v", err)
	}
}

// An upload that is too large is refused before all of it is decompressed.
func TestUploadsTooLarge(t *testing.T) {
	bomb := gzipped(bytes.Repeat([]byte("# comment\n"), maxRegions/8))
	for kind, content := range map[string]io.Reader{
		RegionsFile:         bytes.NewReader(bomb),
		TrustedProteinsFile: io.MultiReader(strings.NewReader(">a"), endlessly("x")),
		HMMsFile:            io.MultiReader(strings.NewReader("HMMER3/f\nNAME"), endlessly("\nx "+strings.Repeat("y", 1<<14))),
	} {
		if name, err := Inspect(kind, content, option.Config{}); !job.Is(err, job.Invalid) ||
			!strings.Contains(err.Error(), "too large") && !strings.Contains(err.Error(), "a line of more than") {
			t.Errorf("%s: %q, %v", kind, name, err)
		}
	}
}

// endlessly gives a text over and over, in large pieces.
func endlessly(text string) io.Reader {
	return &repeat{b: bytes.Repeat([]byte(text), 1<<16/len(text))}
}
