package functions_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	notifier "github.com/ag-computational-bio/bakta-web-backend/functions/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

const (
	hook     = "https://example.org/hook"
	notice   = 30 * time.Hour // before the job expires
	sendTime = 10 * time.Second
	tries    = 24 * time.Hour // for which attempts are made
)

// letters are what becomes of the messages about the end of the job.
type letters struct {
	asked bool           // the starts name a webhook
	key   []byte         // that a start was answered with
	sent  map[string]int // how often each message reached the receiver, by id
}

// notifierModel is a lifecycle.Notifier that loses some of what it is asked for.
type notifierModel struct{ *life }

func (m notifierModel) Ended(ctx context.Context, j job.Job) { m.Deliver(ctx, j.ID) }

func (m notifierModel) Deliver(_ context.Context, id string) {
	if !m.calm && m.rand.IntN(3) == 0 {
		m.logf("the event of a notification is lost")
		return
	}
	m.call("notify", func(ctx context.Context) {
		f := must(functions.Notifications(functions.Parts{Jobs: jobsModel{life: m.life}, Now: m.now, Log: slog.New(slog.DiscardHandler)}, "",
			map[job.Channel]notifier.Sender{job.ChannelWebhook: {Send: m.send, Limit: sendTime}}))
		if err := f.Deliver(ctx, id); err != nil && (m.calm || !job.Is(err, job.Unavailable)) {
			m.faultf("notify answers %v", err)
		}
	})
}

// send is the receiver. It may be away, and its answer may be lost.
func (m notifierModel) send(_ context.Context, j job.Job, message event.Event) error {
	return m.act(func() {
		m.letters.sent[message.ID()]++
		if !m.finished {
			m.faultf("the message %s is sent before an outcome is stored", message.ID())
		}
		if want := notify.EventOf(j.State); message.Type() != notify.TypePrefix+string(want) &&
			(message.Type() != notify.TypePrefix+string(job.EventExpiring) || j.Expires.Sub(m.clock) > notice) {
			m.faultf("the message is %s %s before the job expires, which is %s", message.Type(), j.Expires.Sub(m.clock), j.State)
		}
	}, "receive %s", message.ID())
}

func (m jobsModel) SetDelivery(_ context.Context, _ string, was time.Time, d job.Delivery) (bool, error) {
	at := func(j *job.Job) int {
		return slices.IndexFunc(j.Deliveries, func(o job.Delivery) bool {
			return o.ID == d.ID && o.State == job.DeliveryPending && o.Next.Equal(was)
		})
	}
	return m.change("record "+d.ID+" as "+string(d.State)+" until "+d.Next.Format("01-02 15:04:05"), "",
		func(j *job.Job) bool { return j.State.Ended() && at(j) >= 0 },
		func(j *job.Job) {
			if d.State == job.Delivered && m.letters.sent[job.MessageID(j.ID, d.Event)] == 0 {
				m.faultf("%s is recorded as delivered and never was", d.ID)
			}
			i := at(j)
			j.Deliveries = slices.Clone(j.Deliveries)
			j.Deliveries[i] = d
			if d.State == job.DeliveryPending && d.Next.Before(j.Due) {
				j.Due = d.Next
			}
		})
}

// started notes what a start was answered with.
func (l *life) started(s *job.Start) {
	switch {
	case (s.Notify != nil) != l.letters.asked:
		l.faultf("the start is answered with %+v", s.Notify)
	case s.Notify == nil:
	case l.letters.key != nil && !bytes.Equal(l.letters.key, s.Notify.Key):
		l.faultf("two starts are answered with different keys")
	default:
		l.letters.key = s.Notify.Key
	}
}

// asks is what the starts of this life want notified.
func (l *life) asks() job.Notify {
	if l.letters.asked {
		return job.Notify{Webhook: hook}
	}
	return job.Notify{}
}

// judgeLetters holds what is true of deliveries in the end, and counts them.
func (l *life) judgeLetters(counts map[string]int) {
	if l.doc == nil || !l.doc.State.Ended() {
		return
	}
	if want := map[bool]int{true: 2}[l.letters.asked]; len(l.doc.Deliveries) != want {
		l.faultf("the job that ended has %d deliveries, want %d", len(l.doc.Deliveries), want)
	}
	pending := false
	for _, d := range l.doc.Deliveries {
		sent := l.letters.sent[job.MessageID(l.doc.ID, d.Event)]
		switch d.State {
		case job.DeliveryPending:
			pending = true
			if l.clock.Sub(d.Owed) > 2*time.Hour && l.clock.Sub(l.calmed) > 2*time.Hour {
				l.faultf("%s is pending %s after it was due", d.ID, l.clock.Sub(d.Owed))
			}
			counts["pending"]++
		case job.Delivered:
			if d.Event == job.EventExpiring {
				counts["expiring"]++
			}
			if counts["delivered"]++; sent > 1 {
				counts["sent twice"]++
			}
			if d.Attempts > sent {
				counts["retried"]++
			}
		case job.DeliveryGivenUp:
			if d.Attempts == 0 || d.Next.Sub(d.Owed) <= tries {
				l.faultf("%s is given up after %d attempts in %s", d.ID, d.Attempts, d.Next.Sub(d.Owed))
			}
			counts["given up"]++
		}
	}
	for _, e := range l.doc.Owed {
		if e.Kind != job.Deliver || !pending {
			l.faultf("the job that ended still owes %v", l.doc.Owed)
		}
	}
}
