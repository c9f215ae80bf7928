package local

import (
	"context"
	"errors"
	"log/slog"
	"sync"
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

	mu      sync.Mutex
	times   []time.Time
	written bool
	away    error
	reads   int
	sweeps  []time.Time
}

// wasWritten reports whether jobs were written since it was called last.
func (d *dueTimes) wasWritten() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	is := d.written
	d.written = false
	return is
}

// set makes one more job due at that time. The store is away if err is not nil.
func (d *dueTimes) set(at time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times, d.written, d.away = append(d.times, at), true, err
}

// back ends that the store is away.
func (d *dueTimes) back() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = nil
}

func (d *dueTimes) Due(_ context.Context, now time.Time, _ int) (due []job.Job, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
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
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweeps = append(d.sweeps, time.Now())
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
		s := sweeper{every: 5 * time.Second, log: slog.New(slog.DiscardHandler), disk: disk, jobs: jobs,
			written: jobs.wasWritten, sweep: jobs.sweep}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begin := sync.OnceFunc(func() { go s.run(ctx) }) // by the first during, which would else miss the first sweep at times
		// during returns the number of sweeps and reads of the store in that time, and when the first sweep began.
		during := func(d time.Duration) (n, reads int, first time.Duration) {
			began := time.Now()
			jobs.mu.Lock()
			jobs.sweeps, jobs.reads = nil, 0
			jobs.mu.Unlock()
			begin()
			time.Sleep(d)
			synctest.Wait()
			jobs.mu.Lock()
			defer jobs.mu.Unlock()
			if len(jobs.sweeps) > 0 {
				first = jobs.sweeps[0].Sub(began)
			}
			return len(jobs.sweeps), jobs.reads, first
		}
		if n, _, first := during(time.Second); n != 1 || first != 0 {
			t.Errorf("at the start: %d sweeps, the first after %s", n, first)
		}
		if n, reads, _ := during(time.Hour); n != 6 || reads > 12 {
			t.Errorf("in an idle hour: %d sweeps, %d reads", n, reads)
		}
		const later = 3 * time.Minute
		jobs.set(time.Now().Add(later), nil)
		if n, reads, first := during(5 * time.Minute); n < 1 || n > 2 || reads > 4 || first < later || first > later+5*time.Second {
			t.Errorf("with a job due after %s: %d sweeps, the first after %s, %d reads", later, n, first, reads)
		}
		jobs.set(time.Now(), nil)
		if n, _, first := during(time.Minute); n < 1 || first > 5*time.Second {
			t.Errorf("with a job due at once: %d sweeps, the first after %s", n, first)
		}
		jobs.set(time.Now(), errors.New("the store is away"))
		if n, _, _ := during(time.Minute); n != 12 {
			t.Errorf("while the store is away: %d sweeps in a minute", n)
		}
		jobs.back()
		if n, _, _ := during(time.Minute); n < 1 || n > 2 || jobs.times[2].Before(time.Now()) {
			t.Errorf("afterwards: %d sweeps in a minute, due %s", n, jobs.times)
		}
	})
}
