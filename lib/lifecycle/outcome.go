package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// finishByManifest records the outcome that the manifest of the run states. It reports whether there is one.
func (l *Lifecycle) finishByManifest(ctx context.Context, j job.Job) (bool, error) {
	m, err := l.manifest(ctx, j)
	if job.Is(err, job.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	end := job.End{State: job.Succeeded, Failure: m.Failure, Results: m.Files, Logs: m.Logs}
	if m.Outcome != stage.Succeeded {
		if l.runner == nil && unexplained(j, m.Failure) {
			return false, nil
		}
		end.State = job.Failed
		end.Failure = l.refine(ctx, j, m.Failure)
	}
	for _, s := range m.Stages {
		end.Stages = append(end.Stages, job.Stage{Name: s.Name, Status: s.Status})
	}
	return true, l.finish(ctx, j, timed(end, m.Stages))
}

// manifest returns the manifest of the run if it is valid: it is of this run, and every file that it names is stored.
func (l *Lifecycle) manifest(ctx context.Context, j job.Job) (stage.Manifest, error) {
	content, err := l.files.Get(ctx, job.ManifestKey(j.ID, j.Run), stage.MaxManifest)
	if err != nil {
		return stage.Manifest{}, err
	}
	stored, err := l.files.List(ctx, job.RunPrefix(j.ID, j.Run))
	if err != nil {
		return stage.Manifest{}, err
	}
	m, err := stage.ReadManifest(content)
	if err == nil {
		err = stage.Check(m, j.ID, j.Run, stored)
	}
	if err != nil {
		// Objects were lost from the bucket, or somebody forged the manifest. The runner knows better.
		l.options.Log.WarnContext(ctx, "a manifest is not valid", "job", j.ID, "run", j.Run, "error", err)
		return stage.Manifest{}, job.Errorf(job.NotFound, "the run left no outcome").Because(err)
	}
	return m, nil
}

// refine replaces a failure that a run could not explain from within by the runner's explanation, if there is one: a run
// that is killed does not know why.
func (l *Lifecycle) refine(ctx context.Context, j job.Job, f *job.Failure) *job.Failure {
	if !unexplained(j, f) {
		return f
	}
	if seen, err := l.runner.Observe(ctx, j); err == nil && seen.Failure != nil {
		return seen.Failure
	}
	return f
}

// unexplained reports whether the runner may know more of a failure than the run.
func unexplained(j job.Job, f *job.Failure) bool {
	return f == nil || f.Fit(j.Stages).Code == job.Internal
}

// finishByObservation ends a job whose run ended without a manifest: it was killed before it could store one. The logs that
// are left where it ran are stored.
func (l *Lifecycle) finishByObservation(ctx context.Context, j job.Job, seen job.Observation) error {
	logs, err := l.storeLogs(ctx, j)
	if err != nil {
		return err
	}
	failure := seen.Failure
	if failure == nil {
		failure = &job.Failure{
			Code: job.Internal,
			Message: "The job ended without a result. This is not a fault of your data; please start it again, and tell the " +
				"operators if it happens twice.",
		}
	}
	stages := seen.Stages
	if len(stages) == 0 {
		stages = j.Stages // its pod is gone, and with it what ran
	}
	return l.finish(ctx, j, job.End{State: job.Failed, Failure: failure, Stages: failRunning(stages), Logs: logs})
}

// failRunning returns the stages with those that were running as failed.
func failRunning(stages []job.Stage) []job.Stage {
	out := make([]job.Stage, 0, len(stages))
	for _, s := range stages {
		if s.Status == job.StageRunning {
			s.Status = job.StageFailed
		}
		out = append(out, s)
	}
	return out
}

// storeLogs stores the logs that exist where the run ran. A storage that is full gets none of them: the outcome counts more, and would
// not be recorded before the runner has forgotten the run, which would then be launched again.
func (l *Lifecycle) storeLogs(ctx context.Context, j job.Job) ([]job.File, error) {
	var logs []job.File
	for _, s := range j.Stages {
		log, err := l.runner.Log(ctx, j, s.Name)
		if job.Is(err, job.NotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the log of stage %s of job %s: %w", s.Name, j.ID, err)
		}
		file, err := l.files.Put(ctx, job.RunPrefix(j.ID, j.Run)+"observed/"+s.Name+".log", log, -1)
		err = errors.Join(err, log.Close())
		if job.Is(err, job.Exhausted) {
			l.options.Log.WarnContext(ctx, "a log can't be stored", "job", j.ID, "run", j.Run, "stage", s.Name, "error", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("storing the log of stage %s of job %s: %w", s.Name, j.ID, err)
		}
		file.Name = s.Name
		logs = append(logs, file)
	}
	return logs, nil
}

// finish records an outcome with the effects that it owes, then carries them out. The order matters: a run that is released
// first could vanish before its outcome is recorded. After a kill in between, the job is due soon, and the sweep carries
// them out.
func (l *Lifecycle) finish(ctx context.Context, j job.Job, end job.End) error {
	// The manifest was written where the programs ran that read users' data, so it is not trusted.
	end.Stages = job.FitStages(j.Stages, end.Stages)
	if end.Failure != nil {
		fit := end.Failure.Fit(j.Stages)
		end.Failure = &fit
	}
	if len(end.Owed) == 0 {
		end.Owed = []job.Effect{letsGo(j.Run, end.Failure)}
	}
	end.At = l.now()
	end.Due = end.At.Add(l.options.RecheckInterval)
	if l.runner == nil {
		end.Due = end.At // another process carries out what it owes
	}
	end.Expires = end.At.Add(l.options.Retention)
	if end.Deliveries = l.deliveries(j, end); len(end.Deliveries) > 0 {
		end.Owed = append(end.Owed, job.OwesDeliveries(j.Run))
	}
	stored := end
	stored.Began = within(end.Began, j.Started, end.At) // the clock of its node may be wrong
	recorded, err := l.jobs.Finish(ctx, j.ID, j.Run, stored)
	if err != nil {
		return fmt.Errorf("recording the end of job %s: %w", j.ID, err)
	}
	if !recorded {
		return nil // the call that recorded an outcome, or the sweep, carries out what it owes
	}
	l.options.Log.InfoContext(ctx, "job ended", "job", j.ID, "run", j.Run, "state", end.State, "failure", end.Failure)
	l.options.Recorder.Ended(ctx, j, end)
	l.remember(ctx, j, end)
	j.State, j.Failure, j.Updated, j.Due, j.Expires = end.State, end.Failure, end.At, end.Due, end.Expires
	j.Owed, j.Deliveries = end.Owed, end.Deliveries
	if l.options.Notifier != nil {
		l.options.Notifier.Ended(ctx, j)
	}
	if l.runner == nil {
		return nil
	}
	err = l.settleEnded(ctx, j, true)
	l.passTurn(ctx, j)
	return err
}
