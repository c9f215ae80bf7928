package process

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// news reports the jobs whose runs changed, by their ids. A job is reported by one call at a time. What happens to it before that
// call begins is covered by it; after what happens later, the job is reported once more. A report that fails is repeated until it
// succeeds: with it, the state of a job is recorded.
type news struct {
	report func(ctx context.Context, id string) error
	done   func(id string) // called after each report
	log    *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	order   []string // of the jobs that wait to be reported
	jobs    map[string]*item
	workers int
}

// item is a job to report.
type item struct {
	queued   bool // it waits to be reported
	soon     bool // it will be queued within soonTime
	busy     bool // it is being reported, or will be again after a report that failed
	again    bool // it has changed since its report began
	failures int  // how many reports failed one after the other
}

const (
	// soonTime is how long a change of a run that goes on may wait for further changes.
	soonTime = 100 * time.Millisecond
	// reporters is how many jobs are reported at the same time.
	reporters = 4
	// reportTime bounds one report.
	reportTime = 10 * time.Second
	// A report that failed is repeated after the first pause, and after twice the time of the pause before, up to the longest.
	firstPause   = 250 * time.Millisecond
	longestPause = 15 * time.Second
)

func newNews(report func(context.Context, string) error, done func(id string), log *slog.Logger) *news {
	n := &news{report: report, done: done, log: log, jobs: make(map[string]*item)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// send reports a job at once. It never waits.
func (n *news) send(id string) { n.plan(id, true) }

// soon reports a job within soonTime. So a run that takes less is reported once, when it has ended: each report writes to the store.
func (n *news) soon(id string) { n.plan(id, false) }

func (n *news) plan(id string, now bool) {
	if n.report == nil {
		n.done(id)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.jobs[id]
	if i == nil {
		i = new(item)
		n.jobs[id] = i
	}
	switch {
	case i.queued || i.soon && !now:
	case i.busy:
		i.again = true
	case now:
		n.enqueue(id, i)
	default:
		i.soon = true
		n.after(soonTime, func() {
			if i.soon {
				n.enqueue(id, i)
			}
		})
	}
}

// after calls do with the lock, after a time, unless the reports end before. The caller holds the lock.
func (n *news) after(pause time.Duration, do func()) {
	if n.ctx.Err() != nil {
		return
	}
	n.wait.Go(func() {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-n.ctx.Done():
			return
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		do()
	})
}

// enqueue lets a job wait for its report. The caller holds the lock.
func (n *news) enqueue(id string, i *item) {
	if n.ctx.Err() != nil {
		return
	}
	i.queued, i.busy, i.soon, i.again = true, false, false, false
	n.order = append(n.order, id)
	if n.workers < reporters {
		n.workers++
		n.wait.Go(n.work)
	}
}

// work reports jobs while some wait.
func (n *news) work() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.order) > 0 && n.ctx.Err() == nil {
		id := n.order[0]
		n.order = n.order[1:]
		i := n.jobs[id]
		i.queued, i.busy = false, true
		n.mu.Unlock()
		ctx, cancel := context.WithTimeout(n.ctx, reportTime)
		err := n.report(ctx, id)
		cancel()
		n.done(id)
		n.mu.Lock()
		n.reported(id, i, err)
	}
	n.workers--
}

// reported decides what follows from a report. The caller holds the lock.
func (n *news) reported(id string, i *item, err error) {
	switch {
	case n.ctx.Err() != nil:
	case err != nil:
		pause := min(firstPause<<min(i.failures, 10), longestPause)
		if i.failures++; i.failures == 1 {
			n.log.Warn("a change of a run can't be recorded yet", "job", id, "error", err)
		}
		n.after(pause, func() { n.enqueue(id, i) })
	case i.again:
		i.failures = 0
		n.enqueue(id, i)
	default:
		delete(n.jobs, id)
	}
}

// close ends the reports. Those that wait are dropped.
func (n *news) close() {
	n.mu.Lock()
	n.cancel() // no report begins after this
	n.mu.Unlock()
	n.wait.Wait()
}
