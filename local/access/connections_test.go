package access

import (
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// from is a connection from an address.
type from struct {
	net.Conn
	address net.Addr
	closed  bool
}

func (f *from) RemoteAddr() net.Addr { return f.address }
func (f *from) Close() error         { f.closed = true; return nil }

func TestConnections(t *testing.T) {
	t.Parallel()
	c := newConnections(5, 3)
	open := func(address string, busy bool) (*from, *connection) {
		t.Helper()
		f := &from{address: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
		admitted, replaced := c.admit(f)
		if replaced != nil {
			replaced.Close()
		}
		if busy && admitted != nil {
			c.State(admitted, http.StateActive)
		}
		return f, admitted
	}
	a1, admitted1 := open("10.0.0.1:1", false)
	a2, _ := open("10.0.0.1:2", true)
	a3, admitted3 := open("10.0.0.1:3", false)
	if _, admitted := open("10.0.0.1:4", true); admitted == nil || !a1.closed || a2.closed || a3.closed {
		t.Error("a new connection does not replace the oldest idle one of its address")
	}
	admitted1.Close() // a second time, as its server does
	c.State(admitted3, http.StateActive)
	if _, admitted := open("10.0.0.1:5", false); admitted != nil {
		t.Error("an address has more connections than its limit")
	}
	c.State(admitted3, http.StateIdle)
	b1, _ := open("[2001:db8::1]:1", false)
	open("[2001:db8::2]:1", false)
	if _, admitted := open("10.0.0.2:1", true); admitted == nil || !a3.closed || b1.closed {
		t.Error("at the total limit, a new connection does not replace an idle one of the address with the most connections")
	}
	if len(c.open) != 5 || c.from[source(a2.address)] != 2 {
		t.Errorf("%d are open, %v", len(c.open), c.from)
	}
	for o := range c.open {
		o.Close()
	}
	if len(c.open) != 0 || len(c.from) != 0 {
		t.Errorf("after all are closed: %d, %v", len(c.open), c.from)
	}
}
