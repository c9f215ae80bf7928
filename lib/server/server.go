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

	"github.com/rs/cors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
)

// healthPath is for probes.
const healthPath = "/healthz"

// Options say how a server serves. Zero values take the defaults.
type Options struct {
	Log *slog.Logger // must be given

	Address string        // where Main listens; default the port that the environment's PORT names
	Timeout time.Duration // deadline of a call or an event, if its caller has no earlier one; default 30 s
	MaxBody int64         // bytes of a request's body, or of a gRPC message; default 1 MiB
	Drain   time.Duration // how long Run waits at its end for requests in flight; default Timeout and 5 s
	Origins []string      // from which browsers may call REST; default any

	// AllowOrigin, if not nil, says in place of Origins whether browsers may call REST from an origin.
	AllowOrigin func(origin string) bool
	// Connections, if not nil, bounds what clients hold open.
	Connections Connections

	// Proxies are the proxies in front of the server, which determine the address of a caller. See lib/caller.
	Proxies caller.Proxies
	// LogCallers adds the caller's address and subject to the line that is logged of each request. An address is personal data.
	LogCallers bool
	// Authenticate checks the bearer token that each event then must have. Nil: events need no token.
	Authenticate Authenticator
	// Admit decides whether a call or an event may proceed. Nil: all may.
	Admit Admission

	// Observer is told of requests and events. Nil: nobody is.
	Observer Observer

	// Middleware sees every request, Interceptors every call of a method, by gRPC or by REST, with the status that
	// the caller gets. The first is outermost.
	Middleware   []func(http.Handler) http.Handler
	Interceptors []grpc.UnaryServerInterceptor
}

func (o *Options) fill() error {
	if o.Log == nil {
		return errors.New("a server needs a log")
	}
	if o.Timeout < 0 || o.MaxBody < 0 || o.Drain < 0 {
		return errors.New("a server's limits can't be negative")
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

// Connections bounds how many connections a server has open.
type Connections interface {
	// Listener returns a listener that keeps the bounds, of whose connections State is told.
	Listener(net.Listener) net.Listener
	// State is told of a connection's changes of state, as http.Server.ConnState is.
	State(net.Conn, http.ConnState)
}

// Server serves functions on one port. Functions register with it (Serve, Events, Docs, Handle), then it is Run.
// Registering is not safe for concurrent use, and nothing may be registered any more when it runs.
type Server struct {
	Options

	apis      map[string]*API               // by service
	methods   map[string]grpc.MethodHandler // by full name; those that no function serves, too
	served    map[string]bool               // by full name
	paths     map[string]http.Handler       // by path; a path with a slash at its end stands for all below it
	closers   []func(context.Context) error // of what must go when no request is in flight
	cors      *cors.Cors
	nothing   http.Handler // answers what is at no path
	intercept grpc.UnaryServerInterceptor
	grpc      *grpc.Server
	health    *health.Server
	began     time.Time

	registered bool // nothing may be added any more

	inFlight atomic.Int64
	draining context.Context // ends when no new requests are welcome any more
	refuse   func()          // ends draining
}

// New returns a server that serves nothing yet but its health.
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
		AllowedOrigins:  o.Origins, // none is any
		AllowOriginFunc: o.AllowOrigin,
		// Any common method and any header pass, so that a page that uses a wrong one is told so by the answer. A
		// refused preflight would tell it nothing.
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Allow", "Retry-After", "X-Request-Id"},
		MaxAge:         int((2 * time.Hour).Seconds()), // more than any browser keeps
	})
	s.nothing = s.cors.Handler(http.HandlerFunc(notFound))
	// Panics are recovered on both sides of what others put in between: so it sees a status for a handler's
	// panic, and may itself panic.
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

// Handle serves a path, or, if it ends in a slash, all paths below it that nothing longer serves. It is an
// error if the path is taken.
func (s *Server) Handle(path string, handler http.Handler) error {
	if !strings.HasPrefix(path, "/") || handler == nil {
		return fmt.Errorf("%q can't be served", path)
	}
	if s.paths[path] != nil {
		return fmt.Errorf("%s is served twice", path)
	}
	s.paths[path] = handler
	return nil
}

// AfterDrain has Run close what functions hold when no request is in flight any more, the last first.
func (s *Server) AfterDrain(closer func(context.Context) error) {
	s.closers = append(s.closers, closer)
}

// healthz says whether new requests are welcome. It asks nobody else: a process that can't reach its database
// serves errors, which is better than nobody who does.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if s.draining.Err() != nil {
		answer(w, r, http.StatusServiceUnavailable, status.New(codes.Unavailable, "shutting down"))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// route hands a request to what serves it.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		callOf(r.Context()).byGRPC()
		s.grpc.ServeHTTP(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff") // a log holds what users wrote
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
