package process

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestQueue follows the places of runs that wait, and what is reported of changes.
func TestQueue(t *testing.T) {
	t.Parallel()
	changes := make(chan string, 1000)
	f := set(t, func(o *Options) { o.Changed = func(id string) { changes <- id } })
	note := filepath.Join(t.TempDir(), "pid")
	runs, first, second := script(stubborn("program", note)), script(fine), script(fine)
	f.launch(runs)
	pid(t, note)
	f.launch(first)
	f.launch(second)
	jobs := []job.Job{second, runs, first, script(fine)}
	expect := func(when string, length int, places map[string]int) {
		t.Helper()
		q, err := f.Queue(t.Context(), jobs)
		if err != nil || q.Length != length || !maps.Equal(q.Places, places) || q.Slots != 1 || len(q.Running) > 1 {
			t.Errorf("%s: %+v, %v", when, q, err)
		}
	}
	expect("one runs and two wait", 2, map[string]int{first.ID: 1, second.ID: 2})
	for len(changes) > 0 {
		<-changes
	}
	if err := f.Stop(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	expect("one was stopped", 1, map[string]int{second.ID: 1})
	for change := runs.ID; change != ""; { // the queue moved
		change = <-changes
	}
	if err := f.Stop(t.Context(), runs.ID); err != nil {
		t.Fatal(err)
	}
	f.await(second, job.Ended)
	expect("all have ended", 0, nil)
}

// TestOutputIsReported checks that output is reported while its program runs, and few times.
func TestOutputIsReported(t *testing.T) {
	t.Parallel()
	changes := make(chan string, 10_000)
	f := set(t, func(o *Options) { o.Changed = func(id string) { changes <- id } })
	gate := filepath.Join(t.TempDir(), "gate")
	j := script("i=0; while [ $i -lt 2000 ]; do echo line; echo >&2 line; i=$((i+1)); done; " +
		"while [ ! -e " + gate + " ]; do sleep 0.05; done; " + fine)
	f.launch(j)
	for tail := ""; tail != "line\n"; { // other changes are reported, too
		if change := <-changes; change != j.ID {
			continue
		}
		text, err := f.Tail(t.Context(), j, "bakta", 5)
		if err != nil && !job.Is(err, job.NotFound) {
			t.Fatal(err)
		}
		tail = string(text)
	}
	if seen := f.observe(j); seen.Phase != job.Active {
		t.Errorf("output is reported when the run is %+v", seen)
	}
	if err := f.Stop(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(changes); n > 100 {
		t.Errorf("4,000 lines are reported %d times", n)
	}
}
