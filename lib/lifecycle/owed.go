package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// settleOwed carries out what an ended job owes, and records what is done. After a kill in between, an effect is carried out
// again. An effect that fails keeps no other from being done; it stays owed, and its error is returned.
func (l *Lifecycle) settleOwed(ctx context.Context, j job.Job) error {
	var done []job.Effect
	var failures []error
	for _, e := range j.Owed {
		if err := l.carryOut(ctx, j, e); err != nil {
			failures = append(failures, fmt.Errorf("%s of job %s: %w", e.ID, j.ID, err))
			continue
		}
		done = append(done, e)
	}
	if len(done) > 0 {
		due := j.Expires
		if len(failures) > 0 {
			due = l.now().Add(l.options.RecheckInterval)
		}
		if _, err := l.jobs.Done(ctx, j.ID, done, due); err != nil {
			failures = append(failures, fmt.Errorf("recording what was done for job %s: %w", j.ID, err))
		}
	}
	return errors.Join(failures...)
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
	// A newer version of this program wrote it, and will carry it out.
	return job.Errorf(job.NotReady, "the effect %q is not known to this version", e.Kind)
}

// letsGo returns the effect by which the runner lets go of a run that ended. A run that was given up while it waited is
// discarded: else it would run when what it waits for comes. One that filled its disk is discarded, too: else it would be
// tried again.
func letsGo(run int, f *job.Failure) job.Effect {
	if f != nil {
		switch f.Code {
		case job.Unschedulable, job.BadImage, job.OutOfDisk:
			return job.OwesRun(job.DiscardRun, run)
		}
	}
	return job.OwesRun(job.ReleaseRun, run)
}
