package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Settle records what became of a job: the outcome, if the manifest of its run is in the bucket; else what the runner
// observes. It launches a run that is owed, when it is the job's turn, and carries out what an outcome owes. It may be called for any job
// at any time.
func (l *Lifecycle) Settle(ctx context.Context, j job.Job) error {
	switch {
	case j.State == job.Deleting:
		return l.Remove(ctx, j)
	case j.State.Ended():
		err := l.settleEnded(ctx, j, false)
		if owesRun(j) { // the call that recorded the outcome was killed, or has no runner
			l.passTurn(ctx, j)
		}
		return err
	case !j.State.Active():
		return nil
	case l.waits(j):
		return l.awaitTurn(ctx, j)
	}
	j.Stages = workflow.StagesOf(j) // what is reported of a run is compared with them
	if done, err := l.finishByManifest(ctx, j); done || err != nil {
		return err
	}
	if j.RunName == "" {
		if l.early(j) {
			return nil
		}
		if err := l.Launch(ctx, j); err != nil {
			if l.now().Sub(j.Updated) > l.options.PendingTimeout {
				return l.giveUp(ctx, j, err)
			}
			return err
		}
		// The run is observed all the same: a call that was killed before it could record the launch may have created the
		// object long ago, and its events may be over.
	}
	at := l.now() // before the runner is asked: of two processes, the one that asked later has the newer observation
	seen, err := l.runner.Observe(ctx, j)
	if err != nil {
		return fmt.Errorf("observing job %s: %w", j.ID, err)
	}
	return l.settleObserved(ctx, j, seen, at)
}

// settleObserved records what the runner observed of an active job at that time or later.
func (l *Lifecycle) settleObserved(ctx context.Context, j job.Job, seen job.Observation, at time.Time) error {
	switch seen.Phase {
	case job.Waiting:
		since, err := l.recordBlocked(ctx, j, seen, at)
		if err != nil {
			return err
		}
		if !since.IsZero() && l.now().Sub(since) > l.timeout(seen) {
			return l.abandon(ctx, j, seen)
		}
		if begun(j) {
			// It was running and waits again: its pod was deleted, or a queue preempted it, and it will start from its beginning. Or the
			// next stage waits for its image.
			stages := pending(j.Stages)
			if seen.Stages != nil {
				stages = job.FitStages(j.Stages, seen.Stages)
			}
			_, err := l.jobs.Running(ctx, j.ID, j.Run, stages, time.Time{}, at, l.recheckWaiting())
			return err
		}
		return l.jobs.Postpone(ctx, j.ID, j.Due, l.recheckWaiting())
	case job.Active:
		if _, err := l.recordBlocked(ctx, j, seen, at); err != nil {
			return err
		}
		began := seen.Began
		if began.IsZero() && j.Began.IsZero() {
			began = at
		}
		_, err := l.jobs.Running(ctx, j.ID, j.Run, job.FitStages(j.Stages, seen.Stages), within(began, j.Started, l.now()), at, l.recheck())
		return err
	}
	// The run has ended or vanished. It may have stored its manifest after it was read above.
	if done, err := l.finishByManifest(ctx, j); done || err != nil {
		return err
	}
	if seen.Phase == job.Absent || seen.Interrupted {
		return l.relaunch(ctx, j, seen)
	}
	return l.finishByObservation(ctx, j, seen)
}

// begun reports whether a stage of the job's run is recorded as begun.
func begun(j job.Job) bool { return j.State == job.Running && job.AnyBegun(j.Stages) }

// recordBlocked returns since when a run is blocked without a break, zero if it is not. Where the runner does not know, that is since it
// was first seen so, which the document says: an image may fail after hours of good waiting, and a run have no pod after days with one.
func (l *Lifecycle) recordBlocked(ctx context.Context, j job.Job, seen job.Observation, at time.Time) (time.Time, error) {
	b := job.Blocked{Run: j.Run}
	if seen.Blocked && seen.Since.IsZero() {
		if seen.Failure != nil {
			b.By, b.Stage = seen.Failure.Code, seen.Failure.Stage
		}
		if known := j.Blocked; known.Run == b.Run && known.By == b.By && known.Stage == b.Stage && !known.Since.IsZero() {
			return known.Since, nil
		}
		b.Since = at
	}
	if !b.Since.IsZero() || !j.Blocked.Since.IsZero() {
		if _, err := l.jobs.SetBlocked(ctx, j.ID, b); err != nil {
			return time.Time{}, fmt.Errorf("recording what blocks job %s: %w", j.ID, err)
		}
	}
	if seen.Blocked && !seen.Since.IsZero() {
		return seen.Since, nil
	}
	return b.Since, nil
}

// pending returns the stages as they are before a run.
func pending(stages []job.Stage) []job.Stage {
	stages = slices.Clone(stages)
	for i := range stages {
		stages[i].Status = job.StagePending
	}
	return stages
}

// within returns a time of another clock, unless it is zero, as one that is not before the first time nor after the last.
func within(t, first, last time.Time) time.Time {
	switch {
	case t.IsZero():
		return t
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}

// timeout is how long a blocked run may wait.
func (l *Lifecycle) timeout(seen job.Observation) time.Duration {
	if seen.Failure != nil && l.options.ImageTimeout > 0 {
		return min(l.options.ImageTimeout, l.options.PendingTimeout)
	}
	return l.options.PendingTimeout
}

// abandon ends a job that waited too long for a node, in a queue, or for an image. Stages that ran before the one that waits have a log.
func (l *Lifecycle) abandon(ctx context.Context, j job.Job, seen job.Observation) error {
	failure := seen.Failure
	if failure == nil {
		failure = &job.Failure{
			Code: job.Unschedulable,
			Message: "The job waited longer than it may: " + seen.Waiting + ". This is not a fault of your data; please tell the " +
				"operators.",
		}
	}
	logs, err := l.storeLogs(ctx, j)
	if err != nil {
		return err
	}
	// The run may have got what it waited for since it was observed, and have ended with an outcome.
	if done, err := l.finishByManifest(ctx, j); done || err != nil {
		return err
	}
	return l.finish(ctx, j, job.End{State: job.Failed, Failure: failure, Stages: seen.Stages, Logs: logs})
}
