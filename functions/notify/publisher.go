package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// Destinations are where a Publisher posts events.
type Destinations struct {
	Function string // URL of this function's EventsPath
	Broker   string // URL of a Broker, which gets the end of each job; empty: there is none
	Source   string // of events; empty: notify.DefaultSource
}

// Publisher is a lifecycle.Notifier of a process that makes no deliveries: it posts events to the function, or to a Broker that does.
type Publisher struct {
	to     Destinations
	client *http.Client
	queue  *queue
}

const (
	// postTime is how long a post may take: the function may have to be started, and answers when it has made the deliveries.
	postTime = 45 * time.Second
	// posts is how many posts are made at once. Most of them wait for a receiver.
	posts = 32
)

// NewPublisher returns a Publisher. Close must be called. The transport may be nil.
func NewPublisher(to Destinations, transport http.RoundTripper, log *slog.Logger) (*Publisher, error) {
	if to.Function == "" || log == nil {
		return nil, errors.New("notify: a publisher needs the URL of the function and a log")
	}
	if to.Source == "" {
		to.Source = notify.DefaultSource
	}
	return &Publisher{to: to, client: &http.Client{Transport: transport, Timeout: postTime}, queue: newQueue(posts, log)}, nil
}

// Ended implements lifecycle.Notifier. The Broker gets each end: others may subscribe to it, and it passes the event on to the function.
func (p *Publisher) Ended(ctx context.Context, j job.Job) {
	if p.to.Broker == "" {
		if len(j.Deliveries) > 0 {
			p.Deliver(ctx, j.ID)
		}
		return
	}
	p.queue.add("end of "+j.ID, func(ctx context.Context) error {
		e, err := notify.CloudEvent(p.to.Source, j, notify.EventOf(j.State))
		if err != nil {
			return err
		}
		// Nothing repeats it, as it is not owed: what was begun goes on when the queue closes.
		if err := p.post(context.WithoutCancel(ctx), p.to.Broker, e); err != nil {
			return fmt.Errorf("the Broker does not get an event, which is not repeated: %w", err)
		}
		return nil
	})
}

// Deliver implements lifecycle.Notifier.
func (p *Publisher) Deliver(_ context.Context, id string) {
	p.queue.add(id, func(ctx context.Context) error {
		e := event.New()
		e.SetID(uuid.NewString())
		e.SetSource(p.to.Source)
		e.SetType(typeOwed)
		e.SetSubject(id)
		return p.post(ctx, p.to.Function, e)
	})
}

// post posts an event in structured mode.
func (p *Publisher) post(ctx context.Context, url string, e event.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", event.ApplicationCloudEventsJSON)
	answer, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 1<<10) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered with %s", url, answer.Status)
	}
	return nil
}

// Close waits for the posts to the Broker that were begun, and ends those to the function, which are owed.
func (p *Publisher) Close(ctx context.Context) error { return p.queue.close(ctx) }
