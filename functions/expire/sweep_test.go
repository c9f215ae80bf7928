package expire_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// shelf is a store of jobs that are due. Real ones are in the tests of local mode and of the cluster; the time that a
// sweep takes beside calls that hang needs a clock that can be turned.
type shelf struct {
	expire.Jobs
	mu   sync.Mutex
	jobs map[string]job.Job
}

func newShelf(n int, now time.Time) *shelf {
	s := &shelf{jobs: make(map[string]job.Job)}
	for i := range n {
		id := fmt.Sprintf("job %02d", i)
		s.jobs[id] = job.Job{ID: id, State: job.Running, Due: now.Add(time.Duration(i-n) * time.Second)}
	}
	return s
}

func (s *shelf) Due(_ context.Context, now time.Time, limit int) ([]job.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []job.Job
	for _, j := range s.jobs {
		if !j.Due.After(now) {
			due = append(due, j)
		}
	}
	slices.SortFunc(due, func(a, b job.Job) int { return a.Due.Compare(b.Due) })
	return due[:min(len(due), limit)], nil
}

func (s *shelf) Postpone(_ context.Context, id string, was, due time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j.Due.Equal(was) {
		j.Due = due
		s.jobs[id] = j
	}
	return nil
}

func (s *shelf) ExpireUnstarted(context.Context, time.Time, time.Time) (int, error) { return 0, nil }

func (s *shelf) Acquire(context.Context, string, string, time.Duration) (bool, error) {
	return true, nil
}

func (s *shelf) ReleaseLease(context.Context, string, string) error { return nil }

// life is what is done with jobs: nothing, or it hangs, or it panics.
type life struct {
	expire.Lifecycle
	does func(id string) string

	mu        sync.Mutex
	settled   []string
	now, most int // how many at once
}

func (l *life) Settle(ctx context.Context, j job.Job) error {
	l.mu.Lock()
	l.settled = append(l.settled, j.ID)
	l.now++
	l.most = max(l.most, l.now)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.now--
		l.mu.Unlock()
	}()
	switch l.does(j.ID) {
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "panic":
		panic("at the disco")
	}
	return nil
}

// sweepTime is how long a sweep has in a deployment.
const sweepTime = 110 * time.Second

func TestSweepBesideCallsThatHang(t *testing.T) {
	for _, tt := range []struct {
		name     string
		jobs     int
		does     func(id string) string
		parallel int
		within   time.Duration
		looked   int
		failed   int
	}{
		{"nothing hangs", 250, func(string) string { return "" }, 8, time.Second, 250, 0},
		{"a third hangs", 21, func(id string) string {
			if id < "job 07" { // those that are due the longest
				return "hang"
			}
			return ""
		}, 8, 21 * time.Second, 21, 7},
		{"everything hangs", 21, func(string) string { return "hang" }, 8, 61 * time.Second, 21, 21},
		{"more hangs than there is time for", 100, func(string) string { return "hang" }, 8, sweepTime, 40, 40},
		{"one at a time, as it was", 21, func(string) string { return "hang" }, 1, sweepTime, 5, 5},
		{"some panic", 21, func(id string) string {
			if strings.HasSuffix(id, "3") {
				return "panic"
			}
			return ""
		}, 8, time.Second, 19, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			jobs, lives := newShelf(tt.jobs, began), &life{does: tt.does}
			f, err := expire.New(expire.Deps{Jobs: jobs, Lifecycle: lives, UploadTTL: time.Hour, Now: time.Now,
				Log: slog.New(slog.DiscardHandler), Holder: "me", Parallel: tt.parallel})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), sweepTime)
			defer cancel()
			swept, err := f.Sweep(ctx)
			took := time.Since(began)
			t.Logf("%s: handled %d of %d jobs in %s, %d at once", tt.name, swept.Looked, tt.jobs, took, lives.most)
			if swept.Looked != tt.looked || swept.Failed != tt.failed || took > tt.within {
				t.Errorf("%s: %+v in %s, want %d handled and %d failed within %s", tt.name, swept, took, tt.looked, tt.failed, tt.within)
			}
			if lives.most > tt.parallel {
				t.Errorf("%s: %d at once, want at most %d", tt.name, lives.most, tt.parallel)
			}
			if slices.Sort(lives.settled); len(slices.Compact(slices.Clone(lives.settled))) != len(lives.settled) {
				t.Errorf("%s: some were handled twice: %v", tt.name, lives.settled)
			}
			if tt.failed > 0 && !errors.Is(err, context.DeadlineExceeded) || tt.looked == tt.jobs && tt.failed == 0 && err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			// What was not reached comes first at the next sweep.
			left, _ := jobs.Due(ctx, began, tt.jobs)
			for _, j := range left {
				if slices.Contains(lives.settled, j.ID) && tt.does(j.ID) != "panic" {
					t.Errorf("%s: %s was handled and not postponed", tt.name, j.ID)
				}
			}
		})
	}
}

// TestSweepBesideAnother: a sweep that comes while one of the same process is active does nothing, although the lease is that of the
// process.
func TestSweepBesideAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs, lives := newShelf(1, time.Now()), &life{does: func(string) string { return "hang" }}
		f, err := expire.New(expire.Deps{Jobs: jobs, Lifecycle: lives, UploadTTL: time.Hour, Now: time.Now,
			Log: slog.New(slog.DiscardHandler), Holder: "me"})
		if err != nil {
			t.Fatal(err)
		}
		first := make(chan expire.Swept, 1)
		go func() {
			swept, _ := f.Sweep(t.Context())
			first <- swept
		}()
		synctest.Wait()
		if swept, err := f.Sweep(t.Context()); !swept.Busy || err != nil {
			t.Errorf("beside another one: %+v, %v", swept, err)
		}
		if swept := <-first; swept.Busy || swept.Looked != 1 {
			t.Errorf("the first one: %+v", swept)
		}
		if swept, err := f.Sweep(t.Context()); swept.Busy || err != nil {
			t.Errorf("after both: %+v, %v", swept, err)
		}
	})
}

// slowTurns are callers whose jobs wait. To give one a turn takes ten seconds.
type slowTurns struct {
	life
	callers []string
	got     []string
}

func (s *slowTurns) NextCaller(_ context.Context, after string) (string, error) {
	for _, c := range s.callers {
		if c > after {
			return c, nil
		}
	}
	return "", nil
}

func (s *slowTurns) Next(ctx context.Context, caller string) (bool, error) {
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return false, ctx.Err()
	}
	s.got = append(s.got, caller)
	return false, nil
}

// TestTurnsGoOn: a sweep that has no time for all callers is no failure, and the next one continues with those that it has not reached.
func TestTurnsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowTurns{callers: []string{"a", "b", "c", "d", "e"}}
		f, err := expire.New(expire.Deps{Jobs: newShelf(0, time.Now()), Lifecycle: s, Callers: s, UploadTTL: time.Hour, Now: time.Now,
			Log: slog.New(slog.DiscardHandler), Holder: "me"})
		if err != nil {
			t.Fatal(err)
		}
		reached := make(map[string]int)
		for range 5 {
			s.got = nil
			if _, err := f.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			if len(s.got) < 2 || len(s.got) > 3 {
				t.Errorf("a sweep reached %v", s.got)
			}
			for _, c := range s.got {
				reached[c]++
			}
		}
		for _, c := range s.callers {
			if reached[c] < 2 {
				t.Errorf("five sweeps reached %v", reached)
			}
		}
	})
}
