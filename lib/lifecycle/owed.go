package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// settleEnded carries out what an ended job owes, and records what is done. After a kill in between, an effect is carried out
// again. An effect that fails does not keep another from being carried out; it stays owed, and its error is returned. With begun,
// the deliveries that are due were begun a moment ago.
func (l *Lifecycle) settleEnded(ctx context.Context, j job.Job, begun bool) error {
	var done []job.Effect
	var failures []error
	if !owesRun(j) {
		// An object of the run may exist all the same: a call that launched it when the run ended may have been killed before
		// it could take the object back. The events of that object lead here. Documents of versions that did not record what
		// is owed lead here, too.
		if err := l.carryOut(ctx, j, letsGo(j.Run, j.Failure)); err != nil {
			failures = append(failures, err)
		}
	}
	due := j.Expires
	for _, e := range j.Owed {
		if e.Kind == job.Deliver {
			if next := l.deliver(ctx, j, begun); next.IsZero() {
				done = append(done, e)
			} else if next.Before(due) {
				due = next
			}
			continue
		}
		if err := l.carryOut(ctx, j, e); err != nil {
			failures = append(failures, fmt.Errorf("carrying out %s of job %s: %w", e.ID, j.ID, err))
			continue
		}
		done = append(done, e)
	}
	if len(failures) > 0 && l.recheck().Before(due) {
		due = l.recheck()
	}
	var err error
	switch {
	case len(done) > 0:
		_, err = l.jobs.Done(ctx, j.ID, done, due)
	case len(failures) == 0 && len(j.Owed) > 0: // deliveries
		err = l.jobs.Postpone(ctx, j.ID, j.Due, due)
	}
	if err != nil {
		failures = append(failures, fmt.Errorf("recording what was done for job %s: %w", j.ID, err))
	}
	return errors.Join(failures...)
}

// owesRun reports whether an ended job owes an effect on a run.
func owesRun(j job.Job) bool {
	return slices.ContainsFunc(j.Owed, func(e job.Effect) bool { return e.Kind != job.Deliver })
}

// carryOut carries out one effect. It may be called again for an effect that was carried out.
func (l *Lifecycle) carryOut(ctx context.Context, j job.Job, e job.Effect) error {
	j.Run = e.Run
	switch e.Kind {
	case job.ReleaseRun:
		return l.runner.Release(ctx, j)
	case job.DiscardRun:
		return l.runner.Discard(ctx, j)
	}
	// A newer version of this program wrote the effect, and carries it out.
	return job.Errorf(job.NotReady, "the effect %q is not known to this version", e.Kind)
}

// letsGo returns the effect by which the runner lets go of a run that ended. A run that was given up while it waited is
// discarded: it would otherwise run as soon as it gets what it waits for. A run that filled its disk is discarded, because
// the runner would otherwise try it again.
func letsGo(run int, f *job.Failure) job.Effect {
	if f != nil {
		switch f.Code {
		case job.Unschedulable, job.BadImage, job.OutOfDisk:
			return job.OwesRun(job.DiscardRun, run)
		}
	}
	return job.OwesRun(job.ReleaseRun, run)
}
