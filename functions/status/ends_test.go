package status

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// stored is a store in which the runs of some jobs have stored their manifests.
type stored struct {
	mu        sync.Mutex
	manifests map[string]bool
	searches  map[string]int
	ended     []string
}

func (s *stored) Stored(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searches[id]++
	return s.manifests[id], nil
}

func (s *stored) Conclude(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, id)
	return true, nil
}

// A caller that asks for a running job again and again sees its end within 0.3 s, although nothing reports it. The number of
// searches is bounded for a job, for one that waits for long, and for a process whose callers ask for many jobs.
func TestEndIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stored{manifests: make(map[string]bool), searches: make(map[string]int)}
		var found []string
		e := newEnds(s, time.Now, slog.New(slog.DiscardHandler), func(id string) { found = append(found, id) })
		began := time.Now()
		ask := func(d time.Duration, jobs ...job.Job) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				for _, j := range jobs {
					e.search(j)
				}
				time.Sleep(5 * time.Millisecond)
				synctest.Wait()
			}
		}
		running := job.Job{ID: "running", State: job.Running, Started: began}
		ask(10*time.Second, running)
		if n := s.searches["running"]; n < 40 || n > 50 {
			t.Errorf("%d searches in 10 s", n)
		}
		s.manifests["running"] = true
		ask(300*time.Millisecond, running)
		if len(s.ended) == 0 || len(found) == 0 {
			t.Errorf("the end was not recorded within 0.3 s: %v, %v", s.ended, found)
		}
		waiting := job.Job{ID: "waiting", State: job.Submitted, Started: began.Add(-time.Hour)}
		ask(10*time.Second, waiting, job.Job{ID: "over", State: job.Succeeded})
		if n := s.searches["waiting"]; n < 4 || n > 5 || s.searches["over"] > 0 {
			t.Errorf("%d searches for a job that waits, %d for one that has ended", n, s.searches["over"])
		}
		clear(s.searches)
		var many []job.Job
		for i := range 1000 {
			many = append(many, job.Job{ID: fmt.Sprint("many ", i), State: job.Running})
		}
		ask(10*time.Second, many...)
		sum := 0
		for _, n := range s.searches {
			sum += n
		}
		if sum < 150 || sum > 210 {
			t.Errorf("%d searches for a thousand jobs in 10 s", sum)
		}
		if len(e.next) > 200 {
			t.Errorf("%d jobs are remembered", len(e.next))
		}
	})
}
