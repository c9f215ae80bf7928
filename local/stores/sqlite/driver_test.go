package sqlite_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestVersionOfLibc: the driver is generated for one version of modernc.org/libc, the one in its own go.mod. With another one it
// may fail at any call.
func TestVersionOfLibc(t *testing.T) {
	list := func(format, module string) string {
		t.Helper()
		out, err := exec.Command("go", "list", "-m", "-f", format, module).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", module, err)
		}
		return strings.TrimSpace(string(out))
	}
	needs, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if version := list("{{.Version}}", "modernc.org/libc"); !strings.Contains(string(needs), "modernc.org/libc "+version+"\n") {
		t.Errorf("modernc.org/libc is at %s; set the version that the go.mod of modernc.org/sqlite names:\n%s", version, needs)
	}
}
