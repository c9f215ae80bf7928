package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Events registers the handler of CloudEvents that are posted to a path, in binary or structured mode. It needs Options.ReadEvent.
//
// Sources retry an event only after some statuses, and 500 is not one of them. So the answer is 204 for an event that was handled, and also
// for one that can never be handled (its error is logged). It is 429 for job.Exhausted, and 503 for everything else that may succeed
// later: job.Unavailable, an exceeded deadline, an error without a code of lib/job, and a panic. It is never 500.
func (s *Server) Events(path string, handle func(context.Context, event.Event) error) error {
	if s.ReadEvent == nil {
		return errors.New("a server that receives events needs Options.ReadEvent")
	}
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
		e, err := s.ReadEvent(r)
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

// attempt handles an event and returns a panic as an error.
func attempt(ctx context.Context, handle func(context.Context, event.Event) error, e event.Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(ctx, v).Err()
		}
	}()
	return handle(ctx, e)
}

// failed answers the request of an event that could not be handled, and returns the outcome.
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
