package batch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/annotation"
	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
)

func open(t *testing.T, out string) *Ledger {
	t.Helper()
	l, err := OpenLedger(out, book.Open(filepath.Join(out, "book.json")))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func put(t *testing.T, l *Ledger, jobs ...Job) {
	t.Helper()
	for _, job := range jobs {
		if err := l.Put(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLedger: the last line of a key counts, also after the folder is opened again, and after a crash cut a line off.
func TestLedger(t *testing.T) {
	out := t.TempDir()
	l := open(t, out)
	batch := l.Batch()
	done := Job{Key: "k1", Name: "a", ID: "1", Secret: "s", Phase: Done, Files: map[string]int64{"a.json": 7},
		Facts: &annotation.Summary{Tool: "Bakta 1", Version: "1", Features: map[string]int{"cds": 3}, Size: 9}}
	put(t, l, Job{Key: "k1", Name: "a", ID: "1", Secret: "s", Phase: Made}, Job{Key: "k2", Name: "b", ID: "2", Phase: Made}, done)
	if _, err := OpenLedger(out, nil); !errors.Is(err, errBusy) {
		t.Errorf("a second process gets %v", err)
	}
	l.Close()
	file, err := os.OpenFile(l.path(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"key":"k3","name":"c"`); err != nil {
		t.Fatal(err)
	}
	file.Close()
	l = open(t, out)
	put(t, l, Job{Key: "k4", Name: "a", ID: "4", Phase: Started})
	l.Close()
	l = open(t, out)
	defer l.Close()
	if got, ok := l.Find("k1"); !ok || cmp.Diff(done, got) != "" || l.Batch() != batch {
		t.Errorf("%+v, %v", got, ok)
	}
	if got, _ := l.Named("a"); got.ID != "4" {
		t.Errorf("%+v", got)
	}
	if _, ok := l.Find("k3"); ok {
		t.Error("a line that was cut off counts")
	}
	if all := l.All(); len(all) != 2 || all[0].ID != "4" || all[1].ID != "2" {
		t.Errorf("%+v", all)
	}
}

// TestLedgerRound: a round stays open until it is ended, also when the folder is opened again and the file is rewritten.
func TestLedgerRound(t *testing.T) {
	out := t.TempDir()
	l := open(t, out)
	if l.Round() != "" || !l.RoundBegan().IsZero() {
		t.Errorf("a round is open at first: %s", l.Round())
	}
	if err := l.BeginRound(); err != nil {
		t.Fatal(err)
	}
	round, began := l.Round(), l.RoundBegan()
	put(t, l, Job{Key: "k1", Name: "a", ID: "1", Phase: Made, Round: round})
	if err := errors.Join(l.rewrite(), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = open(t, out)
	if job, _ := l.Find("k1"); round == "" || l.Round() != round || !l.RoundBegan().Equal(began) || job.Round != round {
		t.Errorf("the round is %q of %s, and %q of the job; want %q of %s", l.Round(), l.RoundBegan(), job.Round, round, began)
	}
	if err := errors.Join(l.EndRound(), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = open(t, out)
	defer l.Close()
	if job, ok := l.Find("k1"); l.Round() != "" || !l.RoundBegan().IsZero() || !ok || job.Round != round {
		t.Errorf("after its end, the round is %q of %s; the job is %+v", l.Round(), l.RoundBegan(), job)
	}
}

// TestLedgerRewritten: lines that later ones replaced do not fill the disk.
func TestLedgerRewritten(t *testing.T) {
	out := t.TempDir()
	l := open(t, out)
	l.Close()
	text, err := os.ReadFile(l.path())
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lines, `{"key":"k%d","name":"n%d","phase":"started","reason":"%d"}`+"\n", i%100, i%100, i)
	}
	if err := os.WriteFile(l.path(), append(text, lines.String()...), 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, out)
	defer l.Close()
	after, err := os.ReadFile(l.path())
	if n := strings.Count(string(after), "\n"); err != nil || n != 101 {
		t.Errorf("%v, %d lines", err, n)
	}
	if job, _ := l.Find("k99"); job.Reason != "2999" {
		t.Errorf("%+v", job)
	}
}

// TestLedgerDamaged: what can't be read is left alone.
func TestLedgerDamaged(t *testing.T) {
	for text, says := range map[string]string{
		"{":                                 "is damaged",
		"{\"key\":\"a\"}\n":                 "is damaged",
		"{\"version\":9,\"batch\":\"b\"}\n": "was written by a newer bakta-web",
	} {
		out := t.TempDir()
		l := open(t, out)
		l.Close()
		if err := os.WriteFile(l.path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLedger(out, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
		if got, _ := os.ReadFile(l.path()); string(got) != text {
			t.Errorf("it is %q now", got)
		}
	}
}

// TestLedgerCut: what is recorded after a line that a full disk cut off is there when the folder is opened again.
func TestLedgerCut(t *testing.T) {
	out := t.TempDir()
	l := open(t, out)
	put(t, l, Job{Key: "k1", Name: "a", ID: "1"})
	whole := l.file
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full: ", err)
	}
	defer full.Close()
	l.file = full
	if err := l.Put(t.Context(), Job{Key: "k2", Name: "b", ID: "2"}); err == nil {
		t.Error("a job is recorded on a full disk")
	}
	l.file = whole
	if _, err := whole.WriteString(`{"key":"k2","na`); err != nil { // what a disk takes before it is full
		t.Fatal(err)
	}
	put(t, l, Job{Key: "k3", Name: "c", ID: "3"})
	l.Close()
	l = open(t, out)
	defer l.Close()
	if got := l.All(); len(got) != 2 || got[1].ID != "3" {
		t.Errorf("%+v", got)
	}
}

// TestLedgerUnlockable: that a folder can't be locked is not that another process works on it.
func TestLedgerUnlockable(t *testing.T) {
	out := t.TempDir()
	if err := os.MkdirAll(filepath.Join(out, ledgerFolder, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(out, nil); err == nil || errors.Is(err, errBusy) || !strings.Contains(err.Error(), "lock can't be locked") {
		t.Errorf("%v", err)
	}
}

// TestSummaryOfInterrupted: until a call comes to a sample, its row is what earlier calls found, for the call may be interrupted before.
func TestSummaryOfInterrupted(t *testing.T) {
	out := t.TempDir()
	l := open(t, out)
	defer l.Close()
	put(t, l, Job{Key: "k1", Name: "a", ID: "1", File: "/a.fna", Workflow: "bakta", Phase: Done, Seconds: 451})
	samples := []Sample{{Name: "a", Files: []File{{Path: "/a.fna"}}}, {Name: "b", Files: []File{{Path: "/b.fna"}}}}
	b := New(samples, Options{Record: l, Out: out})
	for _, want := range []string{"a\t/a.fna\t1\tbakta\tdone\t\t451\t", "b\t/b.fna\t\t\twaiting\t"} {
		if got := string(b.summary()); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
