package submit

import (
	"bytes"
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Start is what a caller asks of a job.
type Start struct {
	API        int // version of the API by which it is asked
	ID, Secret string
	Workflow   string // what the caller takes the job's workflow for
	Config     option.Config
	Notify     job.Notify // what to notify; its key is not used
	Keyless    bool       // the answer can't have the key of a webhook, so none may be asked for
}

// Start promises to run a job. The same start again is a success that changes nothing; a start with another
// configuration is job.AlreadyExists. Once it answers success the job will run, whatever happens to this process: the
// run is owed in the store, and launching it here only makes it sooner. It returns the start as it is stored, with the warnings and
// the key that the first start was answered with.
func (f *Function) Start(ctx context.Context, s Start) (*job.Start, error) {
	id, err := job.ParseID(s.ID)
	if err != nil {
		return nil, err
	}
	j, err := f.deps.Jobs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := j.Authorise(f.key(ctx, s.Secret)); err != nil {
		return nil, err
	}
	if err := s.fits(j); err != nil {
		return nil, err
	}
	w, err := f.offered(j.Workflow)
	if err != nil {
		return nil, err
	}
	if s.Keyless && s.Notify.Webhook != "" {
		return nil, job.Errorf(job.Invalid, "notify.webhook: the answer to this call can't have the key that signs the messages; "+
			"use SubmitJob, POST /api/v2/job/submit, instead")
	}
	return f.start(ctx, j, w, s.API, w.Normalise(s.Config), s.Notify)
}

// start starts a job with a normalised configuration, asked for by a version of the API.
func (f *Function) start(
	ctx context.Context, j job.Job, w workflow.Workflow, api int, config option.Config, asked job.Notify,
) (*job.Start, error) {
	encoded, err := option.Encode(config)
	if err != nil {
		return nil, err
	}
	// What was acknowledged once stays so, though the rules may be stricter by now.
	if j.Start == nil || !bytes.Equal(j.Start.Config, encoded) {
		if err := w.Validate(config); err != nil {
			return nil, err
		}
	}
	if j.State == job.Created {
		notify, err := f.deps.Notify.Check(asked.Webhook, asked.Email)
		if err != nil {
			return nil, err
		}
		if j, err = f.submit(ctx, j, w, api, config, job.Start{Config: encoded, Notify: notify}); err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(j.Start.Config, encoded) {
		return nil, job.Errorf(job.AlreadyExists, "the job was started before, with another configuration; create a new job for this one")
	}
	if !j.Start.Notify.Same(&asked) {
		return nil, job.Errorf(job.AlreadyExists, "notify: the job was started before, with other notifications, which can't be changed")
	}
	if err := f.deps.Launcher.Launch(ctx, j); err != nil {
		f.deps.Log.WarnContext(ctx, "a started job is not launched yet, the sweep will do it", "job", j.ID, "error", err)
	}
	return j.Start, nil
}

// fits returns why the job is not one that can be started so. An older job has no links for what newer versions of the
// API upload; the other way round nothing is missing.
func (s Start) fits(j job.Job) error {
	if made := max(j.API, 1); s.API > made {
		return job.Errorf(job.NotReady, "Wrong API version: the job was made by version %d of the API, which has to start it, too", made)
	}
	if s.Workflow != j.Workflow {
		return job.Errorf(job.Invalid, "Workflow kind mismatch: the job is of the workflow %s", j.Workflow)
	}
	return nil
}

// submit pins the inputs of the start and moves the job to submitted. Of several starts at once one wins; each returns the
// job as the winner left it.
func (f *Function) submit(
	ctx context.Context,
	j job.Job,
	w workflow.Workflow,
	api int,
	config option.Config,
	start job.Start,
) (job.Job, error) {
	var err error
	start.Inputs, start.Warnings, err = f.inputs(ctx, j.ID, w, api, config)
	if err != nil {
		return job.Job{}, err
	}
	// Counted when nothing but the store can fail any more: so what was counted needs not be undone.
	started, err := limit.FromContext(ctx).Start(ctx, j.ID)
	if err != nil {
		return job.Job{}, err
	}
	stages, now := w.Pending(), f.now()
	start.Trace, start.Caller, start.Waits = f.deps.Recorder.Traceparent(ctx), started.Caller, started.Waits
	due, expires := now.Add(owed), now.Add(f.deps.Retention)
	won, err := f.deps.Jobs.Submit(ctx, j.ID, start, stages, now, due, expires)
	if err != nil {
		return job.Job{}, err
	}
	if won {
		f.unstarted.made.Add(-1)
		f.deps.Log.InfoContext(ctx, "job started", "job", j.ID, "workflow", w.Kind)
		f.deps.Recorder.Started(ctx, w.Kind)
		// It is not read again: nothing else of a created job changes, so this is what the store has.
		j.State, j.Start, j.Run, j.Stages = job.Submitted, &start, 1, stages
		j.Started, j.Updated, j.Due, j.Expires = now, now, due, expires
		return j, nil
	}
	// The winner's configuration is what counts, or the job was deleted.
	j, err = f.deps.Jobs.Get(ctx, j.ID)
	switch {
	case err != nil:
		return job.Job{}, err
	case j.Start == nil:
		return job.Job{}, job.Errorf(job.NotFound, "the job was deleted, or expired, while it was started")
	}
	return j, nil
}
