package access

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Connections bounds how many connections a server has open, in all and from one address. Beyond a bound, one that
// has no request under way makes place for a new one: so whoever opens connections and is silent keeps others out of
// nothing. Only if every connection has a request under way, the new one is refused.
type Connections struct {
	total, each int // bounds; each is for one address

	mu   sync.Mutex
	open map[*connection]bool
	from map[netip.Prefix]int // how many of them, by address
}

// Bounds of the connections of one server.
const (
	maxConnections = 1024
	minConnections = 64
)

// NewConnections returns bounds that suit this process: a small part of the files that it may have open, at most
// 1024 connections, and a quarter of them from one address.
func NewConnections() *Connections {
	// Some connections stand for another one, to a store, and that for files. And there are two servers.
	total := int(max(minConnections, min(maxConnections, maxFiles()/10)))
	return newConnections(total, total/4)
}

func newConnections(total, each int) *Connections {
	return &Connections{total: total, each: each, open: make(map[*connection]bool), from: make(map[netip.Prefix]int)}
}

// connection is one that is open.
type connection struct {
	net.Conn
	limits *Connections
	from   netip.Prefix
	busy   bool      // it has a request under way
	since  time.Time // of the last change of busy
}

// Listener returns a listener of the same address that keeps the bounds. The server that it is for must report to
// State.
func (c *Connections) Listener(l net.Listener) net.Listener { return &listener{l, c} }

// State takes note of a connection's state. It is to be the ConnState of the http.Server.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if known, ok := conn.(*connection); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		known.busy, known.since = state == http.StateActive, time.Now()
	}
}

type listener struct {
	net.Listener
	limits *Connections
}

// refusal is for those who come when every connection has a request under way.
const refusal = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
	"There are too many connections from your address, or in all. Please try again later.\n"

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		admitted, instead := l.limits.admit(conn)
		if instead != nil {
			instead.Close()
		}
		if admitted != nil {
			return admitted, nil
		}
		conn.SetWriteDeadline(time.Now().Add(time.Second)) // it fits into the socket's buffer
		io.WriteString(conn, refusal)
		conn.Close()
	}
}

// admit counts a new connection in. It returns nil if there is no place for it, and the one that has to be closed for
// it, if there is one.
func (c *Connections) admit(conn net.Conn) (admitted, instead *connection) {
	admitted = &connection{Conn: conn, limits: c, from: source(conn.RemoteAddr()), since: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from[admitted.from] >= c.each {
		instead = c.silent(func(o *connection) bool { return o.from == admitted.from })
	} else if len(c.open) >= c.total {
		instead = c.silent(func(*connection) bool { return true })
	} else {
		c.add(admitted)
		return admitted, nil
	}
	if instead == nil {
		return nil, nil
	}
	c.remove(instead)
	c.add(admitted)
	return admitted, instead
}

// silent returns that of some connections that has the least right to stay: of the address with the most connections
// the one that has been without a request for the longest time. The caller holds the lock.
func (c *Connections) silent(these func(*connection) bool) (found *connection) {
	for o := range c.open {
		if o.busy || !these(o) {
			continue
		}
		if more := c.from[o.from]; found == nil || more > c.from[found.from] || more == c.from[found.from] && o.since.Before(found.since) {
			found = o
		}
	}
	return found
}

func (c *Connections) add(o *connection) {
	c.open[o] = true
	c.from[o.from]++
}

// remove counts a connection out, once. The caller holds the lock.
func (c *Connections) remove(o *connection) {
	if !c.open[o] {
		return
	}
	delete(c.open, o)
	if c.from[o.from]--; c.from[o.from] == 0 {
		delete(c.from, o.from)
	}
}

// Close closes the connection and makes its place free.
func (o *connection) Close() error {
	o.limits.mu.Lock()
	o.limits.remove(o)
	o.limits.mu.Unlock()
	return o.Conn.Close()
}

// source is what counts as one address: an IPv4 address, and the network of an IPv6 host, which has all of its
// addresses to choose from.
func source(address net.Addr) netip.Prefix {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // it has that many
	return prefix
}
