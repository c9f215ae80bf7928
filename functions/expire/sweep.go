package expire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	lease     = "sweep"
	leaseTTL  = 2 * time.Minute // longer than a request may take; a sweep that is killed keeps the next from working so long
	batch     = 100             // jobs that are read at once
	retry     = time.Minute     // when a job that could not be handled is looked at again
	jobBudget = 20 * time.Second
)

// Swept is what a sweep did.
type Swept struct {
	Looked  int  // jobs that were due
	Expired int  // of them, removed because their time was over
	Failed  int  // of them, postponed because something went wrong
	Busy    bool // another sweep was under way, so this one did nothing
}

// Sweep looks at every job that is due: it launches what is owed, settles what ended unseen, removes what
// expired and goes on with removals that were cut off. A job that fails is postponed, so that it keeps nobody
// else waiting, and named in the error. When the store itself fails, the sweep stops: it acts on nothing that
// it could not read.
func (f *Function) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	got, err := f.Jobs.Acquire(ctx, lease, f.Holder, leaseTTL)
	if err != nil {
		return swept, fmt.Errorf("taking the sweep's lease: %w", err)
	}
	if !got {
		swept.Busy = true
		return swept, nil
	}
	defer func() {
		// Even if the caller is gone: a lease that is kept delays the next sweep.
		if err := f.Jobs.ReleaseLease(context.WithoutCancel(ctx), lease, f.Holder); err != nil {
			f.Log.WarnContext(ctx, "the sweep's lease runs out by itself", "error", err)
		}
	}()
	started := f.now()
	var failures []error
	seen := make(map[string]bool)
	for ctx.Err() == nil {
		due, err := f.Jobs.Due(ctx, started, batch)
		if err != nil {
			return swept, errors.Join(append(failures, fmt.Errorf("reading which jobs are due: %w", err))...)
		}
		progress := false
		for _, j := range due {
			if seen[j.ID] || ctx.Err() != nil {
				continue
			}
			seen[j.ID], progress = true, true
			swept.Looked++
			expired, err := f.one(ctx, j)
			if expired {
				swept.Expired++
			}
			if err != nil {
				swept.Failed++
				failures = append(failures, err)
			}
		}
		if !progress {
			break // nothing is due, or only jobs that this sweep has handled
		}
	}
	return swept, errors.Join(failures...)
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
		if expired, err = f.Jobs.Expire(ctx, j.ID, now); expired {
			j.State, j.Updated, j.Due = job.Deleting, now, now
			f.Witness.Removed(ctx, true)
			err = f.Lifecycle.Remove(ctx, j)
		}
	} else {
		err = f.Lifecycle.Settle(ctx, j)
	}
	f.Witness.Looked(ctx, todo, err)
	// If the job was moved on, its time of the next look was, too, and this changes nothing.
	next := now.Add(retry)
	if err == nil && j.State.Ended() && j.Expires.After(now) {
		next = j.Expires
	}
	return expired, errors.Join(err, f.Jobs.Postpone(context.WithoutCancel(ctx), j.ID, j.Due, next))
}
