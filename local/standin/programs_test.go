package standin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// realProteins and realBaktfold run the real programs the way playAs does, or are nil.
func realProteins(t *testing.T) func(*testing.T, ...string) played {
	set, ok := realbakta.Find(t)
	if !ok {
		return nil
	}
	return func(t *testing.T, args ...string) played {
		return playRealAs(t, "bakta_proteins", set.Proteins, set.Database, args...)
	}
}

func realBaktfold(t *testing.T) func(*testing.T, ...string) played {
	program, database, ok := realbakta.Baktfold(t)
	if !ok {
		return nil
	}
	return func(t *testing.T, args ...string) played {
		return playRealAs(t, "baktfold", program, database, args...)
	}
}

// annotationFile is an annotation by the stand-in, as a file, with one coding sequence that is not hypothetical.
func annotationFile(t *testing.T) string {
	t.Helper()
	text := play(t, demoGenome).mustSucceed(t).file(t, "json")
	text = strings.Replace(text, `"hypothetical": true,`, `"expert": [],`, 1)
	return write(t, "bakta.json", strings.Replace(text, `"product": "hypothetical protein"`, `"product": "a protein"`, 1))
}

func TestRoles(t *testing.T) {
	for _, test := range []struct {
		argv []string
		want string
	}{
		{[]string{"/usr/bin/bakta", "--version"}, "bakta-stand-in 1.12.2+stand-in (not Bakta)\n"},
		{[]string{"bakta-stand-in", "bakta", "--version"}, "bakta-stand-in 1.12.2+stand-in (not Bakta)\n"},
		{[]string{"bakta-stand-in", "--version"}, "bakta-stand-in 1.12.2+stand-in (not Bakta)\n"},
		{[]string{"/usr/bin/bakta_proteins", "-V"}, "bakta-stand-in 1.12.2+stand-in (not Bakta)\n"},
		{[]string{"bakta-stand-in", "bakta_proteins", "--help"}, "usage: bakta_proteins [OPTIONS] <input>\n"},
		{[]string{"baktfold", "--version"}, "baktfold, version 0.3.0+stand-in (bakta-stand-in, not Baktfold)\n"},
		{[]string{"stand-in", "baktfold", "run", "-V"}, "baktfold, version 0.3.0+stand-in (bakta-stand-in, not Baktfold)\n"},
		{[]string{"stand-in", "baktfold", "run", "--help"}, "Usage: baktfold run [OPTIONS]\n\n" + notice + "\n"},
	} {
		var stdout, stderr bytes.Buffer
		if status := Main(t.Context(), test.argv, &stdout, &stderr); status != 0 || !strings.HasPrefix(stdout.String(), test.want) {
			t.Errorf("%q: exit status %d, %s%s", test.argv, status, &stdout, &stderr)
		}
	}
}

// files lists what a run left, with what differs from run to run taken out of the names.
func (p played) files(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(p.prefix))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, regexp.MustCompile(`_run_[0-9.]+log`).ReplaceAllString(e.Name(), "_run_TIME.log"))
	}
	return names
}

// heads are the lines of a table that name its columns, the last before the rows, and how many fields each row has.
func heads(content string) (head string, fields []int) {
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\n")
		n := strings.Count(line, "\t") + 1
		if strings.HasPrefix(line, "#") && n == 1 {
			continue
		}
		if head == "" {
			head = line
		} else if !slices.Contains(fields, n) {
			fields = append(fields, n)
		}
	}
	return head, fields
}

// paths are the paths of keys in a JSON document, with "[]" for the items of a list.
func paths(t *testing.T, content string, ours ...string) []string {
	t.Helper()
	var document any
	if err := json.Unmarshal([]byte(content), &document); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, value := range v {
				if path := strings.TrimPrefix(at+"."+key, "."); !slices.Contains(ours, path) {
					found[path] = true
					walk(path, value)
				}
			}
		case []any:
			for _, value := range v {
				walk(at+"[]", value)
			}
		}
	}
	walk("", document)
	var all []string
	for path := range found {
		all = append(all, path)
	}
	slices.Sort(all)
	return all
}

const proteinsFASTA = ">p1 some protein\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAP\nILSRVGD*\n>p2\nmk-tayX\n"

func TestProteins(t *testing.T) {
	input := write(t, "proteins.faa", proteinsFASTA)
	got := playAs(t, "bakta_proteins", input).mustSucceed(t)
	if diff := cmp.Diff([]string{"x.faa", "x.hypotheticals.tsv", "x.inference.tsv", "x.json", "x.log", "x.tsv"}, got.files(t)); diff != "" {
		t.Error(diff)
	}
	if want := ">p1 hypothetical protein\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGD\n>p2 hypothetical protein\nMKTAYX\n"; got.file(t, "faa") != want {
		t.Errorf("faa: %s", got.file(t, "faa"))
	}
	for _, ending := range []string{"hypotheticals.tsv", "inference.tsv", "json", "log", "tsv"} {
		if !strings.Contains(got.file(t, ending), notice) {
			t.Errorf("%s does not say that it is no annotation", ending)
		}
	}
	real := realProteins(t)
	if real == nil {
		return
	}
	theirs := real(t, input).mustSucceed(t)
	if diff := cmp.Diff(theirs.files(t), got.files(t)); diff != "" {
		t.Errorf("Bakta -, stand-in +:\n%s", diff)
	}
	if diff := cmp.Diff(theirs.file(t, "faa"), got.file(t, "faa")); diff != "" {
		t.Errorf("Bakta -, stand-in +:\n%s", diff)
	}
	if diff := cmp.Diff(paths(t, theirs.file(t, "json")), paths(t, got.file(t, "json"), "version.note", "version.tool")); diff != "" {
		t.Errorf("Bakta -, stand-in +:\n%s", diff)
	}
	for _, ending := range []string{"hypotheticals.tsv", "inference.tsv", "tsv"} {
		want, wantFields := heads(theirs.file(t, ending))
		if head, fields := heads(got.file(t, ending)); head != want || !slices.Equal(fields, wantFields) {
			t.Errorf("%s: %q with %d fields, Bakta: %q with %d", ending, head, fields, want, wantFields)
		}
	}
	if diff := cmp.Diff(theirs.lines(), got.lines()); diff != "" {
		t.Errorf("Bakta -, stand-in +:\n%s", diff)
	}
}

// lines are the lines of the standard output without counts, paths and times.
func (p played) lines() (lines []string) {
	for line := range strings.Lines(p.stdout) {
		if line = strings.TrimSpace(line); line == "" || line == notice || strings.HasPrefix(line, "If you use") {
			continue
		}
		line, _, _ = strings.Cut(line, ": ")
		if strings.HasPrefix(line, "Annotation successfully finished in ") {
			line = "Annotation successfully finished in "
		}
		lines = append(lines, line)
	}
	return lines
}

// hmm is the head of a model.
func hmm(more string) string {
	return "HMMER3/f [3.4 | Aug 2023]\nNAME  q\nACC   Q\n" + more + "LENG  1\n//\n"
}

// proteinRefusals are command lines that bakta_proteins refuses, with its exit status and the last line of its words.
func proteinRefusals(t *testing.T) map[string]refusal {
	input := write(t, "proteins.faa", proteinsFASTA)
	return map[string]refusal{
		"no input":      {nil, 2, "bakta_proteins: error: the following arguments are required: <input>"},
		"an option":     {[]string{"--nope", input}, 2, "bakta_proteins: error: unrecognized arguments: --nope"},
		"no number":     {[]string{"--threads", "x", input}, 2, "bakta_proteins: error: argument --threads/-t: invalid int value: 'x'"},
		"missing input": {[]string{"/nowhere.faa"}, 1, "ERROR: input proteins file (/nowhere.faa) not valid!"},
		"no FASTA":      {[]string{write(t, "junk", "no FASTA\n")}, 1, "ERROR: wrong file format or unallowed characters in amino acid sequences!"},
		"a digit":       {[]string{write(t, "a.faa", ">a\nMK1\n")}, 1, "ERROR: wrong file format or unallowed characters in amino acid sequences!"},
		"a stop":        {[]string{write(t, "b.faa", ">a\nM*K*\n")}, 1, "ERROR: wrong file format or unallowed characters in amino acid sequences!"},
		"nothing":       {[]string{write(t, "c.faa", ">a\n\n")}, 1, "ERROR: wrong file format or unallowed characters in amino acid sequences!"},
		"no proteins":   {[]string{"--proteins", "/nowhere", input}, 1, "ERROR: user proteins file (/nowhere) not valid!"},
		"no HMMs":       {[]string{"--hmms", "/nowhere", input}, 1, "ERROR: HMM file (/nowhere) not valid!"},
		"undescribed":   {[]string{"--proteins", write(t, "d.faa", ">a\nMK\n"), input}, 1, "ERROR: User proteins file Fasta format not valid!"},
		"unusable":      {[]string{"--proteins", write(t, "e.faa", ">a g~~p\nMK\n"), input}, 1, "Exception: diamond error! error code: 1"},
		"no ending":     {[]string{"--proteins", write(t, "f.txt", ">a g~~~p~~~\nMK\n"), input}, 1, "Exception: diamond error! error code: 1"},
		"no HMMER":      {[]string{"--hmms", write(t, "g.hmm", "no HMMER\n"), input}, 1, "ValueError: format not recognized by HMMER"},
	}
}

// refusal is how a command line is refused.
type refusal struct {
	args   []string
	status int
	last   string
}

// refuses holds that all are refused, by whoever plays.
func refuses(t *testing.T, refusals map[string]refusal, play func(*testing.T, ...string) played) {
	t.Helper()
	for name, want := range refusals {
		t.Run(name, func(t *testing.T) {
			got := play(t, want.args...)
			last := regexp.MustCompile(`^.* \| ERROR    \| [a-z._A-Z]+:[a-z_]+:[0-9]+ - `).ReplaceAllString(lastLine(got.stderr), "")
			last, _, _ = strings.Cut(last, " (Did you mean")
			if got.status != want.status || last != want.last {
				t.Errorf("exit status %d, %q\nwant %d, %q", got.status, last, want.status, want.last)
			}
		})
	}
}

func TestProteinRefusals(t *testing.T) {
	refuses(t, proteinRefusals(t), func(t *testing.T, args ...string) played { return playAs(t, "bakta_proteins", args...) })
	got := playAs(t, "bakta_proteins", "--hmms", write(t, "q.hmm", hmm("")), write(t, "proteins.faa", proteinsFASTA))
	if want := "pyhmmer.errors.MissingCutoffs: Model 'q' is missing 'trusted' bitscore cutoff required by pipeline"; got.status != 1 || lastLine(got.stderr) != want {
		t.Errorf("exit status %d, %s", got.status, got.stderr)
	}
	playAs(t, "bakta_proteins", "--hmms", write(t, "q.hmm", hmm("TC    20 20\n")), "--proteins", write(t, "t.faa", ">a 90~~~80~~~80~~~g~~~p~~~x:1,y:2\nMK\n"),
		"--threads=1", "--tmp-dir", t.TempDir(), write(t, "proteins.faa", proteinsFASTA)).mustSucceed(t)
}

func TestProteinRefusalsAreBaktas(t *testing.T) {
	if real := realProteins(t); real != nil {
		refuses(t, proteinRefusals(t), real)
	}
}

// Files of coding sequences that Bakta takes or refuses, for a genome that has one at 26..724 on the
// reverse strand of its first sequence.
func TestRegions(t *testing.T) {
	const known = "demo_chromosome\tx\tCDS\t26\t724\t.\t-\t0\tID=a\n"
	const record = "LOCUS       demo_chromosome  45235 bp    DNA     linear   BCT 01-JAN-1980\nACCESSION   demo_chromosome\nVERSION     demo_chromosome\n" +
		"FEATURES             Location/Qualifiers\n     CDS             complement(26..724)\n                     /locus_tag=\"a\"\nORIGIN\n        1 acgt\n//\n"
	gff, genbank := "ERROR: User-provided regions/features file GFF3 format not valid!", "ERROR: User-provided regions/features file GenBank format not valid!"
	for i, test := range []struct {
		name, file, content string
		imported, skipped   int
		error               string
	}{
		{"GFF3", "r.gff3", "##gff-version 3\n" + known, 1, 0, ""},
		{"other features", "r.gff", strings.Replace(known, "CDS", "gene", 1) + known + "##FASTA\n>x\n\n", 1, 0, ""},
		{"GenBank", "r.gbk", record, 1, 0, ""},
		{"compressed ending", "r.gff.txt", known, 1, 0, ""},
		{"no ending", "r.txt", known, 0, 0, ""},
		{"no coding sequence", "r.gff", strings.Replace(known, "26", "27", 1), 0, 1, ""},
		{"the other strand", "r.gff", strings.Replace(known, "-", "+", 1), 0, 1, ""},
		{"out of range", "r.gff", strings.Replace(known, "724", "724000", 1), 0, 1, ""},
		{"unknown sequence", "r.gff", strings.Replace(known, "demo", "other", 1), 0, 0, gff},
		{"blank line", "r.gff", known + "\n" + known, 0, 0, gff},
		{"too few fields", "r.gff", "demo_chromosome\tx\tCDS\t26\n", 0, 0, gff},
		{"no number", "r.gff", strings.Replace(known, "26", "x", 1), 0, 0, gff},
		{"unknown sequence of GenBank", "r.gbk", strings.ReplaceAll(record, "demo_", "other_"), 0, 0, genbank},
		{"no GenBank", "r.gbk", "nothing of the kind\n", 0, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := with(fast, "--skip-gap", "--skip-filter", "--regions", write(t, test.file, test.content), demoGenome)
			holds := func(who string, p played) {
				t.Helper()
				if test.error != "" {
					if p.status != 1 || lastLine(p.stderr) != test.error {
						t.Errorf("%s: exit status %d, %s", who, p.status, p.stderr)
					}
					return
				}
				if want := fmt.Sprintf("\tuser regions: %d imported, %d skipped\n", test.imported, test.skipped); p.status != 0 || !strings.Contains(p.stdout, want) {
					t.Errorf("%s: not %q: exit status %d\n%s%s", who, want, p.status, p.stdout, p.stderr)
				}
				if n := strings.Count(p.file(t, "json"), `"source": "user-provided"`); n != test.imported {
					t.Errorf("%s: %d regions in the JSON file", who, n)
				}
			}
			holds("stand-in", play(t, args...))
			if i%2 != 0 { // a run of the real one takes seconds
				return
			}
			if prefix := realPrefix(t); prefix != "" {
				holds("Bakta", playReal(t, prefix, args...))
			}
		})
	}
	// All of them are of no use without coding sequences, and not looked at.
	junk := write(t, "junk.gff", "\n")
	play(t, "--skip-cds", "--regions", junk, "--hmms", junk, "--proteins", write(t, "a.faa", ">a\nMK\n"), demoGenome).mustSucceed(t)
}

var foldFiles = []string{"baktfold_afdbclusters_tophit.tsv", "baktfold_cath_tophit.tsv", "baktfold_pdb_tophit.tsv", "baktfold_run_TIME.log",
	"baktfold_swissprot_tophit.tsv", "logs", "x.embl", "x.faa", "x.ffn", "x.fna", "x.gbff", "x.gff3", "x.inference.tsv", "x.json", "x.summary.txt", "x.tsv",
	"x_3di.fasta"}

func TestBaktfold(t *testing.T) {
	input := annotationFile(t)
	for _, args := range [][]string{{"--cpu", "-t", "1"}, {"--fast", "-a"}} {
		got := playAs(t, "baktfold", with(args, "-i", input)...).mustSucceed(t)
		want := slices.Clone(foldFiles)
		if slices.Contains(args, "--fast") {
			want = want[1:]
		}
		if diff := cmp.Diff(want, got.files(t)); diff != "" {
			t.Error(diff)
		}
		for _, ending := range []string{"embl", "gff3", "inference.tsv", "json", "summary.txt", "tsv"} {
			if !strings.Contains(got.file(t, ending), notice) {
				t.Errorf("%s does not say that it is no annotation", ending)
			}
		}
		// All of the input's features and sequences are handed on.
		if diff := cmp.Diff(paths(t, must(os.ReadFile(input))), paths(t, got.file(t, "json"), "version.baktfold", "version.baktfold_db")); diff != "" {
			t.Errorf("input -, output +:\n%s", diff)
		}
		real := realBaktfold(t)
		if real == nil {
			continue
		}
		theirs := real(t, with(args, "-i", input)...).mustSucceed(t)
		if diff := cmp.Diff(theirs.files(t), got.files(t)); diff != "" {
			t.Errorf("%q: Baktfold -, stand-in +:\n%s", args, diff)
		}
		if diff := cmp.Diff(paths(t, theirs.file(t, "json")), paths(t, got.file(t, "json"))); diff != "" {
			t.Errorf("%q: Baktfold -, stand-in +:\n%s", args, diff)
		}
		for _, ending := range []string{"inference.tsv", "tsv"} {
			want, wantFields := heads(theirs.file(t, ending))
			if head, fields := heads(got.file(t, ending)); head != want || !slices.Equal(fields, wantFields) {
				t.Errorf("%q: %s: %q with %d fields, Baktfold: %q with %d", args, ending, head, fields, want, wantFields)
			}
		}
		for _, ending := range []string{"faa", "ffn", "fna"} {
			if diff := cmp.Diff(theirs.file(t, ending), got.file(t, ending)); diff != "" {
				t.Errorf("%q: %s: Baktfold -, stand-in +:\n%s", args, ending, diff)
			}
		}
		summary := func(p played) string { s, _, _ := strings.Cut(p.file(t, "summary.txt"), "\n\n"); return s }
		if diff := cmp.Diff(summary(theirs), summary(got)); diff != "" {
			t.Errorf("%q: Baktfold -, stand-in +:\n%s", args, diff)
		}
		// What the stand-in says, the real one says too, in this order.
		at, said := 0, messages(theirs.stderr)
		for _, message := range messages(got.stderr) {
			i := slices.Index(said[at:], message)
			if i < 0 {
				t.Fatalf("%q: Baktfold does not say %q here:\n%s", args, message, strings.Join(said[at:], "\n"))
			}
			at += i + 1
		}
	}
}

// messages are the lines of a log of Baktfold without what differs from run to run.
func messages(log string) (messages []string) {
	for line := range strings.Lines(log) {
		head, message, ok := strings.Cut(strings.TrimSpace(line), " - ")
		if !ok || strings.Contains(message, "You are using") {
			continue
		}
		message = regexp.MustCompile(`(/\S+|foldseek (search|convertalis|tsv2db)|[0-9]{2}:[0-9]{2}|Checking baktfold database).*`).ReplaceAllString(message, "$2")
		messages = append(messages, head[strings.Index(head, "|"):]+message)
	}
	return messages
}

// Baktfold empties the directory that it is to write to.
func TestBaktfoldEmptiesItsDirectory(t *testing.T) {
	input, out := annotationFile(t), t.TempDir()
	left := filepath.Join(out, "left")
	if err := os.WriteFile(left, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	args := []string{"baktfold", "run", "--input=" + input, "--output=" + out}
	if status := Main(t.Context(), args, &stderr, &stderr); status != 1 || !strings.Contains(stderr.String(), "Output directory already exists") {
		t.Errorf("exit status %d, %s", status, &stderr)
	}
	if _, err := os.Stat(left); err != nil {
		t.Error("a refused run removed the directory")
	}
	if status := Main(t.Context(), append(args, "--force"), &stderr, &stderr); status != 0 {
		t.Fatalf("exit status %d, %s", status, &stderr)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what was in the directory is there still")
	}
	if _, err := os.Stat(filepath.Join(out, "baktfold.json")); err != nil {
		t.Error(err)
	}
}

// foldRefusals are command lines that baktfold refuses, with its exit status and the last line of its words.
func foldRefusals(t *testing.T) map[string]refusal {
	input := annotationFile(t)
	changed := func(old, new string) string {
		text := must(os.ReadFile(input))
		if !strings.Contains(text, old) {
			t.Fatalf("the annotation lacks %s", old)
		}
		return write(t, "changed.json", strings.Replace(text, old, new, 1))
	}
	return map[string]refusal{
		"no input":       {nil, 2, "Error: Missing option '-i' / '--input'."},
		"no value":       {[]string{"-i"}, 2, "Error: Option '-i' requires an argument."},
		"an option":      {[]string{"-i", input, "--nope"}, 2, "Error: No such option '--nope'."},
		"no number":      {[]string{"-i", input, "-t", "x"}, 2, "Error: Invalid value for '-t' / '--threads': 'x' is not a valid integer."},
		"an argument":    {[]string{"-i", input, "a"}, 2, "Error: Got unexpected extra argument (a)"},
		"arguments":      {[]string{"-i", input, "a", "b"}, 2, "Error: Got unexpected extra arguments (a b)"},
		"no database":    {[]string{"-i", input, "-d", "/nowhere"}, 1, "baktfold database not found. Please run baktfold install -d /nowhere to download and install the baktfold database"},
		"missing":        {[]string{"-i", "/nowhere.json"}, 1, "ERROR: annotation file /nowhere.json not valid!"},
		"a bad prefix":   {[]string{"-i", input, "-p", "swissprot"}, 1, "Please choose a different -p swissprot as this conflicts with the swissprot"},
		"another prefix": {[]string{"-i", input, "-p", "pdb"}, 1, "Please choose a different -p pdb as this conflicts with the pdb"},
		"no features":    {[]string{"-i", write(t, "empty.json", "{}")}, 1, "KeyError: 'features'"},
		"no genome":      {[]string{"-i", changed(`"genome"`, `"other"`)}, 1, "No 'genome' block found in input JSON. Please check."},
		"no table":       {[]string{"-i", changed(`"translation_table"`, `"other"`)}, 1, "No translation table found in input JSON. Please check your input."},
		"no sequences":   {[]string{"-i", changed(`"sequences"`, `"other"`)}, 1, "KeyError: 'sequences'"},
		"proteins":       {[]string{"-i", proteinsJSON(t)}, 1, "No 'genome' block found in input JSON. Please check."},
	}
}

func proteinsJSON(t *testing.T) string {
	return write(t, "proteins.json", playAs(t, "bakta_proteins", write(t, "proteins.faa", proteinsFASTA)).mustSucceed(t).file(t, "json"))
}

func TestBaktfoldRefusals(t *testing.T) {
	refuses(t, foldRefusals(t), func(t *testing.T, args ...string) played { return playAs(t, "baktfold", args...) })
	got := playAs(t, "baktfold", "-i", write(t, "junk.json", "no JSON\n"))
	if got.status != 1 || !strings.HasPrefix(lastLine(got.stderr), "json.decoder.JSONDecodeError: ") {
		t.Errorf("exit status %d, %s", got.status, got.stderr)
	}
	var stderr bytes.Buffer
	if status := Main(t.Context(), []string{"baktfold", "walk"}, &stderr, &stderr); status != 2 || lastLine(stderr.String()) != "Error: No such command 'walk'." {
		t.Errorf("exit status %d, %s", status, &stderr)
	}
}

func TestBaktfoldRefusalsAreBaktfolds(t *testing.T) {
	if real := realBaktfold(t); real != nil {
		refuses(t, foldRefusals(t), real)
	}
}

// What a real Bakta of an older version found is taken, too: features of other kinds, and other names of keys.
func TestBaktfoldOfOlderBakta(t *testing.T) {
	const old = `{"genome":{"genus":"Exemplum","translation_table":11},"stats":{"size":12},"features":[
{"type":"cds","contig":"c1","start":1,"stop":9,"strand":"+","frame":1,"gene":"abcD","product":"a \"product\"; of 1","db_xrefs":["SO:0001217"],"nt":"ATGGCCTAA","aa":"MA","locus":"L_2","id":"i_2"},
{"type":"tRNA","contig":"c1","start":10,"stop":12,"strand":"-","gene":"trnA","product":"tRNA-Ala","locus":"L_1","id":"i_1"}],
"sequences":[{"id":"c1","description":"d","sequence":"ATGGCCTAAACG","length":12,"complete":true,"type":"plasmid","topology":"circular"}],"version":{"bakta":"1.8.0","db":"5.0"}}`
	got := playAs(t, "baktfold", "-i", write(t, "old.json", old)).mustSucceed(t)
	if want := ">c1 d\nATGGCCTAAACG\n"; got.file(t, "fna") != want {
		t.Errorf("fna: %s", got.file(t, "fna"))
	}
	if want := ">L_2 a \"product\"; of 1\nMA\n"; got.file(t, "faa") != want {
		t.Errorf("faa: %s", got.file(t, "faa"))
	}
	if text := got.file(t, "gff3"); !strings.Contains(text, "\ttRNA\t10\t12\t.\t-\t.\tID=i_1;") || !strings.Contains(text, `product=a "product"%3B of 1`) {
		t.Errorf("gff3: %s", text)
	}
	if !strings.Contains(got.file(t, "json"), `"db": "5.0"`) {
		t.Error("the version of the database is lost")
	}
}

// A failure may be asked of one program of several.
func TestPlayedFailureOfOneProgram(t *testing.T) {
	t.Setenv(failEnv, "baktfold:error")
	input := annotationFile(t)
	playAs(t, "bakta_proteins", write(t, "proteins.faa", proteinsFASTA)).mustSucceed(t)
	if got := playAs(t, "baktfold", "-i", input); got.status != 1 || lastLine(got.stderr) != "ERROR: played failure!" {
		t.Errorf("exit status %d, %s", got.status, got.stderr)
	}
	t.Setenv(failEnv, "bakta_proteins:partial")
	got := playAs(t, "bakta_proteins", write(t, "proteins.faa", proteinsFASTA)).mustSucceed(t)
	if slices.Contains(got.files(t), "x.json") {
		t.Error("the JSON file was not left out")
	}
}

// TestProgress: every step that is shown to people of a program is one that the stand-in tells.
func TestProgress(t *testing.T) {
	for kind, args := range map[string][]string{
		workflow.Bakta:         {"bakta", demoGenome},
		workflow.BaktaProteins: {"bakta_proteins", write(t, "proteins.faa", proteinsFASTA)},
		workflow.Baktfold:      {"baktfold", "-i", annotationFile(t)},
	} {
		p := playAs(t, args[0], args[1:]...).mustSucceed(t)
		progress := workflow.NewProgress(kind)
		var seen []int
		of := 0
		for line := range strings.Lines(p.stdout + p.stderr) {
			io.WriteString(progress, line)
			if at, ok := progress.Step(); ok && !slices.Contains(seen, at.Number) {
				seen, of = append(seen, at.Number), at.Of
			}
		}
		if len(seen) != of || of == 0 {
			t.Errorf("%s: the steps %v of %d", kind, seen, of)
		}
	}
}
