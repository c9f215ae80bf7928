package server

import (
	"context"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
)

// Observer is told of what a server serves, but for its health. Its methods are called by many goroutines at once, and
// those who are served wait for them. lib/telemetry makes one.
type Observer interface {
	// Begin is told of a request that came. It returns the context that the request is served with, which must be
	// made of the request's, and the ids that its trace and span have in W3C trace context; empty if it has none.
	Begin(r *http.Request) (ctx context.Context, trace, span string)
	// End is told once of each request, when nothing of it is under way any more, with the context of Begin.
	End(ctx context.Context, r Request)
	// Event is told of each request to handle an event: the event's type, which may be anything, and what became of it.
	Event(ctx context.Context, kind string, outcome Outcome)
}

// Request is what is known of a request that has ended.
type Request struct {
	Route  string // the path or the gRPC method that served it, as it was registered; empty if there is none
	Method string // of HTTP, as the client wrote it
	Call   string // full name of the API's method that was called, by gRPC or by REST; empty if there was none
	Job    string // id of the job that it was about; empty if it was about none, or several
	Status int    // of HTTP; of a gRPC call the one that REST would have answered
	Took   time.Duration
}

// Outcome is what became of an event.
type Outcome string

// The outcomes of events.
const (
	Handled   Outcome = "handled"   // acknowledged, and something was looked at
	Ignored   Outcome = "ignored"   // acknowledged, there was nothing to look at: see Ignore
	Refused   Outcome = "refused"   // acknowledged, it can never be handled
	Deferred  Outcome = "deferred"  // not acknowledged, it may be handled later
	Malformed Outcome = "malformed" // no event
)

// statusGone is what a request has that ended without an answer, because its client went away.
const statusGone = 499

// Ignore says of the event that is being handled that there is nothing to do about it, and why, for the log. It is
// acknowledged all the same.
func Ignore(ctx context.Context, reason string) {
	Note(ctx, "ignored", reason)
	if c := callOf(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ignored = true
	}
}

// event tells the observer what became of an event.
func (s *Server) event(ctx context.Context, kind string, outcome Outcome) {
	if s.Observer == nil {
		return
	}
	if c := callOf(ctx); outcome == Handled {
		c.mu.Lock()
		if c.ignored {
			outcome = Ignored
		}
		c.mu.Unlock()
	}
	s.Observer.Event(ctx, kind, outcome)
}

// request returns what is known of a request that has ended. The caller holds the call's lock.
func (c *call) request() Request {
	r := Request{Route: c.route, Method: c.method, Call: c.rpc, Job: c.job, Status: c.status, Took: time.Since(c.began)}
	switch {
	case c.grpc && c.route == "":
		r.Status = runtime.HTTPStatusFromCode(codes.Unimplemented)
	case c.grpc && c.known:
		r.Status = runtime.HTTPStatusFromCode(c.code)
	case r.Status == 0:
		r.Status = statusGone
	}
	return r
}
