// Package batch annotates many samples: it sends a few at a time, watches all of their jobs together, and fetches the results. What it does
// is recorded, so that a later call with the same samples goes on where an earlier one ended, by whatever it ended.
//
// A crash, or kill -9, between any two steps leaves one of these, and the next call does this:
//
//	the job was created, its id is not recorded   it makes another job; the server removes the first, which is never started
//	recorded, an upload is missing                it deletes that job and makes another
//	uploaded, the start was not sent              it starts that job, or makes another if it has expired
//	a limit of the server refused the start       the same
//	the start was sent, its answer was lost       the server says that the job waits, runs or has ended: it goes on with it
//	the start was acknowledged                    it goes on with the job
//	some results are downloaded                   it keeps the complete files aside and downloads the others
//	some results are in place                     it downloads them again; equal files are left as they are
//	all results are in place, not recorded        the same
//	a line of the record is cut off               the change was not acknowledged, and counts as not made
package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// State is the state of a sample, for people and in the JSON output of the command.
type State string

// States.
const (
	Waiting     State = "waiting"     // nothing was done yet
	Checking    State = "checking"    // its files are read
	Uploading   State = "uploading"   // its files are sent
	Queued      State = "queued"      // its job was started, and waits
	Running     State = "running"     // its job runs
	Downloading State = "downloading" // its results are fetched
	Submitted   State = "submitted"   // its job was started, and nothing more was asked for
	Succeeded   State = "done"        // its job succeeded, and its results are there if they were asked for
	Unable      State = "failed"      // it could not be annotated; the reason says why
)

// Settled reports whether nothing more happens to a sample in this call.
func (s State) Settled() bool { return s == Submitted || s == Succeeded || s == Unable }

// Options are what a batch is to do.
type Options struct {
	Client *client.V2 // tries a call again for as long as a server may be away
	Record Record
	Name   string // of the batch, by which the server takes turns
	Out    string // folder of the results; empty: they are not fetched
	Wait   bool   // until each job has ended; implied by Out

	Uploads     int   // how many samples are sent at a time, at least 1
	MaxDownload int64 // bytes of the results of one job

	Again       bool // make a new job for each sample, but for those that have one of the round that is open, see Record
	RetryFailed bool // make a new job for a sample whose job failed
	Force       bool // replace files that are in the way of results

	// Pause is the shortest and the longest time between two requests for the states of jobs. It grows while nothing changes.
	Pause [2]time.Duration
	// Changed, if not nil, is called with each change of a sample, one at a time and in order. It must not call the batch.
	Changed func(View)
	// Note, if not nil, is called with a text for people about a sample.
	Note func(View, string)
}

// View is how a sample does.
type View struct {
	Index    int // of the sample
	Name     string
	File     string
	Place    string // see Sample
	Folder   string // of its results, with that of the batch; empty: they are not fetched
	Workflow string
	Job      client.Ref // empty: it has none
	State    State
	Reason   string // why it failed, or which limit it waits for
	Earlier  bool   // an earlier call had done it
	Resumed  bool   // the job is that of an earlier call, and goes on
	JobEnded bool   // Unable because the job failed on the server, so only a new job can succeed
	Since    time.Time
	Sent     int64 // bytes of the uploads that were sent
	Size     int64 // bytes of all uploads
	Status   client.Status
}

// Batch is many samples on their way.
type Batch struct {
	o       Options
	digests *digests

	mu      sync.Mutex
	wake    *sync.Cond // something changed that a worker may wait for
	items   []*item
	unsent  []*item       // in order
	due     []*item       // to be sent or started when no limit holds that up; first those whose job is uploaded, and expires
	hold    time.Time     // until when a limit of the server holds up starts
	ready   []*item       // whose results can be fetched
	open    int           // samples that are not settled
	settled chan struct{} // closed when all are
	stopped error         // why the batch ends early
	reached time.Time
	changed bool // the table differs from what is on the disk

	// Of the worker that watches the jobs.
	version string // of the state of the last job
	old     bool   // the server can't wait for a change
}

// item is a sample on its way. The mutex of the batch guards what its worker does not own: the view.
type item struct {
	*Sample
	view    View
	job     Job    // its worker's
	made    bool   // the job was made by this call
	fresh   bool   // make a new job, whatever is recorded
	stale   *Job   // a job to delete before that
	rerunOf *Job   // the job of an earlier call that failed, to be run again
	rerunBy string // the key of the request that a limit refused
	kept    bool   // its job has all uploads, and is to be started
	tries   int    // transfers that failed for reasons that pass
	asked   time.Time
	place   int // in the queue, as it was reported last; of the mutex

	recorded Job // the job, as it was recorded last; of the mutex
}

// New returns a batch of those samples.
func New(samples []Sample, o Options) *Batch {
	b := &Batch{o: o, digests: newDigests(), open: len(samples), settled: make(chan struct{}), reached: time.Now()}
	b.o.Wait = o.Wait || o.Out != ""
	b.wake = sync.NewCond(&b.mu)
	now := time.Now()
	for i := range samples {
		s := &samples[i]
		it := &item{Sample: s, view: View{Index: i, Name: s.Name, File: s.Input(), Place: s.Place, Workflow: s.Workflow.Kind,
			State: Waiting, Since: now}}
		if o.Out != "" {
			it.view.Folder = filepath.Join(o.Out, s.Folder)
		}
		b.items = append(b.items, it)
	}
	b.unsent = append(b.unsent, b.items...)
	return b
}

// Run annotates the samples, and returns nil when each is settled: failed samples are not an error of the batch. It returns an error if the
// batch can't go on: the context ended, the server was away for too long, or nothing can be recorded any more.
func (b *Batch) Run(ctx context.Context) error {
	if b.o.Again && b.o.Record.Round() == "" {
		if err := b.o.Record.BeginRound(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.stopped == nil {
			b.stopped = context.Cause(ctx)
		}
		b.wake.Broadcast()
	})
	defer stop()
	var workers sync.WaitGroup
	abort := func(err error) {
		if err != nil {
			cancel(err)
		}
	}
	for range max(1, b.o.Uploads) {
		workers.Go(func() { abort(b.sendAll(ctx)) })
	}
	for range downloads {
		workers.Go(func() { abort(b.fetchAll(ctx)) })
	}
	workers.Go(func() { abort(b.watchAll(ctx)) })
	workers.Go(func() { abort(b.summarise()) })
	workers.Wait()
	if b.o.Out != "" {
		if err := b.writeSummary(); err != nil {
			return err
		}
	}
	if err := b.endRound(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == 0 && (b.stopped == nil || ctx.Err() != nil && errors.Is(b.stopped, context.Canceled)) {
		return nil // the end came when all was done
	}
	return b.stopped
}

// endRound ends the round that is open if nothing of it is left to do: all samples are settled, and no job was left behind.
func (b *Batch) endRound() error {
	round := b.o.Record.Round()
	b.mu.Lock()
	defer b.mu.Unlock()
	if round == "" || b.open > 0 {
		return nil
	}
	names := make(map[string]bool)
	for _, it := range b.items {
		names[it.Name] = true
		if it.view.State == Unable && it.recorded.Round == round && (it.recorded.Phase == Made || it.recorded.Phase == Started) {
			return nil // its results could not be fetched, for example
		}
	}
	// A call for some of the samples does not end the round of all.
	if !b.o.Again && slices.ContainsFunc(b.o.Record.All(), func(job Job) bool { return !names[job.Name] }) {
		return nil
	}
	return b.o.Record.EndRound()
}

// downloads is how many jobs' results are fetched at a time.
const downloads = 2

// Views returns how all samples do.
func (b *Batch) Views() []View {
	b.mu.Lock()
	defer b.mu.Unlock()
	views := make([]View, len(b.items))
	for i, it := range b.items {
		views[i] = it.view
	}
	return views
}

// next waits for the first item of a queue, and takes it. It returns nil when the batch ends.
func (b *Batch) next(queue *[]*item) *item {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(*queue) == 0 && b.open > 0 && b.stopped == nil {
		b.wake.Wait()
	}
	if b.stopped != nil || len(*queue) == 0 {
		return nil
	}
	it := (*queue)[0]
	*queue = (*queue)[1:]
	return it
}

// nextToSend is next for the samples to send and to start. While a limit holds up starts, it returns what was not checked: a job of an
// earlier call may be known.
func (b *Batch) nextToSend() *item {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.open > 0 && b.stopped == nil {
		queue := &b.unsent
		if len(b.due) > 0 && !b.held() {
			queue = &b.due
		}
		if len(*queue) > 0 {
			it := (*queue)[0]
			*queue = (*queue)[1:]
			return it
		}
		b.wake.Wait()
	}
	return nil
}

// held reports whether a limit holds up starts. The caller holds the mutex.
func (b *Batch) held() bool { return time.Now().Before(b.hold) }

// move brings a sample into a state.
func (b *Batch) move(it *item, state State) {
	b.change(it, func(v *View) { v.State, v.Reason = state, "" })
}

// settle ends a sample's way.
func (b *Batch) settle(it *item, state State) { b.move(it, state) }

// fail ends a sample's way with the reason for it.
func (b *Batch) fail(it *item, format string, args ...any) {
	b.change(it, func(v *View) { v.State, v.Reason = Unable, fmt.Sprintf(format, args...) })
}

// change changes the view of a sample, and reports it if people see the difference.
func (b *Batch) change(it *item, edit func(*View)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := it.view
	edit(&it.view)
	now := &it.view
	if now.State != before.State {
		now.Since = time.Now()
		b.changed = true
	}
	if now.State.Settled() && !before.State.Settled() {
		if b.open--; b.open == 0 {
			close(b.settled)
		}
	}
	if now.State != before.State || now.Status.Stage != before.Status.Stage || !same(now.Status.Progress, before.Status.Progress) ||
		it.advanced() {
		if b.o.Changed != nil {
			b.o.Changed(*now)
		}
	}
	b.wake.Broadcast()
}

// advanced reports whether the place of a sample in the queue is to be reported: the first one that is known, and then one that is at most
// half of the one reported last. All of them would be about as many reports as there are pairs of samples. The caller holds the mutex.
func (it *item) advanced() bool {
	q := it.view.Status.Queue
	switch {
	case it.view.State != Queued:
		it.place = 0
		return false
	case q == nil || it.place != 0 && 2*q.Place > it.place:
		return false
	}
	it.place = q.Place
	return true
}

func same(a, b *client.Progress) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Step == b.Step && a.Text == b.Text
}

// note tells people something about a sample.
func (b *Batch) note(it *item, format string, args ...any) {
	if b.o.Note != nil {
		b.mu.Lock()
		view := it.view
		b.mu.Unlock()
		b.o.Note(view, fmt.Sprintf(format, args...))
	}
}

// sendAgain puts a sample back to those that are sent, for a new job.
func (b *Batch) sendAgain(it *item, stale *Job) {
	it.fresh, it.stale, it.made, it.kept = true, stale, false, false
	b.change(it, func(v *View) { v.State, v.Job, v.Status = Waiting, client.Ref{}, client.Status{} })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsent = append(b.unsent, it)
	b.wake.Broadcast()
}

// postpone lets a sample wait until no limit holds up starts.
func (b *Batch) postpone(it *item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := len(b.due)
	if it.kept {
		if first := slices.IndexFunc(b.due, func(other *item) bool { return !other.kept }); first >= 0 {
			at = first
		}
	}
	b.due = slices.Insert(b.due, at, it)
	b.wake.Broadcast()
}

// startLater lets a sample wait for the start of its job, whose files are all uploaded.
func (b *Batch) startLater(it *item) {
	it.kept, it.made = true, true
	b.change(it, func(v *View) { v.State, v.Resumed, v.Status = Waiting, false, client.Status{} })
	b.postpone(it)
}

// limitPause is how long a refused start waits if the server does not say how long.
const limitPause = 30 * time.Second

// refused lets a sample wait that a limit of the server refuses: the call had no effect. Until it can be repeated, no other sample is sent:
// its start would be refused, too, and its upload would expire.
func (b *Batch) refused(it *item, err error, after time.Duration) {
	b.answered()
	after = cmp.Or(max(0, after), limitPause)
	until := time.Now().Add(after)
	b.mu.Lock()
	if until.After(b.hold) {
		b.hold = until
	}
	b.mu.Unlock()
	time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wake.Broadcast()
	})
	b.change(it, func(v *View) {
		if v.State, v.Reason = Waiting, refusal(err); !it.kept {
			v.Job = client.Ref{}
		}
	})
	b.note(it, "%s; waiting until %s", refusal(err), until.Format(time.DateTime))
	b.postpone(it)
}

// maxTries is how often a transfer is begun. Each tries for half a minute, and the call before it for as long as a server may be away: so
// an outage fails no sample, and an object storage that refuses one does not hold up the others.
const maxTries = 5

// passes reports whether a transfer that failed may succeed when it is begun again.
func (it *item) passes(err error) bool {
	it.tries++
	return client.Transient(err) && it.tries < maxTries
}

// absent reports whether the server was away during a whole call that began at a time: no other call was answered. Then the batch stops:
// the other samples would wait as long, one after the other, for the same error.
func (b *Batch) absent(err error, began time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return client.Transient(err) && b.reached.Before(began)
}

// answered notes that the server answered.
func (b *Batch) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reached = time.Now()
}

// put records a job, also if the batch is being stopped: what the server knows has to be known here, too.
func (b *Batch) put(ctx context.Context, it *item, edit func(*Job)) error {
	edit(&it.job)
	b.known(it)
	return b.o.Record.Put(context.WithoutCancel(ctx), it.job)
}

// known makes the job of a sample known to the table.
func (b *Batch) known(it *item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	it.recorded = it.job
}
