package book

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"
)

func entry(id string) Entry {
	return Entry{ID: id, Secret: "secret-" + id, Server: "http://127.0.0.1:8080", Name: "a \"name\"\n", File: "g.fna",
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func add(t *testing.T, b *Book, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := b.Add(t.Context(), entry(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(t *testing.T, b *Book) []string {
	t.Helper()
	jobs, err := b.Jobs()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

func TestBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "jobs.json")
	b := Open(path)
	if got := ids(t, b); got != nil {
		t.Errorf("a new book holds %v", got)
	}
	add(t, b, "a1", "a2", "b3")
	if err := b.Remove(t.Context(), "a1"); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(t.Context(), "none"); err != nil {
		t.Fatal(err)
	}
	jobs, err := Open(path).Jobs()
	if diff := cmp.Diff([]Entry{entry("a2"), entry("b3")}, jobs); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, path + ".lock": 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 2 {
		t.Errorf("something is left behind: %v", entries)
	}
}

func TestFind(t *testing.T) {
	b := Open(filepath.Join(t.TempDir(), "jobs.json"))
	add(t, b, "0fd48a1c-1", "0fd48a1c-2", "1234")
	for prefix, want := range map[string]string{
		"1": "1234", "1234": "1234", " 12\n": "1234", "0FD48A1C-2": "0fd48a1c-2",
		"0fd": `stands for 2 jobs, write more of the id: 0fd48a1c-1, 0fd48a1c-2`, "9": "no job", "": "no job", "12345": "no job",
	} {
		got, err := b.Find(prefix)
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && got.ID != want {
			t.Errorf("Find(%q) = %q, %v; want %q", prefix, got.ID, err, want)
		}
	}
}

// TestDamaged: what can't be read is left alone.
func TestDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"damaged": `{"version":1,"jobs":[{"id":"a"`,
		"newer":   `{"version":2,"jobs":[]}`,
	} {
		path := filepath.Join(t.TempDir(), "jobs.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := Open(path)
		_, readErr := b.Jobs()
		_, findErr := b.Find("a")
		for _, err := range []error{readErr, findErr, b.Add(t.Context(), entry("b")), b.Remove(t.Context(), "a")} {
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: err = %v", name, err)
			}
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("%s: the file is now %s", name, got)
		}
	}
}

func TestAddThroughALink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "jobs.json")
	if err := os.WriteFile(real, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	add(t, Open(link), "a")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestLockedBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.json")
	other := flock.New(path + ".lock")
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	defer other.Unlock()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	if err := Open(path).Add(ctx, entry("a")); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("err = %v", err)
	}
}

// TestManyProcesses: processes that add at the same time lose nothing of each other.
func TestManyProcesses(t *testing.T) {
	const processes, each = 8, 10
	path := filepath.Join(t.TempDir(), "jobs.json")
	if name := os.Getenv("BOOK_TEST_WRITER"); name != "" {
		b := Open(os.Getenv("BOOK_TEST_PATH"))
		for i := range each {
			add(t, b, fmt.Sprintf("%s-%d", name, i))
		}
		return
	}
	var running []*exec.Cmd
	for i := range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^TestManyProcesses$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("BOOK_TEST_WRITER=%d", i), "BOOK_TEST_PATH="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if got := len(ids(t, Open(path))); got != processes*each {
		t.Errorf("%d of %d jobs are there", got, processes*each)
	}
}

func TestPath(t *testing.T) {
	for _, row := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"BAKTA_WEB_JOBS": "/x/y.json", "XDG_STATE_HOME": "/state", "HOME": "/home/me"}, "/x/y.json"},
		{map[string]string{"XDG_STATE_HOME": "/state", "HOME": "/home/me"}, "/state/bakta-web/jobs.json"},
		{map[string]string{"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/state/bakta-web/jobs.json"},
		{map[string]string{"HOME": "/home/me"}, "/home/me/.local/state/bakta-web/jobs.json"},
		{nil, ""},
	} {
		got, err := Path(func(name string) string { return row.env[name] })
		if got != row.want || (err != nil) != (row.want == "") {
			t.Errorf("%v: %q, %v", row.env, got, err)
		}
	}
}
