package program

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestExplain(t *testing.T) {
	traceback := "Traceback (most recent call last):\n  File \"x\", line 1\n"
	for _, tt := range []struct {
		name string
		x    Exit
		code job.FailureCode
		says string
	}{
		{"killed", Exit{Code: -1, Signal: "SIGKILL", Stderr: []byte("ERROR: x!\n")}, job.Internal, "T was killed (SIGKILL). Most likely it " +
			"needed more memory"},
		{"killed below a shell", Exit{Code: 137}, job.Internal, "T was killed (SIGKILL)"},
		{"killed at its limit", Exit{Code: 137, OutOfMemory: true}, job.OutOfMemory, "T ran out of memory"},
		{"a tool killed at its limit", Exit{Code: 1, OutOfMemory: true, Stderr: []byte("Exception: diamond error! error code: -9\n")},
			job.OutOfMemory, "ran out of memory"},
		{"Python without memory", Exit{Code: 1, Stderr: []byte(traceback + "MemoryError\n")}, job.OutOfMemory, "ran out of memory"},
		{"NumPy without memory", Exit{Code: 1, Stderr: []byte(traceback +
			"numpy.core._exceptions._ArrayMemoryError: Unable to allocate 8 GiB\n")}, job.OutOfMemory, "ran out of memory"},
		{"told to end", Exit{Code: -1, Signal: "SIGTERM"}, job.Internal, "was stopped before it was done"},
		{"told to end below a shell", Exit{Code: 143}, job.Internal, "was stopped before it was done"},
		{"crashed", Exit{Code: -1, Signal: "SIGSEGV"}, job.Internal, "T crashed (SIGSEGV)"},
		{"crashed below a shell", Exit{Code: 139, Stderr: []byte("Segmentation fault\n")}, job.Internal, "T crashed (SIGSEGV)"},
		{"not started", Exit{Code: 127, Stderr: []byte("sh: bakta: not found\n")}, job.BadImage, "T could not be started (exit code 127): " +
			"sh: bakta: not found. This is not"},
		{"no words", Exit{Code: 3, Stderr: []byte("\n \n")}, job.Internal, "T ended with exit code 3 and did not say why"},
		{"words on stdout alone", Exit{Code: 1, Stdout: []byte("a\nERROR: x!\n")}, job.BadInput, "T ended with an error: ERROR: x!"},
		{"last words that may say something", Exit{Code: 1, Stderr: []byte("WARNING: a\nthis won't do\nWARNING: b\n")}, job.Internal,
			"T ended with exit code 1 and did not say why; the last line that it wrote is: this won't do. Its log may show"},
		{"last words that say nothing", Exit{Code: 1, Stderr: []byte("WARNING: a\n10%|x\n")}, job.Internal,
			"T ended with exit code 1 and did not say why. Its log may show"},
		{"a full disk", Exit{Code: 1, Stderr: []byte(traceback + "OSError: [Errno 28] No space left on device\n")}, job.Internal,
			"The disk is full."},
		{"a broken database", Exit{Code: 1, Stderr: []byte(traceback + "sqlite3.DatabaseError: file is not a database\n")}, job.Internal,
			"The reference database of this installation"},
		{"a tool failed", Exit{Code: 1, Stderr: []byte(traceback + "Exception: diamond error! error code: 1\n")}, job.Internal,
			"T crashed: Exception: diamond error! error code: 1."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.x.Stage, tt.x.Title = "s", "T"
			f := Program{}.Explain(tt.x)
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
		{"a log", "2026-01-02 03:04:05.678 | INFO     | a.b:c:1 - ERROR no\n2026-01-02 03:04:05.678 | ERROR    | a.b:c:1 - gone | ERROR | x - " +
			"y\n", "ERROR: gone | ERROR | x - y"},
		{"a log behind a bar", "Predicting 3Di:  10%|x| 1/10\r2026-01-02 03:04:05.678 | CRITICAL | a.b:c:1 - gone\n", "ERROR: gone"},
		{"long", "ERROR: " + strings.Repeat("ü", 600), "ERROR: " + strings.Repeat("ü", 495) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := reason([]byte(tt.output), "bakta"); got.words != tt.want {
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
		got := Program{}.Explain(Exit{Stage: "s", Title: "T", Code: code, Stderr: output})
		if got.Code == "" || got.Stage != "s" || got.Message == "" || len(got.Message) > maxReason+500 || !utf8.ValidString(got.Message) ||
			strings.ContainsFunc(got.Message, job.Control) {
			t.Errorf("%+v", got)
		}
	})
}
