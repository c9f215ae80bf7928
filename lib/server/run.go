package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// Limits that prevent slow or greedy clients from using up what others need.
const (
	headerTime = 10 * time.Second // for the client to send a request's header
	readTime   = time.Minute      // for the client to send the whole request
	writeTime  = 5 * time.Minute  // for the client to receive the answer: a log may be long; Knative's limit is the same
	idleTime   = 3 * time.Minute  // longer than clients keep a connection, so that they close it and not the server
	pingTime   = 30 * time.Second // without traffic until the server sends a ping to a HTTP/2 client
	headerSize = 64 << 10         // bytes
	streams    = 1000             // requests at once on a connection; Knative sends all requests over a few
)

// Run serves on a listener, which it closes, until ctx ends or serving fails. Then it refuses new requests, waits for those in flight up
// to Options.Drain, and calls the closers of AfterDrain. It returns nil if all of that succeeded. A server runs once.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	handler, err := s.Handler()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := s.server(context.WithoutCancel(ctx), handler) // requests outlive ctx, because Run waits for them
	s.health.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	s.Log.InfoContext(ctx, "serving", "address", listener.Addr().String(), "after", time.Since(s.began).String())

	listener = gathering{listener}
	if s.Connections != nil {
		server.ConnState = s.Connections.State
		listener = s.Connections.Listener(listener)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case <-ctx.Done():
		err = s.drain(server)
		<-failed // http.ErrServerClosed
	case err = <-failed:
		err = fmt.Errorf("serving %s: %w", listener.Addr(), err)
	}
	return errors.Join(err, s.close(ctx))
}

// Handler returns everything that the server serves as a handler: for tests, and for programs with an HTTP server of their own, which must
// support HTTP/2 for gRPC. Nothing can be registered afterwards.
func (s *Server) Handler() (http.Handler, error) {
	if !s.registered {
		s.registered = true
		if err := s.register(); err != nil {
			return nil, err
		}
	}
	var handler http.Handler = http.HandlerFunc(s.route)
	for _, wrap := range slices.Backward(s.Middleware) {
		handler = wrap(handler)
	}
	return s.observe(s.hurrying(handler)), nil
}

// server returns the HTTP server. On one port it serves HTTP/1.1, which probes and browsers use, and HTTP/2 without TLS and with prior
// knowledge, which gRPC and Knative use.
func (s *Server) server(requests context.Context, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerSize,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streams, SendPingTimeout: pingTime},
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
}

// close calls the closers.
func (s *Server) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer(ctx))
	}
	return errors.Join(errs...)
}
