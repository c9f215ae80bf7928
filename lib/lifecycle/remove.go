package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// How long after a pass the removal is tried again while a pod still ends: usually no pod takes longer than endTime. One on a node that
// does not answer may take days.
const (
	endTime    = 30 * time.Second
	maxEndTime = time.Hour
)

// Remove removes a job: its runs, its files and its document. It first marks the job as deleting; after that every step can
// be repeated, and the sweep repeats those that were not reached. From then on, no caller sees the job.
//
// Two things can still write: a call that read the job before and launches a run, and the holder of an upload link, which
// can't be revoked, and whose upload may end some time after the link has expired. So the emptied document stays until both
// are impossible, and the last pass stops the runs and removes the files once more.
func (l *Lifecycle) Remove(ctx context.Context, j job.Job) error {
	now := l.now()
	if j.State != job.Deleting {
		if _, err := l.jobs.Delete(ctx, j.ID, now); err != nil {
			return fmt.Errorf("marking job %s for removal: %w", j.ID, err)
		}
		j.State, j.Updated, j.Due = job.Deleting, now, now
	}
	// Pods may take half a minute to end, and this does not wait for them. The files are removed at once; the last pass
	// removes what the pods still write, and is repeated while they end.
	err := l.runner.Stop(ctx, j.ID)
	ending := job.Is(err, job.NotReady)
	if err != nil && !ending {
		return fmt.Errorf("stopping job %s: %w", j.ID, err)
	}
	if err := l.files.RemovePrefix(ctx, job.Prefix(j.ID)); err != nil {
		return fmt.Errorf("removing the files of job %s: %w", j.ID, err)
	}
	// Updated is when the job was marked as deleting, by the clock of another process.
	last := j.Updated.Add(l.options.InFlight + l.options.ClockSkew)
	if links := j.Created.Add(l.options.UploadTTL + job.UploadGrace); links.After(last) {
		last = links
	}
	if ending && !now.Before(last) {
		last = now.Add(min(max(endTime, now.Sub(j.Updated)/10), maxEndTime))
	}
	if now.Before(last) {
		return l.jobs.Postpone(ctx, j.ID, j.Due, last)
	}
	if err := l.jobs.Remove(ctx, j.ID); err != nil {
		return fmt.Errorf("removing the document of job %s: %w", j.ID, err)
	}
	return nil
}
