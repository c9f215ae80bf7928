// Package cloudevent reads CloudEvents from HTTP requests. It is a package of its own because of what the SDK's HTTP binding brings along:
// only programs that receive events by HTTP import it.
package cloudevent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// Read reads the event of a request, in binary or structured mode, and its whole body: the caller bounds that. The error is for the sender
// of the request.
func Read(r *http.Request) (event.Event, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return event.Event{}, fmt.Errorf("reading the event: %w", err)
	}
	// The SDK reports an absent body as an error of the transport.
	r.Body = io.NopCloser(bytes.NewReader(body))
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil || e == nil {
		return event.Event{}, errors.New("the request is not a CloudEvent in binary or structured mode")
	}
	if err := e.Validate(); err != nil {
		return event.Event{}, errors.New("the CloudEvent is not valid: a required attribute is missing, or an attribute is malformed")
	}
	return *e, nil
}
