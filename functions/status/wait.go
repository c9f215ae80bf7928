package status

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	// defaultWaits bounds the calls that wait: each holds a connection or a stream, and some 50 KB of memory.
	defaultWaits = 100
	// pollTime is the time between two reads of the jobs that calls wait for, if changes are not reported.
	pollTime = time.Second
	// pollLimit bounds such a read.
	pollLimit = 10 * time.Second
)

// bell wakes a call that waits.
type bell struct {
	ring chan struct{}

	mu     sync.Mutex
	stored bool     // the document has to be read again
	job    *job.Job // or: it was read
}

func newBell() *bell { return &bell{ring: make(chan struct{}, 1)} }

// wake wakes the call. It never blocks.
func (b *bell) wake() {
	select {
	case b.ring <- struct{}{}:
	default: // it was woken before
	}
}

// changed reports a change: of the stored document, or of something else.
func (b *bell) changed(stored bool) {
	b.mu.Lock()
	b.stored = b.stored || stored
	b.mu.Unlock()
	b.wake()
}

// read reports the job as it was read; nil if it is gone.
func (b *bell) read(j *job.Job) {
	b.mu.Lock()
	b.stored, b.job = j == nil, j
	b.mu.Unlock()
	b.wake()
}

// news returns the job if it was read since the last call, and whether it has to be read.
func (b *bell) news() (*job.Job, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, stored := b.job, b.stored
	b.job, b.stored = nil, false
	return j, stored
}

// poller reads the jobs that calls wait for: all of them with one query, as long as there are any.
type poller struct {
	jobs    Jobs
	log     *slog.Logger
	between func(job.Job) // is called for each job between two reads; nil: nothing is

	mu    sync.Mutex
	bells map[string]map[*bell]bool // by job
	seen  map[string]job.Job        // as they were read last
	runs  bool
}

func newPoller(jobs Jobs, log *slog.Logger) *poller {
	return &poller{jobs: jobs, log: log, bells: make(map[string]map[*bell]bool), seen: make(map[string]job.Job)}
}

// watch wakes the bell after each read of the job, until stop is called.
func (p *poller) watch(id string, b *bell) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bells[id] == nil {
		p.bells[id] = make(map[*bell]bool)
	}
	p.bells[id][b] = true
	if !p.runs {
		p.runs = true
		go p.run()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if delete(p.bells[id], b); len(p.bells[id]) == 0 {
			delete(p.bells, id)
			delete(p.seen, id)
		}
	}
}

// run reads the jobs until no call waits.
func (p *poller) run() {
	tick, between := time.NewTicker(pollTime), time.NewTicker(endTime)
	defer tick.Stop()
	defer between.Stop()
	for {
		select {
		case <-tick.C:
		case <-between.C:
			p.search()
			continue
		}
		p.mu.Lock()
		ids := make([]string, 0, len(p.bells))
		for id := range p.bells {
			ids = append(ids, id)
		}
		p.runs = len(ids) > 0
		p.mu.Unlock()
		if len(ids) == 0 {
			return
		}
		guarded(p.log, "reading the jobs that calls wait for", func() { p.read(ids) })
	}
}

// read reads jobs, and wakes the calls that wait for them. If the store does not answer, they continue to wait.
func (p *poller) read(ids []string) {
	ctx, cancel := context.WithTimeout(context.Background(), pollLimit)
	defer cancel()
	found, err := p.jobs.GetStates(ctx, ids)
	if err != nil {
		return
	}
	byID := make(map[string]*job.Job, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		for b := range p.bells[id] {
			b.read(byID[id])
		}
		if j := byID[id]; j != nil && len(p.bells[id]) > 0 {
			p.seen[id] = *j
		}
	}
}

// reread reads a job now, if calls wait for it.
func (p *poller) reread(id string) {
	p.mu.Lock()
	waits := len(p.bells[id]) > 0
	p.mu.Unlock()
	if waits {
		p.read([]string{id})
	}
}

// search calls between for each job.
func (p *poller) search() {
	if p.between == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range p.seen {
		p.between(j)
	}
}

// watch wakes the bell when something of the job may have changed, until stop is called.
func (f *Function) watch(id string, b *bell) (stop func()) {
	if f.poller != nil {
		return f.poller.watch(id, b)
	}
	return f.deps.Changes.Watch(id, b.changed)
}
