package realbakta

import (
	"os"
	"path/filepath"
	"testing"
)

// An installation that was interrupted does not count, even if programs exist already.
func TestFind(t *testing.T) {
	prefix := t.TempDir()
	t.Setenv("BAKTA_PREFIX", prefix)
	for _, name := range []string{"bin/bakta", "bin/bakta_proteins", "bin/baktfold", "stamps/programs"} {
		write(t, filepath.Join(prefix, name))
	}
	if set, ok := Find(t); ok {
		t.Errorf("an incomplete installation is found: %+v", set)
	}
	if program, _, ok := Baktfold(t); ok {
		t.Errorf("an incomplete installation is found: %s", program)
	}
	if set, err := Locate(); err == nil {
		t.Errorf("an incomplete installation is located: %+v", set)
	}
	write(t, filepath.Join(prefix, "stamps", "smoke"))
	if set, ok := Find(t); !ok || set.Bakta != filepath.Join(prefix, "bin", "bakta") {
		t.Errorf("%+v, %t", set, ok)
	}
	if _, _, ok := Baktfold(t); ok {
		t.Error("Baktfold is found where Bakta alone is ready")
	}
	if set, err := Locate(); err == nil {
		t.Errorf("an installation without Baktfold is located: %+v", set)
	}
	write(t, filepath.Join(prefix, "stamps", "smoke-baktfold"))
	if set, err := Locate(); err != nil || set.Prefix != prefix {
		t.Errorf("%+v, %v", set, err)
	}
}

// Without the variable, the installation of the repository is searched.
func TestPrefix(t *testing.T) {
	t.Setenv("BAKTA_PREFIX", "")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := prefix(); err != nil || got != filepath.Join(root, ".cache", "bakta") {
		t.Errorf("%s, %v", got, err)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
}
