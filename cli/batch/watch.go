package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// maxAsked is for how many jobs the server is asked at once, in a few calls. Of more, those that run are asked for each time, and the
// others by turns: the first of thousands that wait are the next to run, and the server starts them in the order of their submission.
const maxAsked = 400

// watchAll asks the server how the jobs do until each sample is settled: often while something happens, else seldom.
func (b *Batch) watchAll(ctx context.Context) error {
	pause := b.o.Pause[0]
	for {
		watched := b.watched()
		if watched == nil {
			return nil
		}
		began := time.Now()
		changed, err := b.look(ctx, watched)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && (!client.Transient(err) || b.absent(err, began)) {
			return err
		}
		pause = min(pause*3/2, b.o.Pause[1])
		if changed {
			pause = b.o.Pause[0]
		}
		timer := time.NewTimer(pause)
		select {
		case <-b.settled:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// watched waits until there are jobs to ask for, and returns them, nil when the batch ends.
func (b *Batch) watched() []*item {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.open > 0 && b.stopped == nil {
		var watched []*item
		for _, it := range b.items {
			if it.view.State == Queued || it.view.State == Running {
				watched = append(watched, it)
			}
		}
		if len(watched) > 0 {
			slices.SortStableFunc(watched, func(x, y *item) int {
				return cmp.Or(cmp.Compare(turn(x), turn(y)), x.asked.Compare(y.asked))
			})
			return watched[:min(maxAsked, len(watched))]
		}
		b.wake.Wait()
	}
	return nil
}

// turn is 0 for a job that is asked for each time.
func turn(it *item) int {
	if it.view.State == Running {
		return 0
	}
	return 1
}

// look asks how jobs do, and reports whether any of them changed.
func (b *Batch) look(ctx context.Context, items []*item) (changed bool, err error) {
	states, err := b.states(ctx, items)
	if err != nil {
		return false, err
	}
	b.answered()
	for i, it := range items {
		b.mu.Lock()
		before := it.view
		it.asked = time.Now()
		b.mu.Unlock()
		if err := b.saw(ctx, it, states[i]); err != nil {
			return true, err
		}
		b.mu.Lock()
		changed = changed || it.view.State != before.State || !same(it.view.Status.Progress, before.Status.Progress)
		b.mu.Unlock()
	}
	return changed, nil
}

// states asks for the states of jobs: for all in one list; for the last one of the batch by the call that waits for a change.
func (b *Batch) states(ctx context.Context, items []*item) ([]client.Status, error) {
	refs := make([]client.Ref, len(items))
	for i, it := range items {
		refs[i] = client.Ref{ID: it.job.ID, Secret: it.job.Secret}
	}
	if b.last() && !b.old {
		wait := time.Duration(0)
		if b.version != "" {
			wait = longPoll
		}
		state, err := b.o.Client.State(ctx, refs[0], wait, b.version)
		if err == nil {
			b.version = state.Version
			return []client.Status{state.Status}, nil
		}
		if ctx.Err() != nil || client.Transient(err) {
			return nil, err
		}
		b.old = true // or the job is gone: the list tells which
	}
	return b.o.Client.Status(ctx, refs...)
}

// longPoll is how long the server may wait for a change of the last job.
const longPoll = 20 * time.Second

// last reports whether one sample is left.
func (b *Batch) last() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open == 1
}

// saw takes what the server says of a job.
func (b *Batch) saw(ctx context.Context, it *item, s client.Status) error {
	switch s.State {
	case client.Init:
		if it.job.Phase == Made && (s.Waiting == nil || !*s.Waiting) {
			// Its files are not all there, or its start did not arrive. An older server does not tell; then only an acknowledged start counts.
			if it.job.Uploaded {
				b.startLater(it)
				return nil
			}
			// There are no more links for its uploads.
			b.note(it, "job %s was never started, so it gets a new job", it.job.ID)
			b.sendAgain(it, clone(it.job))
			return nil
		}
		return b.goesOn(ctx, it, s, Queued)
	case client.Running:
		return b.goesOn(ctx, it, s, Running)
	case client.Successful:
		if !b.o.Wait || b.o.Out == "" {
			b.change(it, func(v *View) { v.State, v.Status, v.Earlier = Succeeded, s, !it.made })
			return nil
		}
		b.change(it, func(v *View) { v.State, v.Status = Downloading, s })
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ready = append(b.ready, it)
		b.wake.Broadcast()
		return nil
	case client.Failed:
		return b.jobFailed(ctx, it, s)
	}
	return b.gone(ctx, it, s)
}

func clone(job Job) *Job { return &job }

// goesOn notes that a job waits or runs.
func (b *Batch) goesOn(ctx context.Context, it *item, s client.Status, state State) error {
	if it.job.Phase == Made {
		if err := b.put(ctx, it, func(j *Job) { j.Phase = Started }); err != nil {
			return err
		}
	}
	if !b.o.Wait {
		b.change(it, func(v *View) { v.State, v.Status, v.Earlier = Submitted, s, !it.made })
		return nil
	}
	b.change(it, func(v *View) { v.State, v.Status = state, s })
	return nil
}

// jobFailed notes that a job failed.
func (b *Batch) jobFailed(ctx context.Context, it *item, s client.Status) error {
	if !it.made && b.o.RetryFailed {
		// The record of a batch without a folder does not say that it failed.
		b.note(it, "job %s failed, so it gets a new job", it.job.ID)
		it.rerunOf = clone(it.job)
		b.sendAgain(it, nil)
		return nil
	}
	reason := ""
	if s.Failure != nil {
		reason = s.Failure.Message
	} else if _, err := b.o.Client.Result(ctx, client.Ref{ID: it.job.ID, Secret: it.job.Secret}, false); err != nil {
		reason = refusal(err) // an older server names the reason where the result would be
	}
	if ctx.Err() != nil {
		return nil
	}
	err := b.put(ctx, it, func(j *Job) { j.Phase, j.Reason, j.Seconds = Failed, reason, b.seconds(ctx, it, s) })
	b.change(it, func(v *View) {
		v.State, v.Status, v.Reason, v.Earlier, v.JobEnded = Unable, s, cmp.Or(reason, "the job failed"), !it.made, true
	})
	return err
}

// gone notes that the server does not have a job. One of an earlier call is made again: its results are asked for. So is one whose start
// was not acknowledged: the request to run a job again may never have arrived.
func (b *Batch) gone(ctx context.Context, it *item, s client.Status) error {
	reason := "the job is gone from the server: it was deleted, or it has expired"
	if s.State == client.Unauthorized {
		reason = "the server has another secret for the job"
	}
	if !it.made || it.job.Phase == Made {
		b.note(it, "%s (%s), so it gets a new job", reason, it.job.ID)
		b.sendAgain(it, nil)
		return nil
	}
	err := b.put(ctx, it, func(j *Job) { j.Phase, j.Reason = Dropped, reason })
	b.fail(it, "%s", reason)
	return err
}

// seconds returns how long a job ran that has ended, 0 if that is not known.
func (b *Batch) seconds(ctx context.Context, it *item, s client.Status) float64 {
	state, err := b.o.Client.Look(ctx, client.Ref{ID: it.job.ID, Secret: it.job.Secret})
	switch {
	case err == nil && !state.Began.IsZero() && !state.Ended.IsZero():
		return state.Ended.Sub(state.Began).Seconds()
	case s.Updated.After(s.Started): // an older server; the time in the queue is in it
		return s.Updated.Sub(s.Started).Seconds()
	}
	return 0
}

// refusal returns what the server said in an error.
func refusal(err error) string {
	var answer *client.Error
	if errors.As(err, &answer) {
		return answer.Message
	}
	return fmt.Sprint(err)
}
