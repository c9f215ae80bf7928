package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// outcome is what a run of the real Bakta left.
type outcome struct {
	layout         testLayout
	exit           int
	stdout, stderr []byte
}

// run takes uploads all the way: they are inspected, prepared and given to the real program.
func run(t *testing.T, kind string, c option.Config, env program.Environment, uploads map[string][]byte) outcome {
	t.Helper()
	o := outcome{layout: newLayout(t)}
	w, _ := Lookup(kind)
	c = w.Normalise(c)
	if err := w.Validate(c); err != nil {
		t.Fatal(err)
	}
	var inputs []job.Input
	inspection := upload.NewInspection(c)
	for _, u := range slices.Backward(w.Uploads) {
		kind, content := u.Kind, uploads[u.Kind]
		if content == nil {
			continue
		}
		name, err := inspection.Inspect(kind, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		var prepared bytes.Buffer
		if err := upload.Prepare(kind, &prepared, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		o.layout.put(t, name, prepared.Bytes())
		inputs = append(inputs, job.Input{Kind: kind, Name: name})
	}
	command, err := w.Stages[0].Command(c, inputs, o.layout, env)
	if err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), command.Argv[0], command.Argv[1:]...)
	p.Env = append(os.Environ(), command.Env...)
	var stdout, stderr bytes.Buffer
	p.Stdout, p.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := p.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	o.exit, o.stdout, o.stderr = p.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes()
	return o
}

// TestRun runs the real Bakta on its demonstration genome with everything that a user can give it.
func TestRun(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	genome, err := os.ReadFile(filepath.Join(prefix, "demo.fna"))
	if err != nil {
		t.Fatal(err)
	}
	training, err := os.ReadFile(filepath.Join(realbakta.Train(t, prefix, nil), "11.trn"))
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(string(genome), "\n")
	id, _, _ := strings.Cut(strings.TrimPrefix(header, ">"), " ")
	c := option.Config{
		TranslationTable: 11,
		MinContigLength:  10,
		DermType:         option.Diderm,
		Genus:            "escherichia",
		Species:          "coli",
		Strain:           "-x; \"é\"",
		Locus:            "-l",
		LocusTag:         "-t",
	}
	o := run(
		t,
		Bakta,
		c,
		program.Environment{Command: []string{filepath.Join(prefix, "bin", "bakta")}, Database: filepath.Join(prefix, "db"), Threads: 1},
		map[string][]byte{
			upload.GenomeFASTA:          zstdOrGzip(genome),
			upload.RepliconsTable:       []byte("\xef\xbb\xbfid;new;type;topology;name\r\n" + id + ";first;c;c;\r\n\r\n"),
			upload.ProdigalTrainingFile: training,
		},
	)
	if o.exit != 0 {
		t.Fatalf("exit code %d\n%s", o.exit, o.stderr)
	}
	if s, ok := StepOf(Bakta, string(o.stdout)); !ok || s.Number != s.Of {
		t.Errorf("the run ended at step %+v", s)
	}
	w, _ := Lookup(Bakta)
	for _, r := range w.Results {
		if _, err := os.Stat(filepath.Join(o.layout.Output(r.Stages[0]), r.File)); err != nil {
			t.Error(err)
		}
	}
	gff, err := os.ReadFile(filepath.Join(o.layout.Output("bakta"), "result.gff3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"##sequence-region first ", "# organism Escherichia coli -x; \"é\"", "ID=-t_"} {
		if !bytes.Contains(gff, []byte(s)) {
			t.Errorf("the results don't say %q:\n%.300s", s, gff)
		}
	}
}

// TestRunFiles gives the real Bakta its own results back, as regions and as trusted proteins, and a profile.
func TestRunFiles(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	genome, err := os.ReadFile(filepath.Join(prefix, "demo.fna"))
	if err != nil {
		t.Fatal(err)
	}
	env := program.Environment{Command: []string{filepath.Join(prefix, "bin", "bakta")}, Database: filepath.Join(prefix, "db"), Threads: 1}
	first := run(
		t,
		Bakta,
		option.Config{KeepContigHeaders: true, Skip: []string{"plot", "trna", "tmrna", "rrna", "ncrna", "ncrna_region", "crispr", "ori"}},
		env,
		map[string][]byte{upload.GenomeFASTA: genome},
	)
	if first.exit != 0 {
		t.Fatalf("exit code %d\n%s", first.exit, first.stderr)
	}
	result := func(o outcome, ending string) []byte {
		b, err := os.ReadFile(filepath.Join(o.layout.Output("bakta"), "result."+ending))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := os.Stat(filepath.Join(first.layout.Output("bakta"), "result.png")); err == nil {
		t.Error("the plots were not skipped")
	}
	// Its genes as trusted proteins, all with the same product.
	var proteins bytes.Buffer
	for line := range strings.Lines(string(result(first, "faa"))) {
		if id, _, ok := strings.Cut(line, " "); ok {
			line = id + " gen~~~what we know~~~DB:1\n"
		}
		proteins.WriteString(line)
	}
	hmm, err := os.ReadFile(filepath.Join("..", "upload", "testdata", "small.hmm"))
	if err != nil {
		t.Fatal(err)
	}
	o := run(t, Bakta, option.Config{Meta: true, LocusTag: "TAG", LocusTagIncrement: 5, Skip: option.Steps()[:6]}, env, map[string][]byte{
		upload.GenomeFASTA:         genome,
		upload.RegionsFile:         gzipFile(result(first, "gbff")),
		upload.TrustedProteinsFile: proteins.Bytes(),
		upload.HMMsFile:            hmm,
	})
	if o.exit != 0 {
		t.Fatalf("exit code %d\n%s", o.exit, o.stderr)
	}
	if imported := regexp.MustCompile(`user regions: [1-9]\d* imported`); !imported.Match(o.stdout) {
		t.Errorf("Bakta imported no regions:\n%s", o.stdout)
	}
	gff := string(result(o, "gff3"))
	for _, s := range []string{"product=what we know", "ID=TAG_0010"} {
		if !strings.Contains(gff, s) {
			t.Errorf("the results don't say %q:\n%.2000s", s, gff)
		}
	}
}

// TestRunProteins runs the real Bakta on proteins.
func TestRunProteins(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	// What is called so starts Bakta's program of that name.
	path := filepath.Join(prefix, "bin", "bakta_proteins")
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(t.TempDir(), "bakta_proteins")
		script := fmt.Sprintf("#!/bin/sh\nPATH=%[1]s/bin:$PATH exec %[1]s/venv/bin/python %[1]s/venv/bin/bakta_proteins \"$@\"\n", prefix)
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := program.Environment{Command: []string{path}, Database: filepath.Join(prefix, "db"), Threads: 1}
	o := run(
		t,
		BaktaProteins,
		option.Config{Genus: "passed over", TranslationTable: 3},
		env,
		map[string][]byte{upload.ProteinFASTA: gzipFile([]byte(">one x\nMKLLVVVAAALMKLPQRSTVW*\n>two\nmstnpkpqrk\n"))},
	)
	if o.exit != 0 {
		t.Fatalf("exit code %d\n%s", o.exit, o.stderr)
	}
	if s, ok := StepOf(BaktaProteins, string(o.stdout)); !ok || s.Number != s.Of {
		t.Errorf("the run ended at step %+v", s)
	}
	w, _ := Lookup(BaktaProteins)
	for _, r := range w.Results {
		if _, err := os.Stat(filepath.Join(o.layout.Output(r.Stages[0]), r.File)); err != nil {
			t.Error(err)
		}
	}
}

// zstdOrGzip compresses a genome. Where there is no program zstd, Python's reader of such files can't do without.
func zstdOrGzip(b []byte) []byte {
	if _, err := exec.LookPath("zstd"); err != nil {
		return gzipFile(b)
	}
	return zstdFile(b)
}

// TestRunFails has the real Bakta fail for a reason that no look at the uploads shows, and for one of the
// operator's.
func TestRunFails(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	// A file that asks for so much memory is not decompressed by a look.
	unseen := func(s string) []byte {
		return zstdFile([]byte(s+strings.Repeat("ACGT", 3<<20)), zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false))
	}
	for _, tt := range []struct {
		name    string
		threads int
		c       option.Config
		genome  []byte
		code    job.FailureCode
		says    string
	}{
		{"wrong letters", 1, option.Config{}, unseen(">a\nX\n"), job.BadInput, "Bakta ended with an error: ERROR: wrong genome file format!"},
		{"too short", 1, option.Config{MinContigLength: 1 << 30}, unseen(">a\n"), job.BadInput, "Error: input file contains no valid sequences."},
		{"too many threads", 100_000, option.Config{}, []byte(">a\nACGT\n"), job.Internal, "More threads requested (100000)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := run(
				t,
				Bakta,
				tt.c,
				program.Environment{
					Command:  []string{filepath.Join(prefix, "bin", "bakta")},
					Database: filepath.Join(prefix, "db"),
					Threads:  tt.threads,
				},
				map[string][]byte{upload.GenomeFASTA: tt.genome},
			)
			f := Explain(program.Exit{Stage: "bakta", Title: "Bakta", Code: o.exit, Stdout: o.stdout, Stderr: o.stderr})
			if o.exit == 0 || f.Code != tt.code || !strings.Contains(f.Message, tt.says) {
				t.Errorf("exit code %d, %+v", o.exit, f)
			}
		})
	}
}
