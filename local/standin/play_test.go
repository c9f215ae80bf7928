package standin

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
)

// asProgram makes the test binary run the stand-in instead of tests, for tests that need a process to kill.
const asProgram = "STAND_IN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(context.Background(), os.Args, os.Stdout, os.Stderr))
	}
	os.Setenv("BAKTA_STAND_IN_STEP_DELAY", "0s")
	os.Exit(m.Run())
}

// played is the outcome of one run.
type played struct {
	status         int
	stdout, stderr string
	prefix         string // of the result files, without the dot
}

// play runs the stand-in as bakta.
func play(t *testing.T, args ...string) played {
	t.Helper()
	return playAs(t, "bakta", args...)
}

// playAs runs the stand-in in this process. It may not run twice at once: the FASTA library keeps a setting in a
// package variable.
func playAs(t *testing.T, program string, args ...string) played {
	t.Helper()
	prefix, more := place(t, program)
	var stdout, stderr bytes.Buffer
	status := Main(t.Context(), slices.Concat([]string{"/any/where/" + program}, more, args), &stdout, &stderr)
	return played{status, stdout.String(), stderr.String(), prefix}
}

// place returns where a run of a program puts its files, and the first arguments that say so.
func place(t *testing.T, program string) (prefix string, args []string) {
	out := filepath.Join(t.TempDir(), "out")
	args = []string{"--output", out, "--prefix", "x"}
	if program == "baktfold" {
		args = append([]string{"run"}, args...)
	}
	return filepath.Join(out, "x"), args
}

// realPrefix is where the real Bakta is set up, or empty. Without it a test that compares goes on.
func realPrefix(t *testing.T) string {
	t.Helper()
	set, _ := realbakta.Find(t)
	return set.Prefix
}

// playReal runs the real Bakta the same way.
func playReal(t *testing.T, prefix string, args ...string) played {
	t.Helper()
	return playRealAs(t, "bakta", filepath.Join(prefix, "bin", "bakta"), filepath.Join(prefix, "db"), args...)
}

// playRealAs runs a real program the same way.
func playRealAs(t *testing.T, program, path, database string, args ...string) played {
	t.Helper()
	prefix, more := place(t, program)
	args = slices.Concat(more, []string{"-d", database}, args)
	command := exec.CommandContext(t.Context(), path, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	if err := command.Run(); command.ProcessState == nil {
		t.Fatal(err)
	}
	return played{command.ProcessState.ExitCode(), stdout.String(), stderr.String(), prefix}
}

func (p played) mustSucceed(t *testing.T) played {
	t.Helper()
	if p.status != 0 {
		t.Fatalf("exit status %d\n%s%s", p.status, p.stdout, p.stderr)
	}
	return p
}

func (p played) file(t *testing.T, ending string) string {
	t.Helper()
	content, err := os.ReadFile(p.prefix + "." + ending)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

const demoGenome = "../demo/genome.fna"

// fast skips what takes the real Bakta long, and the stand-in no time.
var fast = []string{"--skip-trna", "--skip-tmrna", "--skip-rrna", "--skip-ncrna", "--skip-ncrna-region", "--skip-crispr", "--skip-sorf",
	"--skip-ori", "--skip-plot", "--skip-pseudo"}

func with(args []string, more ...string) []string { return append(slices.Clone(args), more...) }
