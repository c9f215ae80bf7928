package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
)

// NewLogger returns a logger that writes one JSON object per line. It adds the request's id, its job and its place in a trace to each line
// that is logged with the context of a request.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(contextual{Handler: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// contextual adds the attributes of the context's request.
type contextual struct {
	slog.Handler
	named bool // the handler's own attributes name a job
}

func (h contextual) Handle(ctx context.Context, r slog.Record) error {
	if c := callOf(ctx); c != nil {
		r.AddAttrs(slog.String("request", c.id))
		if c.span != "" {
			r.AddAttrs(slog.String("trace_id", c.id), slog.String("span_id", c.span))
		}
		if job := c.about(); job != "" && !h.named && !has(r, jobKey) {
			r.AddAttrs(slog.String(jobKey, job))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// has reports whether a record has an attribute of that name.
func has(r slog.Record, key string) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

func (h contextual) WithAttrs(attrs []slog.Attr) slog.Handler {
	named := slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == jobKey })
	return contextual{h.Handler.WithAttrs(attrs), h.named || named}
}

func (h contextual) WithGroup(name string) slog.Handler {
	return contextual{h.Handler.WithGroup(name), h.named}
}

// jobKey is the attribute with the id of a job.
const jobKey = "job"

// Note adds an attribute to the line that is logged when the request ends. The attribute "job" is the id of the request's job, and is also
// added to the other lines from then on. Note does nothing if the context belongs to no request.
func Note(ctx context.Context, key string, value any) {
	if c := callOf(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if id, ok := value.(string); ok && key == jobKey {
			c.job = id
		}
		c.notes = append(c.notes, slog.Any(key, value))
	}
}

// call collects what is logged of a request, whether gRPC or HTTP: one line at its end.
type call struct {
	id     string // the request's trace id, or a random one
	span   string // the id of its span; empty if the request is not traced
	began  time.Time
	method string
	path   string

	authorization []string // header fields; never logged

	mu     sync.Mutex // gRPC handlers run in other goroutines than the HTTP handler
	under  int        // number of parts of the request that have not ended
	status int        // of HTTP
	rpc    string     // the gRPC method, also if called by REST; empty if it is not a call
	grpc   bool       // the request is gRPC
	route  string     // the registered path or method that serves it; empty if there is none
	job    string     // id of the job that it is about; empty if it is about none
	caller caller.Caller
	header http.Header // of the answer; not for gRPC, which sets its own
	known  bool        // whether code is set
	code   codes.Code
	cause  error
	stack  []byte
	notes  []slog.Attr

	challenge string // what the answer asks for if it is 401 or 403: a value of WWW-Authenticate; empty: the default

	draining <-chan struct{} // closed when the server refuses new requests

	ignored bool // it is an event that needed no action
	hasty   bool // the caller's own deadline ended it
}

type callKey struct{}

// callOf returns the request that the context belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// begin records that a part of the request begins: the HTTP handler, or the call of a method.
func (c *call) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under++
}

// answered records the status that the request was answered with.
func (c *call) answered(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// by records the caller, when more is known than the address.
func (c *call) by(who caller.Caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caller = who
}

// challenged records what the answer of a call that is refused asks for.
func (c *call) challenged(challenge string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.challenge = challenge
}

// asksFor returns what the answer of a call asks for, or the default.
func (c *call) asksFor(otherwise string) string {
	if c == nil {
		return otherwise
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.challenge != "" {
		return c.challenge
	}
	return otherwise
}

// at records which path serves the request.
func (c *call) at(route string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.route = route
}

// byGRPC records that the request is gRPC.
func (c *call) byGRPC() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grpc = true
}

// called records which gRPC method serves the request. A REST request already has its path as the route.
func (c *call) called(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grpc {
		c.route = method
	}
}

// about returns the id of the job that the request is about; empty if it is about none.
func (c *call) about() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.job
}

// end records the outcome of a call. Only the first outcome is kept, because it is nearest to the cause.
func (c *call) end(code codes.Code, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		c.known, c.code, c.cause = true, code, cause
	}
}

// givenUp records that the call ended at its caller's own deadline.
func (c *call) givenUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasty = true
}

// idOf returns the trace id of a request's W3C trace context, so that the logs of other programs have the same id; without one, a random
// id.
func idOf(r *http.Request) string {
	if part := strings.Split(r.Header.Get("Traceparent"), "-"); len(part) >= 4 && len(part[1]) == 32 {
		if _, err := hex.DecodeString(part[1]); err == nil {
			return part[1]
		}
	}
	var id [16]byte
	rand.Read(id[:]) // never fails, see crypto/rand
	return hex.EncodeToString(id[:])
}

// loggable returns the part of a path that may be logged. Queries contain secrets, and a client that encodes the question mark sends its
// query in the path.
func loggable(path string) string {
	const most = 80
	for i, c := range []byte(path) {
		plain := c == '/' || c == '.' || c == '_' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !plain || i == most {
			return path[:i] + "…"
		}
	}
	return path
}
