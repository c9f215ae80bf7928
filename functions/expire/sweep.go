package expire

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	lease     = "sweep"
	leaseTTL  = 2 * time.Minute // longer than a request may take; a sweep that is killed keeps the next from working so long
	batch     = 100             // jobs that are read at once
	retry     = time.Minute     // when a job that could not be handled is looked at again
	jobBudget = 20 * time.Second

	defaultParallel = 8
)

// Swept is what a sweep did.
type Swept struct {
	Looked  int  // jobs that were due
	Expired int  // of them, removed because their time was over
	Failed  int  // of them, postponed because something went wrong
	Forgot  int  // jobs that nobody knows any more, and whose runs were let go of
	Busy    bool // another sweep was under way, so this one did nothing
}

// Sweep looks at every job that is due, several at once: it launches what is owed, settles what ended unseen, removes
// what expired and goes on with removals that were cut off. A job that fails, or takes too long, is postponed, so that
// it keeps nobody else waiting, and named in the error. When the store itself fails, the sweep stops: it acts on
// nothing that it could not read. What the sweep has no time for is due the longest at the next one, and comes first.
func (f *Function) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	got, err := f.deps.Jobs.Acquire(ctx, lease, f.deps.Holder, leaseTTL)
	if err != nil {
		return swept, fmt.Errorf("taking the sweep's lease: %w", err)
	}
	if !got {
		swept.Busy = true
		return swept, nil
	}
	defer func() {
		// Even if the caller is gone: a lease that is kept delays the next sweep.
		if err := f.deps.Jobs.ReleaseLease(context.WithoutCancel(ctx), lease, f.deps.Holder); err != nil {
			f.deps.Log.WarnContext(ctx, "the sweep's lease runs out by itself", "error", err)
		}
	}()
	started := f.now()
	w := newWork(f.deps.Parallel)
	w.check(f.shorten(ctx, started))
	if w.room(ctx) {
		w.begin(func() error {
			forgot, err := f.forget(ctx)
			w.count(func() { swept.Forgot = forgot })
			return err
		})
	}
	seen := make(map[string]bool)
	var due []job.Job
	for w.room(ctx) {
		if len(due) == 0 {
			if due, err = f.deps.Jobs.Due(ctx, started, batch); err != nil {
				w.check(fmt.Errorf("reading which jobs are due: %w", err))
				break
			}
			due = slices.DeleteFunc(due, func(j job.Job) bool { return seen[j.ID] })
			if len(due) == 0 {
				break // nothing is due but what this sweep has begun
			}
		}
		j := due[0]
		due, seen[j.ID] = due[1:], true
		w.begin(func() error {
			expired, err := f.one(ctx, j)
			w.count(func() {
				swept.Looked++
				if expired {
					swept.Expired++
				}
				if err != nil {
					swept.Failed++
				}
			})
			return err
		})
	}
	err = w.wait() // tasks count until then
	return swept, err
}

// work is what a sweep does at once: so much of it that a job that hangs keeps few others waiting, and so little that
// the stores and this process bear it.
type work struct {
	places chan struct{} // has an entry for each task under way, and one for the next
	tasks  sync.WaitGroup

	mu       sync.Mutex
	failures []error
}

func newWork(parallel int) *work { return &work{places: make(chan struct{}, parallel)} }

// room waits for a place for another task, which begin then takes. It reports false when the sweep's time would be
// over before the task's may be: then nothing more is begun.
func (w *work) room(ctx context.Context) bool {
	select {
	case w.places <- struct{}{}:
		end, ok := ctx.Deadline()
		return !ok || time.Until(end) >= jobBudget
	case <-ctx.Done():
		return false
	}
}

// begin begins a task, in the place that room has found.
func (w *work) begin(task func() error) {
	w.tasks.Go(func() {
		defer func() { <-w.places }()
		defer func() {
			// The host recovers from what its own goroutine does alone.
			if p := recover(); p != nil {
				w.check(fmt.Errorf("a task of the sweep panicked: %v\n%s", p, debug.Stack()))
			}
		}()
		w.check(task())
	})
}

// count changes what several tasks count.
func (w *work) count(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// check keeps an error.
func (w *work) check(err error) {
	if err != nil {
		w.count(func() { w.failures = append(w.failures, err) })
	}
}

// wait waits for all tasks and returns their errors.
func (w *work) wait() error {
	w.tasks.Wait()
	return errors.Join(w.failures...)
}

// shortenEvery is how often a process looks for jobs to shorten.
const shortenEvery = 10 * time.Minute

// shorten lets those jobs expire that were never started and whose upload links have ended, but that are to be kept
// for longer all the same: earlier versions made them so, and may do so until the last of them is replaced.
func (f *Function) shorten(ctx context.Context, now time.Time) error {
	last := f.shortened.Load()
	if now.UnixMilli()-last < shortenEvery.Milliseconds() || !f.shortened.CompareAndSwap(last, now.UnixMilli()) {
		return nil
	}
	n, err := f.deps.Jobs.ExpireUnstarted(ctx, now.Add(-f.deps.UploadTTL-job.UploadGrace), now)
	if err != nil {
		return fmt.Errorf("shortening jobs that were not started: %w", err)
	}
	if n > 0 {
		f.deps.Log.InfoContext(ctx, "jobs that were not started end with their upload links", "jobs", n)
	}
	return nil
}

const (
	forgetLease  = "forget"
	forgetEvery  = time.Hour
	forgetAfter  = 10 * time.Minute // how long a run has to be over: much longer than recording its outcome takes
	forgetBudget = 30 * time.Second // what it does not reach in that time, the next one does: what it freed is gone by then
)

// forget lets go of runs that are over and whose job nobody knows any more, or whose outcome is recorded: the
// database was set up anew or is an older copy of itself, or a call was killed at the wrong moment. Without this
// their objects would be kept for ever. It goes by runs that are there and asks for each one's job by its id. So
// a store that cannot be asked, or answers short, costs no run its object; and no run that goes on is touched.
func (f *Function) forget(ctx context.Context) (int, error) {
	if f.deps.Runs == nil {
		return 0, nil
	}
	now := f.now()
	// Nobody gives this lease back, and no two holders have one name: it keeps the passes apart, not the sweeps.
	got, err := f.deps.Jobs.Acquire(ctx, forgetLease, fmt.Sprintf("%s-%d", f.deps.Holder, now.UnixNano()), forgetEvery)
	if err != nil {
		return 0, fmt.Errorf("taking the lease for runs that nobody knows: %w", err)
	}
	if !got {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, forgetBudget)
	defer cancel()
	forgot := 0
	err = f.deps.Runs.Held(ctx, now.Add(-forgetAfter), func(id string) error {
		j, err := f.deps.Jobs.Get(ctx, id)
		switch {
		case err != nil && !job.Is(err, job.NotFound):
			return err
		case err == nil && !j.State.Ended():
			return nil // its own look is to come, or its removal under way
		}
		if err := f.deps.Runs.Forget(ctx, id); err != nil {
			return err
		}
		f.deps.Log.WarnContext(ctx, "let go of a run whose outcome nobody waits for", "job", id, "known", err == nil)
		forgot++
		return nil
	})
	if err != nil {
		return forgot, fmt.Errorf("letting go of runs that nobody knows: %w", err)
	}
	return forgot, nil
}

// one handles a job that is due. It reports whether the job had expired.
func (f *Function) one(ctx context.Context, j job.Job) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, jobBudget)
	defer cancel()
	now := f.now()
	expired := (j.State == job.Created || j.State.Ended()) && !j.Expires.After(now)
	todo := task(j, expired)
	var err error
	if expired {
		// The job may have been started since it was read, and a start that was acknowledged counts.
		if expired, err = f.deps.Jobs.Expire(ctx, j.ID, now); expired {
			j.State, j.Updated, j.Due = job.Deleting, now, now
			f.deps.Recorder.Removed(ctx, true)
			err = f.deps.Lifecycle.Remove(ctx, j)
		}
	} else {
		err = f.deps.Lifecycle.Settle(ctx, j)
	}
	f.deps.Recorder.Looked(ctx, todo, err)
	// If the job was moved on, its time of the next look was, too, and this changes nothing.
	next := now.Add(retry)
	if err == nil && j.State.Ended() && j.Expires.After(now) {
		next = j.Expires
	}
	return expired, errors.Join(err, f.deps.Jobs.Postpone(context.WithoutCancel(ctx), j.ID, j.Due, next))
}
