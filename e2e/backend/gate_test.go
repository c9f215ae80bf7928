//go:build e2e

package backend_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// gate is the only way to a store. It can be shut: then who connects is refused, and who is connected is cut off.
type gate struct {
	address string // where it is
	pass    func(net.Listener) io.Closer

	mu   sync.Mutex
	open io.Closer // nil while it is shut
}

func openGate(address string, pass func(net.Listener) io.Closer) (*gate, error) {
	g := &gate{address: address, pass: pass}
	return g, g.Open()
}

func (g *gate) Open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		return nil
	}
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		return err
	}
	g.open = g.pass(listener)
	return nil
}

func (g *gate) Shut() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		return nil
	}
	err := g.open.Close()
	g.open = nil
	return err
}

// stream passes every connection on to a server.
func stream(server string) func(net.Listener) io.Closer {
	return func(listener net.Listener) io.Closer {
		s := &streams{listener: listener, conns: make(map[net.Conn]bool)}
		go s.accept(server)
		return s
	}
}

type streams struct {
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	closed   bool
}

func (s *streams) accept(server string) {
	for {
		near, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.pass(near, server)
	}
}

func (s *streams) pass(near net.Conn, server string) {
	far, err := net.Dial("tcp", server)
	if err != nil {
		near.Close()
		return
	}
	if !s.add(near, far) {
		return
	}
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // whichever side ends, both do
			done <- struct{}{}
		}()
	}
	<-done
	s.remove(near, far)
	<-done
}

func (s *streams) add(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		if s.closed {
			c.Close()
			continue
		}
		s.conns[c] = true
	}
	return !s.closed
}

func (s *streams) remove(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(s.conns, c)
	}
}

func (s *streams) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	return err
}

// commits remembers when manifests were stored: the moment from which a job's outcome is known. It can hold requests, and delay
// all of them.
type commits struct {
	delay atomic.Int64 // of each request, in nanoseconds

	mu    sync.Mutex
	at    map[string]time.Time     // by job
	ahead map[string]time.Duration // by job: how much the clock by which its manifest was signed is ahead
	holds []*hold
}

// hold keeps the requests that match from reaching the object storage.
type hold struct {
	match    func(*http.Request) bool
	came     chan struct{} // closed when the first one is held
	once     sync.Once
	released chan struct{}
}

// hold holds the requests that match until release is called. The channel is closed when the first of them has come.
func (c *commits) hold(match func(*http.Request) bool) (came <-chan struct{}, release func()) {
	h := &hold{match: match, came: make(chan struct{}), released: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds = append(c.holds, h)
	return h.came, sync.OnceFunc(func() { close(h.released) })
}

// held waits while a request is held. It reports false if the client gave up meanwhile.
func (c *commits) held(r *http.Request) bool {
	c.mu.Lock()
	holds := slices.Clone(c.holds)
	c.mu.Unlock()
	for _, h := range holds {
		if !h.match(r) {
			continue
		}
		select {
		case <-h.released:
			continue
		default:
		}
		h.once.Do(func() { close(h.came) })
		select {
		case <-h.released:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

// delayed waits for the delay. It reports false if the client gave up meanwhile.
func (c *commits) delayed(ctx context.Context) bool {
	select {
	case <-time.After(time.Duration(c.delay.Load())):
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *commits) of(id string) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.at[id]
	return at, ok
}

// requests passes every request on to the object storage, as it came.
func (c *commits) requests(server *url.URL) func(net.Listener) io.Closer {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.held(r) || !c.delayed(r.Context()) {
			return
		}
		proxy.ServeHTTP(w, r)
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifest.json") {
			c.note(r)
		}
	})
	return func(listener net.Listener) io.Closer {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				panic(err)
			}
		}()
		return server
	}
}

func (c *commits) note(r *http.Request) {
	_, rest, _ := strings.Cut(r.URL.Path, "/jobs/")
	id, _, _ := strings.Cut(rest, "/")
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.at[id]; !again {
		c.at[id] = time.Now()
	}
	if err == nil {
		c.ahead[id] = time.Until(signed)
	}
}

// clockOf returns how much the clock by which a job's manifest was signed is ahead.
func (c *commits) clockOf(id string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead[id]
}
