package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// endTime is when a job is looked at again of which something still ends: no pod is given longer to end.
const endTime = 30 * time.Second

// Remove removes a job: what runs of it, its files, and its document. The first thing written is that the job
// is to go; from there on every step can be repeated, and the sweep repeats those that were not reached.
//
// Two things can still write after that: a call that read the job before (it may launch a run), and a holder
// of an upload link, which can't be revoked. So the document stays, emptied, until both have become
// impossible, and the last pass stops and wipes once more. To every caller the job is gone from the start.
func (l *Lifecycle) Remove(ctx context.Context, j job.Job) error {
	now := l.now()
	if j.State != job.Deleting {
		if _, err := l.jobs.Delete(ctx, j.ID, now); err != nil {
			return fmt.Errorf("marking job %s for removal: %w", j.ID, err)
		}
		j.State, j.Updated, j.Due = job.Deleting, now, now
	}
	// Pods may take half a minute to end. Nobody waits for them here: what the job has is removed at once, and what it
	// may still leave by the last pass, which comes again if it has to.
	err := l.runner.Stop(ctx, j.ID)
	ending := job.Is(err, job.NotReady)
	if err != nil && !ending {
		return fmt.Errorf("stopping job %s: %w", j.ID, err)
	}
	if err := l.files.RemovePrefix(ctx, job.Prefix(j.ID)); err != nil {
		return fmt.Errorf("removing the files of job %s: %w", j.ID, err)
	}
	last := j.Updated.Add(l.options.InFlight) // Updated is when the deletion was asked for
	if links := j.Created.Add(l.options.UploadTTL); links.After(last) {
		last = links
	}
	if ending && !now.Before(last) {
		last = now.Add(endTime)
	}
	if now.Before(last) {
		return l.jobs.Postpone(ctx, j.ID, j.Due, last)
	}
	if err := l.jobs.Remove(ctx, j.ID); err != nil {
		return fmt.Errorf("forgetting job %s: %w", j.ID, err)
	}
	return nil
}
