package lifecycle

import (
	"context"
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Concluder records outcomes in a process that may not call the runner. It does what Settle does with a manifest, and leaves the rest to
// the processes that have a runner: what the outcome owes, and the next turn of the caller. The job is due at once, so the next sweep
// does that if no event of the run comes first.
type Concluder struct{ l *Lifecycle }

// NewConcluder returns a Concluder on those parts. Of the options, it does not use Turns.
func NewConcluder(jobs Jobs, files Files, o Options) (*Concluder, error) {
	if jobs == nil || files == nil {
		return nil, errors.New("lifecycle: jobs and files are required")
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	return &Concluder{&Lifecycle{jobs: jobs, files: files, options: o}}, nil
}

// Stored reports whether a job's run has stored its manifest, and the job has no outcome yet. It is cheap, and does not read the manifest.
func (c *Concluder) Stored(ctx context.Context, id string) (bool, error) {
	j, err := c.launched(ctx, id)
	if err != nil || j == nil {
		return false, err
	}
	content, _, err := c.l.files.Open(ctx, job.ManifestKey(j.ID, j.Run), "")
	if job.Is(err, job.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, content.Close()
}

// Conclude records the outcome that the manifest of a job's run states, and reports whether it did. It does nothing for a job that has
// an outcome, for a manifest that is missing or not valid, and for a failure that the runner may explain.
func (c *Concluder) Conclude(ctx context.Context, id string) (bool, error) {
	j, err := c.launched(ctx, id)
	if err != nil || j == nil {
		return false, err
	}
	j.Stages = workflow.StagesOf(*j)
	return c.l.finishByManifest(ctx, *j)
}

// launched returns the job if it has a run and no outcome, else nil.
func (c *Concluder) launched(ctx context.Context, id string) (*job.Job, error) {
	j, err := c.l.jobs.Get(ctx, id)
	if job.Is(err, job.NotFound) {
		return nil, nil
	}
	if err != nil || !j.State.Active() || j.RunName == "" {
		return nil, err
	}
	return &j, nil
}
