package functions

import (
	"context"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// Changes notifies the calls that wait for a change of a job, where this process makes all changes. The functions' writes go
// through it; the runner calls Changed for what the store does not have. The zero value is ready.
type Changes struct {
	mu      sync.Mutex
	watches map[string]map[*watch]bool // by job
	written bool                       // since the last call of Written

	moved   time.Time // when the watches were last notified of the queue
	planned bool      // they will be
}

// watch is a call that waits.
type watch struct{ notify func(stored bool) }

// queueTime is the shortest time between two notifications that the queue has changed. A queue of many short jobs changes
// all the time, and each change concerns every job that waits.
const queueTime = 200 * time.Millisecond

// Watch has notify called after each change of the job, until stop is called: with true if its document may have changed,
// with false if its output or the queue has. Notify must return at once, and not call Changes.
func (c *Changes) Watch(id string, notify func(stored bool)) (stop func()) {
	w := &watch{notify}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watches == nil {
		c.watches = make(map[string]map[*watch]bool)
	}
	if c.watches[id] == nil {
		c.watches[id] = make(map[*watch]bool)
	}
	c.watches[id][w] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watches[id], w)
		if len(c.watches[id]) == 0 {
			delete(c.watches, id)
		}
	}
}

// Changed notifies of new output of a job's run, or, if the id is empty, of a change of the queue. It returns at once.
func (c *Changes) Changed(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "" {
		c.notify(id, false)
		return
	}
	if c.planned || len(c.watches) == 0 {
		return
	}
	c.planned = true
	time.AfterFunc(max(0, queueTime-time.Since(c.moved)), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.planned, c.moved = false, time.Now()
		for id := range c.watches {
			c.notify(id, false)
		}
	})
}

// Written reports whether a document may have been written since the last call. If not, no job is due earlier than was read then.
func (c *Changes) Written() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	written := c.written
	c.written = false
	return written
}

// stored notifies of a change of a job's document.
func (c *Changes) stored(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = true
	c.notify(id, true)
}

// wrote is for writes that change nothing that a call waits for.
func (c *Changes) wrote() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = true
}

// notify notifies the watches of a job. The caller holds the lock.
func (c *Changes) notify(id string, stored bool) {
	for w := range c.watches[id] {
		w.notify(stored)
	}
}

// noticed is a store whose writes of jobs are noticed. A write that failed may have happened, so it counts, too.
type noticed struct {
	store.Jobs
	changes *Changes
}

func (n noticed) Insert(ctx context.Context, j job.Job) error {
	defer n.changes.wrote()
	return n.Jobs.Insert(ctx, j)
}

func (n noticed) Submit(ctx context.Context, id string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.Submit(ctx, id, start, stages, at, due, expires)
}

func (n noticed) Launched(ctx context.Context, id string, run int, object string, due time.Time) (bool, error) {
	defer n.changes.wrote()
	return n.Jobs.Launched(ctx, id, run, object, due)
}

func (n noticed) Running(ctx context.Context, id string, run int, stages []job.Stage, began, at, due time.Time) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.Running(ctx, id, run, stages, began, at, due)
}

func (n noticed) Finish(ctx context.Context, id string, run int, end job.End) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.Finish(ctx, id, run, end)
}

func (n noticed) SetDelivery(ctx context.Context, id string, was time.Time, d job.Delivery) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.SetDelivery(ctx, id, was, d)
}

func (n noticed) Relaunch(ctx context.Context, id string, run int, at, due time.Time) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.Relaunch(ctx, id, run, at, due)
}

func (n noticed) SetBlocked(ctx context.Context, id string, b job.Blocked) (bool, error) {
	defer n.changes.wrote()
	return n.Jobs.SetBlocked(ctx, id, b)
}

func (n noticed) Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error) {
	defer n.changes.wrote()
	return n.Jobs.Done(ctx, id, effects, due)
}

func (n noticed) Postpone(ctx context.Context, id string, was, due time.Time) error {
	defer n.changes.wrote()
	return n.Jobs.Postpone(ctx, id, was, due)
}

func (n noticed) Delete(ctx context.Context, id string, at time.Time) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.Delete(ctx, id, at)
}

func (n noticed) Expire(ctx context.Context, id string, now time.Time) (bool, error) {
	defer n.changes.stored(id)
	return n.Jobs.Expire(ctx, id, now)
}

func (n noticed) ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error) {
	defer n.changes.wrote()
	return n.Jobs.ExpireUnstarted(ctx, made, by)
}

func (n noticed) Remove(ctx context.Context, id string) error {
	defer n.changes.stored(id)
	return n.Jobs.Remove(ctx, id)
}
