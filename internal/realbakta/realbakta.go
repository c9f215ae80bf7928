// Package realbakta finds the real programs that `make bakta` installs.
package realbakta

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Set is an installation of Bakta, with a tiny database.
type Set struct {
	Prefix          string // directory of all of it
	Bakta, Proteins string // the programs bakta and bakta_proteins
	Database        string // directory of their database
	Python          string // the interpreter that has Bakta's modules, and Biopython
}

// Find returns the installation that the environment variable BAKTA_PREFIX names, or else that of the repository. If there is none, or
// if it is not complete, Find prints that, and the test must continue without it.
func Find(t testing.TB) (Set, bool) {
	t.Helper()
	prefix, ok := ready(t, "smoke", "bakta and bakta_proteins")
	if !ok {
		return Set{}, false
	}
	return at(prefix), true
}

// Locate is Find for programs that require the installation: it returns an error if there is none, or if Baktfold is not ready.
func Locate() (Set, error) {
	prefix, err := prefix()
	if err != nil {
		return Set{}, err
	}
	for _, step := range []string{"smoke", "smoke-baktfold"} {
		if _, err := os.Stat(filepath.Join(prefix, "stamps", step)); err != nil {
			return Set{}, fmt.Errorf("the real programs are not set up at %s, see make bakta: %w", prefix, err)
		}
	}
	return at(prefix), nil
}

func at(prefix string) Set {
	return Set{
		Prefix: prefix,
		Bakta:  filepath.Join(prefix, "bin", "bakta"), Proteins: filepath.Join(prefix, "bin", "bakta_proteins"),
		Database: filepath.Join(prefix, "db"), Python: filepath.Join(prefix, "venv", "bin", "python"),
	}
}

// Baktfold returns the program baktfold and the directory of its database. Its two searches are stubs that find nothing; the rest is
// real. If it is not installed, the same applies as to Find.
func Baktfold(t testing.TB) (program, database string, ok bool) {
	t.Helper()
	prefix, ok := ready(t, "smoke-baktfold", "baktfold")
	return filepath.Join(prefix, "bin", "baktfold"), filepath.Join(prefix, "baktfold-db"), ok
}

// ready returns the prefix if the last step of the installation was completed there. Programs exist before they work.
func ready(t testing.TB, step, what string) (string, bool) {
	t.Helper()
	prefix, err := prefix()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(prefix, "stamps", step)); err != nil {
		line := fmt.Sprintf("ATTENTION: %s does without the real %s: not set up at %s, see make bakta", t.Name(), what, prefix)
		fmt.Fprintln(os.Stderr, line) // a log of a test that succeeds is not shown
		t.Log(line)
		return "", false
	}
	return prefix, true
}

func prefix() (string, error) {
	if prefix := os.Getenv("BAKTA_PREFIX"); prefix != "" {
		return filepath.Abs(prefix)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bakta", "setup.sh")); err == nil {
			return filepath.Join(dir, ".cache", "bakta"), nil
		}
	}
	return "", fmt.Errorf("no directory above this one holds bakta/setup.sh, by which the repository is known")
}
