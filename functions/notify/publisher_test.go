package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	notifier "github.com/ag-computational-bio/bakta-web-backend/functions/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// posted is a receiver of events. It answers when hold is closed, if that is not nil.
type posted struct {
	*httptest.Server
	events chan event.Event
	hold   chan struct{}
}

func receiveEvents(t *testing.T, hold chan struct{}, status int) *posted {
	t.Helper()
	p := &posted{events: make(chan event.Event, 10), hold: hold}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e event.Event
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if err != nil || r.Header.Get("Content-Type") != "application/cloudevents+json" {
			t.Errorf("posted %s, %v: %v", body, r.Header, err)
		}
		p.events <- e
		if p.hold != nil {
			<-p.hold
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(p.Close)
	return p
}

// record is a log that a test reads while it is written.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestPublisher(t *testing.T) {
	t.Parallel()
	function, broker := receiveEvents(t, nil, http.StatusAccepted), receiveEvents(t, nil, http.StatusServiceUnavailable)
	log := new(record)
	j := ended(webhook()).job
	silent := j
	silent.ID, silent.State, silent.Deliveries = "1fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d", job.Failed, nil
	open := func(broker string) *notifier.Publisher {
		t.Helper()
		to := notifier.Destinations{Function: function.URL, Broker: broker}
		p, err := notifier.NewPublisher(to, nil, slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return p
	}

	p := open("")
	p.Ended(t.Context(), silent) // nobody asked for a message
	p.Ended(t.Context(), j)
	if e := <-function.events; e.Type() != "org.bakta.job.owed" || e.Subject() != j.ID || e.Data() != nil {
		t.Errorf("the function gets %v", e)
	}

	p = open(broker.URL)
	p.Ended(t.Context(), silent)
	if e := <-broker.events; e.Type() != "org.bakta.job.failed" || e.Subject() != silent.ID || !strings.Contains(string(e.Data()), `"error"`) {
		t.Errorf("the Broker gets %v", e)
	}
	p.Ended(t.Context(), j)
	if e := <-broker.events; e.Type() != "org.bakta.job.succeeded" || e.ID() != j.ID+"-succeeded" {
		t.Errorf("the Broker gets %v", e)
	}
	p.Deliver(t.Context(), j.ID) // the sweep, past the Broker
	if e := <-function.events; e.Type() != "org.bakta.job.owed" || e.Subject() != j.ID {
		t.Errorf("the function gets %v", e)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(function.events) + len(broker.events); n > 0 {
		t.Errorf("there are %d more events", n)
	}
	if text := log.String(); strings.Count(text, "503") != 2 || strings.Count(text, "the Broker does not get") != 2 {
		t.Errorf("the log is\n%s", text)
	}
}

// The end of a process waits for events to a Broker, which nothing repeats, and for no others.
func TestPublisherCloses(t *testing.T) {
	t.Parallel()
	hold, never := make(chan struct{}), make(chan struct{})
	function, broker := receiveEvents(t, never, http.StatusAccepted), receiveEvents(t, hold, http.StatusAccepted)
	t.Cleanup(func() { close(never) }) // before the server closes, which waits for its requests
	sent := results{make(chan error, 1), make(chan error, 1), broker.Listener.Addr().String()}
	p, err := notifier.NewPublisher(
		notifier.Destinations{Function: function.URL, Broker: broker.URL}, sent, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	j := ended().job
	p.Ended(t.Context(), j)
	p.Deliver(t.Context(), j.ID)
	<-broker.events
	<-function.events
	over, stop := context.WithCancel(t.Context())
	stop()
	if err := p.Close(over); err == nil {
		t.Error("the publisher closes while an event is on its way to the Broker")
	}
	if err := <-sent.function; err == nil {
		t.Error("an event to the function is not ended")
	}
	close(hold)
	if err := <-sent.broker; err != nil {
		t.Errorf("the event to the Broker is ended: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// results is a transport that keeps how requests ended.
type results struct {
	function, broker chan error
	address          string // of the Broker
}

func (s results) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if r.URL.Host == s.address {
		s.broker <- err
	} else {
		s.function <- err
	}
	return answer, err
}
