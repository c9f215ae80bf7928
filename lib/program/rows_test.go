package program_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/baktfold"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// TestExplainBakta goes by what the real Bakta wrote to its standard error when it failed.
func TestExplainBakta(t *testing.T) {
	for _, tt := range []struct {
		file string // below testdata/stderr
		exit int
		code job.FailureCode
		says []string
	}{
		{"wrong-genome", 1, job.BadInput, []string{"ERROR: wrong genome file format!", "Each sequence"}},
		{"replicon-table", 1, job.BadInput, []string{"ERROR: wrong replicon table file format!", "five columns"}},
		{"duplicate-ids", 1, job.BadInput, []string{"ERROR: Detected duplicated sequence id! Sequence ID (a)", "a name of its own"}},
		{"long-id", 1, job.BadInput, []string{"ERROR: INSDC compliance failed! Sequence ID (abcdefghijklmnopqrstuvwxyzA123) larger than 25",
			"Shorten"}},
		{"training", 1, job.BadInput, []string{"Error! Cannot use provided prodigal training file", "prodigal -t"}},
		{"too-short", 1, job.BadInput, []string{"Error: input file contains no valid sequences.", "minimum length"}},
		{"locus-tag", 1, job.BadInput,
			[]string{"ERROR: INSDC-incompliant 'locus-tag' parameter (ab)! INSDC Locus tag prefixes must contain between 3 and 12"}},
		{"invalid-choice", 2, job.Internal, []string{"bakta: error: argument --translation-table: invalid choice: 12", program.NotYours}},
		{"unknown-option", 2, job.Internal, []string{"bakta: error: unrecognized arguments: --no-such", program.NotYours}},
		{"all-n", 1, job.Internal, []string{"Bakta crashed: ZeroDivisionError: division by zero.", "please contact the operators"}},
		{"threads", 1, job.Internal, []string{"More threads requested (500)", program.NotYours}},
		{"no-database", 1, job.Internal, []string{"ERROR: database version file (version.json) not readable! Please check", program.NotYours}},
		{"wrong-database", 1, job.Internal, []string{"ERROR: wrong database path! --db=nowhere", program.NotYours}},
		{"old-database", 1, job.Internal, []string{"ERROR: wrong database version detected! Bakta version 1.12.2 requires database version 6.x",
			program.NotYours}},
		{"incomplete-database", 1, job.Internal, []string{"ERROR: database file (pscc.dmnd) not readable!",
			"The reference database of this installation"}},
		{"no-tmp", 1, job.Internal, []string{"ERROR: dedicated temporary directory (nowhere) does not exist!", program.NotYours}},
		{"unreadable-genome", 1, job.Internal, []string{"ERROR: genome file (nowhere.fna) not valid!", program.NotYours}},
		{"no-tool", 1, job.Internal, []string{"ERROR: Aragorn not found or not executable!", "A tool is missing", program.NotYours}},
		{"tool-killed", 1, job.Internal, []string{"A tool that Bakta started, ", " was killed (SIGKILL)", "more memory"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			f := bakta.Program().
				Explain(program.Exit{Stage: "bakta", Title: "Bakta", Code: tt.exit, Stderr: []byte(readStderr(t, tt.file+".txt"))})
			if f.Code != tt.code || f.Stage != "bakta" {
				t.Errorf("%+v", f)
			}
			for _, s := range tt.says {
				if !strings.Contains(f.Message, s) {
					t.Errorf("%q does not say %q", f.Message, s)
				}
			}
			if f.Code == job.BadInput && strings.Contains(f.Message, "operators") {
				t.Errorf("%q sends a user to the operators", f.Message)
			}
		})
	}
}

// TestExplainOthers goes by what the real programs wrote to their standard error when they failed.
func TestExplainOthers(t *testing.T) {
	for _, tt := range []struct {
		file string // below testdata/stderr
		exit int
		code job.FailureCode
		says []string
	}{
		{"proteins-letters", 1, job.BadInput,
			[]string{"T ended with an error: ERROR: wrong file format or unallowed characters in amino acid sequences!", "one asterisk"}},
		{"proteins-unknown-option", 2, job.Internal, []string{"bakta_proteins: error: unrecognized arguments: --no-such", program.NotYours}},
		{"baktfold-no-database", 1, job.Internal, []string{"T ended with an error: ERROR: baktfold database not found.", program.NotYours}},
		{"baktfold-no-foldseek", 1, job.Internal, []string{"ERROR: Foldseek not found.", "A tool is missing", program.NotYours}},
		{"baktfold-no-table", 1, job.BadInput,
			[]string{"T ended with an error: ERROR: No translation table found in input JSON. Please check your input."}},
		{"baktfold-tool-failed", 1, job.BadInput, []string{"T had nothing to do: no protein of the annotation is without a function."}},
		{"baktfold-tool-killed", 1, job.Internal, []string{"T was killed (SIGKILL)", "more memory"}},
		{"baktfold-unknown-option", 2, job.Internal, []string{"Error: No such option '--no-such'", program.NotYours}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			f := row(tt.file).Explain(program.Exit{Stage: "s", Title: "T", Code: tt.exit, Stderr: []byte(readStderr(t, tt.file+".txt"))})
			if f.Code != tt.code || f.Stage != "s" {
				t.Errorf("%+v", f)
			}
			for _, s := range tt.says {
				if !strings.Contains(f.Message, s) {
					t.Errorf("%q does not say %q", f.Message, s)
				}
			}
			if f.Code == job.BadInput && strings.Contains(f.Message, "operators") {
				t.Errorf("%q sends a user to the operators", f.Message)
			}
		})
	}
}

// readStderr reads what a real program wrote.
func readStderr(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "stderr", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The error of Bakta at a regions or trusted proteins file names the format of the file, and the advice is for that format.
func TestExplainFeatures(t *testing.T) {
	for said, advice := range map[string]string{
		"ERROR: User-provided regions/features file GFF3 format not valid!":    "nine fields",
		"ERROR: User-provided regions/features file GenBank format not valid!": "LOCUS line",
		"ERROR: User proteins file GenBank format not valid!":                  "locus_tag",
		"ERROR: User proteins file Fasta format not valid!":                    "Headers of trusted proteins",
	} {
		f := bakta.Program().Explain(program.Exit{Stage: "bakta", Title: "Bakta", Code: 1, Stderr: []byte(said + "\n")})
		if f.Code != job.BadInput || !strings.Contains(f.Message, advice) {
			t.Errorf("%s: %+v", said, f)
		}
	}
}

// row returns the row of the program that wrote a file of testdata.
func row(file string) program.Program {
	switch {
	case strings.HasPrefix(file, "baktfold"):
		return baktfold.Program()
	case strings.HasPrefix(file, "proteins"):
		return bakta.Proteins()
	}
	return bakta.Program()
}

// TestSources: each text that a row takes from a program's output is in the source file that it names, of the version that
// it names.
func TestSources(t *testing.T) {
	set, ok := realbakta.Find(t)
	if !ok {
		return
	}
	for _, p := range workflow.Programs() {
		pattern := filepath.Join(set.Prefix, "venv", "lib", "python3*", "site-packages")
		if p.Name == baktfold.Name {
			if _, _, ok := realbakta.Baktfold(t); !ok {
				continue
			}
			pattern = filepath.Join(set.Prefix, "baktfold", "packages")
		}
		dirs, err := filepath.Glob(pattern)
		if err != nil || len(dirs) != 1 {
			t.Fatalf("%s: %v, %v", pattern, dirs, err)
		}
		name, _, _ := strings.Cut(p.Name, "_")
		if _, err := os.Stat(filepath.Join(dirs[0], name+"-"+p.Release+".dist-info")); err != nil {
			t.Errorf("%s is not of the version that its row names: %v", p.Name, err)
		}
		files := make(map[string]string)
		check := func(s program.Source) {
			if _, ok := files[s.File]; !ok {
				b, err := os.ReadFile(filepath.Join(dirs[0], s.File))
				if err != nil {
					t.Errorf("%s: %v", p.Name, err)
				}
				files[s.File] = string(b)
			}
			if !strings.Contains(files[s.File], s.Text) {
				t.Errorf("%s %s: %s does not have %q", p.Name, p.Release, s.File, s.Text)
			}
		}
		for _, line := range p.Steps {
			for _, text := range line.Texts {
				if !line.Built {
					text = strings.ReplaceAll(text, "\t", `\t`)
				} else {
					text = ""
				}
				check(program.Source{File: line.File, Text: text})
			}
		}
		patterns := make([]program.Pattern, 0)
		for _, c := range append(p.Refusals, p.Faults...) {
			patterns = append(patterns, c.Pattern)
		}
		for _, optional := range []*program.Pattern{p.Tool, p.Omit} {
			if optional != nil {
				patterns = append(patterns, *optional)
			}
		}
		if p.Idle != nil {
			patterns = append(patterns, p.Idle.Output, p.Idle.Words)
		}
		for _, pattern := range patterns {
			pattern.Expression() // compiles
			if len(pattern.Sources) == 0 {
				t.Errorf("%s: the pattern %s names no source file", p.Name, pattern.Expression())
			}
			for _, s := range pattern.Sources {
				check(s)
			}
		}
	}
}

// TestExplainTools is about ends of Bakta's tools as Bakta tells them.
func TestExplainTools(t *testing.T) {
	const traceback = "Traceback (most recent call last):\n  File \"/opt/bin/bakta\", line 8, in <module>\n    sys.exit(main())\n         " +
		"    ^^^^^^\n"
	amrfinder := "Exception: amrfinder error! error code: 1. Please, try 'amrfinder_update --force_update --database " +
		"/db/amrfinderplus-db' to update AMRFinderPlus's internal database.\n"
	for _, tt := range []struct {
		name, stderr string
		says, not    []string
	}{
		{"AMRFinder on one genome", traceback + amrfinder, []string{"T crashed: Exception: amrfinder error! error code: 1.",
			"A tool that it started, amrfinder, failed.", "please contact the operators"},
			[]string{"database", "/db", "amrfinder_update", program.NotYours}},
		{"aborted", traceback + "Exception: cmscan error! error code: -6\n", []string{"A tool that it started, cmscan, crashed (SIGABRT)"},
			[]string{program.NotYours, "memory"}},
		{"a bad access", traceback + "Exception: diamond error! error code: -11\n", []string{"diamond, crashed (SIGSEGV)"}, []string{"memory"}},
		{"a machine too old", traceback + "Exception: diamond error! error code: -4\n", []string{"diamond, crashed (SIGILL)"}, nil},
		{"below a shell", "Killed\n" + traceback + "Exception: cmscan error! error code: 137\n",
			[]string{"A tool that T started, cmscan, was killed (SIGKILL). Most likely it needed more memory"}, nil},
		{"its words", traceback + "Exception: diamond error! error code: 1\nThe log:\nError: No such file or directory\n",
			[]string{"T crashed: Exception: diamond error! error code: 1 The log: Error: No such file or directory. A tool that it started, " +
				"diamond, failed."}, nil},
		{"a warning behind it",
			traceback + "Exception: tRNAscan-SE error! error code: 2\n/usr/lib/python3.11/multiprocessing/resource_tracker.py:254: UserWarning: " +
				"resource_tracker: leaked\n  warnings.warn('x')\n",
			[]string{"T crashed: Exception: tRNAscan-SE error! error code: 2. A tool that it started, tRNAscan-SE, failed."},
			[]string{"UserWarning"}},
		{"behind a bar", "\r 10%\r 100%\nException: PILER-CR error! error code: -6\n",
			[]string{"T crashed: Exception: PILER-CR error! error code: -6. A tool that it started, PILER-CR, crashed (SIGABRT)"}, nil},
		{"a cut traceback", "    x = y(data)\n  File \"/opt/bakta/cds.py\", line 9, in search\n    raise Odd()\nbakta.Odd\n",
			[]string{"T crashed: bakta.Odd (cds.py, line 9, in search)"}, nil},
		{"a cut chain", traceback + "\n" + "During handling of the above exception, another exception occurred:" + "\n\n" + traceback +
			"OSError: [Errno 28] No space left on device\n", []string{"OSError: [Errno 28] No space left on device. The disk is full."}, nil},
		{"conda behind it", traceback + "KeyError: 'a'\n\nERROR conda.cli.main_run:execute(125): `conda run bakta` failed. (See above for " +
			"error)\n", []string{"T crashed: KeyError: 'a'. It may"}, nil},
		{"a shell behind it", traceback + "KeyError: 'a'\n/entrypoint.sh: line 3:    12 Aborted                 bakta \"$@\"\n",
			[]string{"T crashed: KeyError: 'a'. It may"}, nil},
		{"a library's log behind it", traceback + "KeyError: 'a'\n2026-01-02 03:04:05,678 - ERROR - closing\n",
			[]string{"T crashed: KeyError: 'a'. It may"}, nil},
		{"a library's error behind it", traceback + "KeyError: 'a'\nFontconfig error: No writable cache directories\n",
			[]string{"T crashed: KeyError: 'a'. It may"}, nil},
		{"C++", "terminate called after throwing an instance of 'std::out_of_range'\n  what():  vector::_M_range_check\n",
			[]string{"T crashed: terminate called", "vector::_M_range_check"}, nil},
		{"Rich's frame", "╭──── Traceback (most recent call last) ────╮\n│ /x/main.py:12 in main                     " +
			"│\n╰───────────────────────────────────────────╯\nOdd: a\n", []string{"T crashed: Odd: a. It may"}, nil},
		{"nothing but progress", "Searching: 100%|x| 10/10\r\n", []string{"T ended with exit code 1 and did not say why"},
			[]string{"Searching", program.NotYours}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := bakta.Program().Explain(program.Exit{Stage: "s", Title: "T", Code: 1, Stdout: []byte("predict tRNAs...\n"),
				Stderr: []byte(tt.stderr)})
			if got.Code != job.Internal {
				t.Errorf("%+v", got)
			}
			for _, s := range tt.says {
				if !strings.Contains(got.Message, s) {
					t.Errorf("%q does not say %q", got.Message, s)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(got.Message, s) {
					t.Errorf("%q says %q", got.Message, s)
				}
			}
		})
	}
}
