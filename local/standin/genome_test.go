package standin

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shenwei356/bio/seq"
	"github.com/shenwei356/xopen"
)

func TestReadGenome(t *testing.T) {
	compressed := func(ending, content string) string {
		path := filepath.Join(t.TempDir(), "x"+ending)
		w, err := xopen.Wopen(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	renamed := func(path, name string) string {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return write(t, name, string(content))
	}
	const fasta = ">a one  two\nAC-GT\nnnryk\n>b\tc d\r\nAC GT\r\n\r\nA"
	want := []string{"a/one  two/ACGTNNRYK", "b/d/ACGTA"}
	for _, test := range []struct {
		name, path string
		want       []string // nil: refused
	}{
		{"plain", write(t, "a", fasta), want},
		{"gzip", compressed(".gz", fasta), want},
		{"bzip2", compressed(".bz2", fasta), want},
		{"xz", compressed(".xz", fasta), want},
		{"zstd", compressed(".zst", fasta), want},
		{"gzip by content alone", renamed(compressed(".gz", fasta), "a.fna"), want},
		{"zstd by content alone", renamed(compressed(".zst", fasta), "a"), want},
		{"plain, called .gz", write(t, "a.gz", fasta), nil},
		{"gzip, called .xz", renamed(compressed(".gz", fasta), "a.xz"), nil},
		{"cut short", write(t, "a", must(os.ReadFile(compressed(".gz", fasta)))[:40]), nil},
		{"a byte order mark", write(t, "a", "\ufeff"+fasta), nil},
		{"text first", write(t, "a", "hello\n"+fasta), nil},
		{"a blank line first", write(t, "a", "\n"+fasta), nil},
		{"FASTQ", write(t, "a", "@a\nACGT\n+\nIIII\n"), nil},
		{"a header alone", write(t, "a", ">a\n"), nil},
		{"an empty sequence", write(t, "a", ">a\n>b\nACGT\n"), nil},
		{"letters that are none", write(t, "a", ">a\nACEGT\n"), nil},
		{"protein", write(t, "a", ">a\nMKLV\n"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sequences, err := readGenome(test.path)
			if test.want == nil {
				if err == nil {
					t.Fatal("read")
				}
				if got := play(t, test.path); got.status != 1 || got.stderr != "ERROR: wrong genome file format!\n" {
					t.Errorf("exit status %d, %q", got.status, got.stderr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range sequences {
				got = append(got, s.ID+"/"+s.Description+"/"+s.NT)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func must(b []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestReadReplicons(t *testing.T) {
	want := map[string]replicon{
		"a": {"x", "chromosome", "circular", ""},
		"b": {"", "plasmid", "linear", "pB"},
		"c": {"", "contig", "linear", ""},
	}
	for _, test := range []struct {
		name, table string
		want        map[string]replicon
	}{
		{"tabs", "a\tx y\tchromosome\tcircular\t-\nb desc\t-\tplasmid\tlinear\tpB\nc\t\tcontig\tl\t\n", want},
		{"commas", "a,x,c,c,\nb,,p,l,pB\nc,-,?,linear,-", want},
		{"CRLF", "a,x,c,c,\r\nb,,p,l,pB\r\nc,-,?,linear,-\r\n", want},
		{"a blank line", "a,x,c,c,\n\nb,,p,l,pB\n", nil},
		{"a trailing blank line", "a,x,c,c,\n\n", nil},
		{"four fields", "a,x,c,c\n", nil},
		{"six fields", "a,x,c,c,d,e\n", nil},
		{"semicolons", "a;x;c;c;d\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readReplicons(write(t, "table", test.table))
			if (err == nil) != (test.want != nil) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(replicon{}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// mixed is a genome whose sequences differ in all that decides on their kind.
func mixed(t *testing.T) string {
	dna := strings.Repeat("ATGGCGAAACGTTTGCTGACCGAT", 5100)
	return write(t, "mixed.fna", ">a some complete plasmid\n"+dna[:5000]+"\n>b\tc d circular=true\nNNN-NNRYK"+strings.ToLower(dna[:300])+
		"\n>c complete=false chromosome\n"+dna[:150]+"\n>d complete\n"+dna[:120000]+"\n>e plasmid 2\n"+dna[:700]+"\n")
}

// classes are option sets that name and class sequences differently, with the outcome: id, type, topology,
// completeness and name of each sequence.
func classes(t *testing.T) []struct {
	args []string
	want []string
} {
	table := write(t, "table.tsv", "a\tchrX\tchromosome\tlinear\t-\nd\t-\tplasmid\tcircular\tpD\nnone\t-\tp\tc\t-\n")
	return []struct {
		args []string
		want []string
	}{
		{nil, []string{
			"contig_1 plasmid circular true unnamed1", "contig_2 plasmid circular true unnamed2", "contig_3 chromosome linear false ",
			"contig_4 contig circular true ", "contig_5 plasmid linear false unnamed3"}},
		{[]string{"--complete", "--plasmid", "pX", "--genus", "eSCH", "--species", "Coli", "--strain", "K 12"}, []string{
			"contig_1 plasmid circular true unnamed1", "contig_2 plasmid circular true unnamed2", "contig_3 plasmid circular true unnamed3",
			"contig_4 contig circular true ", "contig_5 plasmid circular true unnamed4"}},
		{[]string{"--replicons", table, "--locus", "loc", "--min-contig-length", "300", "--translation-table", "4", "--gram=-"}, []string{
			"chrX chromosome linear true ", "loc_2 plasmid circular true unnamed1", "loc_3 plasmid circular true pD",
			"loc_4 plasmid linear false unnamed2"}},
		{[]string{"--replicons", table, "--keep-contig-headers", "--compliant", "--locus-tag", "ABC"}, []string{
			"a chromosome linear true ", "b plasmid circular true ", "d plasmid circular true pD", "e plasmid linear false "}},
	}
}

// shape is the part of the JSON file that the real Bakta must agree with.
type shape struct {
	Genome    map[string]any
	Sequences []sequence
	Stats     map[string]float64
}

func (p played) shape(t *testing.T) (s shape) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.file(t, "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClasses(t *testing.T) {
	genome := mixed(t)
	for _, test := range classes(t) {
		got := play(t, with(test.args, genome)...).mustSucceed(t).shape(t)
		var lines []string
		for _, s := range got.Sequences {
			lines = append(lines, strings.Join([]string{s.ID, s.Type, s.Topology, map[bool]string{true: "true", false: "false"}[s.Complete], s.Name}, " "))
		}
		if diff := cmp.Diff(test.want, lines); diff != "" {
			t.Errorf("%q: %s", test.args, diff)
		}
	}
}

// Genome, sequences and statistics are worked out, not played: they must be what the real Bakta makes of them.
func TestClassesAreBaktas(t *testing.T) {
	prefix := realPrefix(t)
	if prefix == "" {
		return
	}
	genome := mixed(t)
	ignore := cmp.Options{
		cmpopts.IgnoreUnexported(sequence{}),
		cmpopts.IgnoreFields(sequence{}, "SimpleID", "OrigID", "OrigDescription"), // at times Bakta leaves them out
		cmpopts.IgnoreMapEntries(func(key string, _ float64) bool { return key == "coding_ratio" }),
		cmpopts.EquateApprox(0, 1e-9),
	}
	for _, test := range classes(t) {
		args := with(fast, with(test.args, genome)...)
		ours, real := play(t, args...).mustSucceed(t).shape(t), playReal(t, prefix, args...).mustSucceed(t).shape(t)
		if diff := cmp.Diff(real, ours, ignore); diff != "" {
			t.Errorf("%q: Bakta -, stand-in +:\n%s", test.args, diff)
		}
	}
}

func TestPlasmidNeedsOneSequence(t *testing.T) {
	genome := write(t, "one.fna", ">a\n"+strings.Repeat("ACGT", 60)+"\n")
	table := write(t, "table", "a,x,chromosome,linear,-\n")
	got := play(t, "--plasmid", "pOne", "--replicons", table, genome).mustSucceed(t).shape(t).Sequences[0]
	if got.ID != "contig_1" || got.Type != "plasmid" || got.Name != "pOne" || got.Topology != "circular" {
		t.Errorf("got %+v", got)
	}
}

func TestFindORFs(t *testing.T) {
	long := strings.Repeat("GCC", 60) // 180 bp without start or stop in any frame of the forward strand
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
		{"TGA is glycine", 25, "ATG" + long + "TGA" + long + "TAA", []span{{0, 369}}},
		{"two frames", 11, "ATG" + long + "TAAC" + "TTG" + long + "TAA", []span{{0, 186}, {187, 373}}},
		{"empty", 11, "", nil},
	} {
		got := findORFs(test.nt, seq.CodonTables[test.table])
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// A gene of all amino acids on either strand, read by each table. Only TGA means something else.
func TestTranslation(t *testing.T) {
	const gene = "GTGTGGTGCTTTTATGAACAGAAACGTCATATTAACGATTCGACCGGCGCGCTGCCGGTT"
	const protein = "MWCFYEQKRHINDSTGALPV"
	filler := strings.Repeat("GCC", 40)
	orf := gene + "TGA" + filler + "TAA"
	for table, want := range map[int]string{
		4:  protein + "W" + strings.Repeat("A", 40),
		25: protein + "G" + strings.Repeat("A", 40),
	} {
		forward := &sequence{ID: "a", NT: "CC" + orf + "C", Length: len(orf) + 3}
		if err := forward.findCDSs(seq.CodonTables[table], nil); err != nil || len(forward.features) != 1 {
			t.Fatalf("table %d: %v, %d features", table, err, len(forward.features))
		}
		f := forward.features[0]
		if f.AA != want || f.Start != 3 || f.Stop != 2+len(orf) || f.Strand != "+" || f.Frame != 3 || f.StartType != "GTG" {
			t.Errorf("table %d: %+v, %+v", table, f, f.coding)
		}
		reversed, _ := seq.NewSeq(seq.DNA, []byte(forward.NT))
		reverse := &sequence{ID: "a", NT: string(reversed.RevCom().Seq), Length: forward.Length}
		if err := reverse.findCDSs(seq.CodonTables[table], nil); err != nil || len(reverse.features) != 1 {
			t.Fatalf("table %d: %v, %d features", table, err, len(reverse.features))
		}
		r := reverse.features[0]
		if r.AA != want || r.Strand != "-" || r.Start != 2 || r.Stop != 1+len(orf) || r.NT != f.NT || r.Frame != 3 {
			t.Errorf("table %d, reverse: %+v, %+v", table, r, r.coding)
		}
	}
	stopped := &sequence{ID: "a", NT: orf, Length: len(orf)}
	if err := stopped.findCDSs(seq.CodonTables[11], nil); err != nil || len(stopped.features) != 0 {
		t.Errorf("table 11 reads over TGA: %v, %+v", err, stopped.features)
	}
}

func TestStatistics(t *testing.T) {
	sequences := []*sequence{
		{NT: strings.Repeat("G", 10) + strings.Repeat("N", 10)}, // 20
		{NT: strings.Repeat("AC", 25)},                          // 50
		{NT: strings.Repeat("T", 30)},                           // 30
		{NT: "R", features: []*feature{{Start: 1, Stop: 9, coding: &coding{}}, {Start: 3, Stop: 5, Length: 3}}}, // 1
	}
	for _, s := range sequences {
		s.Length = len(s.NT)
	}
	want := stats{
		Size: 101, GC: 35.0 / 91, NRatio: 10.0 / 101,
		N50: 30, // 50 is less than half of 101
		N90: 20, CodingRatio: 9.0 / 91, cdss: 1, gaps: 1,
	}
	if diff := cmp.Diff(want, calculate(sequences), cmp.AllowUnexported(stats{})); diff != "" {
		t.Error(diff)
	}
	if got := calculate([]*sequence{{NT: "NNNN", Length: 4}}); got.GC != 0 || got.NRatio != 1 || got.N50 != 4 {
		t.Errorf("nothing but N: %+v", got)
	}
}

// The genome that is shipped is the one that the real Bakta's database knows.
func TestDemoGenome(t *testing.T) {
	if python, err := exec.LookPath("python3"); err != nil {
		t.Log("NOT COMPARED WITH bakta/genome.py: no python3 here")
	} else {
		made, err := exec.CommandContext(t.Context(), python, "-B", "../../bakta/genome.py").Output()
		if err != nil {
			t.Fatal(err)
		}
		if shipped := must(os.ReadFile(demoGenome)); !bytes.Equal([]byte(shipped), made) {
			t.Error("local/demo/genome.fna is not what bakta/genome.py makes")
		}
	}
	got := play(t, demoGenome).mustSucceed(t).shape(t)
	if len(got.Sequences) != 3 || got.Sequences[1].Type != "plasmid" || got.Stats["size"] != 58248 {
		t.Errorf("got %d sequences, %v", len(got.Sequences), got.Stats)
	}
}
