package realbakta

import (
	"bytes"
	_ "embed" // the scripts below
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Prefix returns the directory of the installation that Find finds, or "" if there is none.
func Prefix(t testing.TB) string {
	t.Helper()
	set, _ := Find(t)
	return set.Prefix
}

// Python runs a script with the real Bakta's Python, writes the question to its standard input, and reads its answer. Both are JSON,
// except a question that is a string.
func Python(t testing.TB, prefix, script string, question, answer any) {
	t.Helper()
	in, isText := question.(string)
	if !isText {
		b, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		in = string(b)
	}
	c := exec.CommandContext(t.Context(), filepath.Join(prefix, "venv", "bin", "python"), script)
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

// Verdict is the result of the real Bakta's check of a command line, before it annotates.
type Verdict struct {
	Error     string         `json:"error"`
	Options   map[string]any `json:"options"`   // those that differ from Bakta's zero values
	Sequences [][4]string    `json:"sequences"` // id, type, topology and name of each
}

//go:embed judge.py
var judge []byte

// Judge asks the real Bakta's own code for its verdict on each command line.
func Judge(t testing.TB, prefix string, commands [][]string) []Verdict {
	t.Helper()
	var verdicts []Verdict
	Python(t, prefix, script(t, judge), commands, &verdicts)
	if len(verdicts) != len(commands) {
		t.Fatalf("the judge: %d verdicts for %d command lines", len(verdicts), len(commands))
	}
	return verdicts
}

//go:embed train.py
var train []byte

// Train makes the Prodigal inside the real Bakta write a training file for each translation table (4.trn, 11.trn, 25.trn), and returns
// their directory. If ours is not nil, Prodigal must also accept it as a training file.
func Train(t testing.TB, prefix string, ours []byte) string {
	t.Helper()
	dir := t.TempDir()
	if ours != nil {
		if err := os.WriteFile(filepath.Join(dir, "ours.trn"), ours, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), filepath.Join(prefix, "venv", "bin", "python"), script(t, train), dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// script writes a script to a file.
func script(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.py")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
