package status

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	// lineTime is how long the jobs that wait count as known, if the store is asked for them.
	lineTime = 2 * time.Second
	// maxLine is how many jobs that wait are read. The places of those behind them are not known.
	maxLine = 10_000
)

// line knows the places of the jobs that wait.
type line struct {
	queue Queue // nil: the store is asked
	jobs  Jobs

	mu    sync.Mutex
	known []time.Time // when the jobs that wait were started, the earliest first
	until time.Time   // until when that is not read again
}

func newLine(d Deps) *line { return &line{queue: d.Queue, jobs: d.Jobs} }

// of returns the queue with the places of those of the jobs that wait. It is empty if nothing is known.
func (l *line) of(ctx context.Context, jobs []job.Job) job.Queue {
	if len(jobs) == 0 {
		return job.Queue{}
	}
	if l.queue != nil {
		if q, err := l.queue.Queue(ctx, jobs); err == nil {
			return q
		}
		// The queue is away, or this process must not ask it.
	}
	if !slices.ContainsFunc(jobs, func(j job.Job) bool { return j.State == job.Submitted }) {
		return job.Queue{}
	}
	times, ok := l.read(ctx)
	if !ok {
		return job.Queue{}
	}
	q := job.Queue{Length: len(times), Places: make(map[string]int)}
	for _, j := range jobs {
		// Jobs of the same time share a place. One that was started since the times were read is behind all.
		at, _ := slices.BinarySearchFunc(times, j.Started, time.Time.Compare)
		if j.State == job.Submitted && at < maxLine {
			q.Places[j.ID] = at + 1
			q.Length = max(q.Length, at+1)
		}
	}
	return q
}

// read returns when the jobs that wait were started. Calls at the same time share one query.
func (l *line) read(ctx context.Context) ([]time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.known, true
	}
	times, err := l.jobs.Waiting(ctx, maxLine)
	if err != nil {
		return nil, false
	}
	l.known, l.until = times, time.Now().Add(lineTime)
	return times, true
}
