package server

import (
	"context"
	"net/http"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
)

// Observer receives the requests and events of a server, except those of /healthz. Many goroutines call its methods at once, and requests
// wait for them. lib/telemetry implements it.
type Observer interface {
	// Begin is called when a request begins. It returns the context of the request, derived from the original one, and the ids of
	// its trace and span in W3C trace context; empty if it has none.
	Begin(r *http.Request) (ctx context.Context, trace, span string)
	// End is called once for each request, when all of its parts have ended, with the context of Begin.
	End(ctx context.Context, r Request)
	// Event is called for each request of an event, with the event's type, which may be any text, and the outcome.
	Event(ctx context.Context, kind string, outcome Outcome)
}

// Request describes a request that has ended.
type Request struct {
	Route  string // the path or the gRPC method that served it, as registered; empty if there is none
	Method string // of HTTP, as the client wrote it
	Call   string // full name of the API's method, also if called by REST; empty if there was none
	Job    string // id of the job that it was about; empty if it was about none, or several
	Status int    // of HTTP; for gRPC, the status that REST would have
	Took   time.Duration
}

// Outcome is the outcome of an event.
type Outcome string

// The outcomes of events.
const (
	Handled   Outcome = "handled"   // acknowledged
	Ignored   Outcome = "ignored"   // acknowledged, but it needed no action: see Ignore
	Refused   Outcome = "refused"   // acknowledged, because it can never be handled
	Deferred  Outcome = "deferred"  // not acknowledged: it may be handled later
	Malformed Outcome = "malformed" // the request is not an event
)

// statusGone is the status of a request that ended without an answer, because its client disconnected.
const statusGone = 499

// Ignore records that the current event needs no action, with the reason for the log. The event is acknowledged.
func Ignore(ctx context.Context, reason string) {
	Note(ctx, "ignored", reason)
	if c := callOf(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ignored = true
	}
}

// event reports the outcome of an event to the observer.
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

// request describes the request, which has ended. The caller holds the call's lock.
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
