package workflow

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
)

// realBakta returns where the real Bakta is set up, or "". Tests go on without it.
func realBakta(t testing.TB) string {
	t.Helper()
	set, _ := realbakta.Find(t)
	return set.Prefix
}

// verdict is what the real Bakta makes of a command line, before it annotates.
type verdict struct {
	Error     string         `json:"error"`
	Options   map[string]any `json:"options"`   // those that are not Bakta's zero values
	Sequences [][4]string    `json:"sequences"` // id, type, topology and name of each
}

// judge asks the real Bakta's own code for its verdict on each command line.
func judge(t testing.TB, prefix string, commands [][]string) []verdict {
	t.Helper()
	var verdicts []verdict
	askPython(t, prefix, "judge.py", commands, &verdicts)
	if len(verdicts) != len(commands) {
		t.Fatalf("the judge: %d verdicts for %d command lines", len(verdicts), len(commands))
	}
	return verdicts
}

// askPython runs a script of testdata in the real Bakta's Python with a question on its standard input, as JSON or as it
// is if it is a text, and reads its answer.
func askPython(t testing.TB, prefix, script string, question, answer any) {
	t.Helper()
	in, isText := question.(string)
	if !isText {
		b, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		in = string(b)
	}
	c := exec.CommandContext(t.Context(), filepath.Join(prefix, "venv", "bin", "python"), filepath.Join("testdata", script))
	c.Stdin = strings.NewReader(in)
	temp := t.TempDir()
	c.Env = append(os.Environ(), "TMPDIR="+temp, "MPLCONFIGDIR="+temp, "PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore", "PYTHONUTF8=1")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// testLayout is a layout below a directory of a test.
type testLayout string

func (l testLayout) Input(name string) string   { return filepath.Join(string(l), "in", name) }
func (l testLayout) Output(stage string) string { return filepath.Join(string(l), "out", stage) }
func (l testLayout) Temp() string               { return filepath.Join(string(l), "tmp") }

// newLayout makes a layout's directories.
func newLayout(t testing.TB) testLayout {
	t.Helper()
	l := testLayout(t.TempDir())
	for _, d := range []string{filepath.Dir(l.Input("x")), l.Output("bakta"), l.Output("bakta_proteins"), l.Temp()} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// put writes an input and returns its path.
func (l testLayout) put(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := l.Input(name)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
