package standin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"image/png"
	"io"
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

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

func TestRoles(t *testing.T) {
	const version = "bakta-stand-in 1.12.2+stand-in (not Bakta)\n"
	for _, test := range []struct {
		argv []string
		want string
	}{
		{[]string{"/usr/bin/bakta", "--version"}, version},
		{[]string{"bakta-stand-in", "bakta", "--version"}, version},
		{[]string{"bakta-stand-in", "--version"}, version},
		{[]string{"stand-in", "baktfold", "--version"}, version},
		{[]string{"bakta-stand-in", "bakta_proteins", "--help"}, notice + "\n"},
		{[]string{"stand-in", "baktfold", "run", "--help"}, notice + "\n"},
	} {
		var stdout, stderr bytes.Buffer
		if status := Main(t.Context(), test.argv, &stdout, &stderr); status != 0 || !strings.HasPrefix(stdout.String(), test.want) {
			t.Errorf("%q: exit status %d, %s%s", test.argv, status, &stdout, &stderr)
		}
	}
}

// Every workflow's results are there, and say what they are if their format has room for it.
func TestFiles(t *testing.T) {
	annotation := play(t, "bakta", demoGenome).mustSucceed(t).path("json")
	for _, test := range []struct {
		kind string
		args []string
		gone []string // files that are not there
	}{
		{workflow.Bakta, []string{"bakta", demoGenome}, nil},
		{workflow.Bakta, []string{"bakta", "--skip-plot", "--skip-cds", demoGenome},
			[]string{"png", "svg", "hypotheticals.tsv", "hypotheticals.faa"}},
		{workflow.BaktaProteins, []string{"bakta_proteins", write(t, "proteins.faa", proteinsFASTA)}, nil},
		{workflow.Baktfold, []string{"baktfold", "--input=" + annotation}, []string{"hypotheticals.tsv", "hypotheticals.faa"}},
	} {
		got := play(t, test.args[0], test.args[1:]...).mustSucceed(t)
		w, _ := workflow.Lookup(test.kind)
		for _, r := range w.Results {
			name := strings.TrimPrefix(r.File, "result.")
			there := slices.Contains(got.endings(t), name)
			if want := !slices.Contains(test.gone, r.Ending); there != want {
				t.Errorf("%q: %s is there: %t, want %t", test.args, name, there, want)
			}
			if slices.Contains([]string{"fna", "ffn", "faa", "hypotheticals.faa", "png"}, name) || !there { // no room for a comment
				continue
			}
			if text := strings.Join(strings.Fields(got.file(t, name)), " "); !strings.Contains(text, notice) { // GenBank wraps it
				t.Errorf("%q: %s does not say that it is not an annotation", test.args, name)
			}
		}
		if !strings.HasPrefix(got.stdout, notice+"\n") {
			t.Errorf("%q: it does not say what it is at its start:\n%s", test.args, got.stdout)
		}
	}
}

// Every step that is shown to people of a program is one that the stand-in prints.
func TestProgress(t *testing.T) {
	annotation := play(t, "bakta", demoGenome).mustSucceed(t).path("json")
	skip := []string{"bakta"}
	for _, s := range steps() {
		if s.skip != "" {
			skip = append(skip, "--"+s.skip)
		}
	}
	for _, test := range []struct {
		kind    string
		args    []string
		without int // steps that are not shown
	}{
		{workflow.Bakta, []string{"bakta", demoGenome}, 0},
		{workflow.Bakta, append(skip, demoGenome), 1}, // Bakta prints one line for the two steps that --skip-ori leaves out
		{workflow.BaktaProteins, []string{"bakta_proteins", write(t, "proteins.faa", proteinsFASTA)}, 0},
		{workflow.Baktfold, []string{"baktfold", "--input=" + annotation}, 0},
	} {
		p := play(t, test.args[0], test.args[1:]...).mustSucceed(t)
		progress := workflow.NewProgress(test.kind)
		seen := map[int]bool{}
		of := 0
		for line := range strings.Lines(p.stdout + p.stderr) {
			io.WriteString(progress, line)
			if at, ok := progress.Step(); ok {
				seen[at.Number], of = true, at.Of
			}
		}
		if len(seen)+test.without != of || of == 0 {
			t.Errorf("%q: the steps %v of %d", test.args, seen, of)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		program string
		args    []string
		status  int
		last    string
	}{
		"no input":        {"bakta", nil, 1, "ERROR: input file () not valid!"},
		"a missing input": {"bakta", []string{"/nowhere.fna"}, 1, "ERROR: input file (/nowhere.fna) not valid!"},
		"no number":       {"bakta", []string{"--translation-table=x", demoGenome}, 2, ""},
		"no FASTA":        {"bakta", []string{write(t, "a", "hello\n")}, 1, "ERROR: wrong genome file format!"},
		"a protein":       {"bakta", []string{write(t, "a", ">a\nMKLV\n")}, 1, "ERROR: wrong genome file format!"},
		"a header alone":  {"bakta", []string{write(t, "a", ">a\n>b\nACGT\n")}, 1, "ERROR: wrong genome file format!"},
		"all too short": {"bakta", []string{"--min-contig-length=100", write(t, "a", ">a\nACGT\n")}, 1,
			"Error: input file contains no valid sequences."},
		"a digit": {"bakta_proteins", []string{write(t, "a", ">a\nMK1\n")}, 1,
			"ERROR: wrong file format or unallowed characters in amino acid sequences!"},
		"no annotation": {"baktfold", []string{"--input=" + write(t, "a.json", `{"features":[]}`)}, 1, ""},
	} {
		got := play(t, test.program, test.args...)
		if got.status != test.status || !strings.Contains(lastLine(got.stderr), test.last) || lastLine(got.stderr) == "" {
			t.Errorf("%s: exit status %d, %q", name, got.status, got.stderr)
		}
	}
	var out bytes.Buffer
	if status := Main(t.Context(), []string{"baktfold", "walk"}, &out, &out); status != 2 {
		t.Errorf("an unknown command: exit status %d, %s", status, &out)
	}
}

// Options that the stand-in does not know are ignored, whether they have a value or not, and so are uploads that it can't use.
func TestOtherOptions(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, ">a one  two\nAC-GT\nnnryk\n>b\tcomplete plasmid\r\nAC GT\r\n\r\nA")
	w.Close()
	genome := write(t, "genome.fna.gz", packed.String())
	const want = ">contig_1 [topology=linear] [contig]\nACGTNNRYK\n>contig_2 [topology=circular] [plasmid unnamed1]\nACGTA\n"
	for _, args := range [][]string{
		nil, {"--new"}, {"--strain=-x", "--new=value"}, {"--regions=/nowhere", "--force", "--threads=2"}, {"--gram=-", "--meta"},
	} {
		got := play(t, "bakta", append(args, genome)...).mustSucceed(t)
		if got.file(t, "fna") != want {
			t.Errorf("%q: %s", args, got.file(t, "fna"))
		}
		if !strings.Contains(got.file(t, "json"), `"features": []`) {
			t.Errorf("%q: no features are not an empty list, which the web UI needs", args)
		}
	}
}

// cds is what all formats must agree on.
type cds struct {
	sequence, strand, locus string
	start, stop             int
	aa                      string
}

func (c cds) withoutAA() cds { c.aa = ""; return c }

// demo plays the demonstration's genome, and reads the coding sequences from the JSON file.
func demo(t *testing.T, args ...string) (played, []cds) {
	t.Helper()
	p := play(t, "bakta", append(args, demoGenome)...).mustSucceed(t)
	var doc annotation
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
	for i, f := range doc.Features {
		all = append(all, cds{f.Sequence, f.Strand, f.Locus, f.Start, f.Stop, f.AA})
		if f.Strand == "+" && nt[f.Sequence][f.Start-1:f.Stop] != f.NT {
			t.Errorf("%s: the bases are not those at its place", f.Locus)
		}
		if aa, err := table.Translate(f.NT); err != nil || "M"+aa[1:] != f.AA+"*" {
			t.Errorf("%s: another translator reads %s, %v", f.Locus, aa, err)
		}
		if i > 0 && all[i-1].sequence == f.Sequence && (all[i-1].start > f.Start || all[i-1].stop-f.Start >= longestOverlap) {
			t.Errorf("%+v and %+v are out of order or overlap", all[i-1], all[i])
		}
	}
	if len(all) < 50 {
		t.Fatalf("%d coding sequences in a genome of 61 genes", len(all))
	}
	return p, all
}

func TestFormats(t *testing.T) {
	p, want := demo(t, "--genus=Demo", `--strain=12 "quoted"`, "--locus-tag=ABC", "--locus-tag-increment=10")
	if want[0].locus != "ABC_0010" || want[1].locus != "ABC_0020" {
		t.Errorf("locus tags %s, %s", want[0].locus, want[1].locus)
	}
	var short []cds
	for _, c := range want {
		short = append(short, c.withoutAA())
	}
	compare := func(format string, want, got []cds) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(cds{})); diff != "" {
			t.Errorf("%s: JSON -, %s +:\n%s", format, format, diff)
		}
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Error(err)
		}
		return n
	}

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
			got = append(got, cds{sequence: row[0], strand: row[4], locus: row[5], start: number(row[2]), stop: number(row[3])})
		}
		compare(ending, short, got)
	}

	for _, ending := range []string{"faa", "hypotheticals.faa", "ffn"} {
		records, err := fasta.Parse(strings.NewReader(p.file(t, ending)))
		if err != nil || len(records) != len(want) {
			t.Fatalf("%s: %v, %d records, want %d", ending, err, len(records), len(want))
		}
		for i, r := range records {
			if r.Name != want[i].locus+" hypothetical protein" || ending != "ffn" && r.Sequence != want[i].aa {
				t.Errorf("%s: %s %s", ending, r.Name, r.Sequence)
			}
		}
	}

	// The parser reads no plain comments.
	_, body, _ := strings.Cut(p.file(t, "gff3"), "##sequence-region")
	parsed, err := gff.Parse(strings.NewReader("##gff-version 3\n##sequence-region" + body))
	if err != nil {
		t.Fatal(err)
	}
	var got []cds
	for _, f := range parsed.Features {
		got = append(got, cds{f.Name, f.Strand, f.Attributes["locus_tag"], f.Location.Start + 1, f.Location.End, ""})
	}
	compare("GFF3", short, got)

	records, err := genbank.ParseMulti(strings.NewReader(p.file(t, "gbff")))
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for i, r := range records {
		if r.Meta.Locus.Circular != (i == 1) || number(r.Meta.Locus.SequenceLength) != len(r.Sequence) || r.Meta.Organism != `Demo 12 "quoted"` {
			t.Errorf("record %d: %+v", i, r.Meta)
		}
		for _, f := range r.Features {
			if f.Type == "CDS" {
				strand := map[bool]string{true: "-", false: "+"}[f.Location.Complement]
				got = append(got, cds{r.Meta.Locus.Name, strand, f.Attributes["locus_tag"], f.Location.Start + 1, f.Location.End,
					f.Attributes["translation"]})
			}
		}
	}
	compare("GenBank", want, got)

	if _, err := png.Decode(strings.NewReader(p.file(t, "png"))); err != nil {
		t.Errorf("PNG: %v", err)
	}
	if err := xml.Unmarshal([]byte(p.file(t, "svg")), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("SVG: %v", err)
	}
}

// Biopython is what most people read these files with.
func TestBiopython(t *testing.T) {
	set, ok := realbakta.Find(t)
	if !ok {
		return
	}
	p, want := demo(t, "--genus=Demo")
	const script = `
import sys, warnings
import Bio
from Bio import SeqIO
warnings.simplefilter('error', Bio.BiopythonWarning)
for ending, form in ('gbff', 'genbank'), ('embl', 'embl'):
    features = 0
    for r in SeqIO.parse(f'{sys.argv[1]}.{ending}', form):
        for f in r.features:
            if f.type == 'CDS':
                assert str(f.extract(r.seq).translate(table=11, cds=True)) == f.qualifiers['translation'][0]
                features += 1
        print(ending, r.name, len(r), r.annotations['topology'], r.annotations['organism'])
    print(ending, features)
`
	python := filepath.Join(set.Prefix, "venv", "bin", "python")
	out, err := exec.CommandContext(t.Context(), python, "-c", script, strings.TrimSuffix(p.path("x"), ".x")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var lines []string
	for _, ending := range []string{"gbff", "embl"} {
		for _, record := range []string{
			"contig_1 45235 linear Demo", "contig_2 9073 circular Demo", "contig_3 3940 linear Demo", strconv.Itoa(len(want)),
		} {
			lines = append(lines, ending+" "+record+"\n")
		}
	}
	if diff := cmp.Diff(strings.Join(lines, ""), string(out)); diff != "" {
		t.Error(diff)
	}
}

func TestProteins(t *testing.T) {
	got := play(t, "bakta_proteins", write(t, "proteins.faa", proteinsFASTA)).mustSucceed(t)
	want := ">p1 hypothetical protein\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGD\n>p2 hypothetical protein\nMKTAYX\n"
	if got.file(t, "faa") != want {
		t.Errorf("faa: %s", got.file(t, "faa"))
	}
}

// What a real Bakta of an older version found is taken, too, and all of it is passed on: features of other kinds, and other
// names of keys.
func TestBaktfoldOfOlderBakta(t *testing.T) {
	const old = `{"genome":{"genus":"Exemplum","translation_table":11},"stats":{"size":12},"features":[
{"type":"cds","contig":"c1","start":1,"stop":9,"strand":"+","gene":"abcD","product":"a \"product\"; of 1",
 "nt":"ATGGCCTAA","aa":"MA","locus":"L_2"},
{"type":"tRNA","contig":"c1","start":10,"stop":12,"strand":"-","gene":"trnA","product":"tRNA-Ala","locus":"L_1","id":"i_1"}],
"sequences":[{"id":"c1","description":"d","sequence":"ATGGCCTAAACG","length":12,"topology":"circular"}],
"version":{"bakta":"1.8.0","db":"5.0"}}`
	got := play(t, "baktfold", "--input="+write(t, "old.json", old)).mustSucceed(t)
	for ending, want := range map[string]string{
		"fna":  ">c1 d\nATGGCCTAAACG\n",
		"faa":  ">L_2 a \"product\"; of 1\nMA\n",
		"gff3": "\ttRNA\t10\t12\t.\t-\t.\tID=i_1;locus_tag=L_1;",
	} {
		if text := got.file(t, ending); !strings.Contains(text, want) {
			t.Errorf("%s: %s", ending, text)
		}
	}
	var before, after map[string]any
	for text, into := range map[string]*map[string]any{old: &before, got.file(t, "json"): &after} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	before["version"] = map[string]any{"bakta": "1.8.0", "db": "5.0", "baktfold": foldVersion, "baktfold_db": "0.0", "note": notice}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("passed on: want -, got +\n%s", diff)
	}
}

// Baktfold empties the directory that it is to write to.
func TestBaktfoldEmptiesItsDirectory(t *testing.T) {
	input, out := play(t, "bakta", demoGenome).mustSucceed(t).path("json"), t.TempDir()
	left := filepath.Join(out, "left")
	if err := os.WriteFile(left, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	play(t, "baktfold", "--input="+input, "--output="+out, "--force").mustSucceed(t)
	if _, err := os.Stat(left); err == nil {
		t.Error("what was in the directory is still there")
	}
	if _, err := os.Stat(filepath.Join(out, "x.json")); err != nil {
		t.Error(err)
	}
}

// The real Baktfold takes what the stand-in writes as Bakta.
func TestRealBaktfoldTakesTheAnnotation(t *testing.T) {
	program, database, ok := realbakta.Baktfold(t)
	if !ok {
		return
	}
	p, want := demo(t)
	out := filepath.Join(t.TempDir(), "out")
	command := exec.CommandContext(t.Context(), program, "run", "--cpu", "--input="+p.path("json"), "--output="+out, "--database="+database)
	command.Env = append(os.Environ(), "HF_HUB_OFFLINE=1")
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if n := strings.Count(read(t, filepath.Join(out, "baktfold.faa")), ">"); n != len(want) {
		t.Errorf("%d proteins, want %d", n, len(want))
	}
}

// The genome that is shipped is the one that the real Bakta's database knows.
func TestDemoGenome(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT COMPARED WITH bakta/genome.py: there is no python3")
	}
	made, err := exec.CommandContext(t.Context(), python, "-B", "../../bakta/genome.py").Output()
	if err != nil {
		t.Fatal(err)
	}
	if read(t, demoGenome) != string(made) {
		t.Error("local/demo/genome.fna is not what bakta/genome.py makes")
	}
}

func TestStepDelay(t *testing.T) {
	t.Setenv("BAKTA_STAND_IN_STEP_DELAY", "soon")
	if got := play(t, "bakta", demoGenome); got.status != 1 || !strings.Contains(got.stderr, "BAKTA_STAND_IN_STEP_DELAY") {
		t.Errorf("exit status %d, %q", got.status, got.stderr)
	}
	t.Setenv("BAKTA_STAND_IN_STEP_DELAY", "1h")
	ctx, cancel := context.WithCancel(t.Context())
	stdout := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte(notice)) {
			cancel()
		}
		return len(b), nil
	})
	args := []string{"bakta", "--output", filepath.Join(t.TempDir(), "out"), demoGenome}
	if status := Main(ctx, args, stdout, io.Discard); status != 130 {
		t.Errorf("exit status %d after the context ended, want 130", status)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
