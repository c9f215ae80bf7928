package submit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	// defaultUnstarted is how many jobs may wait to be started at once. They live for hours, so this is about one new
	// job a second of which nothing comes.
	defaultUnstarted = 10_000
	// countAfter is how old a count may be that has room, and recountAfter one that has none: other calls
	// may have started or deleted jobs since. Both grow with the time that the count took, by countShare: some stores
	// read every job for it.
	countAfter   = 5 * time.Second
	recountAfter = 100 * time.Millisecond
	countShare   = 10
	// countTime is how long a count may take.
	countTime = time.Second
)

// unstarted is an estimate of how many jobs wait to be started: what the store counted last, and what this process
// has made since then. So the store is asked by one call every few seconds, and by no other. Other processes' jobs are
// seen with the next count: the bound is kept roughly, which is enough to keep the store from being filled.
type unstarted struct {
	limit int
	made  atomic.Int64 // jobs that this process has made and not started, ever

	counting sync.Mutex // held by the call that counts
	last     atomic.Pointer[count]
}

// count is one count of the store.
type count struct {
	jobs   int64 // -1 if it failed
	made   int64 // what made was when it began
	at     time.Time
	leaves time.Duration // how long the store is to be left alone after it
}

// full reports whether too many jobs wait to be started, by a count that may be nil.
func (u *unstarted) full(c *count) bool {
	return c != nil && c.jobs >= 0 && c.jobs+u.made.Load()-c.made >= int64(u.limit)
}

// room returns an error if too many jobs wait to be started. While the store can't count them in time, there is room:
// a job is refused because there are too many or because it can't be stored, but not for want of a count.
func (f *Function) room(ctx context.Context) error {
	u := f.unstarted
	c := u.last.Load()
	after := countAfter
	if u.full(c) {
		after = recountAfter
	}
	if (c == nil || f.deps.Now().Sub(c.at) >= max(after, c.leaves)) && u.counting.TryLock() {
		u.last.Store(f.countUnstarted(ctx))
		u.counting.Unlock()
	}
	if u.full(u.last.Load()) {
		return job.Errorf(job.Exhausted, "too many jobs were created and not started yet; start or delete those that you created, or try "+
			"again later")
	}
	return nil
}

// countUnstarted asks the store.
func (f *Function) countUnstarted(ctx context.Context) *count {
	u := f.unstarted
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	began := f.deps.Now()
	c := &count{made: u.made.Load()}
	jobs, err := f.deps.Jobs.Unstarted(ctx, began.Add(f.deps.UploadTTL+job.UploadGrace), u.limit)
	if c.jobs = int64(jobs); err != nil {
		c.jobs = -1
		f.deps.Log.WarnContext(ctx, "jobs that were not started can't be counted; new ones are made all the same", "error", err)
	}
	c.at = f.deps.Now()
	c.leaves = countShare * c.at.Sub(began)
	return c
}
