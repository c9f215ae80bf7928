package local

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
)

// dueTimes is a store that knows only when jobs are due.
type dueTimes struct {
	store.Jobs
	times   []time.Time
	written bool
	away    error
	reads   int
}

func (d *dueTimes) Due(_ context.Context, now time.Time, _ int) (due []job.Job, err error) {
	d.reads++
	for _, at := range d.times {
		if !at.After(now) {
			due = append(due, job.Job{Due: at})
		}
	}
	return due, d.away
}

// sweep handles the jobs that are due: they are not due again soon.
func (d *dueTimes) sweep(context.Context) (expire.Swept, error) {
	for i, at := range d.times {
		if d.away == nil && !at.After(time.Now()) {
			d.times[i], d.written = time.Now().Add(24*time.Hour), true
		}
	}
	return expire.Swept{}, d.away
}

// TestSweeps: a sweep begins soon after a job is due. While nothing is due and nothing written, there are few, and few reads of the store.
func TestSweeps(t *testing.T) {
	t.Parallel()
	disk, err := space.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		jobs := new(dueTimes)
		var sweeps []time.Time
		s := sweeper{every: 5 * time.Second, log: slog.New(slog.DiscardHandler), disk: disk, jobs: jobs,
			written: func() bool { is := jobs.written; jobs.written = false; return is },
			sweep: func(ctx context.Context) (expire.Swept, error) {
				sweeps = append(sweeps, time.Now())
				return jobs.sweep(ctx)
			}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.run(ctx)
		// during returns the number of sweeps and reads of the store in that time, and when the first sweep began.
		during := func(d time.Duration) (n, reads int, first time.Duration) {
			began := time.Now()
			sweeps, jobs.reads = nil, 0
			time.Sleep(d)
			synctest.Wait()
			if len(sweeps) > 0 {
				first = sweeps[0].Sub(began)
			}
			return len(sweeps), jobs.reads, first
		}
		if n, _, first := during(time.Second); n != 1 || first != 0 {
			t.Errorf("at the start: %d sweeps, the first after %s", n, first)
		}
		if n, reads, _ := during(time.Hour); n != 6 || reads > 12 {
			t.Errorf("in an idle hour: %d sweeps, %d reads", n, reads)
		}
		const later = 3 * time.Minute
		jobs.times, jobs.written = []time.Time{time.Now().Add(later)}, true
		if n, reads, first := during(5 * time.Minute); n < 1 || n > 2 || reads > 4 || first < later || first > later+5*time.Second {
			t.Errorf("with a job due after %s: %d sweeps, the first after %s, %d reads", later, n, first, reads)
		}
		jobs.times, jobs.written = append(jobs.times, time.Now()), true
		if n, _, first := during(time.Minute); n < 1 || first > 5*time.Second {
			t.Errorf("with a job due at once: %d sweeps, the first after %s", n, first)
		}
		jobs.times, jobs.written, jobs.away = append(jobs.times, time.Now()), true, errors.New("the store is away")
		if n, _, _ := during(time.Minute); n != 12 {
			t.Errorf("while the store is away: %d sweeps in a minute", n)
		}
		jobs.away = nil
		if n, _, _ := during(time.Minute); n < 1 || n > 2 || jobs.times[2].Before(time.Now()) {
			t.Errorf("afterwards: %d sweeps in a minute, due %s", n, jobs.times)
		}
	})
}
