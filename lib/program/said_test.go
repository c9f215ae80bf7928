package program

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestReasonOfPython has the real Python end in all the ways that it has.
func TestReasonOfPython(t *testing.T) {
	refusing := Program{Refusals: []Cause{{Pattern: Match(`wrong genome file format!`), Code: job.BadInput}}}
	set, ok := realbakta.Find(t)
	if !ok {
		return
	}
	for _, tt := range []struct {
		name, program, want string
		code                job.FailureCode // Internal if empty
	}{
		{"an exception of several lines", "raise ValueError('x=5 is out of range.\\n# Sector = 1\\n# Size = 4')", "ValueError: x=5 is out of " +
			"range. # Sector = 1 # Size = 4", ""},
		{"a class of a program's own", "class Odd(Exception): pass\nraise Odd('a')", "Odd: a", ""},
		{"a class within another", "class A:\n class Odd(Exception): pass\nraise A.Odd('a')", "A.Odd: a", ""},
		{"pyhmmer's own", "import pyhmmer.errors as e\nraise e.InvalidParameter('E', -1)", "pyhmmer.errors.InvalidParameter: ", ""},
		{"pyhmmer without memory", "import pyhmmer.errors as e\nraise e.AllocationError('ESL_SQ', 8, 3)", "", job.OutOfMemory},
		{"pyrodigal's own", "import pyrodigal\npyrodigal.GeneFinder(training_info=None, meta=False).find_genes(b'ACGT')",
			"RuntimeError: cannot find genes without having trained in single mode", ""},
		{"a time-out", "import subprocess\nsubprocess.run(['sleep', '9'], timeout=.01)", "subprocess.TimeoutExpired: Command '['sleep', " +
			"'9']' timed out after", ""},
		{"a tool that died", "import subprocess\nsubprocess.run(['sh', '-c', 'kill -ABRT $$'], check=True)",
			"subprocess.CalledProcessError: Command", ""},
		{"interrupted", "raise KeyboardInterrupt", "KeyboardInterrupt (", ""},
		{"an assertion without a text", "def spacer():\n assert False\nspacer()", "AssertionError (program.py, line 2, in spacer)", ""},
		{"an assertion with one", "assert False, (None, 'spacer')", "AssertionError: (None, 'spacer')", ""},
		{"a key", "{}['aa_digest']", "KeyError: 'aa_digest'", ""},
		{"recursion", "def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded", ""},
		{"syntax", "exec('x = = 1')", "SyntaxError: invalid syntax", ""},
		{"a note", "e = ValueError('too many')\ne.add_note('added by the caller')\nraise e", "ValueError: too many added by the caller", ""},
		{"not text", "raise ValueError('caf\\udce9')", "ValueError: caf\\udce9", ""},
		{"an error while another is handled", "try: {}['k']\nexcept KeyError: raise RuntimeError('outer')", "RuntimeError: outer (while " +
			"handling KeyError: 'k')", ""},
		{"an error that causes another", "try: {}['k']\nexcept KeyError as e: raise RuntimeError('outer') from e", "RuntimeError: outer " +
			"(caused by KeyError: 'k')", ""},
		{"three in a row", "try:\n try: {}['k']\n except KeyError as e: raise ValueError('middle') from e\nexcept ValueError: raise " +
			"RuntimeError('outer')", "RuntimeError: outer (while handling KeyError: 'k')", ""},
		{"no memory, and an error after it", "try: raise MemoryError()\nexcept MemoryError: {}['k']", "", job.OutOfMemory},
		{"no disk, and an error after it", "try: raise OSError(28, 'No space left on device')\nexcept OSError: {}['k']",
			"KeyError: 'k' (while handling OSError: [Errno 28] No space left on device)", ""},
		{"another process", "import multiprocessing as m\ndef f(x): raise ValueError('a\\nb')\nif __name__ == '__main__':\n with m.Pool(1) " +
			"as p: p.map(f, [1])", "ValueError: a b", ""},
		{"an executor's process", "import concurrent.futures as c\ndef f(x): raise ValueError('a')\nif __name__ == '__main__':\n with " +
			"c.ProcessPoolExecutor(1) as p: list(p.map(f, [1]))", "ValueError: a", ""},
		{"a killed process", "import concurrent.futures as c, os\ndef f(x): os.kill(os.getpid(), 9)\nif __name__ == '__main__':\n with " +
			"c.ProcessPoolExecutor(1) as p: list(p.map(f, [1]))", "concurrent.futures.process.BrokenProcessPool: ", ""},
		{"a process that fails unseen", "import multiprocessing as m, sys\ndef f(): raise ValueError('below')\nif __name__ == '__main__':\n " +
			"p = m.Process(target=f); p.start(); p.join(); {}['k']", "KeyError: 'k'", ""},
		{"a thread that fails before", "import threading\ndef f(): raise ValueError('below')\nt = threading.Thread(target=f); t.start(); " +
			"t.join(); {}['k']", "KeyError: 'k'", ""},
		{"a thread alone", "import threading, os\ndef f(): raise ValueError('below')\nt = threading.Thread(target=f); t.start(); t.join(); " +
			"os._exit(1)", "ValueError: below", ""},
		{"a group", "def f(n):\n try: raise ValueError(n)\n except ValueError as e: return e\nraise ExceptionGroup('tasks', [f('a'), f('b')])",
			"ValueError: a; ValueError: b; ExceptionGroup: tasks (2 sub-exceptions)", ""},
		{"a group in a group", "raise ExceptionGroup('tasks', [ExceptionGroup('inner', [KeyError('k')])])", "KeyError: 'k'; ExceptionGroup: " +
			"tasks (1 sub-exception); ExceptionGroup: inner (1 sub-exception)", ""},
		{"a group without memory", "raise ExceptionGroup('tasks', [MemoryError()])", "", job.OutOfMemory},
		{"a warning behind it", "import atexit, warnings\natexit.register(lambda: warnings.warn('leaked semaphore objects'))\n{}['k']",
			"KeyError: 'k'", ""},
		{"logs behind it", "import atexit, logging\natexit.register(lambda: logging.error('cleaning " +
			"up'))\nlogging.basicConfig(format='%(asctime)s - %(levelname)s - %(message)s')\n{}['k']", "KeyError: 'k'", ""},
		{"a failing exit behind it", "import atexit, os\natexit.register(lambda: os.remove('/none/such'))\n{}['k']", "KeyError: 'k'", ""},
		{"a failing destructor behind it", "class D:\n def __del__(self): raise OSError('in del')\nd = D()\n{}['k']", "KeyError: 'k'", ""},
		{"an error of logging before it", "import logging\nlogging.warning('%d', 'x')\n{}['k']", "KeyError: 'k'", ""},
		{"a failing hook", "import sys\ndef h(*a): raise OSError('in the hook')\nsys.excepthook = h\nraise MemoryError", "", job.OutOfMemory},
		{"an abort", "import faulthandler, os\nfaulthandler.enable(all_threads=True)\nos.abort()", "Fatal Python error: Aborted", ""},
		{"the program's own words, and a failing exit", "import atexit, os, sys\natexit.register(lambda: " +
			"os.remove('/none/such'))\nsys.exit('ERROR: wrong genome file format!')", "ERROR: wrong genome file format!", job.BadInput},
		{"the program's own words after an exception that it logged", "import logging, sys\ntry: {}['k']\nexcept KeyError: " +
			"logging.exception('wrong genome file format!')\nsys.exit('ERROR: wrong genome file format!')", "ERROR: wrong genome file format!",
			job.BadInput},
		{"the program's own words that nobody knows", "import sys\nsys.exit(\"ERROR: empty 'genus' parameter!\")", "ERROR: empty 'genus' " +
			"parameter!", job.BadInput},
		{"an error of logging, and the program's own words", "import logging, sys\nlogging.warning('%d', 'x')\nsys.exit('Error: input file " +
			"contains no valid sequences.')", "Error: input file contains no valid sequences.", job.BadInput},
		{"an exit without a word", "import sys\nprint('predict tRNAs...')\nsys.exit(3)", "", ""},
		{"warnings alone", "import sys, warnings\nwarnings.warn('some error in the data')\nsys.exit(1)", "", ""},
		{"a sequence called like a database", "import sys\nsys.exit('ERROR: INSDC compliance failed! Sequence ID (my database 1) larger than " +
			"25 characers!')", "ERROR: INSDC compliance failed!", job.BadInput},
		{"a key called like a database", "{}['database']", "KeyError: 'database'", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "program.py")
			if err := os.WriteFile(file, []byte(tt.program+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			c := exec.Command(set.Python, file)
			c.Stdout, c.Stderr = &stdout, &stderr
			if err := c.Run(); err == nil || c.ProcessState == nil {
				t.Fatalf("it ended with %v", err)
			}
			if tt.code == "" {
				tt.code = job.Internal
			}
			if got := reason(stderr.Bytes(), ""); tt.code != job.OutOfMemory &&
				(!strings.HasPrefix(got.words, tt.want) || tt.want == "" && got.words != "") {
				t.Errorf("%q, want %q", got.words, tt.want)
			}
			got := refusing.Explain(
				Exit{Stage: "s", Title: "T", Code: c.ProcessState.ExitCode(), Stdout: stdout.Bytes(), Stderr: stderr.Bytes()},
			)
			if got.Code != tt.code {
				t.Errorf("%+v, want %s", got, tt.code)
			}
			if strings.Contains(got.Message, "database of this installation") {
				t.Errorf("%q blames the database", got.Message)
			}
			if t.Failed() {
				t.Logf("stderr:\n%s", stderr.Bytes())
			}
		})
	}
}
