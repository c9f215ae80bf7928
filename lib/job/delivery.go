package job

import "time"

// Notify is what the start of a job asked to be notified by when the job ends.
type Notify struct {
	Webhook string // https URL that messages are posted to; empty for none
	Email   string // address that messages are sent to; empty for none
	Key     []byte // signs what is posted to the webhook; empty without a webhook
}

// Same reports whether two starts ask for the same notifications. The key is not compared: each start makes a new one, and that of the
// start that counts is kept. Nil asks for none.
func (n *Notify) Same(other *Notify) bool {
	var a, b Notify
	if n != nil {
		a = *n
	}
	if other != nil {
		b = *other
	}
	return a.Webhook == b.Webhook && a.Email == b.Email
}

// Delivery is a message that an ended job owes. It is stored by the same compare-and-set as the outcome, so no message is sent before the
// outcome is stored. It is made at least once: a process that is killed after it sent the message, and before it recorded that, has the
// message sent again, with the same id.
type Delivery struct {
	ID      string  // names it among the deliveries of the job, see OwesDelivery
	Event   Event   //
	Channel Channel //

	State    DeliveryState
	Owed     time.Time // when it became due for the first time
	Next     time.Time // when the next attempt is due; while an attempt is made, when that must have ended
	Attempts int       // that were begun
	Last     time.Time // when the last attempt began; zero before
	Error    string    // why the last attempt failed, for the owner of the job; empty if it did not
}

// Event is what a message says of a job.
type Event string

// The events. The values are stable: they are the ends of the types of CloudEvents.
const (
	EventSucceeded Event = "succeeded" // the job succeeded
	EventFailed    Event = "failed"    // the job failed
	EventExpiring  Event = "expiring"  // the job and its results are removed soon
)

// Channel is the way of a message.
type Channel string

// The channels.
const (
	ChannelWebhook Channel = "webhook" // posted to Notify.Webhook
	ChannelEmail   Channel = "email"   // sent to Notify.Email
	ChannelCommand Channel = "command" // given to a command of the operators, in local mode
)

// DeliveryState is the state of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending DeliveryState = "pending"   // an attempt is due, now or later
	Delivered       DeliveryState = "delivered" // the receiver has accepted the message
	DeliveryGivenUp DeliveryState = "given_up"  // no attempt is made any more
)

// OwesDelivery returns a delivery that is due at that time.
func OwesDelivery(event Event, channel Channel, at time.Time) Delivery {
	return Delivery{
		ID: string(event) + "-" + string(channel), Event: event, Channel: channel, State: DeliveryPending, Owed: at, Next: at,
	}
}

// Due reports whether an attempt at the delivery is due. The first one about the end of a job is due whatever the time is: the process that
// stored the end may have a clock that is ahead of the one which says now.
func (d Delivery) Due(now time.Time) bool {
	if d.State != DeliveryPending {
		return false
	}
	return !d.Next.After(now) || d.Attempts == 0 && d.Event != EventExpiring
}

// MessageID returns the id of the message about an event of a job. Each attempt and each channel has the same: it is the same message. It
// contains no dot, which Standard Webhooks uses as a separator.
func MessageID(id string, event Event) string { return id + "-" + string(event) }

// NextDelivery returns when the next attempt of a pending delivery is due; the zero time if none is pending.
func NextDelivery(deliveries []Delivery) time.Time {
	var next time.Time
	for _, d := range deliveries {
		if d.State == DeliveryPending && (next.IsZero() || d.Next.Before(next)) {
			next = d.Next
		}
	}
	return next
}
