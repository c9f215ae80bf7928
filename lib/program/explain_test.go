package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
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
		{"long-id", 1, job.BadInput, []string{"ERROR: INSDC compliance failed! Sequence ID (abcdefghijklmnopqrstuvwxyzA123) larger than 25", "Shorten"}},
		{"training", 1, job.BadInput, []string{"Error! Cannot use provided prodigal training file", "prodigal -t"}},
		{"too-short", 1, job.BadInput, []string{"Error: input file contains no valid sequences.", "minimum length"}},
		{"locus-tag", 1, job.BadInput, []string{"ERROR: INSDC-incompliant 'locus-tag' parameter (ab)! INSDC Locus tag prefixes must contain between 3 and 12"}},
		{"invalid-choice", 2, job.Internal, []string{"bakta: error: argument --translation-table: invalid choice: 12", notYours}},
		{"unknown-option", 2, job.Internal, []string{"bakta: error: unrecognized arguments: --no-such", notYours}},
		{"all-n", 1, job.Internal, []string{"Bakta crashed: ZeroDivisionError: division by zero.", "please tell the operators"}},
		{"threads", 1, job.Internal, []string{"More threads requested (500)", notYours}},
		{"no-database", 1, job.Internal, []string{"ERROR: database version file (version.json) not readable! Please check", notYours}},
		{"wrong-database", 1, job.Internal, []string{"ERROR: wrong database path! --db=nowhere", notYours}},
		{"old-database", 1, job.Internal, []string{"ERROR: wrong database version detected! Bakta version 1.12.2 requires database version 6.x", notYours}},
		{"incomplete-database", 1, job.Internal, []string{"ERROR: database file (pscc.dmnd) not readable!", "The database of this installation"}},
		{"no-tmp", 1, job.Internal, []string{"ERROR: dedicated temporary directory (nowhere) does not exist!", notYours}},
		{"unreadable-genome", 1, job.Internal, []string{"ERROR: genome file (nowhere.fna) not valid!", notYours}},
		{"no-tool", 1, job.Internal, []string{"ERROR: Aragorn not found or not executable!", "A tool is missing", notYours}},
		{"tool-killed", 1, job.Internal, []string{"A tool that Bakta started, ", " was killed (SIGKILL)", "more memory"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			f := Explain(Exit{Stage: "bakta", Title: "Bakta", Code: tt.exit, Stderr: []byte(readStderr(t, tt.file+".txt"))})
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
		{"proteins-letters", 1, job.BadInput, []string{"T ended with an error: ERROR: wrong file format or unallowed characters in amino acid sequences!", "one asterisk"}},
		{"proteins-unknown-option", 2, job.Internal, []string{"bakta_proteins: error: unrecognized arguments: --no-such", notYours}},
		{"baktfold-no-database", 1, job.Internal, []string{"T ended with an error: ERROR: baktfold database not found.", notYours}},
		{"baktfold-no-foldseek", 1, job.Internal, []string{"ERROR: Foldseek not found.", "A tool is missing", notYours}},
		{"baktfold-no-table", 1, job.BadInput, []string{"T ended with an error: ERROR: No translation table found in input JSON. Please check your input."}},
		{"baktfold-tool-failed", 1, job.BadInput, []string{"T had nothing to do: no protein of the annotation is without a function."}},
		{"baktfold-tool-killed", 1, job.Internal, []string{"T was killed (SIGKILL)", "more memory"}},
		{"baktfold-unknown-option", 2, job.Internal, []string{"Error: No such option '--no-such'", notYours}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			f := Explain(Exit{Stage: "s", Title: "T", Code: tt.exit, Stderr: []byte(readStderr(t, tt.file+".txt"))})
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

func TestExplain(t *testing.T) {
	traceback := "Traceback (most recent call last):\n  File \"x\", line 1\n"
	for _, tt := range []struct {
		name string
		x    Exit
		code job.FailureCode
		says string
	}{
		{"killed", Exit{Code: -1, Signal: "SIGKILL", Stderr: []byte("ERROR: x!\n")}, job.Internal, "T was killed (SIGKILL). Most likely it needed more memory"},
		{"killed below a shell", Exit{Code: 137}, job.Internal, "T was killed (SIGKILL)"},
		{"killed at its limit", Exit{Code: 137, OutOfMemory: true}, job.OutOfMemory, "T ran out of memory"},
		{"a tool killed at its limit", Exit{Code: 1, OutOfMemory: true, Stderr: []byte("Exception: diamond error! error code: -9\n")}, job.OutOfMemory, "ran out of memory"},
		{"Python without memory", Exit{Code: 1, Stderr: []byte(traceback + "MemoryError\n")}, job.OutOfMemory, "ran out of memory"},
		{"NumPy without memory", Exit{Code: 1, Stderr: []byte(traceback + "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 8 GiB\n")}, job.OutOfMemory, "ran out of memory"},
		{"told to end", Exit{Code: -1, Signal: "SIGTERM"}, job.Internal, "was told to end"},
		{"told to end below a shell", Exit{Code: 143}, job.Internal, "was told to end"},
		{"crashed", Exit{Code: -1, Signal: "SIGSEGV"}, job.Internal, "T crashed (SIGSEGV)"},
		{"crashed below a shell", Exit{Code: 139, Stderr: []byte("Segmentation fault\n")}, job.Internal, "T crashed (SIGSEGV)"},
		{"not started", Exit{Code: 127, Stderr: []byte("sh: bakta: not found\n")}, job.BadImage, "T could not be started (exit code 127): sh: bakta: not found. This is not"},
		{"no words", Exit{Code: 3, Stderr: []byte("\n \n")}, job.Internal, "T ended with exit code 3 and did not say why"},
		{"words on stdout alone", Exit{Code: 1, Stdout: []byte("a\nERROR: x!\n")}, job.BadInput, "T ended with an error: ERROR: x!"},
		{"last words that say nothing", Exit{Code: 1, Stderr: []byte("WARNING: a\nthis won't do\n")}, job.Internal, "T ended with exit code 1 and did not say why"},
		{"a full disk", Exit{Code: 1, Stderr: []byte(traceback + "OSError: [Errno 28] No space left on device\n")}, job.Internal, "The disk is full."},
		{"a broken database", Exit{Code: 1, Stderr: []byte(traceback + "sqlite3.DatabaseError: file is not a database\n")}, job.Internal, "The database of this installation"},
		{"a tool failed", Exit{Code: 1, Stderr: []byte(traceback + "Exception: diamond error! error code: 1\n")}, job.Internal, "T crashed: Exception: diamond error! error code: 1."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.x.Stage, tt.x.Title = "s", "T"
			f := Explain(tt.x)
			if f.Code != tt.code || f.Stage != "s" || !strings.Contains(f.Message, tt.says) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestReason(t *testing.T) {
	for _, tt := range []struct{ name, output, want string }{
		{"nothing", "", ""},
		{"blank", "\n \r\n", ""},
		{"the last error", "ERROR: first\nwarning\nERROR: second\n", "ERROR: second"},
		{"lines after it", "ERROR: x!\nmore of it\nand more\n\nnot this\n", "ERROR: x! more of it and more"},
		{"a traceback after it", "Error: x\nTraceback (most recent call last):\nValueError: y\n", "ValueError: y"},
		{"a warning after a blank line", "ERROR: x\n\nUserWarning: y\n", "ERROR: x"},
		{"a traceback", "Traceback (most recent call last):\n  File\nKeyError: 'a'\n", "KeyError: 'a'"},
		{"an error of a parser", "usage: bakta\n  [--x]\nbakta: error: y\n", "bakta: error: y"},
		{"an error inside a line", "no ERROR here\nlast\n", ""},
		{"what conda adds", "ERROR: x!\n\nERROR conda.cli.main_run:execute(125): `conda run bakta` failed. (See above for error)\n", "ERROR: x!"},
		{"line ends of Windows", "ERROR: x\r\nmore\r\n", "ERROR: x more"},
		{"colours", "\x1b[31mERROR: red\x1b[0m \x07bell\n", "ERROR: red bell"},
		{"no text", "ERROR: \xff\n", "ERROR: \uFFFD"},
		{"a log", "2026-01-02 03:04:05.678 | INFO     | a.b:c:1 - ERROR no\n2026-01-02 03:04:05.678 | ERROR    | a.b:c:1 - gone | ERROR | x - y\n", "ERROR: gone | ERROR | x - y"},
		{"a log behind a bar", "Predicting 3Di:  10%|x| 1/10\r2026-01-02 03:04:05.678 | CRITICAL | a.b:c:1 - gone\n", "ERROR: gone"},
		{"long", "ERROR: " + strings.Repeat("ü", 600), "ERROR: " + strings.Repeat("ü", 495) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := reason([]byte(tt.output)); got.words != tt.want {
				t.Errorf("%q, want %q", got.words, tt.want)
			}
		})
	}
}

func FuzzExplain(f *testing.F) {
	f.Add([]byte("ERROR: x\nmore\n"), 1)
	f.Add([]byte("\x1b[31m\xff\u2028"), 137)
	f.Add([]byte(strings.Repeat("x", 2000)), -1)
	f.Fuzz(func(t *testing.T, output []byte, code int) {
		got := Explain(Exit{Stage: "s", Title: "T", Code: code, Stderr: output})
		if got.Code == "" || got.Stage != "s" || got.Message == "" || len(got.Message) > maxReason+500 || !utf8.ValidString(got.Message) || strings.ContainsFunc(got.Message, job.Control) {
			t.Errorf("%+v", got)
		}
	})
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

// What Bakta ends with at a regions or trusted proteins file says of what format that is, and so does the advice.
func TestExplainFeatures(t *testing.T) {
	for said, advice := range map[string]string{
		"ERROR: User-provided regions/features file GFF3 format not valid!":    "nine fields",
		"ERROR: User-provided regions/features file GenBank format not valid!": "LOCUS line",
		"ERROR: User proteins file GenBank format not valid!":                  "locus_tag",
		"ERROR: User proteins file Fasta format not valid!":                    "Headers of trusted proteins",
	} {
		f := Explain(Exit{Stage: "bakta", Title: "Bakta", Code: 1, Stderr: []byte(said + "\n")})
		if f.Code != job.BadInput || !strings.Contains(f.Message, advice) {
			t.Errorf("%s: %+v", said, f)
		}
	}
}
