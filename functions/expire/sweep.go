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
	leaseTTL  = 2 * time.Minute // longer than a sweep may take; after a kill, the next sweep waits so long
	batch     = 100             // how many jobs one query reads
	retry     = time.Minute     // how long a job that could not be handled is postponed
	jobBudget = 20 * time.Second

	defaultParallel = 8
)

// Swept is what a sweep did.
type Swept struct {
	Looked  int  // jobs that were due
	Expired int  // of them, removed because their retention has ended
	Failed  int  // of them, postponed because something went wrong
	Forgot  int  // jobs without a document whose runs were let go of
	Busy    bool // another sweep was active, so this one did nothing

	Unattempted time.Duration // for how long the oldest delivery has been due without an attempt
}

// Sweep handles every job that is due, several at once: it launches runs that are owed, also those whose turn it is, settles runs that
// ended without an event, removes jobs that expired and completes removals. A job that fails, or takes too long, is postponed so that the
// others don't wait for it; the error names it. When the store of jobs fails, the sweep stops. Jobs that the sweep has no
// time for come first in the next one.
func (f *Function) Sweep(ctx context.Context) (Swept, error) {
	began := f.deps.Now()
	swept, err := f.sweep(ctx)
	f.deps.Recorder.Swept(ctx, f.deps.Now().Sub(began), swept.Busy, err)
	if !swept.Busy {
		f.deps.Recorder.Unattempted(ctx, swept.Unattempted)
	}
	f.deps.Log.InfoContext(ctx, "swept",
		"looked", swept.Looked, "expired", swept.Expired, "failed", swept.Failed, "forgot", swept.Forgot, "busy", swept.Busy)
	return swept, err
}

func (f *Function) sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	// The lease keeps other processes away. This one would get it again: a sweep may last longer than the time between two.
	if !f.sweeping.CompareAndSwap(false, true) {
		swept.Busy = true
		return swept, nil
	}
	defer f.sweeping.Store(false)
	got, err := f.deps.Jobs.Acquire(ctx, lease, f.deps.Holder, leaseTTL)
	if err != nil {
		return swept, fmt.Errorf("acquiring the lease of the sweep: %w", err)
	}
	if !got {
		swept.Busy = true
		return swept, nil
	}
	defer func() {
		// Also after the caller has gone: a lease that is kept delays the next sweep.
		if err := f.deps.Jobs.ReleaseLease(context.WithoutCancel(ctx), lease, f.deps.Holder); err != nil {
			f.deps.Log.WarnContext(ctx, "the lease of the sweep could not be released; it expires", "error", err)
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
	if f.deps.Callers != nil && w.room(ctx) {
		w.begin(func() error { return f.turns(ctx) })
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
				break // only jobs that this sweep has begun are due
			}
		}
		j := due[0]
		due, seen[j.ID] = due[1:], true
		w.begin(func() error {
			expired, err := f.one(ctx, j)
			w.count(func() {
				swept.Looked++
				swept.Unattempted = max(swept.Unattempted, unattempted(j, started))
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

// work bounds what a sweep does at once: enough that few jobs wait for one that hangs, and little enough for the stores and
// this process.
type work struct {
	places chan struct{} // has an entry for each active task, and one for the next
	tasks  sync.WaitGroup

	mu       sync.Mutex
	failures []error
}

func newWork(parallel int) *work { return &work{places: make(chan struct{}, parallel)} }

// room waits for a place for another task, which begin then takes. It reports false when the sweep's deadline comes before
// the task's could: then nothing more is begun.
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
			// The server recovers panics of its own goroutine alone.
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

// shortenEvery is how often a process searches for jobs to shorten.
const shortenEvery = 10 * time.Minute

// shorten lets jobs expire that were never started and whose upload links have ended. Earlier versions keep them longer, and
// may be running beside this one during an upgrade.
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
		f.deps.Log.InfoContext(ctx, "jobs that were not started expire with their upload links", "jobs", n)
	}
	return nil
}

const (
	forgetLease  = "forget"
	forgetEvery  = time.Hour
	forgetAfter  = 10 * time.Minute // how long ago a run must have ended: recording its outcome takes far less
	forgetBudget = 30 * time.Second // the next pass does what this one does not reach
)

// forget lets go of runs that have ended and whose job has no document, or has a recorded outcome: the database was
// replaced by an empty one or by an older copy, or a call was killed. The objects of such runs would be kept forever. It
// lists the runs that exist and reads the job of each by its id, so that a store that fails, or returns too little, costs
// no run its object; it touches no active run.
func (f *Function) forget(ctx context.Context) (int, error) {
	if f.deps.Runs == nil {
		return 0, nil
	}
	now := f.now()
	// The lease is never released, and every pass has a holder of its own: so there is one pass in forgetEvery.
	got, err := f.deps.Jobs.Acquire(ctx, forgetLease, fmt.Sprintf("%s-%d", f.deps.Holder, now.UnixNano()), forgetEvery)
	if err != nil {
		return 0, fmt.Errorf("acquiring the lease for runs without a job: %w", err)
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
			return nil // it is settled, or removed, by its own due time
		}
		if err := f.deps.Runs.Forget(ctx, id); err != nil {
			return err
		}
		f.deps.Log.WarnContext(ctx, "let go of a run whose job is gone or has ended", "job", id, "known", err == nil)
		forgot++
		return nil
	})
	if err != nil {
		return forgot, fmt.Errorf("letting go of runs without a job: %w", err)
	}
	return forgot, nil
}

// turnsBudget bounds how long a sweep gives turns; the next one of this process goes on behind the last caller.
const turnsBudget = 30 * time.Second

// turns launches jobs that wait for their turn, where a turn is free: the end of a job passes its turn on, unless the call was killed, or
// the job was deleted. Each caller gets one turn before any gets another one.
func (f *Function) turns(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, turnsBudget)
	defer cancel()
	var callers []string // that got a turn
	var failures []error
	give := func(caller string) {
		got, err := f.deps.Lifecycle.Next(ctx, caller)
		if err != nil && ctx.Err() != nil {
			return // the budget has ended, which is no failure
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("giving a turn: %w", err))
		} else if got {
			callers = append(callers, caller)
		}
	}
	first := f.lastTurn // the one before the first, in a circle
	for behind, done := true, false; ctx.Err() == nil && !done; {
		caller, err := f.deps.Callers.NextCaller(ctx, f.lastTurn)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return errors.Join(append(failures, fmt.Errorf("reading which callers wait for a turn: %w", err))...)
		case caller == "" && behind && first != "":
			f.lastTurn, behind = "", false
		case caller == "", !behind && caller > first:
			f.lastTurn, done = "", true
		default:
			f.lastTurn = caller
			give(caller)
		}
	}
	for len(callers) > 0 && ctx.Err() == nil {
		round := callers
		callers = nil
		for _, caller := range round {
			give(caller)
		}
	}
	return errors.Join(failures...)
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
		// The job may have been started since it was read; a start that was acknowledged must not be lost.
		if expired, err = f.deps.Jobs.Expire(ctx, j.ID, now); expired {
			j.State, j.Updated, j.Due = job.Deleting, now, now
			f.deps.Recorder.Removed(ctx, true)
			err = f.deps.Lifecycle.Remove(ctx, j)
		}
	} else {
		err = f.deps.Lifecycle.Settle(ctx, j)
	}
	f.deps.Recorder.Looked(ctx, todo, err)
	// If the job changed meanwhile, so did its due time, and this changes nothing.
	next := now.Add(retry)
	if err == nil && j.State.Ended() && !owesDeliveries(j) && j.Expires.After(now) {
		next = j.Expires
	}
	return expired, errors.Join(err, f.deps.Jobs.Postpone(context.WithoutCancel(ctx), j.ID, j.Due, next))
}
