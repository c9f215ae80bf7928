package standin

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	dir            string
}

// play runs the stand-in in this process, as that program.
func play(t *testing.T, program string, args ...string) played {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	var stdout, stderr bytes.Buffer
	first := []string{"/any/where/" + program}
	if program == "baktfold" {
		first = append(first, "run")
	}
	status := Main(t.Context(), slices.Concat(first, []string{"--output=" + out, "--prefix=x"}, args), &stdout, &stderr)
	return played{status, stdout.String(), stderr.String(), out}
}

func (p played) mustSucceed(t *testing.T) played {
	t.Helper()
	if p.status != 0 {
		t.Fatalf("exit status %d\n%s%s", p.status, p.stdout, p.stderr)
	}
	return p
}

func (p played) path(ending string) string { return filepath.Join(p.dir, "x."+ending) }

func (p played) file(t *testing.T, ending string) string {
	t.Helper()
	return read(t, p.path(ending))
}

// endings lists the files of the results.
func (p played) endings(t *testing.T) (endings []string) {
	t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		endings = append(endings, strings.TrimPrefix(e.Name(), "x."))
	}
	return endings
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
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

const (
	demoGenome    = "../demo/genome.fna"
	proteinsFASTA = ">p1 some protein\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAP\nILSRVGD*\n>p2\nmk-tayX\n"
)
