package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	notifier "github.com/ag-computational-bio/bakta-web-backend/functions/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

const id = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shelf has one job. Real stores are in the tests of local mode; here the clock has to be turned by a day.
type shelf struct {
	mu    sync.Mutex
	job   job.Job
	clock time.Time
	ages  []time.Duration // that were recorded
}

func (s *shelf) Attempted(_ context.Context, _ job.Delivery, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ages = append(s.ages, age)
}

func (s *shelf) Get(_ context.Context, asked string) (job.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked != s.job.ID {
		return job.Job{}, job.Errorf(job.NotFound, "no such job")
	}
	j := s.job
	j.Deliveries = append([]job.Delivery(nil), j.Deliveries...)
	return j, nil
}

func (s *shelf) SetDelivery(_ context.Context, _ string, was time.Time, d job.Delivery) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range s.job.Deliveries {
		if o.ID == d.ID && o.State == job.DeliveryPending && o.Next.Equal(was) {
			s.job.Deliveries[i] = d
			return true, nil
		}
	}
	return false, nil
}

func (s *shelf) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *shelf) delivery(i int) job.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.job.Deliveries[i]
}

func ended(deliveries ...job.Delivery) *shelf {
	return &shelf{
		clock: noon,
		job:   job.Job{ID: id, State: job.Succeeded, Updated: noon, Expires: noon.AddDate(0, 0, 30), Deliveries: deliveries},
	}
}

func (s *shelf) function(t *testing.T, send func(context.Context, job.Job, event.Event) error) *notifier.Function {
	t.Helper()
	f, err := notifier.New(notifier.Deps{
		Jobs: s, Now: s.now, Log: slog.New(slog.DiscardHandler), Recorder: s,
		Senders: map[job.Channel]notifier.Sender{job.ChannelWebhook: {Send: send, Limit: 10 * time.Second}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func webhook() job.Delivery { return job.OwesDelivery(job.EventSucceeded, job.ChannelWebhook, noon) }

// TestPauses has each attempt fail for a day.
func TestPauses(t *testing.T) {
	s := ended(webhook())
	attempts := 0
	f := s.function(t, func(context.Context, job.Job, event.Event) error {
		attempts++
		return &notify.Error{Words: "the receiver answered with the status 500"}
	})
	last := noon
	want := []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}
	for s.delivery(0).State == job.DeliveryPending {
		if err := f.Deliver(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		d := s.delivery(0)
		pause := time.Hour
		if len(want) > 0 {
			pause, want = want[0], want[1:]
		}
		if took := d.Next.Sub(last); took < pause*9/10 || took > pause*11/10 {
			t.Errorf("after attempt %d the pause is %s, want %s", d.Attempts, took, pause)
		}
		before := attempts
		s.clock = d.Next.Add(-time.Millisecond) // too early
		if err := f.Deliver(t.Context(), id); err != nil || attempts != before {
			t.Fatalf("an attempt is made too early, %v", err)
		}
		last, s.clock = d.Next, d.Next
	}
	d := s.delivery(0)
	if d.State != job.DeliveryGivenUp || d.Attempts != attempts || attempts < 26 || attempts > 31 || last.Sub(noon) < 24*time.Hour ||
		last.Sub(noon) > 26*time.Hour || d.Error != "the receiver answered with the status 500" {
		t.Errorf("after %d attempts in %s: %+v", attempts, last.Sub(noon), d)
	}
}

func TestAttempts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		failed error
		late   time.Duration
		state  job.DeliveryState
		words  string
	}{
		{"accepted", nil, 0, job.Delivered, ""},
		{"accepted after days in which no attempt was made", nil, 72 * time.Hour, job.Delivered, ""},
		{
			"refused after days in which no attempt was made",
			errors.New("x"), 72 * time.Hour, job.DeliveryGivenUp, "the message could not be sent",
		},
		{"failed", &notify.Error{Words: "away", Cause: errors.New("10.0.0.1 refused")}, 0, job.DeliveryPending, "away"},
		{"failed for an unknown reason", errors.New("10.0.0.1 refused"), 0, job.DeliveryPending, "the message could not be sent"},
		{"gone", &notify.Error{Words: "gone", Final: true}, 0, job.DeliveryGivenUp, "gone"},
	} {
		s := ended(webhook())
		s.clock = noon.Add(tt.late)
		f := s.function(t, func(_ context.Context, _ job.Job, e event.Event) error {
			if e.ID() != id+"-succeeded" {
				t.Errorf("%s: the id is %s", tt.name, e.ID())
			}
			return tt.failed
		})
		if err := f.Deliver(t.Context(), id); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if d := s.delivery(0); d.State != tt.state || d.Error != tt.words || d.Attempts != 1 || !d.Last.Equal(s.clock) {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

// TestAtOnce has sixteen processes deliver, of which one sends. One that is killed leaves the delivery to another, later.
func TestAtOnce(t *testing.T) {
	s := ended(webhook(), job.OwesDelivery(job.EventExpiring, job.ChannelWebhook, noon.AddDate(0, 0, 27)))
	var sent sync.Map
	f := s.function(t, func(_ context.Context, _ job.Job, e event.Event) error {
		if _, twice := sent.LoadOrStore(e.ID(), true); twice {
			t.Errorf("%s was sent twice", e.ID())
		}
		return nil
	})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := f.Deliver(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if d := s.delivery(0); d.State != job.Delivered || d.Attempts != 1 {
		t.Errorf("delivered: %+v", d)
	}
	if d := s.delivery(1); d.State != job.DeliveryPending || d.Attempts != 0 {
		t.Errorf("due in 27 days: %+v", d)
	}

	killed := webhook()
	killed.Attempts, killed.Last, killed.Next = 1, noon, noon.Add(40*time.Second)
	s, sent = ended(killed), sync.Map{}
	f = s.function(t, func(_ context.Context, _ job.Job, e event.Event) error { sent.Store(e.ID(), true); return nil })
	for _, at := range []time.Duration{39 * time.Second, 40 * time.Second} {
		s.clock = noon.Add(at)
		if err := f.Deliver(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, again := sent.Load(id + "-succeeded"); again != (at == 40*time.Second) {
			t.Errorf("%s after an attempt that was killed: sent %v", at, again)
		}
	}
}

// TestEarlierClock has a process deliver whose clock is behind that of the process which stored the end, by less and by more than a sweep's
// period. The message about the end does not wait for the clock, that about the expiry does, and so does the next attempt.
func TestEarlierClock(t *testing.T) {
	for _, behind := range []time.Duration{time.Millisecond, 2 * time.Minute} {
		s := ended(webhook(), job.OwesDelivery(job.EventExpiring, job.ChannelWebhook, noon.AddDate(0, 0, 27)))
		s.clock = noon.Add(-behind)
		var sent []string
		f := s.function(t, func(_ context.Context, _ job.Job, e event.Event) error {
			sent = append(sent, e.ID())
			return &notify.Error{Words: "away"}
		})
		for range 2 {
			if err := f.Deliver(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if len(sent) != 1 || sent[0] != id+"-succeeded" {
			t.Errorf("%s behind: sent %v", behind, sent)
		}
		if len(s.ages) != 1 || s.ages[0] != 0 {
			t.Errorf("%s behind: recorded after %v", behind, s.ages)
		}
	}
}

func TestNothingToDeliver(t *testing.T) {
	for name, j := range map[string]job.Job{
		"another job": {ID: "another", State: job.Succeeded, Deliveries: []job.Delivery{webhook()}},
		"running":     {ID: id, State: job.Running, Deliveries: []job.Delivery{webhook()}},
		"deleting":    {ID: id, State: job.Deleting, Deliveries: []job.Delivery{webhook()}},
		"asked none":  {ID: id, State: job.Succeeded},
	} {
		s := &shelf{clock: noon, job: j}
		f := s.function(t, func(context.Context, job.Job, event.Event) error { t.Errorf("%s: sent", name); return nil })
		if err := f.Deliver(t.Context(), id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	mail := ended(job.OwesDelivery(job.EventSucceeded, job.ChannelEmail, noon))
	if err := mail.function(t, nil).Deliver(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if d := mail.delivery(0); d.State != job.DeliveryPending || d.Error == "" {
		t.Errorf("without a mail server: %+v", d)
	}
}

// TestEvents reads events of every kind: only those that name a job lead to it.
func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		kind, subject string
		sent          bool
	}{
		{"org.bakta.job.succeeded", id, true},
		{"org.bakta.job.owed", id, true},
		{"org.bakta.job.failed", "0FD48A1C-6FC0-4D9D-8A3C-3C2AE83A2A2D", true},
		{"org.bakta.job.owed", "", false},
		{"org.bakta.job.owed", "../x", false},
		{"com.example.other", id, false},
	} {
		s, sent := ended(webhook()), false
		f := s.function(t, func(context.Context, job.Job, event.Event) error { sent = true; return nil })
		e := event.New()
		e.SetID("1")
		e.SetSource("test")
		e.SetType(tt.kind)
		e.SetSubject(tt.subject)
		if err := f.Event(t.Context(), e); err != nil || sent != tt.sent {
			t.Errorf("%s about %q: %v, sent %v", tt.kind, tt.subject, err, sent)
		}
	}
}
