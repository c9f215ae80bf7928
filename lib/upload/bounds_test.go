//go:build !race

// The tests of what looks at uploads may take. They have no concurrency; the race detector makes them ten times as slow, and takes memory
// itself. `make test` runs them without it.

package upload

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// maxHeap bounds how much memory a look at an upload takes, in bytes. Functions look at several at once.
const maxHeap = 64 << 20

// TestMemory has the memory measured that looks at uploads take which were made to take much.
func TestMemory(t *testing.T) {
	// rows returns a text n times, with the numbers from 0 in place of #, which it has once or twice.
	rows := func(text string, n int) string {
		var b []byte
		before, rest, _ := strings.Cut(text, "#")
		middle, behind, again := strings.Cut(rest, "#")
		for i := range n {
			b = strconv.AppendInt(append(b, before...), int64(i), 36)
			b = append(b, middle...)
			if again {
				b = append(strconv.AppendInt(b, int64(i), 36), behind...)
			}
		}
		return string(b)
	}
	packed := func(text string) string {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	pad := strings.Repeat("a", 900)
	longLines := rows("s#\tx\tCDS\t1\t9\t.\t+\t0\tID="+pad+"\n", 60_000)
	longIDs := rows("s#"+pad+"\tx\tCDS\t1\t9\t.\t+\t0\ti\n", 60_000)
	for _, tt := range []struct {
		name, kind string
		upload     string
		genome     string // looked at after it, if not empty
	}{
		{"short rows", RepliconsTable, rows("#,,,,\n", maxReplicon/10), ""},
		{"short rows with new ids", RepliconsTable, rows("#,#,,,\n", 100_000), ""},
		{"rows without separators", RepliconsTable, strings.Repeat("a\n", maxReplicon/2), ""},
		{"blank rows", RepliconsTable, strings.Repeat("\n", maxReplicon), ""},
		{"a row of separators", RepliconsTable, strings.Repeat("\t", maxReplicon-1), ""},
		{"lines of separators", RepliconsTable, strings.Repeat(strings.Repeat("\t", 60<<10)+"\n", maxReplicon/(61<<10)), ""},
		{"a row over lines", RepliconsTable, strings.Repeat("\"\n\",", maxReplicon/4), ""},
		{"tags", HMMsFile, packed("HMMER3/f\n" + rows("T# x\n", 1_200_000)), ""},
		{"long lines", RegionsFile, packed(longLines), packed(rows(">s# "+pad+"\nACGT\n", 30_000))},
		{"long ids", RegionsFile, packed(longIDs), packed(rows(">s#"+pad+"\nACGT\n", 30_000))},
		{"many sequences", RegionsFile, packed(rows("s#\tx\tCDS\t1\t9\t.\t+\t0\ti\n", 400_000)), packed(rows(">s#\nA\n", 1_500_000))},
		{"many regions on a sequence", RegionsFile, packed(strings.Repeat("s\tx\tCDS\t1\t9\t.\t+\t0\ti\n", maxRegionsKept)),
			packed(">s\n" + strings.Repeat("ACGT", maxScanned/8))},
		{"more regions than are kept", RegionsFile, packed(strings.Repeat("s\tx\tCDS\t1\t9\t.\t+\t0\ti\n", 3*maxRegionsKept)),
			packed(">s\nACGTACGTACGT\n")},
		{"regions on many sequences of one name", RegionsFile, packed(strings.Repeat("s\tx\tCDS\t1\t9\t.\t+\t0\ti\n", maxRegionsKept)),
			packed(strings.Repeat(">s\nACGTACGTACGT\n", 500_000))},
		{"qualifiers", RegionsFile, packed("LOCUS       s\nFEATURES\n     CDS             1..9\n" + rows("                     /q#\n",
			120_000) + "ORIGIN\n//\n"), ""},
		{"a long location", RegionsFile, packed("LOCUS       s\nFEATURES\n     CDS             " + strings.Repeat("1,",
			500_000) + "\n                     " + strings.Repeat("1,", 500_000) + "\nORIGIN\n//\n"), ""},
		{"references", TrustedProteinsFile, packed(strings.Repeat(">a g~~~p~~~"+strings.Repeat("a:,", 330_000)+"\nMK\n", 20)), ""},
		{"a long header of a protein", ProteinFASTA, packed(">" + strings.Repeat("a", 60<<10) + "\nMK\n" + rows(">s# "+pad+"\nMKLLVV\n", 60_000)),
			""},
		{"sequences of an annotation", BaktaJSON, packed(`{"genome":{},"features":[` +
			rows(`{"type":"gap","sequence":"s#`+pad+`","start":1,"stop":2,"strand":"+","id":"","length":1},`, 150_000) + `{}],"sequences":[` +
			rows(`{"id":"s#`+pad+`"},`, 150_000)), ""},
		{"values of a feature", BaktaJSON, packed(`{"features":[{"x":[` + strings.Repeat(`"`+pad+`",`, 60_000)), ""},
		{"keys", BaktaJSON, packed("{" + rows("\"#\":1,", 2_000_000)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			grown := heapGrowth(func() {
				i := NewInspection(option.Config{})
				_, err := i.Inspect(tt.kind, strings.NewReader(tt.upload))
				if tt.genome != "" && err == nil {
					_, err = i.Inspect(GenomeFASTA, strings.NewReader(tt.genome))
				}
				t.Logf("%.150v", err)
			})
			t.Logf("%d bytes cost %.1f MiB", len(tt.upload), float64(grown)/(1<<20))
			if grown > maxHeap {
				t.Errorf("it costs more than %d MiB", maxHeap>>20)
			}
		})
	}
}

// heapGrowth returns how much more memory was live while something ran than before, at most, in bytes. What is no
// longer used, and not collected yet, is not counted.
func heapGrowth(run func()) int64 {
	live := func() int64 {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	before, most := live(), int64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-done:
			return most
		case <-again.C:
			most = max(most, live()-before)
		}
	}
}

// endless gives a header, then a sequence without end.
type endless struct{ at int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ">a\nACGT"[min(e.at, 3+e.at%4)]
		e.at++
	}
	return len(p), nil
}

// What is read of a genome is bounded, however much a small upload holds.
func TestInspectGenomeReadsNoMore(t *testing.T) {
	compressed := func(write func(io.Writer) (io.WriteCloser, error)) io.Reader {
		r, w := io.Pipe()
		t.Cleanup(func() { r.Close() })
		go func() {
			z, err := write(w)
			if err == nil {
				_, err = io.Copy(
					z,
					io.LimitReader(io.MultiReader(strings.NewReader(">a\n"), endlessly("ACGT")), 1<<30),
				) // ends when the pipe is closed
			}
			w.CloseWithError(err)
		}()
		return r
	}
	for _, tt := range []struct {
		name  string
		r     io.Reader
		limit int64 // bytes that may be read
	}{
		{"plain", &endless{}, maxScanned},
		{"gzip", compressed(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }), maxScanned / 8},
		{"zstd", compressed(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }), maxScanned / 8},
		{"gzip of nothing, over and over", io.MultiReader(bytes.NewReader(gzipped([]byte(small))), &repeat{b: gzipped(nil)}), maxScanned},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &counter{r: tt.r}
			if _, err := Inspect(GenomeFASTA, c, option.Config{}); err != nil {
				t.Error(err)
			}
			if c.n > tt.limit {
				t.Errorf("%d bytes were read, want at most %d", c.n, tt.limit)
			}
		})
	}
}
