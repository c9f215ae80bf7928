package process

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"
)

// change is the type of an event: what happened to a run's object.
type change string

// The types of Knative's ApiServerSource.
const (
	added   change = "dev.knative.apiserver.resource.add"
	updated change = "dev.knative.apiserver.resource.update"
	deleted change = "dev.knative.apiserver.resource.delete"
)

// reference is the data of an event in the source's Reference mode: the object that changed.
type reference struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	APIVersion string `json:"apiVersion"`
}

// namespace is where the objects would be if there were a cluster.
const namespace = "local"

// newEvent returns the event that the source would send for the object.
func newEvent(c change, object string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID(uuid.NewString())
	e.SetTime(time.Now())
	e.SetType(string(c))
	e.SetSource("urn:bakta-web:runner")
	e.SetSubject("/apis/batch/v1/namespaces/" + namespace + "/jobs/" + object)
	e.SetExtension("kind", "Job")
	e.SetExtension("apiversion", "batch/v1")
	e.SetExtension("name", object)
	e.SetExtension("namespace", namespace)
	e.SetData(cloudevents.ApplicationJSON, reference{Kind: "Job", Namespace: namespace, Name: object, APIVersion: "batch/v1"})
	return e
}

// events delivers events one after the other, and drops those that can't be delivered, as the source does. An event only
// speeds up what the sweep does anyway.
type events struct {
	notify func(context.Context, cloudevents.Event) error
	log    *slog.Logger
	queue  chan cloudevents.Event
	cancel context.CancelFunc
	done   chan struct{}
}

const (
	// maxEvents is how many events may wait for delivery.
	maxEvents = 4096
	// delivery bounds the delivery of one event.
	delivery = 10 * time.Second
)

func newEvents(notify func(context.Context, cloudevents.Event) error, log *slog.Logger) *events {
	ctx, cancel := context.WithCancel(context.Background())
	e := &events{notify: notify, log: log, queue: make(chan cloudevents.Event, maxEvents), cancel: cancel, done: make(chan struct{})}
	go e.deliver(ctx)
	return e
}

// send queues an event for delivery. It never waits.
func (e *events) send(c change, object string) {
	if e.notify == nil {
		return
	}
	select {
	case e.queue <- newEvent(c, object):
	default:
		e.log.Warn("an event is dropped, because too many wait", "type", string(c), "object", object)
	}
}

func (e *events) deliver(ctx context.Context) {
	defer close(e.done)
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-e.queue:
			if ctx.Err() != nil {
				return // select chooses either of two cases that are ready
			}
			short, cancel := context.WithTimeout(ctx, delivery)
			if err := e.notify(short, event); err != nil && ctx.Err() == nil {
				e.log.Warn("an event is dropped, because its delivery failed", "type", event.Type(), "subject", event.Subject(), "error", err)
			}
			cancel()
		}
	}
}

// close ends the delivery. Events that still wait are dropped.
func (e *events) close() {
	e.cancel()
	<-e.done
}

// Post returns a Notify that posts events to a URL over HTTP, in binary mode. Like the source, it retries for about 3 s if
// there is no answer, or one of 404, 413, 425, 429, 502, 503 and 504. Any other error drops the event at once.
func Post(url string) (func(context.Context, cloudevents.Event) error, error) {
	client, err := cloudevents.NewClientHTTP(
		cloudevents.WithTarget(url),
		// No connection is kept: events are rare, and an idle connection would delay the shutdown of the listener.
		cloudevents.WithRoundTripper(&http.Transport{DisableKeepAlives: true}),
	)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e cloudevents.Event) error {
		result := client.Send(cloudevents.ContextWithRetriesExponentialBackoff(ctx, 50*time.Millisecond, 5), e)
		if cloudevents.IsACK(result) {
			return nil
		}
		return result
	}, nil
}
