package lifecycle

import (
	"context"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Notifier makes the deliveries that ended jobs owe, or has another process make them. Its methods return at once, and what they begin may
// be lost: the sweep repeats it.
type Notifier interface {
	// Ended receives each job that got an outcome, at most once, after the outcome is stored. It has the deliveries made that are due, and
	// publishes the end to those who subscribe to all ends.
	Ended(ctx context.Context, j job.Job)
	// Deliver has the deliveries of the job made that are due.
	Deliver(ctx context.Context, id string)
}

// unnotified is how long deliveries wait where the operators have ended notifications after the jobs were started.
const unnotified = time.Hour

// deliveries returns the messages that follow from an outcome. The one about the expiry of the job is due later. There is none if the job
// is kept so briefly that the message would follow soon after the first.
func (l *Lifecycle) deliveries(j job.Job, end job.End) (owed []job.Delivery) {
	event := job.EventSucceeded
	if end.State == job.Failed {
		event = job.EventFailed
	}
	if l.options.EndCommand {
		owed = append(owed, job.OwesDelivery(event, job.ChannelCommand, end.At))
	}
	if j.Start == nil || j.Start.Notify == nil {
		return owed
	}
	var channels []job.Channel
	if j.Start.Notify.Webhook != "" {
		channels = append(channels, job.ChannelWebhook)
	}
	if j.Start.Notify.Email != "" {
		channels = append(channels, job.ChannelEmail)
	}
	for _, c := range channels {
		owed = append(owed, job.OwesDelivery(event, c, end.At))
	}
	if notice := l.options.ExpiryNotice; notice > 0 && end.Expires.Sub(end.At) > 2*notice {
		for _, c := range channels {
			owed = append(owed, job.OwesDelivery(job.EventExpiring, c, end.Expires.Add(-notice)))
		}
	}
	return owed
}

// deliver has the deliveries made that are due. It returns when the job must be settled again because of its deliveries, or the zero time
// if none is pending.
//
// The deliveries may have changed since the job was read, but only those that were due then. So the job is settled again soon if there are
// such, and otherwise when the next one is due. With begun, Notifier.Ended was called a moment ago.
func (l *Lifecycle) deliver(ctx context.Context, j job.Job, begun bool) time.Time {
	next := job.NextDelivery(j.Deliveries)
	if next.IsZero() || next.After(l.now()) {
		return next
	}
	if l.options.Notifier == nil {
		return l.now().Add(unnotified)
	}
	if !begun {
		l.options.Notifier.Deliver(ctx, j.ID)
	}
	return l.recheck()
}
