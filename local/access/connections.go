package access

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Connections limits the number of open connections of a server, in total and per address. At a limit, a new connection
// replaces an idle one, so that a client with idle connections can't lock out others. The new connection is refused only
// if all connections have a request in progress.
type Connections struct {
	total, each int // limits; each is per address

	mu   sync.Mutex
	open map[*connection]bool
	from map[netip.Prefix]int // number of open connections, by address
}

// Bounds of the total limit of one server.
const (
	maxConnections = 1024
	minConnections = 64
)

// NewConnections returns limits for this process: a tenth of the files that it may open, from 64 to 1024 connections, and a
// quarter of them from one address.
func NewConnections() *Connections {
	// A tenth: some connections need another one, to a store, which opens files. And the process has two servers.
	total := int(max(minConnections, min(maxConnections, maxFiles()/10)))
	return newConnections(total, total/4)
}

func newConnections(total, each int) *Connections {
	return &Connections{total: total, each: each, open: make(map[*connection]bool), from: make(map[netip.Prefix]int)}
}

// connection is an open connection.
type connection struct {
	net.Conn
	limits *Connections
	from   netip.Prefix
	busy   bool      // a request is in progress
	since  time.Time // time of the last change of busy
}

// Listener returns a listener of the same address that enforces the limits. Its server must have State as ConnState.
func (c *Connections) Listener(l net.Listener) net.Listener { return &listener{l, c} }

// State records the state of a connection. It is the ConnState of the http.Server.
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

// refusal is the response on a new connection while all connections have a request in progress.
const refusal = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n\r\n" +
	"There are too many connections from your address, or in total. Please try again later.\n"

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		admitted, replaced := l.limits.admit(conn)
		if replaced != nil {
			replaced.Close()
		}
		if admitted != nil {
			return admitted, nil
		}
		conn.SetWriteDeadline(time.Now().Add(time.Second)) // the response fits into the socket's buffer
		io.WriteString(conn, refusal)
		conn.Close()
	}
}

// admit adds a new connection, or returns nil if a limit is reached and all connections are busy. The caller closes the
// connection that it replaces, if any.
func (c *Connections) admit(conn net.Conn) (admitted, replaced *connection) {
	admitted = &connection{Conn: conn, limits: c, from: source(conn.RemoteAddr()), since: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from[admitted.from] >= c.each {
		replaced = c.idle(func(o *connection) bool { return o.from == admitted.from })
	} else if len(c.open) >= c.total {
		replaced = c.idle(func(*connection) bool { return true })
	} else {
		c.add(admitted)
		return admitted, nil
	}
	if replaced == nil {
		return nil, nil
	}
	c.remove(replaced)
	c.add(admitted)
	return admitted, replaced
}

// idle returns the connection to close: among the idle ones of the address with the most connections, the one that has
// been idle for the longest time. The caller holds the lock.
func (c *Connections) idle(among func(*connection) bool) (found *connection) {
	for o := range c.open {
		if o.busy || !among(o) {
			continue
		}
		n := c.from[o.from]
		if found == nil || n > c.from[found.from] || n == c.from[found.from] && o.since.Before(found.since) {
			found = o
		}
	}
	return found
}

func (c *Connections) add(o *connection) {
	c.open[o] = true
	c.from[o.from]++
}

// remove removes a connection. A second call does nothing. The caller holds the lock.
func (c *Connections) remove(o *connection) {
	if !c.open[o] {
		return
	}
	delete(c.open, o)
	if c.from[o.from]--; c.from[o.from] == 0 {
		delete(c.from, o.from)
	}
}

// Close closes the connection and removes it from the counts.
func (o *connection) Close() error {
	o.limits.mu.Lock()
	o.limits.remove(o)
	o.limits.mu.Unlock()
	return o.Conn.Close()
}

// source returns what counts as one address: an IPv4 address, or the /64 network of an IPv6 address, because an IPv6 host
// can use all addresses of its network.
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
	prefix, _ := ip.Prefix(bits) // fails only for more bits than the address has
	return prefix
}
