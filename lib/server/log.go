package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
)

// NewLogger returns a logger that writes a JSON object a line. To what is logged with a request's context it
// adds that request's id, the job that it is about, and where it stands in a trace.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(contextual{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// contextual adds what is known of the request that the context belongs to.
type contextual struct{ slog.Handler }

func (h contextual) Handle(ctx context.Context, r slog.Record) error {
	if c := callOf(ctx); c != nil {
		r.AddAttrs(slog.String("request", c.id))
		if c.span != "" {
			r.AddAttrs(slog.String("trace_id", c.id), slog.String("span_id", c.span))
		}
		if job := c.about(); job != "" && !has(r, jobKey) {
			r.AddAttrs(slog.String(jobKey, job))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// has reports whether a record has an attribute of that name already.
func has(r slog.Record, key string) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

func (h contextual) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextual{h.Handler.WithAttrs(attrs)}
}

func (h contextual) WithGroup(name string) slog.Handler {
	return contextual{h.Handler.WithGroup(name)}
}

// jobKey is the attribute that names a job.
const jobKey = "job"

// Note adds an attribute to the line that is logged when the request ends. The attribute "job" says which job the
// request is about, and is added to the lines before that, too. Note does nothing where there is no request.
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

// call collects what is to be logged of a request: one line at its end, whichever way it came.
type call struct {
	id     string // the request's trace id, or one that was made up
	span   string // the id of its span; empty if it is not traced
	began  time.Time
	method string
	path   string

	mu     sync.Mutex // gRPC handlers run beside the goroutine that serves HTTP
	under  int        // how many parts of the request are under way
	status int        // of HTTP
	rpc    string     // the gRPC method, however it was called; empty for what is none
	grpc   bool       // it came by gRPC
	route  string     // what of all that is registered serves it; empty for nothing
	job    string     // id of the job that it is about, if it is about one
	caller caller.Caller
	known  bool // whether code holds
	code   codes.Code
	cause  error
	stack  []byte
	notes  []slog.Attr

	ignored bool // of an event: there was nothing to do about it
	hasty   bool // the caller's own deadline ended it
}

type callKey struct{}

// callOf returns the request that the context belongs to, or nil.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// begin says that a part of the request is under way: its HTTP side, or the call of a method.
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

// at records which path serves the request.
func (c *call) at(route string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.route = route
}

// byGRPC records that the request came by gRPC.
func (c *call) byGRPC() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grpc = true
}

// called records which gRPC method serves the request. The path says it already of one that came by REST.
func (c *call) called(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grpc {
		c.route = method
	}
}

// about returns the job that the request is about, if it is about one.
func (c *call) about() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.job
}

// end records the outcome of a call. The first one counts: it is the nearest to the cause.
func (c *call) end(code codes.Code, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		c.known, c.code, c.cause = true, code, cause
	}
}

// givenUp records that the call ended because its caller would wait no longer.
func (c *call) givenUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasty = true
}

// idOf takes a request's id from its W3C trace context, so that it can be found in what others log of it, too;
// else it makes one up.
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

// loggable is as much of a path as may be logged. Secrets travel in queries, and a client that encodes its
// question mark has its query in the path.
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
