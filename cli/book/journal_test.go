package book

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// large returns a book that is large enough for a journal.
func large(t *testing.T) *Book {
	t.Helper()
	b := Open(filepath.Join(t.TempDir(), "jobs.json"))
	var jobs []Entry
	for i := range 400 {
		jobs = append(jobs, entry(fmt.Sprintf("old-%d", i)))
	}
	text, err := json.MarshalIndent(content{Version: version, Jobs: jobs}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if sizeOf(b.path) < smallBook {
		t.Fatal("the book is small")
	}
	return b
}

// TestJournal: a change of a large book does not rewrite it, until the journal is half as large.
func TestJournal(t *testing.T) {
	b := large(t)
	want := ids(t, b)
	rewritten, size := 0, sizeOf(b.path)
	for i := range 400 {
		id := fmt.Sprintf("new-%d", i)
		add(t, b, id)
		want = append(want, id)
		if i%3 == 0 {
			if err := b.Remove(t.Context(), want[0]); err != nil {
				t.Fatal(err)
			}
			want = want[1:]
		}
		if now := sizeOf(b.path); now != size {
			rewritten, size = rewritten+1, now
		}
	}
	if got := ids(t, b); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if rewritten < 1 || rewritten > 4 {
		t.Errorf("the book was rewritten %d times for 534 changes", rewritten)
	}
	if _, err := b.Find("new-399"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(b.journalPath()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestJournalCut: what a crash leaves of a line hides no other line.
func TestJournalCut(t *testing.T) {
	b := large(t)
	want := ids(t, b)
	add(t, b, "a")
	file, err := os.OpenFile(b.journalPath(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"added":{"id":"cut"`); err != nil {
		t.Fatal(err)
	}
	file.Close()
	add(t, b, "b")
	if got := ids(t, b); !slices.Equal(got, append(want, "a", "b")) {
		t.Errorf("got %v", got[len(want):])
	}
}

// TestJournalLeft: a crash between the new book and the removal of the journal doubles nothing.
func TestJournalLeft(t *testing.T) {
	b := large(t)
	first := ids(t, b)[0]
	add(t, b, "a")
	if err := b.Remove(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadFile(b.journalPath())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; sizeOf(b.journalPath()) > 0; i++ {
		add(t, b, fmt.Sprintf("more-%d", i))
	}
	want := ids(t, b)
	if err := os.WriteFile(b.journalPath(), left, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, b); !slices.Equal(got, want) || slices.Contains(got, first) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestChange: what is known of a job is replaced, in a small book and in the journal of a large one.
func TestChange(t *testing.T) {
	for name, b := range map[string]*Book{"small": Open(filepath.Join(t.TempDir(), "jobs.json")), "large": large(t)} {
		asked := entry("again")
		asked.Rerun = &Rerun{Of: "old", RequestKey: "key", Request: "{}"}
		answered := asked
		answered.Rerun = &Rerun{Of: "old"}
		if err := b.Add(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		add(t, b, "behind")
		if got, err := b.Find("again"); err != nil || *got.Rerun != *asked.Rerun {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for range 2 { // a crash may leave a change that was made already
			if err := b.Change(t.Context(), answered); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := b.Find("again"); err != nil || *got.Rerun != *answered.Rerun {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if got := ids(t, b); !slices.Equal(got[len(got)-2:], []string{"again", "behind"}) {
			t.Errorf("%s: the jobs end with %v", name, got[len(got)-2:])
		}
		if err := b.Change(t.Context(), entry("unknown")); err != nil {
			t.Error(err)
		}
		if err := b.Remove(t.Context(), "again"); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, b); slices.Contains(got, "again") || slices.Contains(got, "unknown") {
			t.Errorf("%s: the jobs are %v", name, got)
		}
	}
}
