// Package notify is the function that makes the deliveries that ended jobs owe: messages to webhooks and by mail. What is owed, and what
// became of it, is in the job's document, so an event is only a hint that names a job.
package notify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Get(ctx context.Context, id string) (job.Job, error)
	SetDelivery(ctx context.Context, id string, was time.Time, d job.Delivery) (bool, error)
}

// Sender sends messages by one channel.
type Sender struct {
	// Send sends the message about a job. An error that is a *notify.Error has the words for the owner of the job, and says whether another
	// attempt can succeed.
	Send  func(ctx context.Context, j job.Job, message event.Event) error
	Limit time.Duration // for an attempt
}

// Recorder receives what metrics count. Its methods return at once.
type Recorder interface {
	// Attempted receives each attempt that has ended: the state of the delivery after it, and how long ago the delivery became due.
	Attempted(ctx context.Context, d job.Delivery, age time.Duration)
}

// noRecorder is the recorder of a function that has none.
type noRecorder struct{}

func (noRecorder) Attempted(context.Context, job.Delivery, time.Duration) {}

// Deps is what the function works with.
type Deps struct {
	Jobs     Jobs
	Senders  map[job.Channel]Sender
	Source   string // of CloudEvents; empty: notify.DefaultSource
	Now      func() time.Time
	Log      *slog.Logger
	Recorder Recorder // nil: nothing is recorded
}

// Function is the notify function.
type Function struct {
	deps Deps
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("notify: jobs, a clock and a log are required")
	}
	if d.Source == "" {
		d.Source = notify.DefaultSource
	}
	if d.Recorder == nil {
		d.Recorder = noRecorder{}
	}
	return &Function{deps: d}, nil
}

const (
	// margin is how much longer than an attempt may take a delivery is kept from others: for the store's answers, and clocks that differ.
	margin = 30 * time.Second
	// patience is how long after a delivery became due attempts are made.
	patience = 24 * time.Hour
)

// pauses are the times between attempts. The last one repeats.
var pauses = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// pause returns the time until the next attempt, after some attempts. It varies by a tenth: the messages of many jobs that ended at once
// must not reach a receiver that failed at once again.
func pause(attempts int) time.Duration {
	p := pauses[min(max(attempts, 1), len(pauses))-1]
	return p - p/10 + rand.N(p/5) //nolint:gosec // not a secret
}

// Deliver makes the deliveries of a job that are due. Several processes may do so at once: each attempt begins with a compare-and-set,
// which one of them wins. An attempt that fails is not an error: it is recorded, and repeated later.
func (f *Function) Deliver(ctx context.Context, id string) error {
	j, err := f.deps.Jobs.Get(ctx, id)
	if job.Is(err, job.NotFound) {
		return nil // deleted
	}
	if err != nil {
		return err
	}
	if !j.State.Ended() {
		return nil
	}
	var failures []error
	for _, d := range j.Deliveries {
		if d.Due(f.now()) {
			failures = append(failures, f.attempt(ctx, j, d))
		}
	}
	return errors.Join(failures...)
}

// attempt makes one attempt at a delivery. If this process is killed after the message was sent and before that is recorded, the message is
// sent again when the time of the attempt is over.
func (f *Function) attempt(ctx context.Context, j job.Job, d job.Delivery) error {
	sender, ok := f.deps.Senders[d.Channel]
	begun := d
	begun.Attempts++
	begun.Last = f.now()
	begun.Next = begun.Last.Add(sender.Limit + margin)
	won, err := f.deps.Jobs.SetDelivery(ctx, j.ID, d.Next, begun)
	if err != nil || !won {
		return err
	}
	failed := error(&notify.Error{Words: "this server does not send such messages any more"})
	if ok {
		failed = f.send(ctx, j, d, sender)
	}
	after := f.after(begun, failed)
	log := f.deps.Log.With("job", j.ID, "delivery", d.ID, "attempt", after.Attempts, "state", after.State)
	if failed != nil {
		log.WarnContext(ctx, "a message could not be delivered", "error", failed)
	} else {
		log.InfoContext(ctx, "message delivered")
	}
	f.deps.Recorder.Attempted(ctx, after, max(0, f.now().Sub(d.Owed)))
	// Also after the caller has gone: what was sent must not be sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin/2)
	defer cancel()
	_, err = f.deps.Jobs.SetDelivery(ctx, j.ID, begun.Next, after)
	return err
}

func (f *Function) send(ctx context.Context, j job.Job, d job.Delivery, sender Sender) error {
	message, err := notify.CloudEvent(f.deps.Source, j, d.Event)
	if err != nil {
		return &notify.Error{Words: "the message can't be written", Final: true, Cause: err}
	}
	// An attempt goes on if the caller goes away: it has begun.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sender.Limit)
	defer cancel()
	return sender.Send(ctx, j, message)
}

// after returns a delivery after an attempt.
func (f *Function) after(d job.Delivery, failed error) job.Delivery {
	d.Error = ""
	if failed == nil {
		d.State = job.Delivered
		return d
	}
	d.Error = "the message could not be sent"
	var known *notify.Error
	if errors.As(failed, &known) {
		d.Error = known.Words
	}
	d.Next = f.now().Add(pause(d.Attempts)).Truncate(time.Millisecond)
	if known != nil && known.Final || d.Next.Sub(d.Owed) > patience {
		d.State = job.DeliveryGivenUp
	}
	return d
}

// now is the time with the precision of the store.
func (f *Function) now() time.Time { return f.deps.Now().UTC().Truncate(time.Millisecond) }
