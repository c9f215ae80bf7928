package upload

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
)

// TestAnnotationsAgree has the real Baktfold go through every annotation of the tests.
func TestAnnotationsAgree(t *testing.T) {
	program, _, ok := realbakta.Baktfold(t)
	if !ok {
		return
	}
	dir := t.TempDir()
	var tests []uploadTest
	var paths []string
	for _, tt := range uploadTests(t) {
		if tt.kind != BaktaJSON || tt.kinder {
			continue
		}
		name := tt.file
		if name == "" {
			name = "annotation.json"
		}
		path := filepath.Join(dir, strconv.Itoa(len(tests)), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(tt.content), 0o666); err != nil {
			t.Fatal(err)
		}
		tests, paths = append(tests, tt), append(paths, path)
	}
	in, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Dir(filepath.Dir(program))
	c := exec.CommandContext(
		t.Context(),
		filepath.Join(prefix, "venv", "bin", "python"),
		"-P",
		filepath.Join("testdata", "annotations.py"),
		filepath.Join(prefix, "baktfold", "baktfold.py"),
	)
	c.Stdin = bytes.NewReader(in)
	c.Env = append(
		os.Environ(),
		"TMPDIR="+t.TempDir(),
		"PYTHONDONTWRITEBYTECODE=1",
		"PYTHONPATH="+filepath.Join(prefix, "baktfold", "packages"),
	)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the judge: %v\n%s", err, stderr.Bytes())
	}
	var verdicts []string
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(tests) {
		t.Fatalf("the judge: %d verdicts for %d annotations, %v", len(verdicts), len(tests), err)
	}
	for i, v := range verdicts {
		if tt := tests[i]; (v == "") != (tt.says == "") {
			t.Errorf("%s: we say %q, Baktfold says %q", tt.name, tt.says, v)
		}
	}
}
