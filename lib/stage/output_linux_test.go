package stage

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestRunKeepsLinesWhole(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	script := `i=0; while [ $i -lt 300 ]; do printf 'out '; printf 'put\n'; printf 'err ' >&2; printf 'or\n' >&2; i=$((i+1)); done`
	var stdout, stderr bytes.Buffer
	if _, err := Run(t.Context(), shell(script), dir, Options{Stdout: &stdout, Stderr: &stderr}); err != nil {
		t.Fatal(err)
	}
	if got, want := stdout.String(), strings.Repeat(
		"out put\n",
		300,
	); !strings.HasSuffix(got, want) ||
		!strings.HasPrefix(got, "Bakta Command: ") {
		t.Errorf("stdout: %q", got)
	}
	if got, want := stderr.String(), strings.Repeat("err or\n", 300); got != want {
		t.Errorf("stderr: %q", got)
	}
	log := text(t, Dir(dir).Log("bakta"))
	if strings.Count(log, "\nout put") != 300 || strings.Count(log, "\nerr or") != 300 {
		t.Errorf("log: %q", log)
	}
}

func TestRunQuotesTheCommand(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	c := Command{Stage: "bakta", Title: "Bakta", Argv: []string{"true", "--strain=O'Neill 7", "", "--gram=?", "a\tb", "--threads", "4", "é"}}
	if _, err := Run(t.Context(), c, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	want := `Bakta Command: true '--strain=O'\''Neill 7' '' '--gram=?' $"a\tb" --threads 4 'é'` + "\n"
	if got := text(t, Dir(dir).Log("bakta")); got != want {
		t.Errorf("log %q, want %q", got, want)
	}
}

func TestRunBoundsTheLog(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	var copied bytes.Buffer
	got, err := Run(
		t.Context(),
		shell("head -c 1000000000 /dev/zero; echo 'ERROR: at last' >&2; exit 1"),
		dir,
		Options{MaxLog: 100_000, Stdout: &copied},
	)
	if err != nil || got.ExitCode != 1 {
		t.Fatalf("Run: %+v, %v", got, err)
	}
	log := text(t, Dir(dir).Log("bakta"))
	if want := "\n[The output is longer than 100000 bytes. The rest of it is left out of this log.]\n"; len(log) != 100_000+len(want) ||
		!strings.HasSuffix(log, want) {
		t.Errorf("the log has %d bytes and ends in %q", len(log), log[max(0, len(log)-200):])
	}
	if copied.Len() > 200_000 {
		t.Errorf("%d bytes were copied", copied.Len())
	}
	// The reason comes from the very end, whatever became of the log.
	if rec, _, err := readStage(Dir(dir), "bakta"); err != nil || rec.Failure == nil || !strings.Contains(rec.Failure.Message, "at last") {
		t.Errorf("failure %+v, %v", rec.Failure, err)
	}
}

// full is a disk without space.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return f.left, syscall.ENOSPC
	}
	f.left -= len(b)
	return len(b), nil
}

func TestOutputIsTakenWhenTheLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	out := &recorder{log: &full{left: 10}, left: 1000, limit: 1000}
	var copied bytes.Buffer
	s := &stream{to: out, copy: &copied, tail: &tail{}}
	for range 5 {
		if n, err := s.Write([]byte("a line\n")); n != 7 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	if !errors.Is(out.err, syscall.ENOSPC) {
		t.Errorf("the log's error: %v", out.err)
	}
	if want := strings.Repeat("a line\n", 5); copied.String() != want || string(s.tail.kept) != want {
		t.Errorf("copied %q, kept %q", copied.String(), s.tail.kept)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	tl := &tail{}
	for i := range 3 * maxTail {
		tl.Write([]byte{byte(i)})
	}
	tl.Write(bytes.Repeat([]byte("x"), 5*maxTail))
	tl.Write([]byte("end"))
	if n := len(tl.kept); n < maxTail || n > 2*maxTail || !bytes.HasSuffix(tl.kept, []byte("xxend")) {
		t.Errorf("kept %d bytes, the end is %q", n, tl.kept[n-5:])
	}
}

// TestBoundedThreads: a program gets no more threads than its node has processors, which it would refuse.
func TestBoundedThreads(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	all := strconv.Itoa(runtime.NumCPU())
	c := Command{Stage: "bakta", Title: "Bakta", Argv: []string{"echo", "--threads=100000", "--threads=1", "--threads=x"}}
	if _, err := Run(t.Context(), c, dir, Options{Environ: Environment(os.Environ())}); err != nil {
		t.Fatal(err)
	}
	want := "Bakta Command: echo --threads=" + all + " --threads=1 --threads=x\n--threads=" + all + " --threads=1 --threads=x\n"
	if got := text(t, Dir(dir).Log("bakta")); got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
}
