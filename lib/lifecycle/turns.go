package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Turns is what is used where the runs that a caller may have launched at once are limited: of the store, see store.Turns, and of
// lib/limit. A job that is owed a run and does not wait has a turn; one that waits has none before it stops to wait.
type Turns interface {
	NextTurn(ctx context.Context, caller string) (job.Job, error)
	Turn(ctx context.Context, id string, at, due time.Time) (bool, error)

	// Take takes a turn of the caller for a job, unless other jobs have all of them. It succeeds again for the same job.
	Take(ctx context.Context, caller, id string) (bool, error)
	// Release gives back the turn of a job that has ended.
	Release(ctx context.Context, caller, id string) error
}

const (
	// turnInterval is how often the sweep handles a job that waits for its turn. It also looks for the next turn of each caller, so this
	// is for turns that were switched off, and for jobs that an earlier version has launched.
	turnInterval = 30 * time.Minute
	// turnDue is how soon the sweep handles a job that has its turn and whose launch was not recorded.
	turnDue = 5 * time.Second
)

// waits reports whether a job waits for the turn of its caller.
func (l *Lifecycle) waits(j job.Job) bool { return l.options.Turns != nil && j.Waits() }

// lostTurns is how many jobs in a row may get their turns from other processes before Next leaves the rest to the sweep.
const lostTurns = 10

// Next launches the next job of a caller that waits for its turn, if there is a turn. It reports whether a job got its turn.
//
// After a kill between the steps, the turn is the job's: the job is still the next one, or its run is owed and due soon. If the job was
// deleted in between, the turn is free again as soon as another job needs it, see lib/limit.
func (l *Lifecycle) Next(ctx context.Context, caller string) (bool, error) {
	for range lostTurns {
		j, err := l.options.Turns.NextTurn(ctx, caller)
		if job.Is(err, job.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("reading the next turn: %w", err)
		}
		if got, err := l.options.Turns.Take(ctx, caller, j.ID); err != nil || !got {
			if err != nil {
				err = fmt.Errorf("taking a turn for job %s: %w", j.ID, err)
			}
			return false, err
		}
		now := l.now()
		due := now.Add(turnDue)
		got, err := l.options.Turns.Turn(ctx, j.ID, now, due)
		if err != nil {
			return false, fmt.Errorf("beginning the turn of job %s: %w", j.ID, err)
		}
		if got {
			start := *j.Start
			start.Waits = false
			j.Start, j.Updated, j.Due = &start, now, due
			return true, l.Launch(ctx, j)
		}
		// Two jobs have ended at once, and the process that ended the other one has found the same job first. There is a turn left.
	}
	return false, nil
}

// awaitTurn handles a job that waits. It is not the next one of its caller, if others wait longer.
func (l *Lifecycle) awaitTurn(ctx context.Context, j job.Job) error {
	if _, err := l.Next(ctx, j.Start.Caller); err != nil {
		return err
	}
	// If it has got its turn, it is due at another time, and this changes nothing.
	return l.jobs.Postpone(ctx, j.ID, j.Due, l.now().Add(turnInterval))
}

// passTurn gives the turn of a job that has ended to the next one of its caller. If that fails, the next sweep does it. Whether a job
// waits is asked in any case: one may have found no turn a moment before this one was released.
func (l *Lifecycle) passTurn(ctx context.Context, j job.Job) {
	if l.options.Turns == nil || j.Start == nil || j.Start.Caller == "" {
		return
	}
	err := l.options.Turns.Release(ctx, j.Start.Caller, j.ID)
	if err == nil {
		_, err = l.Next(ctx, j.Start.Caller)
	}
	if err != nil {
		l.options.Log.WarnContext(ctx, "the turn of a job that has ended is not passed on; the sweep will do it", "job", j.ID, "error", err)
	}
}
