package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deadlines is an answer whose deadline may be set while the handler runs only, as with net/http.
type deadlines struct {
	http.ResponseWriter
	begun    chan struct{} // gets a value when a call begins
	slow     time.Duration // that a call takes
	returned atomic.Bool   // the handler has
	late     atomic.Int32  // calls that began or ended afterwards
	set      []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	late := d.returned.Load()
	d.begun <- struct{}{}
	time.Sleep(d.slow)
	d.set = append(d.set, at)
	if late || d.returned.Load() {
		d.late.Add(1)
	}
	return nil
}

// draining returns a server that drains when begin is called.
func draining() (s *Server, begin func()) {
	s = &Server{}
	s.draining, s.refuse = context.WithCancel(context.Background())
	return s, s.refuse
}

// handled has a handler serve a request with a body, within hurrying, and returns what it did to the answer when all is over.
func handled(s *Server, slow time.Duration, handler func(r *http.Request, d *deadlines)) *deadlines {
	d := &deadlines{ResponseWriter: httptest.NewRecorder(), begun: make(chan struct{}, 10), slow: slow}
	r := httptest.NewRequest("POST", "/", io.NopCloser(strings.NewReader("body")))
	s.hurrying(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { handler(r, d) })).ServeHTTP(d, r)
	d.returned.Store(true)
	return d
}

// Nothing is done to an answer whose handler has returned: net/http's HTTP/2 then panics where nobody recovers it.
func TestHurryEndsWithTheHandler(t *testing.T) {
	t.Parallel()
	t.Run("it begins at the end", func(t *testing.T) {
		t.Parallel()
		var all []*deadlines
		for range 2000 {
			s, begin := draining()
			all = append(all, handled(s, 0, func(*http.Request, *deadlines) { begin() }))
		}
		time.Sleep(50 * time.Millisecond) // for what was started and has not run
		var late int32
		for _, d := range all {
			late += d.late.Load()
		}
		if late > 0 {
			t.Errorf("the deadlines of %d of %d answers were set after their handlers", late, len(all))
		}
	})
	t.Run("it takes long", func(t *testing.T) {
		t.Parallel()
		s, begin := draining()
		d := handled(s, 100*time.Millisecond, func(_ *http.Request, d *deadlines) { begin(); <-d.begun })
		time.Sleep(200 * time.Millisecond)
		if d.late.Load() > 0 {
			t.Error("the handler returned before the deadline was set")
		}
	})
	t.Run("the body is read afterwards", func(t *testing.T) {
		t.Parallel()
		s, begin := draining()
		var body io.Reader
		d := handled(s, 0, func(r *http.Request, d *deadlines) { body = r.Body; begin(); <-d.begun })
		if _, err := io.ReadAll(body); err != nil || d.late.Load() > 0 {
			t.Errorf("the deadline was set after the handler, or it failed: %v", err)
		}
	})
}

// A body that is read while the server drains gets a deadline, which ends with it.
func TestHurriedBody(t *testing.T) {
	t.Parallel()
	s, begin := draining()
	d := handled(s, 10*time.Millisecond, func(r *http.Request, d *deadlines) {
		begin()
		<-d.begun
		for range 2 {
			if _, err := io.ReadAll(r.Body); err != nil {
				t.Error(err)
			}
		}
	})
	if len(d.set) != 2 || time.Until(d.set[0]) > lastBody || !d.set[1].IsZero() {
		t.Errorf("the deadlines were %v", d.set)
	}
}

// Requests that end when the draining begins end no process, whether they have a body or not.
func TestHurryOverHTTP2(t *testing.T) {
	t.Parallel()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, begin := draining()
		s.hurrying(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begin() })).ServeHTTP(w, r)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	transport := &http.Transport{Protocols: protocols}
	defer func() {
		transport.CloseIdleConnections()
		server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for range 250 {
				var body io.Reader
				if i%2 == 1 {
					body = strings.NewReader("a body that the handler does not read")
				}
				request, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+listener.Addr().String(), body)
				response, err := client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
			}
		})
	}
	callers.Wait()
}
