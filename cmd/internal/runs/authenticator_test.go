package runs

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOwnNamespace: a function that can't read its namespace does not start, instead of accepting events of any.
func TestOwnNamespace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "namespace")
	if name, err := ownNamespace(file); err == nil {
		t.Errorf("without the file it is %q", name)
	}
	if err := os.WriteFile(file, []byte("functions\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name, err := ownNamespace(file); name != "functions" || err != nil {
		t.Errorf("it is %q, %v", name, err)
	}
}
