package privatefile

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWrite: nobody else can read the file, also if they could read the former one, and nothing else is left in the folder.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets")
	for _, before := range []os.FileMode{0, 0o644, 0o600, 0o400} {
		if before != 0 {
			if err := os.Chmod(path, before); err != nil {
				t.Fatal(err)
			}
		}
		text := before.String()
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("after %v: %v, %v", before, info.Mode(), err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if err := Write(filepath.Join(dir, "none", "secrets"), nil); err == nil {
		t.Error("a folder that does not exist is no error")
	}
}
