package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Options are the times that a Lifecycle goes by.
type Options struct {
	Retention       time.Duration // how long a job is kept after its last change of state
	UploadTTL       time.Duration // how long an upload link lives; a removed job's prefix is wiped again when it ended
	RecheckInterval time.Duration // how long after the last news the sweep looks at an active job itself
	PendingTimeout  time.Duration // how long a run may wait for a node
	// ImageTimeout is how long a run may wait on a node that can't begin it, because an image can't be pulled or a container
	// can't be created; PendingTimeout, if that is shorter or this is 0. It is longer than an outage of a registry, and
	// shorter than a day, because an image that does not exist never comes.
	ImageTimeout time.Duration
	InFlight     time.Duration // how long a call can still act on what it read; 0 if all calls die with the runner
	Now          func() time.Time
	Log          *slog.Logger

	Recorder Recorder // nil: nobody is told
}

// Lifecycle does with jobs what several functions do.
type Lifecycle struct {
	jobs    Jobs
	files   Files
	runner  runner.Runner
	options Options
}

// New returns a Lifecycle on those parts.
func New(jobs Jobs, files Files, runs runner.Runner, o Options) (*Lifecycle, error) {
	if jobs == nil || files == nil || runs == nil {
		return nil, errors.New("a lifecycle needs jobs, files and a runner")
	}
	if o.Retention <= 0 || o.UploadTTL <= 0 || o.RecheckInterval <= 0 || o.PendingTimeout <= 0 || o.ImageTimeout < 0 || o.InFlight < 0 || o.Now == nil || o.Log == nil {
		return nil, errors.New("a lifecycle needs all of its options")
	}
	if o.Recorder == nil {
		o.Recorder = noRecorder{}
	}
	return &Lifecycle{jobs: jobs, files: files, runner: runs, options: o}, nil
}

// Launch makes the object of a run that is owed. It does nothing for a job whose run was launched or is over.
//
// A call that is killed after the object was made and before that was recorded is repaired by the next one:
// the object's name can only be this run's, so making it again finds it.
func (l *Lifecycle) Launch(ctx context.Context, j job.Job) error {
	if !j.State.Active() || j.RunName != "" {
		return nil
	}
	if l.early(j) {
		return nil
	}
	if j.Run > 1 {
		// What is left of the run that was given up must not run beside this one. It is not only the object that
		// vanished: a call that launched it late may have been killed before it could take it back.
		last := j
		last.Run--
		if err := l.runner.Discard(ctx, last); err != nil {
			return fmt.Errorf("discarding run %d of job %s: %w", last.Run, j.ID, err)
		}
	}
	object, err := l.runner.Launch(ctx, j)
	l.options.Recorder.Launched(ctx, j, err)
	if err != nil {
		return fmt.Errorf("launching run %d of job %s: %w", j.Run, j.ID, err)
	}
	recorded, err := l.jobs.Launched(ctx, j.ID, j.Run, object, l.now().Add(l.options.RecheckInterval))
	if err != nil {
		return fmt.Errorf("recording the launch of job %s: %w", j.ID, err)
	}
	if recorded {
		return nil
	}
	// The job moved on while its object was made. Nobody waits for an object of a run that is over or was
	// given up, and it could be made again after it was removed. If the job was deleted, its runs may have
	// been stopped before there was this one. (Killed here, the removal's last pass stops it, see Remove;
	// a run that is over does no harm but the work it does.)
	now, err := l.jobs.Get(ctx, j.ID)
	switch {
	case job.Is(err, job.NotFound) || err == nil && now.State == job.Deleting:
		if err := l.runner.Stop(ctx, j.ID); !job.Is(err, job.NotReady) {
			return err
		}
		return nil // it ends
	case err != nil:
		return err
	case now.Run != j.Run || now.State.Ended():
		return l.runner.Discard(ctx, j)
	default:
		return nil // another call launched the same run and recorded it first
	}
}

// early reports whether the next run of a job that is run again has to wait, see relaunch.
func (l *Lifecycle) early(j job.Job) bool {
	return j.RunName == "" && j.Run > 1 && l.now().Before(j.Due)
}

// Settle looks at a job's run and records what holds: the outcome, if its manifest stands in the bucket; else
// what the runner observes. It launches what is owed. It may be called for any job, at any time, by anybody.
func (l *Lifecycle) Settle(ctx context.Context, j job.Job) error {
	switch {
	case j.State == job.Deleting:
		return l.Remove(ctx, j)
	case j.State.Ended():
		if len(j.Owed) == 0 {
			// An object of the run may be there all the same: a launch that was under way when the run ended made it, and was
			// killed before it could take it back. Its events lead here. (Documents of versions before 1.0 owe nothing, either.)
			return l.carryOut(ctx, j, letsGo(j.Run, j.Failure))
		}
		return l.settleOwed(ctx, j)
	case !j.State.Active():
		return nil
	}
	done, err := l.finishByManifest(ctx, j)
	if done || err != nil {
		return err
	}
	if j.RunName == "" {
		if l.early(j) {
			return nil
		}
		err := l.Launch(ctx, j)
		if err != nil && l.now().Sub(j.Updated) > l.options.PendingTimeout {
			return l.giveUp(ctx, j, err)
		}
		if err != nil {
			return err
		}
		// Looked at all the same: a call that was killed before it could record the launch may have made the object
		// long ago, and its events be over.
	}
	seen, err := l.runner.Observe(ctx, j)
	if err != nil {
		return fmt.Errorf("observing job %s: %w", j.ID, err)
	}
	now := l.now()
	switch seen.Phase {
	case job.Waiting:
		if seen.Blocked && !seen.Since.IsZero() && now.Sub(seen.Since) > l.patience(seen) {
			return l.abandon(ctx, j, seen)
		}
		return l.jobs.Postpone(ctx, j.ID, j.Due, now.Add(l.options.RecheckInterval))
	case job.Active:
		_, err := l.jobs.Running(ctx, j.ID, j.Run, job.FitStages(j.Stages, seen.Stages), now, now.Add(l.options.RecheckInterval))
		return err
	}
	// The run is over or gone. It may have committed its manifest, and gone, between the two looks.
	done, err = l.finishByManifest(ctx, j)
	if done || err != nil {
		return err
	}
	if seen.Phase == job.Absent || seen.Interrupted {
		return l.relaunch(ctx, j, seen)
	}
	return l.finishByObservation(ctx, j, seen)
}

// patience is how long a blocked run may wait for what it waits for.
func (l *Lifecycle) patience(seen job.Observation) time.Duration {
	if seen.Failure != nil && l.options.ImageTimeout > 0 {
		return min(l.options.ImageTimeout, l.options.PendingTimeout)
	}
	return l.options.PendingTimeout
}

// finishByManifest records the outcome that the run's manifest tells. It reports whether there was one.
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
		end.State = job.Failed
		end.Failure = l.refine(ctx, j, m.Failure)
	}
	for _, s := range m.Stages {
		end.Stages = append(end.Stages, job.Stage{Name: s.Name, Status: s.Status})
	}
	return true, l.finish(ctx, j, timed(end, m.Stages))
}

// manifest returns the run's manifest if it holds: it is this run's, and all that it names is there.
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
		// Not an outcome: a half-written bucket, or somebody's forgery. The runner knows better.
		l.options.Log.WarnContext(ctx, "a manifest does not hold", "job", j.ID, "run", j.Run, "error", err)
		return stage.Manifest{}, job.Errorf(job.NotFound, "the run left no outcome").Because(err)
	}
	return m, nil
}

// refine replaces a failure that a run could not explain from within (it saw itself killed) by what the
// runner knows of it, if it does.
func (l *Lifecycle) refine(ctx context.Context, j job.Job, f *job.Failure) *job.Failure {
	if f != nil && f.Fit(j.Stages).Code != job.Internal {
		return f
	}
	if seen, err := l.runner.Observe(ctx, j); err == nil && seen.Failure != nil {
		return seen.Failure
	}
	return f
}

// finishByObservation ends a job whose run ended without an outcome of its own: it was killed before it could
// store anything. What is left of its logs where it ran is stored in its place.
func (l *Lifecycle) finishByObservation(ctx context.Context, j job.Job, seen job.Observation) error {
	logs, err := l.storeLogs(ctx, j)
	if err != nil {
		return err
	}
	failure := seen.Failure
	if failure == nil {
		failure = &job.Failure{Code: job.Internal, Message: "The job ended without a result. This is not a fault of your data; please start it again, and tell the operators if it happens twice."}
	}
	return l.finish(ctx, j, job.End{State: job.Failed, Failure: failure, Stages: ended(seen.Stages), Logs: logs})
}

// ended turns stages that an ended run left as running into failed ones.
func ended(stages []job.Stage) []job.Stage {
	out := make([]job.Stage, 0, len(stages))
	for _, s := range stages {
		if s.Status == job.StageRunning {
			s.Status = job.StageFailed
		}
		out = append(out, s)
	}
	return out
}

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
		if err != nil {
			return nil, fmt.Errorf("storing the log of stage %s of job %s: %w", s.Name, j.ID, err)
		}
		file.Name = s.Name
		logs = append(logs, file)
	}
	return logs, nil
}

// finish records an outcome with the effects that it owes, then carries them out. The order matters: a run that is released
// first could vanish with an outcome that is not recorded. After a kill in between, the job is due soon, and the sweep
// carries them out.
func (l *Lifecycle) finish(ctx context.Context, j job.Job, end job.End) error {
	// What a run says of itself is written where the programs that read users' data ran.
	end.Stages = job.FitStages(j.Stages, end.Stages)
	if end.Failure != nil {
		fit := end.Failure.Fit(j.Stages)
		end.Failure = &fit
	}
	end.Owed = []job.Effect{letsGo(j.Run, end.Failure)}
	end.At = l.now()
	end.Due = end.At.Add(l.options.RecheckInterval)
	end.Expires = end.At.Add(l.options.Retention)
	recorded, err := l.jobs.Finish(ctx, j.ID, j.Run, end)
	if err != nil {
		return fmt.Errorf("recording the end of job %s: %w", j.ID, err)
	}
	if recorded {
		l.options.Log.InfoContext(ctx, "job ended", "job", j.ID, "run", j.Run, "state", end.State, "failure", end.Failure)
		l.options.Recorder.Ended(ctx, j, end)
	}
	if !recorded {
		return nil // the call that recorded an outcome, or the sweep, carries out what it owes
	}
	j.Owed, j.Expires = end.Owed, end.Expires
	return l.settleOwed(ctx, j)
}

// giveUp ends a job whose run could not be launched for too long, by that error. The error may be a lost answer,
// and the run have been launched all the same: then it is left alone.
func (l *Lifecycle) giveUp(ctx context.Context, j job.Job, cause error) error {
	seen, err := l.runner.Observe(ctx, j)
	if err != nil || seen.Phase != job.Absent {
		return errors.Join(cause, err)
	}
	if done, err := l.finishByManifest(ctx, j); done || err != nil {
		return err
	}
	l.options.Log.ErrorContext(ctx, "a job can't be launched and is given up", "job", j.ID, "run", j.Run, "error", cause)
	return l.finish(ctx, j, job.End{State: job.Failed, Stages: ended(j.Stages), Failure: &job.Failure{
		Code:    job.Unschedulable,
		Message: "The job could not be launched. This is not a fault of your data; please tell the operators.",
	}})
}

// abandon ends a job that no node can run or continue. Stages that ran before the one whose image can't be pulled
// have a log.
func (l *Lifecycle) abandon(ctx context.Context, j job.Job, seen job.Observation) error {
	failure := seen.Failure
	if failure == nil {
		failure = &job.Failure{Code: job.Unschedulable, Message: "No node could run the job: " + seen.Waiting + ". This is not a fault of your data; please tell the operators."}
	}
	logs, err := l.storeLogs(ctx, j)
	if err != nil {
		return err
	}
	// What it waited for may have come since the look, and the run have ended with an outcome.
	if done, err := l.finishByManifest(ctx, j); done || err != nil {
		return err
	}
	return l.finish(ctx, j, job.End{State: job.Failed, Failure: failure, Stages: seen.Stages, Logs: logs})
}

// relaunch runs a job again whose run vanished or was interrupted, or gives it up when that happened too often.
func (l *Lifecycle) relaunch(ctx context.Context, j job.Job, seen job.Observation) error {
	if j.Run >= job.MaxRuns {
		return l.finish(ctx, j, job.End{State: job.Failed, Stages: ended(j.Stages), Failure: &job.Failure{
			Code:    job.Internal,
			Message: fmt.Sprintf("The job was interrupted %d times and is given up. This is not a fault of your data; please tell the operators.", j.Run),
		}})
	}
	// A call that read the job before its run was recorded as launched may still be about to launch it, and
	// when the object is gone it would make it again, beside the next run's. So the next run waits until every
	// such call has met its deadline.
	due := l.now().Add(l.options.InFlight)
	owed, err := l.jobs.Relaunch(ctx, j.ID, j.Run, due)
	if err != nil || !owed {
		return err
	}
	l.options.Log.WarnContext(ctx, "run vanished, the job is launched again", "job", j.ID, "run", j.Run, "interrupted", seen.Interrupted)
	j.Run, j.RunName, j.Due = j.Run+1, "", due
	return l.Launch(ctx, j)
}

// now is the time as the store keeps it: a time that is written and compared with what was read must not have
// digits that the store drops.
func (l *Lifecycle) now() time.Time { return l.options.Now().UTC().Truncate(time.Millisecond) }
