package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// lastBody is how long a draining server waits for the rest of a request's body.
	lastBody = 2 * time.Second
	// lastConnection is how long a draining server waits for connections without a request in flight: they may be transferring an
	// answer, or an incomplete header.
	lastConnection = time.Second
)

// drain stops serving. gRPC's own GracefulStop panics on connections that net/http serves.
func (s *Server) drain(server *http.Server) error {
	s.refuse()
	s.health.Shutdown()
	s.Log.Info("draining", "requests", s.inFlight.Load())
	wait, cancel := context.WithTimeout(context.Background(), s.Drain)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- server.Shutdown(wait) }()
	err := s.idle(wait) // Shutdown does not wait for a handler whose client has disconnected
	if err == nil {
		select {
		case err = <-stopped:
		case <-time.After(lastConnection):
			defer server.Close()
		}
		err = errors.Join(err, s.idle(wait)) // one of the last connections may have sent a request
	}
	if err == nil {
		return nil
	}
	left := s.inFlight.Load()
	// Closing the connections ends the contexts of their requests.
	err = errors.Join(fmt.Errorf("waiting for requests in flight: %w", err), server.Close())
	s.Log.Warn("requests were cut off", "requests", left)
	return err
}

// Draining returns a channel that is closed when the server of the context's request stops: a call that waits for something should
// answer then. It is nil, which is never closed, if the context belongs to no request.
func Draining(ctx context.Context) <-chan struct{} {
	if c := callOf(ctx); c != nil {
		return c.draining
	}
	return nil
}

// idle waits until no request is in flight.
func (s *Server) idle(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.inFlight.Load() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// hurrying ends requests whose body does not arrive while the server drains.
func (s *Server) hurrying(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		b := &hurried{ReadCloser: r.Body, control: http.NewResponseController(w)}
		stop := context.AfterFunc(s.draining, b.hurry)
		defer func() {
			stop() // it does not wait for a call that has begun
			b.end()
		}()
		r.Body = b
		next.ServeHTTP(w, r)
	})
}

// hurried is a body with a deadline that begins when the server drains.
type hurried struct {
	io.ReadCloser
	control *http.ResponseController

	mu      sync.Mutex // held while a deadline is set; not while the body is read, which may take long
	over    bool       // it was read to its end, or the handler returns
	limited bool       // it has the deadline
}

// hurry sets the deadline of the rest of the body.
func (b *hurried) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		b.limited = b.control.SetReadDeadline(time.Now().Add(lastBody)) == nil
	}
}

// end waits until no deadline is being set, and has none set from then on: after its handler, net/http's answer must not be used. That of
// HTTP/2 then panics.
func (b *hurried) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

func (b *hurried) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.limited && !b.over && err == io.EOF {
			// net/http continues to read, to notice a client that disconnects, and would take the deadline for that.
			_ = b.control.SetReadDeadline(time.Time{})
		}
		b.over = true
	}
	return n, err
}
