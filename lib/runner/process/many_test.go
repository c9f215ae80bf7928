package process

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestManyWait launches thousands of runs, of which one executes, and opens another runner on the directory: it has each, in the
// same order, and starts none twice.
func TestManyWait(t *testing.T) {
	t.Parallel()
	many := 10_000
	if testing.Short() {
		many = 1000
	}
	f := set(t, nil)
	note := filepath.Join(t.TempDir(), "pids")
	var jobs []job.Job
	began := time.Now()
	for i := range many {
		j := script("echo $$ >> " + note + "; while :; do sleep 1; done")
		j.Batch, j.Started = fmt.Sprint("batch-", i%3), time.Unix(0, int64(i))
		jobs = append(jobs, j)
		f.launch(j)
	}
	launched := time.Since(began)
	order := func() map[string]int {
		q, err := f.Queue(t.Context(), jobs)
		if err != nil || q.Length != many-1 || len(q.Running) != 1 {
			t.Fatalf("%d wait, %d run, %v", q.Length, len(q.Running), err)
		}
		return q.Places
	}
	before := order()
	pid(t, note)
	began = time.Now()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	closed := time.Since(began)
	began = time.Now()
	f.open()
	opened := time.Since(began)
	f.observe(jobs[0])
	t.Logf("%d runs: launched in %s, closed in %s, opened in %s, known after %s", many, launched, closed, opened, time.Since(began))
	until(t, "the run that executed executes again", func() bool {
		b, err := os.ReadFile(note)
		return err == nil && len(b) > 0 && f.observe(jobs[0]).Phase == job.Active
	})
	after := order()
	for id, place := range before {
		if after[id] != place {
			t.Fatalf("job %s was in place %d of %d, and is in %d", id, place, many, after[id])
		}
	}
	if opened > 2*time.Second {
		t.Errorf("opening a runner with %d runs that wait took %s", many, opened)
	}
}
