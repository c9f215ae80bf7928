package local

import (
	"context"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/jobupdate"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// changes passes the reports of the runner to the function that records them. The runner begins to report before the function
// exists, because the function needs the runner.
type changes struct {
	ready    chan struct{}
	function *jobupdate.Function
}

func newChanges() *changes { return &changes{ready: make(chan struct{})} }

// recordedBy is called once.
func (c *changes) recordedBy(f *jobupdate.Function) {
	c.function = f
	close(c.ready)
}

// record records what became of the runs of a job.
func (c *changes) record(ctx context.Context, id string) error {
	select {
	case <-c.ready:
		return c.function.Look(ctx, id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// recheckAll records what became of those jobs that wait for a run which the runner does not have: the end of the machine may lose
// the files of the runner. The sweep would check them only after waitInterval.
func recheckAll(ctx context.Context, log *slog.Logger, jobs interface {
	Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error)
}, runs interface {
	Observe(ctx context.Context, j job.Job) (job.Observation, error)
}, updater *jobupdate.Function,
) {
	// All that are due until then: those that wait or run, and few others.
	all, err := jobs.Due(ctx, time.Now().Add(waitInterval+time.Minute), 1<<30)
	for _, j := range all {
		if err != nil || ctx.Err() != nil {
			break
		}
		if !j.State.Active() || j.RunName == "" {
			continue // the sweep handles it
		}
		var seen job.Observation
		if seen, err = runs.Observe(ctx, j); err == nil && seen.Phase == job.Absent {
			err = updater.Look(ctx, j.ID)
		}
	}
	if err != nil && ctx.Err() == nil {
		log.Warn("the jobs that wait are not all checked; the sweep checks them within a day", "error", err)
	}
}
