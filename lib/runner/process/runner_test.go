package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestSoManyRunAtATimeInOrder(t *testing.T) {
	t.Parallel()
	f := set(t, func(o *Options) { o.Jobs = 2 })
	gate := t.TempDir()
	var jobs []job.Job
	for i := range 6 {
		j := script(fmt.Sprintf("echo %d >> %[2]s/began; while [ ! -e %[2]s/go%[1]d ]; do sleep 0.01; done; %[3]s", i, gate, fine))
		jobs = append(jobs, j)
		f.launch(j)
	}
	began := func() []string {
		b, _ := os.ReadFile(gate + "/began")
		return strings.Fields(string(b))
	}
	for i, j := range jobs {
		until(t, "the beginning of the next", func() bool { return len(began()) >= min(i+2, len(jobs)) })
		if n := len(began()); n > i+2 {
			t.Errorf("%d of %d have begun while %d have ended", n, len(jobs), i)
		}
		for k, waits := range jobs[min(i+2, len(jobs)):] {
			seen := f.observe(waits)
			want := fmt.Sprintf("number %d of %d waiting jobs; 2 run at a time", k+1, len(jobs)-i-2)
			if seen.Phase != job.Waiting || seen.Waiting != want || seen.Blocked || time.Since(seen.Since) > time.Minute {
				t.Errorf("waiting: %+v, want %q", seen, want)
			}
		}
		if err := os.WriteFile(fmt.Sprintf("%s/go%d", gate, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		f.await(j, job.Ended)
	}
	got := began()
	for i := range got {
		// Two begin at once, so each may be noted one place off its own.
		if k := slices.Index(got, fmt.Sprint(i)); k < i-1 || k > i+1 {
			t.Errorf("order: %q", got)
		}
	}
}

// TestResultsAreStoredMeanwhile: the next runs begin while the results of others are stored, but no more than run at a time. So at the
// end of the process at most twice as many runs are interrupted.
func TestResultsAreStoredMeanwhile(t *testing.T) {
	t.Parallel()
	f := set(t, func(o *Options) { o.Jobs = 2 })
	var mu sync.Mutex
	stores := make(map[string]bool) // ids of jobs whose results are stored
	hold := make(chan struct{})
	f.files.slow = func(key string) {
		mu.Lock()
		stores[strings.Split(key, "/")[1]] = true
		mu.Unlock()
		<-hold
	}
	var jobs []job.Job
	for range 8 {
		jobs = append(jobs, script(fine))
		f.launch(jobs[len(jobs)-1])
	}
	until(t, "the results of four", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(stores) >= 4
	})
	// Two of the four have kept their places, so no other can begin.
	if q, err := f.Queue(t.Context(), nil); err != nil || q.Length != 4 || len(q.Running) != 2 {
		t.Errorf("while no result can be stored: %+v, %v", q, err)
	}
	close(hold)
	for _, j := range jobs {
		f.await(j, job.Ended)
	}
}

func TestLaunchOnce(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	count := filepath.Join(t.TempDir(), "count")
	j := script("echo x >> " + count + "; " + fine)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { f.launch(j) })
	}
	group.Wait()
	f.await(j, job.Ended)
	f.launch(j)
	again := j
	again.Run = 3 // another run is another thing
	f.launch(again)
	f.await(again, job.Ended)
	for _, release := range []bool{false, true} {
		if release {
			if err := f.Release(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
		late := j
		late.Run = 2 // it was given up before run 3 was launched
		f.launch(late)
		if seen := f.observe(late); seen.Phase != job.Absent {
			t.Errorf("observed %+v", seen)
		}
	}
	if b, err := os.ReadFile(count); string(b) != "x\nx\n" {
		t.Errorf("ran: %q, %v", b, err)
	}
}
