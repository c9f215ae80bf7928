package standin

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"image/png"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bebop/poly/io/fasta"
	"github.com/bebop/poly/io/genbank"
	"github.com/bebop/poly/io/gff"
	"github.com/bebop/poly/synthesis/codon"
	"github.com/google/go-cmp/cmp"
)

var endings = []string{"embl", "faa", "ffn", "fna", "gbff", "gff3", "hypotheticals.faa", "hypotheticals.tsv", "inference.tsv", "json", "log", "png",
	"svg", "tsv", "txt"}

func (p played) endings(t *testing.T) (found []string) {
	t.Helper()
	paths, err := filepath.Glob(p.prefix + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		found = append(found, strings.TrimPrefix(path, p.prefix+"."))
	}
	return found
}

func TestFiles(t *testing.T) {
	without := func(gone ...string) []string {
		return slices.DeleteFunc(slices.Clone(endings), func(e string) bool { return slices.Contains(gone, e) })
	}
	for _, test := range []struct {
		args []string
		want []string
	}{
		{nil, endings},
		{[]string{"--skip-plot"}, without("png", "svg")},
		{[]string{"--skip-cds"}, without("hypotheticals.tsv", "hypotheticals.faa")},
	} {
		got := play(t, with(test.args, demoGenome)...).mustSucceed(t)
		if diff := cmp.Diff(test.want, got.endings(t)); diff != "" {
			t.Errorf("%q: %s", test.args, diff)
		}
		for _, ending := range test.want {
			// A FASTA file of sequences and a picture's pixels have no room for a comment.
			if says := strings.Contains(got.file(t, ending), notice); !says && !slices.Contains([]string{"fna", "ffn", "faa", "hypotheticals.faa", "gbff"}, ending) {
				t.Errorf("%q: %s does not say that it is no annotation", test.args, ending)
			}
		}
		if text := strings.Join(strings.Fields(got.file(t, "gbff")), " "); !strings.Contains(text, notice) { // wrapped there
			t.Errorf("%q: gbff does not say that it is no annotation", test.args)
		}
		if !strings.HasPrefix(got.stdout, notice+"\n") {
			t.Errorf("%q: it does not say what it is at its start:\n%s", test.args, got.stdout)
		}
	}
}

// cds is what all formats must agree on.
type cds struct {
	sequence, strand, locus string
	start, stop             int
	aa                      string
}

// demo plays the demonstration's genome and reads the coding sequences off the JSON file.
func demo(t *testing.T, args ...string) (played, []cds) {
	t.Helper()
	p := play(t, with(args, demoGenome)...).mustSucceed(t)
	var doc struct {
		Features []struct {
			Type, Sequence, Strand, Locus, AA, NT string
			Start, Stop                           int
		}
		Sequences []sequence
	}
	if err := json.Unmarshal([]byte(p.file(t, "json")), &doc); err != nil {
		t.Fatal(err)
	}
	table, err := codon.NewTranslationTable(11)
	if err != nil {
		t.Fatal(err)
	}
	nt := map[string]string{}
	for _, s := range doc.Sequences {
		nt[s.ID] = s.NT
	}
	var all []cds
	for _, f := range doc.Features {
		if f.Type != "cds" {
			continue
		}
		all = append(all, cds{f.Sequence, f.Strand, f.Locus, f.Start, f.Stop, f.AA})
		if f.Strand == "+" && nt[f.Sequence][f.Start-1:f.Stop] != f.NT {
			t.Errorf("%s: nucleotides are not those at its place", f.Locus)
		}
		aa, err := table.Translate(f.NT)
		if err != nil || "M"+aa[1:] != f.AA+"*" {
			t.Errorf("%s: another translator reads %s, %v", f.Locus, aa, err)
		}
	}
	if len(all) < 50 {
		t.Fatalf("%d coding sequences in a genome of 61 genes", len(all))
	}
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; a.sequence == b.sequence && (a.start > b.start || a.stop-b.start >= longestOverlap) {
			t.Errorf("%s and %s are out of order or overlap: %d..%d, %d..%d", a.locus, b.locus, a.start, a.stop, b.start, b.stop)
		}
	}
	return p, all
}

func compare(t *testing.T, format string, want, got []cds) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(cds{})); diff != "" {
		t.Errorf("%s: JSON -, %s +:\n%s", format, format, diff)
	}
}

func TestTables(t *testing.T) {
	p, want := demo(t)
	for ending, columns := range map[string]int{"tsv": 9, "inference.tsv": 12, "hypotheticals.tsv": 9} {
		r := csv.NewReader(strings.NewReader(p.file(t, ending)))
		r.Comma, r.Comment, r.FieldsPerRecord = '\t', '#', columns
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", ending, err)
		}
		var got []cds
		for _, row := range rows {
			if ending == "hypotheticals.tsv" {
				row = slices.Insert(row, 1, "cds")
			}
			if row[1] == "cds" {
				got = append(got, cds{sequence: row[0], strand: row[4], locus: row[5], start: atoi(t, row[2]), stop: atoi(t, row[3])})
			} else if want := []string{"contig_3", "assembly_gap", ".", "100"}; !slices.Equal(want, []string{row[0], row[1], row[4], strconv.Itoa(atoi(t, row[3]) - atoi(t, row[2]) + 1)}) {
				t.Errorf("%s: %q", ending, row)
			}
		}
		compare(t, ending, withoutAA(want), got)
	}
}

func withoutAA(all []cds) []cds {
	all = slices.Clone(all)
	for i := range all {
		all[i].aa = ""
	}
	return all
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFASTA(t *testing.T) {
	p, want := demo(t)
	read := func(content string) []fasta.Fasta {
		records, err := fasta.Parse(strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	genome, shipped := read(p.file(t, "fna")), read(must(os.ReadFile(demoGenome)))
	for i := range shipped {
		if genome[i].Sequence != shipped[i].Sequence {
			t.Errorf("fna: sequence %d is not what came in", i)
		}
	}
	if want := "contig_2 [gcode=11] [completeness=complete] [topology=circular] [plasmid-name=unnamed1]"; genome[1].Name != want {
		t.Errorf("fna: header %q, want %q", genome[1].Name, want)
	}
	for _, ending := range []string{"faa", "hypotheticals.faa", "ffn"} {
		records := read(p.file(t, ending))
		if len(records) != len(want) {
			t.Fatalf("%s: %d records, want %d", ending, len(records), len(want))
		}
		for i, r := range records {
			if r.Name != want[i].locus+" hypothetical protein" || ending != "ffn" && r.Sequence != want[i].aa {
				t.Errorf("%s: %s %s", ending, r.Name, r.Sequence)
			}
		}
	}
}

func TestGFF(t *testing.T) {
	p, want := demo(t, "--genus", "a;b=c,d%&")
	content := p.file(t, "gff3")
	// The parser reads one sequence and no plain comments.
	head, body, _ := strings.Cut(content, "##sequence-region")
	if !strings.HasPrefix(head, "##gff-version 3\n") || !strings.Contains(head, "# organism A;b=c,d%&\n") {
		t.Errorf("head:\n%s", head)
	}
	parsed, err := gff.Parse(strings.NewReader("##gff-version 3\n##sequence-region" + body))
	if err != nil {
		t.Fatal(err)
	}
	var got []cds
	kinds := map[string]int{}
	for _, f := range parsed.Features {
		kinds[f.Type]++
		if f.Type == "CDS" {
			got = append(got, cds{f.Name, f.Strand, f.Attributes["locus_tag"], f.Location.Start + 1, f.Location.End, ""})
			if f.Phase != "0" || f.Attributes["ID"] != f.Attributes["locus_tag"] || f.Attributes["product"] != "hypothetical protein" {
				t.Errorf("%+v", f)
			}
		}
	}
	compare(t, "GFF3", withoutAA(want), got)
	if diff := cmp.Diff(map[string]int{"region": 3, "CDS": len(want), "gap": 1}, kinds); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(content, "\tID=contig_2;Name=contig_2;Is_circular=true\n") {
		t.Error("the plasmid is not circular")
	}
	if _, sequences, _ := strings.Cut(content, "##FASTA\n"); strings.Count(sequences, ">") != 3 {
		t.Error("not the genome's three sequences at the end")
	}
	compliant, _ := demo(t, "--compliant")
	if content := compliant.file(t, "gff3"); strings.Contains(content, "##FASTA") || strings.Count(content, "\tgene\t") != len(want) ||
		!strings.Contains(content, ";Parent="+want[0].locus+"_gene") {
		t.Errorf("compliant GFF3 is not:\n%.600s", content)
	}
}

func TestGenBank(t *testing.T) {
	p, want := demo(t, "--genus", "Demo", "--strain", `12 "quoted"`)
	records, err := genbank.ParseMulti(strings.NewReader(p.file(t, "gbff")))
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 3 {
		t.Fatalf("%d records", len(records))
	}
	var got []cds
	for i, r := range records {
		if r.Meta.Locus.Circular != (i == 1) || atoi(t, r.Meta.Locus.SequenceLength) != len(r.Sequence) || r.Meta.Organism != `Demo 12 "quoted"` {
			t.Errorf("record %d: %+v", i, r.Meta)
		}
		for _, f := range r.Features {
			at, strand := f.Location, "+"
			if at.Complement {
				strand = "-"
			}
			if f.Type == "CDS" {
				got = append(got, cds{r.Meta.Locus.Name, strand, f.Attributes["locus_tag"], at.Start + 1, at.End, f.Attributes["translation"]})
			}
		}
	}
	compare(t, "GenBank", want, got)
	for line := range strings.Lines(p.file(t, "gbff")) {
		if len(line) > 81 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
}

// EMBL has no parser in Go; its feature table and sequence must be GenBank's.
func TestEMBL(t *testing.T) {
	p, _ := demo(t)
	table := func(content, margin, until string) (lines []string) {
		in := false
		for line := range strings.Lines(content) {
			switch {
			case strings.HasPrefix(line, "FEATURES") || line == "FH\n":
				in = true
			case strings.HasPrefix(line, until):
				in = false
			case in:
				lines = append(lines, strings.TrimPrefix(line, margin))
			}
		}
		slices.Sort(lines) // the order of a feature's qualifiers is free
		return lines
	}
	gbff, embl := p.file(t, "gbff"), p.file(t, "embl")
	if diff := cmp.Diff(table(gbff, "     ", "ORIGIN"), table(embl, "FT   ", "XX")); diff != "" {
		t.Error(diff)
	}
	var letters strings.Builder
	for line := range strings.Lines(embl) {
		if strings.HasPrefix(line, "     ") {
			for _, field := range strings.Fields(line) {
				if field[0] > '9' {
					letters.WriteString(field)
				} else if field != strconv.Itoa(letters.Len()) {
					t.Fatalf("position %s after %d letters", field, letters.Len())
				}
			}
		}
		if line == "//\n" {
			if nt := strings.ToUpper(letters.String()); !strings.Contains(p.file(t, "json"), `"nt": "`+nt+`"`) {
				t.Error("a sequence is not the genome's")
			}
			letters.Reset()
		}
		if len(line) > 81 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
	if !strings.HasPrefix(embl, "ID   contig_1; SV 1; linear; DNA; STD; PRO; ") || strings.Count(embl, "\nID   ") != 2 {
		t.Errorf("%.200s", embl)
	}
}

// Biopython is what most people read these files with.
func TestBiopython(t *testing.T) {
	prefix := realPrefix(t)
	if prefix == "" {
		return
	}
	p, want := demo(t, "--genus", "Demo", "--compliant")
	const script = `
import sys, warnings
import Bio
from Bio import SeqIO
warnings.simplefilter('error', Bio.BiopythonWarning)
for ending, form in ('gbff', 'genbank'), ('embl', 'embl'):
    features = []
    for r in SeqIO.parse(f'{sys.argv[1]}.{ending}', form):
        for f in r.features:
            if f.type == 'CDS':
                assert str(f.extract(r.seq).translate(table=11, cds=True)) == f.qualifiers['translation'][0]
                features.append(f)
        print(ending, r.name, len(r), r.annotations['topology'], r.annotations['organism'])
    print(ending, len(features))
for ending in 'fna', 'ffn', 'faa', 'hypotheticals.faa':
    print(ending, sum(1 for _ in SeqIO.parse(f'{sys.argv[1]}.{ending}', 'fasta')))
`
	out, err := exec.CommandContext(t.Context(), filepath.Join(prefix, "venv", "bin", "python"), "-c", script, p.prefix).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n := strconv.Itoa(len(want))
	var lines []string
	for _, ending := range []string{"gbff", "embl"} {
		lines = append(lines, ending+" contig_1 45235 linear Demo", ending+" contig_2 9073 circular Demo", ending+" contig_3 3940 linear Demo", ending+" "+n)
	}
	lines = append(lines, "fna 3", "ffn "+n, "faa "+n, "hypotheticals.faa "+n, "")
	if diff := cmp.Diff(lines, strings.Split(string(out), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestPictures(t *testing.T) {
	p, want := demo(t)
	picture, err := png.Decode(strings.NewReader(p.file(t, "png")))
	if err != nil {
		t.Fatal(err)
	}
	colors := map[string]bool{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, _ := picture.At(x, y).RGBA()
			colors[strconv.Itoa(int(r>>8))+" "+strconv.Itoa(int(g>>8))+" "+strconv.Itoa(int(b>>8))] = true
		}
	}
	for _, c := range ringColor {
		if !colors[strconv.Itoa(int(c.R))+" "+strconv.Itoa(int(c.G))+" "+strconv.Itoa(int(c.B))] {
			t.Errorf("no pixel has the color %v", c)
		}
	}
	d := xml.NewDecoder(strings.NewReader(p.file(t, "svg")))
	paths := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "path" {
			paths++
		}
	}
	if paths != len(want)+1 {
		t.Errorf("%d arcs for %d coding sequences and a gap", paths, len(want))
	}
}

// The keys of Bakta 1.12.2's JSON file, as far as the stand-in has the same things in it.
func TestJSONKeys(t *testing.T) {
	want := map[string]string{
		"":          "features genome run sequences stats version",
		"genome":    "complete genus gram species strain taxon translation_table",
		"stats":     "coding_ratio gc n50 n90 n_ratio size",
		"run":       "duration end start",
		"version":   "bakta db",
		"db":        "type version",
		"contig":    "complete description id length nt orig_description orig_id simple_id topology type",
		"plasmid":   "complete description id length name nt orig_description orig_id simple_id topology type",
		"cds":       "aa aa_hexdigest db_xrefs frame gene genes hypothetical id locus nt product rbs_motif seq_stats sequence start start_type stop strand type",
		"gap":       "id length sequence start stop strand type",
		"seq_stats": "isoelectric_point molecular_weight",
	}
	keys := func(p played) map[string]string {
		var doc map[string]any
		if err := json.Unmarshal([]byte(p.file(t, "json")), &doc); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		add := func(name string, object any) {
			m := object.(map[string]any)
			for key := range m {
				// Ours, beside Bakta's; and what only the real one can find.
				if name == "run" && key == "note" || name == "version" && key == "tool" || key == "pfams" {
					delete(m, key)
				}
			}
			got[name] = strings.Join(slices.Sorted(maps.Keys(m)), " ")
		}
		add("", doc)
		for _, name := range []string{"genome", "stats", "run", "version"} {
			add(name, doc[name])
		}
		add("db", doc["version"].(map[string]any)["db"])
		for _, s := range doc["sequences"].([]any) {
			if kind := s.(map[string]any)["type"].(string); kind != "chromosome" {
				add(kind, s)
			}
		}
		for _, f := range doc["features"].([]any) {
			switch m := f.(map[string]any); {
			case m["type"] == "gap":
				add("gap", f)
			case m["type"] == "cds" && m["hypothetical"] == true && m["pseudogene"] == nil:
				add("cds", f)
				add("seq_stats", m["seq_stats"])
			}
		}
		return got
	}
	ours, _ := demo(t)
	if diff := cmp.Diff(want, keys(ours)); diff != "" {
		t.Errorf("want -, stand-in +:\n%s", diff)
	}
	if prefix := realPrefix(t); prefix != "" {
		real := playReal(t, prefix, with(fast, demoGenome)...).mustSucceed(t)
		if diff := cmp.Diff(want, keys(real)); diff != "" {
			t.Errorf("want -, Bakta +:\n%s", diff)
		}
	}
}

// steps are the lines of the standard output that are no details, and say nothing of time and place.
func (p played) steps() (steps []string) {
	for line := range strings.Lines(p.stdout) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == notice || strings.HasPrefix(line, "If you use these results"):
		case strings.Contains(p.stdout, "\t"+line): // a detail
		case strings.HasPrefix(line, "Export"):
			steps = append(steps, "Export annotation results to:")
		case strings.HasPrefix(line, "Annotation"):
			steps = append(steps, "Annotation successfully finished in")
		default:
			steps = append(steps, line)
		}
	}
	return steps
}

func TestSteps(t *testing.T) {
	all := []string{
		"Parse genome sequences...", "Start annotation...", "predict tRNAs...", "predict tmRNAs...", "predict rRNAs...", "predict ncRNAs...",
		"predict ncRNA regions...", "predict CRISPR arrays...", "predict & annotate CDSs...", "detect & annotate sORF...", "detect gaps...",
		"detect oriCs/oriVs...", "detect oriTs...", "apply feature overlap filters...", "select features and create locus tags...",
		"improve annotations...", "Genome statistics:", "annotation summary:", "Export annotation results to:", "Annotation successfully finished in",
	}
	if diff := cmp.Diff(all, play(t, demoGenome).mustSucceed(t).steps()); diff != "" {
		t.Error(diff)
	}
	everything := with(fast, "--skip-cds", "--skip-gap", "--skip-filter")
	skipped := []string{
		"Parse genome sequences...", "Start annotation...", "skip tRNA prediction...", "skip tmRNA prediction...", "skip rRNA prediction...",
		"skip ncRNA prediction...", "skip ncRNA region prediction...", "skip CRISPR array prediction...", "skip CDS prediction...",
		"skip sORF prediction...", "skip gap annotation...", "skip oriC/T annotation...", "skip feature overlap filters...",
		"select features and create locus tags...", "improve annotations...", "Genome statistics:", "annotation summary:",
		"Export annotation results to:", "Annotation successfully finished in",
	}
	if diff := cmp.Diff(skipped, play(t, with(everything, demoGenome)...).mustSucceed(t).steps()); diff != "" {
		t.Error(diff)
	}
	if prefix := realPrefix(t); prefix != "" {
		if diff := cmp.Diff(all, playReal(t, prefix, demoGenome).mustSucceed(t).steps()); diff != "" {
			t.Errorf("want -, Bakta +:\n%s", diff)
		}
		if diff := cmp.Diff(skipped, playReal(t, prefix, with(everything, demoGenome)...).mustSucceed(t).steps()); diff != "" {
			t.Errorf("all skipped: want -, Bakta +:\n%s", diff)
		}
	}
}

func TestStepDelay(t *testing.T) {
	t.Setenv("BAKTA_STAND_IN_STEP_DELAY", "soon")
	if got := play(t, demoGenome); got.status != 1 || !strings.Contains(got.stderr, "BAKTA_STAND_IN_STEP_DELAY") {
		t.Errorf("exit status %d, %q", got.status, got.stderr)
	}
	t.Setenv("BAKTA_STAND_IN_STEP_DELAY", "1h")
	ctx, cancel := context.WithCancel(t.Context())
	stdout := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("Parse genome")) {
			cancel()
		}
		return len(b), nil
	})
	if status := Main(ctx, []string{"bakta", "--output", filepath.Join(t.TempDir(), "out"), demoGenome}, stdout, io.Discard); status != 130 {
		t.Errorf("exit status %d after the context ended, want 130", status)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
