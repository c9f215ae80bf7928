package submit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Start is what a caller asks of a job.
type Start struct {
	API        int // version of the API by which it is asked
	ID, Secret string
	Workflow   string // what the caller takes the job's workflow for
	Config     option.Config
	// Declined are kinds of optional uploads for which the caller's version has no words. They are not used, and are no
	// part of the configuration that is kept: a repeat is told by that, and has to be told by later versions, too.
	Declined []string
}

// Start promises to run a job. The same start again is a success that changes nothing; a start with another
// configuration is job.AlreadyExists. Once it answers success the job will run, whatever happens to this process: the
// run is owed in the store, and launching it here only makes it sooner. It returns the warnings that the first start gave.
func (f *Function) Start(ctx context.Context, s Start) ([]job.Warning, error) {
	id, err := job.ParseID(s.ID)
	if err != nil {
		return nil, err
	}
	j, err := f.deps.Jobs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := j.Authorise(s.Secret); err != nil {
		return nil, err
	}
	if err := s.fits(j); err != nil {
		return nil, err
	}
	w, err := f.offered(j.Workflow)
	if err != nil {
		return nil, err
	}
	config := w.Normalise(s.Config)
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
		if j, err = f.submit(ctx, j, w, s.without(config), encoded); err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(j.Start.Config, encoded) {
		return nil, job.Errorf(job.AlreadyExists, "the job was started before, with another configuration; create a new job for this one")
	}
	if err := f.deps.Launcher.Launch(ctx, j); err != nil {
		f.deps.Log.WarnContext(ctx, "a started job is not launched yet, the sweep will do it", "job", id, "error", err)
	}
	return j.Start.Warnings, nil
}

// without returns the configuration with the kinds declined that the caller has no words for.
func (s Start) without(config option.Config) option.Config {
	use := make(map[string]bool, len(config.Use)+len(s.Declined))
	maps.Copy(use, config.Use)
	for _, kind := range s.Declined {
		use[kind] = false
	}
	config.Use = use
	return config
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

// submit pins the inputs and moves the job to submitted. Of several starts at once one wins; each returns the
// job as the winner left it.
func (f *Function) submit(ctx context.Context, j job.Job, w workflow.Workflow, config option.Config, encoded []byte) (job.Job, error) {
	inputs, warnings, err := f.inputs(ctx, j.ID, w, config)
	if err != nil {
		return job.Job{}, err
	}
	stages := make([]job.Stage, 0, len(w.Stages))
	for _, s := range w.Stages {
		stages = append(stages, job.Stage{Name: s.Name, Status: job.StagePending})
	}
	now := f.now()
	start := job.Start{Config: encoded, Inputs: inputs, Trace: f.deps.Recorder.Traceparent(ctx), Warnings: warnings}
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

// inputs looks at every upload of the workflow and returns those that the job will read, and what to warn of. The required ones come
// first in the catalogue and are looked at last, when it is known what has to go with them. Of several refusals the
// caller is told the one about the first in the catalogue.
func (f *Function) inputs(ctx context.Context, id string, w workflow.Workflow, config option.Config) ([]job.Input, []job.Warning, error) {
	select {
	case f.looks <- struct{}{}:
		defer func() { <-f.looks }()
	case <-ctx.Done():
		return nil, nil, job.Errorf(job.Exhausted, "too many jobs are started at the moment; please try again later").Because(ctx.Err())
	}
	var inputs []job.Input
	var refusal error
	inspection := w.NewInspection(config)
	for _, u := range slices.Backward(w.Uploads) {
		promised, said := config.Use[u.Kind]
		if said && !promised && !u.Required {
			continue
		}
		input, err := f.input(ctx, id, u, inspection)
		switch {
		case err == nil:
			inputs = append(inputs, input)
		case job.Is(err, job.NotFound):
			if u.Required || promised {
				refusal = job.Errorf(job.Invalid, "the %s was not uploaded; put it to its upload link, then start the job again", words(u.Kind))
			}
		case errors.Is(err, upload.ErrBlank):
			// Clients promise a table that they then leave empty: that is no promise, and no file. Nobody promises
			// a training file without one.
			if u.Required || promised && u.Kind != upload.RepliconsTable {
				refusal = job.Errorf(job.Invalid, "the uploaded %s is empty; upload the file again, then start the job again", words(u.Kind))
			}
		case job.Is(err, job.Invalid):
			refusal = err
		default:
			return nil, nil, err
		}
	}
	slices.Reverse(inputs)
	return inputs, inspection.Warnings(), refusal
}

// input looks at one upload, as far as is needed to know that the workflow can read it, and pins it.
func (f *Function) input(ctx context.Context, id string, u workflow.Upload, inspection *upload.Inspection) (job.Input, error) {
	// One request tells whether it is there, its size and its ETag, and brings as much of it as is read.
	content, file, err := f.deps.Files.Open(ctx, job.UploadKey(id, u.Kind), "")
	if err != nil {
		return job.Input{}, err
	}
	defer content.Close()
	limit := u.MaxSize
	if l, ok := f.deps.MaxSizes[u.Kind]; ok && l < limit {
		limit = l
	}
	if file.Size > limit {
		return job.Input{}, job.Errorf(job.Invalid, "the uploaded %s has %s, at most %s are allowed", words(u.Kind), units.BytesSize(float64(file.Size)), units.BytesSize(float64(limit)))
	}
	name, err := inspection.Inspect(u.Kind, content)
	if err != nil {
		return job.Input{}, fmt.Errorf("%s: %w", u.Kind, err)
	}
	return job.Input{Kind: u.Kind, Size: file.Size, ETag: file.ETag, Name: name}, nil
}

// words is a kind of upload as people say it.
func words(kind string) string { return strings.ReplaceAll(kind, "_", " ") }
