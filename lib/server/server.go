package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/rs/cors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
)

// healthPath is the path for probes.
const healthPath = "/healthz"

// Options configure a server. Zero values mean the defaults.
type Options struct {
	Log *slog.Logger // required

	Address string        // that Main listens on; default: the port in the environment variable PORT
	Timeout time.Duration // deadline of a call or an event, unless its caller has an earlier one; default 30 s
	MaxBody int64         // bytes of a request's body, or of a gRPC message; default 1 MiB
	Drain   time.Duration // how long Run waits at its end for requests in flight; default Timeout and 5 s
	Origins []string      // of web pages that may call REST; default any

	// AllowOrigin, if not nil, replaces Origins: it reports whether web pages of an origin may call REST.
	AllowOrigin func(origin string) bool
	// Connections, if not nil, bounds the number of connections.
	Connections Connections

	// Proxies are the proxies in front of the server, which determine the address of a caller. See lib/caller.
	Proxies caller.Proxies
	// LogCallers adds the caller's address and subject to the line that is logged of each request. An address is personal data.
	LogCallers bool
	// ReadEvent reads the CloudEvent of a request, whose body is in memory: cloudevent.Read. Nil: no events are received. The server does
	// not import that package itself, so that programs without events are smaller by what it brings along.
	ReadEvent func(*http.Request) (event.Event, error)
	// Authenticate checks the bearer token that each event then must have. Nil: events need no token.
	Authenticate Authenticator
	// Identify checks the bearer token of a call that has one. Nil: the tokens of calls are ignored.
	Identify Identifier
	// TokenRequired refuses calls without a token, except those of API.Open. It needs Identify.
	TokenRequired bool
	// Admit decides whether a call or an event may proceed. Nil: all may.
	Admit Admission
	// Finish is called when a call that was admitted has ended, with the context that Admit returned and the error of the call. The
	// caller gets the error that it returns, in place of the answer if it is not nil. Nil: the error of the call.
	Finish func(ctx context.Context, err error) error

	// Observer receives requests and events. Nil: none does.
	Observer Observer

	// Middleware wraps every request. Interceptors wrap every call of a method, by gRPC or REST, and see the status that the caller
	// gets. The first is the outermost.
	Middleware   []func(http.Handler) http.Handler
	Interceptors []grpc.UnaryServerInterceptor
}

func (o *Options) fill() error {
	if o.Log == nil {
		return errors.New("a server needs Options.Log")
	}
	if o.TokenRequired && o.Identify == nil {
		return errors.New("a server that requires tokens needs Options.Identify")
	}
	if o.Timeout < 0 || o.MaxBody < 0 || o.Drain < 0 {
		return errors.New("a server's limits cannot be negative")
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if o.Drain == 0 {
		o.Drain = o.Timeout + 5*time.Second
	}
	return nil
}

// Connections bounds the number of a server's open connections.
type Connections interface {
	// Listener returns a listener that enforces the bound. State must be called for its connections.
	Listener(net.Listener) net.Listener
	// State is called for each change of a connection's state, as http.Server.ConnState is.
	State(net.Conn, http.ConnState)
}

// Server serves functions on one port. Functions register with it (Serve, Events, Docs, Handle) before Run. Registering is not safe for
// concurrent use, and not possible while the server runs.
type Server struct {
	Options

	apis      map[string]*API               // by service
	methods   map[string]grpc.MethodHandler // by full name; also those that no function serves
	served    map[string]bool               // by full name
	paths     map[string]http.Handler       // by path; a path that ends in a slash stands for all below it
	closers   []func(context.Context) error // called when no request is in flight
	cors      *cors.Cors
	nothing   http.Handler // answers unknown paths
	intercept grpc.UnaryServerInterceptor
	grpc      *grpc.Server
	health    *health.Server
	began     time.Time

	registered bool // nothing can be registered any more

	inFlight atomic.Int64
	draining context.Context // ends when the server refuses new requests
	refuse   func()          // ends draining
}

// New returns a server that serves only its health.
func New(o Options) (*Server, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &Server{
		Options: o,
		apis:    make(map[string]*API),
		methods: make(map[string]grpc.MethodHandler),
		served:  make(map[string]bool),
		paths:   make(map[string]http.Handler),
		health:  health.NewServer(),
		began:   time.Now(),
	}
	s.draining, s.refuse = context.WithCancel(context.Background())
	s.cors = cors.New(cors.Options{
		AllowedOrigins:  o.Origins, // empty: any
		AllowOriginFunc: o.AllowOrigin,
		// Any common method and any header field is allowed, so that a page that uses a wrong one can read the error in the answer. A
		// refused preflight gives no reason. The library answers with the fields that a preflight names, Authorization among them; an
		// asterisk in the answer would not include it.
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Allow", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id"},
		MaxAge:         int((2 * time.Hour).Seconds()), // the maximum of browsers
	})
	s.nothing = s.cors.Handler(http.HandlerFunc(notFound))
	// Panics are recovered on both sides of Options.Interceptors: so they see a status for a handler's panic, and may panic
	// themselves.
	interceptors := append([]grpc.UnaryServerInterceptor{recovering, s.counting}, o.Interceptors...)
	s.intercept = chain(append(interceptors, s.translating, recovering)...)
	s.grpc = grpc.NewServer(
		grpc.UnaryInterceptor(s.intercept),
		grpc.StreamInterceptor(s.streaming),
		grpc.MaxRecvMsgSize(int(o.MaxBody)),
	)
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	return s, s.Handle(healthPath, get(s.healthz))
}

// Handle registers the handler of a path, or, if the path ends in a slash, of all paths below it without a handler of a longer path. It
// returns an error if the path has a handler.
func (s *Server) Handle(path string, handler http.Handler) error {
	if !strings.HasPrefix(path, "/") || handler == nil {
		return fmt.Errorf("%q cannot be served", path)
	}
	if s.paths[path] != nil {
		return fmt.Errorf("%s is served twice", path)
	}
	s.paths[path] = handler
	return nil
}

// NotFound returns the handler that answers unknown paths, for a handler of / that does not have all of them.
func (s *Server) NotFound() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callOf(r.Context()).at("")
		s.nothing.ServeHTTP(w, r)
	})
}

// AfterDrain registers a function that Run calls when no request is in flight any more. The last one is called first.
func (s *Server) AfterDrain(closer func(context.Context) error) {
	s.closers = append(s.closers, closer)
}

// healthz reports whether the server accepts new requests. It does not check other services: a process that cannot reach its store
// answers with errors, which is better than no process that answers.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if s.draining.Err() != nil {
		answer(w, r, http.StatusServiceUnavailable, status.New(codes.Unavailable, "shutting down"))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// route calls the handler of a request.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		callOf(r.Context()).byGRPC()
		if handler, timeout := s.unary(r); handler != nil {
			s.call(w, r, handler, timeout)
		} else {
			s.grpc.ServeHTTP(w, r)
		}
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff") // a log contains what users wrote
	for path := r.URL.Path; path != ""; {
		if handler := s.paths[path]; handler != nil {
			callOf(r.Context()).at(path)
			handler.ServeHTTP(w, r)
			return
		}
		path = path[:strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/')+1]
	}
	s.nothing.ServeHTTP(w, r)
}
