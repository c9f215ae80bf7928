package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Events has CloudEvents that are posted to a path, in binary or structured mode, handled by handle.
//
// Sources give an event up at once on most statuses, 500 among them, and try again a few times on some. So an
// event that was handled is answered with 204, and so is one that can never be (its error is logged). What may
// work later is answered with 503, or with 429 for job.Exhausted: job.Unavailable, a deadline, and every error
// and panic that lib/job has no code for, since nobody knows better. No answer is ever 500.
func (s *Server) Events(path string, handle func(context.Context, event.Event) error) error {
	return s.Handle(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			notAllowed(w, r, map[string]bool{http.MethodPost: true}, answer)
			return
		}
		admitted, ok := s.admitEvent(w, r, path)
		if !ok {
			return
		}
		r = r.WithContext(admitted)
		if code, st := buffer(r, s.MaxBody); st != nil {
			s.event(r.Context(), "", Malformed)
			answer(w, r, code, st)
			return
		}
		e, err := readEvent(r)
		if err != nil {
			s.event(r.Context(), "", Malformed)
			answer(w, r, http.StatusBadRequest, status.New(codes.InvalidArgument, err.Error()))
			return
		}
		Note(r.Context(), "event", e.Type())
		ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
		defer cancel()
		if err := attempt(ctx, handle, e); err != nil {
			s.event(ctx, e.Type(), s.failed(w, r, err))
			return
		}
		s.event(ctx, e.Type(), Handled)
		w.WriteHeader(http.StatusNoContent)
	}))
}

// readEvent reads the event that a request holds. Its body must be in memory.
func readEvent(r *http.Request) (event.Event, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return event.Event{}, fmt.Errorf("reading the event: %w", err)
	}
	// The SDK takes an absent body for a fault of the transport.
	r.Body = io.NopCloser(bytes.NewReader(body))
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil || e == nil {
		return event.Event{}, errors.New("the request is not a CloudEvent in binary or structured mode")
	}
	if err := e.Validate(); err != nil {
		return event.Event{}, errors.New("the CloudEvent is not valid: it lacks an attribute, or one is malformed")
	}
	return *e, nil
}

// attempt handles an event and returns a panic as an error.
func attempt(ctx context.Context, handle func(context.Context, event.Event) error, e event.Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(ctx, v).Err()
		}
	}()
	return handle(ctx, e)
}

// failed answers for an event that could not be handled, and returns what became of it.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) Outcome {
	st := statusOf(err)
	callOf(r.Context()).end(st.Code(), err)
	switch code := job.CodeOf(err); code {
	case job.Exhausted:
		answer(w, r, http.StatusTooManyRequests, st)
	case "", job.Unavailable:
		answer(w, r, http.StatusServiceUnavailable, st)
	default:
		w.WriteHeader(http.StatusNoContent)
		return Refused
	}
	return Deferred
}
