package local_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// TestExecutableReplaced: a backend runs jobs after its executable was replaced, as by an upgrade, by one whose stager does
// not work with it.
func TestExecutableReplaced(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(t.TempDir(), "bakta-web")
	if out, err := exec.Command("cp", self, installed).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	start := []string{"/bin/sh", "-c", `exec "$INSTALLED" "$@"`}
	b, err := tryBackendBy(t, start, t.TempDir(), []string{"INSTALLED=" + installed}, "--bakta", "stand-in")
	if err != nil {
		t.Fatal(err)
	}
	other := "#!/bin/sh\n[ \"$1\" = stand-in ] && exec '" + self + "' \"$@\"\necho \"another version\" >&2\nexit 2\n"
	if err := os.WriteFile(installed+".new", []byte(other), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(installed+".new", installed); err != nil {
		t.Fatal(err)
	}
	c := b.client()
	j, started, err := submit(t.Context(), c, "", genome)
	if err != nil || !started {
		t.Fatal(err)
	}
	final, err := c.Wait(t.Context(), j, 0, nil)
	if err != nil || final.State != client.Successful {
		t.Errorf("%+v, %v; the backend logged %s", final, err, b.errors.String())
	}
}
