package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// TestLock: a backend waits for a killed one whose child processes are about to end.
func TestLock(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	killed := flock.New(filepath.Join(data, "lock"))
	if ok, err := killed.TryLock(); err != nil || !ok {
		t.Fatal(ok, err)
	}
	time.AfterFunc(lockTime/10, func() { killed.Unlock() }) // the test is about this delay
	unlock, err := lock(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	// Another backend is refused, also after the lock file was removed.
	for range 2 {
		if _, err := lock(t.Context(), data); err == nil || !strings.Contains(err.Error(), "is in use by another bakta-web") {
			t.Errorf("a second backend: %v", err)
		}
		if err := os.Remove(filepath.Join(data, "lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	unlock, err = lock(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestHosts(t *testing.T) {
	for _, row := range []struct {
		listen, public string
		refused        string
	}{
		{"127.0.0.1:0", "", ""},
		{"[::1]:8080", "", ""},
		{"lab:8080", "", ""},
		{":8080", "", "--public"},
		{"0.0.0.0:8080", "", "--public"},
		{"[::]:8080", "", "--public"},
		{"[::ffff:0.0.0.0]:8080", "", "--public"},
		{":8080", "lab.example.org", ""},
		{"0.0.0.0:8080", "10.1.2.3", ""},
		{"[::]:8080", "fd00::1", ""},
		{":8080", "0.0.0.0", "--public is"},
		{":8080", "http://lab", "--public is"},
		{":8080", "lab:80", "--public is"},
		{":8080", "-lab", "--public is"},
		{"8080", "", "--listen is"},
		{"", "", "--listen is"},
	} {
		err := Options{Listen: row.listen, Public: row.public}.checkHosts()
		if row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
			t.Errorf("%q, %q: %v, want %q", row.listen, row.public, err, row.refused)
		}
	}
}

// TestNames compares the address to listen on with the one in links.
func TestNames(t *testing.T) {
	for _, row := range []struct{ address, public, named string }{
		{"127.0.0.1:8", "", "127.0.0.1:8"},
		{"127.0.0.1:8", "lab", "lab:8"},
		{"0.0.0.0:8", "lab", "lab:8"},
		{"[::]:8", "fd00::1", "[fd00::1]:8"},
		{":8", "lab", "lab:8"},
	} {
		if got := (Options{Public: row.public}).named(row.address); got != row.named {
			t.Errorf("%q: named %q", row.address, got)
		}
	}
}

func TestSupported(t *testing.T) {
	for system, ok := range map[string]bool{"linux": true, "darwin": false, "windows": false} {
		if err := supported(system); (err == nil) != ok {
			t.Errorf("%s: %v", system, err)
		}
	}
}

func TestMongoDB(t *testing.T) {
	for uri, ok := range map[string]bool{
		"": true, "mongodb://h/d": true, "mongodb://u:secret@h1:1,h2:2/d?x=/": true, "mongodb+srv://h/d": true,
		"mongodb://u:secret@h": false, "mongodb://u:secret@h:1/": false, "mongodb://h/?x=/d": false,
	} {
		err := Options{MongoDB: uri}.checkMongoDB()
		if (err == nil) != ok || err != nil && (!strings.Contains(err.Error(), "/bakta-web") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %v", uri, err)
		}
	}
	long := errors.New("server selection timeout, current topology: { Type: Unknown, Servers: [{ Addr: h:1, Type: Unknown, Last error: " +
		"dial tcp h:1: refused }, ] }")
	if got := reason(long); got != "dial tcp h:1: refused" {
		t.Errorf("reason: %q", got)
	}
}
