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
	// lineLimit bounds how long calls wait for that.
	lineLimit = 2 * time.Second
	// maxLine is how many jobs that wait are read. The places of those behind them are not known.
	maxLine = 10_000
)

// line knows the places of the jobs that wait.
type line struct {
	queue Queue // nil: the store is asked
	jobs  Jobs
	turns Turns // nil: no job waits for the turn of its caller

	mu    sync.Mutex
	known *waiting  // nil: the read failed
	until time.Time // until when that is not read again
}

// waiting is when the jobs that wait were started, the earliest first.
type waiting struct {
	all   []time.Time
	turns []time.Time            // of them, those that wait for the turn of their caller
	by    map[string][]time.Time // the same, by the caller
}

func newLine(d Deps) *line { return &line{queue: d.Queue, jobs: d.Jobs, turns: d.Turns} }

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
	known := l.read(ctx)
	if known == nil {
		return job.Queue{}
	}
	q := job.Queue{Length: len(known.all) - len(known.turns), Places: make(map[string]int), Lines: make(map[string]int)}
	for _, j := range jobs {
		// Jobs of the same time share a place. One that was started since the times were read is behind all.
		at, length := place(known.all, j)-place(known.turns, j), q.Length
		if j.Waits() {
			at, length = place(known.by[j.Start.Caller], j), len(known.by[j.Start.Caller])
		}
		if j.State != job.Submitted || at < 0 || at >= maxLine {
			continue
		}
		q.Places[j.ID] = at + 1
		if length = max(length, at+1); j.Waits() {
			q.Lines[j.ID] = length
		} else {
			q.Length = length
		}
	}
	return q
}

// place is how many of the jobs of those times were started before a job.
func place(times []time.Time, j job.Job) int {
	at, _ := slices.BinarySearchFunc(times, j.Started, time.Time.Compare)
	return at
}

// read returns when the jobs that wait were started, nil if that can't be read. Calls at the same time share the queries, also if they
// fail: each would wait for the same store.
func (l *line) read(ctx context.Context) *waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.known
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lineLimit) // for other callers, too
	defer cancel()
	l.known = l.query(ctx)
	l.until = time.Now().Add(lineTime)
	return l.known
}

// query is read without what is known.
func (l *line) query(ctx context.Context) *waiting {
	var known waiting
	var err error
	if known.all, err = l.jobs.Waiting(ctx, maxLine); err != nil {
		return nil
	}
	if l.turns == nil {
		return &known
	}
	turns, err := l.turns.WaitingTurns(ctx, maxLine)
	if err != nil {
		return nil
	}
	known.by = make(map[string][]time.Time)
	for _, t := range turns {
		known.turns = append(known.turns, t.Started)
		known.by[t.Caller] = append(known.by[t.Caller], t.Started)
	}
	slices.SortFunc(known.turns, time.Time.Compare)
	return &known
}
