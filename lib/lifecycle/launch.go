package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Launch creates the object of a run that is owed. It does nothing for a job whose run was launched or has ended, or that waits for the
// turn of its caller.
//
// The next call repairs one that is killed after it created the object and before it recorded that: the name of the object
// belongs to this run alone, so creating it again finds it.
func (l *Lifecycle) Launch(ctx context.Context, j job.Job) error {
	if !j.State.Active() || j.RunName != "" || l.early(j) || l.waits(j) {
		return nil
	}
	if j.Run > 1 {
		// The run that was given up must not run beside this one. Its object may exist although it had vanished: a call that
		// launched it late may have been killed before it could discard it.
		last := j
		last.Run--
		if err := l.runner.Discard(ctx, last); err != nil {
			return fmt.Errorf("discarding run %d of job %s: %w", last.Run, j.ID, err)
		}
	}
	name, err := l.runner.Launch(ctx, j)
	l.options.Recorder.Launched(ctx, j, err)
	if err != nil {
		return fmt.Errorf("launching run %d of job %s: %w", j.Run, j.ID, err)
	}
	recorded, err := l.jobs.Launched(ctx, j.ID, j.Run, name, l.recheckWaiting())
	if err != nil {
		return fmt.Errorf("recording the launch of job %s: %w", j.ID, err)
	}
	if recorded {
		return nil
	}
	return l.takeBack(ctx, j)
}

// takeBack removes the object of a run if the job moved on while the object was created. A run that ended or was given up
// could otherwise be created again after it was removed, and the runs of a deleted job may have been stopped before this
// one existed. (After a kill here, the last pass of the removal stops the run, see Remove. A run of a job that has ended
// costs computing time and does no other harm.)
func (l *Lifecycle) takeBack(ctx context.Context, j job.Job) error {
	now, err := l.jobs.Get(ctx, j.ID)
	switch {
	case job.Is(err, job.NotFound) || err == nil && now.State == job.Deleting:
		if err := l.runner.Stop(ctx, j.ID); !job.Is(err, job.NotReady) {
			return err
		}
		return nil // it is ending
	case err != nil:
		return err
	case now.Run != j.Run || now.State.Ended():
		return l.runner.Discard(ctx, j)
	default:
		return nil // another call launched the same run and recorded it first
	}
}

// early reports whether the next run of a job has to wait, see relaunch.
func (l *Lifecycle) early(j job.Job) bool {
	return j.RunName == "" && j.Run > 1 && l.now().Before(j.Due)
}

// relaunch owes the next run of a job whose run vanished or was interrupted. After job.MaxRuns runs the job fails.
func (l *Lifecycle) relaunch(ctx context.Context, j job.Job, seen job.Observation) error {
	if j.Run >= job.MaxRuns {
		// The object of the run may exist, and begin again when its node is back.
		discard := []job.Effect{job.OwesRun(job.DiscardRun, j.Run)}
		return l.finish(ctx, j, job.End{State: job.Failed, Stages: failRunning(j.Stages), Owed: discard, Failure: &job.Failure{
			Code: job.Internal,
			Message: fmt.Sprintf("The job was interrupted %d times and is given up. This is not a fault of your data; "+
				"please contact the operators.", j.Run),
		}})
	}
	// A call that read the job before its launch was recorded could launch it later. The object is gone, so that call would
	// create it again, beside the next run. So the next run waits until the deadline of every such call has passed. (If the clock of the
	// process that launches it is ahead, both may run for a moment, until that call takes its run back. Each stores its results apart.)
	now := l.now()
	due := now.Add(l.options.InFlight)
	owed, err := l.jobs.Relaunch(ctx, j.ID, j.Run, now, due)
	if err != nil || !owed {
		return err
	}
	l.options.Log.WarnContext(ctx, "a run vanished, the job is launched again", "job", j.ID, "run", j.Run, "interrupted", seen.Interrupted)
	j.Run, j.RunName, j.Updated, j.Due = j.Run+1, "", now, due
	return l.Launch(ctx, j)
}

// giveUp ends a job whose run could not be launched within PendingTimeout, because of that error. The error may be an
// answer that was lost; if the run exists, the job goes on.
func (l *Lifecycle) giveUp(ctx context.Context, j job.Job, cause error) error {
	seen, err := l.runner.Observe(ctx, j)
	if err != nil || seen.Phase != job.Absent {
		return errors.Join(cause, err)
	}
	if done, err := l.finishByManifest(ctx, j); done || err != nil {
		return err
	}
	l.options.Log.ErrorContext(ctx, "a job can't be launched and is given up", "job", j.ID, "run", j.Run, "error", cause)
	return l.finish(ctx, j, job.End{State: job.Failed, Stages: failRunning(j.Stages), Failure: &job.Failure{
		Code:    job.Unschedulable,
		Message: "The job could not be launched. This is not a fault of your data; please contact the operators.",
	}})
}
