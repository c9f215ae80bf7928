package status

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Ends finds the outcomes of jobs in the store of files, and records them; lifecycle.Concluder does.
type Ends interface {
	// Stored reports whether an active job's run has stored its manifest.
	Stored(ctx context.Context, id string) (bool, error)
	// Conclude records the outcome that the manifest states, and reports whether it did.
	Conclude(ctx context.Context, id string) (bool, error)
}

const (
	// endTime is the time between two searches for the manifest of one job that callers ask or wait for.
	endTime = 200 * time.Millisecond
	// endTimeWaiting is that of a job that waits for longer than endRecent. Its run most likely waits for a node, or in a queue.
	endTimeWaiting = 2 * time.Second
	endRecent      = time.Minute
	// endGrace is how long a manifest is left to the usual way: a run reports its end right after it stored its manifest. What
	// comes that way carries out at once what the end owes.
	endGrace = 50 * time.Millisecond
	// endGap is the time between two searches of a process, however many jobs callers ask for. After a pause, endSearches may begin at
	// once, and no more run at once.
	endGap      = 50 * time.Millisecond
	endSearches = 4
	// endLimit bounds one search.
	endLimit = 10 * time.Second
)

// ends searches for the outcomes of the jobs that callers ask or wait for, if they were not reported: a run's report may be lost, and the
// node reports the end of a pod's container a second or two later. Each search is one read of the job and one request for its
// manifest. A job is searched for at most once in endTime, and a process makes at most one search in endGap. What is more is left out, so
// no call waits for a search, and the cost does not grow with the number of jobs.
type ends struct {
	deps   Ends
	now    func() time.Time
	log    *slog.Logger
	places chan struct{} // has an entry for each search
	found  func(id string)

	mu   sync.Mutex
	free time.Time            // when the next search may begin
	next map[string]time.Time // when a job may be searched for again
	tidy time.Time            // when next is tidied up
}

// newEnds calls found after each outcome that it has recorded.
func newEnds(deps Ends, now func() time.Time, log *slog.Logger, found func(id string)) *ends {
	return &ends{deps: deps, now: now, log: log, places: make(chan struct{}, endSearches), found: found, next: make(map[string]time.Time)}
}

// search begins a search for the outcome of a job, if one is due. It returns at once.
func (e *ends) search(j job.Job) {
	if e == nil || !j.State.Active() {
		return
	}
	pause, now := endTime, e.now()
	if j.State == job.Submitted && now.Sub(j.Started) > endRecent {
		pause = endTimeWaiting
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if earliest := now.Add(-(endSearches - 1) * endGap); e.free.Before(earliest) {
		e.free = earliest
	}
	if now.Before(e.next[j.ID]) || now.Before(e.free) {
		return
	}
	select {
	case e.places <- struct{}{}:
	default:
		return
	}
	if now.After(e.tidy) {
		for id, next := range e.next {
			if next.Before(now) {
				delete(e.next, id)
			}
		}
		e.tidy = now.Add(endTimeWaiting)
	}
	e.free, e.next[j.ID] = e.free.Add(endGap), now.Add(pause)
	id := j.ID // a goroutine that had the job would have each one copied to the heap, and a list has many
	go func() {
		defer func() { <-e.places }()
		guarded(e.log, "the search for the end of a job", func() { e.one(id) })
	}()
}

// one searches for one outcome.
func (e *ends) one(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	stored, err := e.deps.Stored(ctx, id)
	if err == nil && stored {
		time.Sleep(endGrace)
		var ended bool
		if ended, err = e.deps.Conclude(ctx, id); ended {
			e.found(id)
		}
	}
	if err != nil {
		e.log.WarnContext(ctx, "the end of a job can't be searched for; its event or the sweep finds it", "job", id, "error", err)
	}
}
