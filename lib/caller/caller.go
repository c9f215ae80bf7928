// Package caller answers who makes a call: the network address that the call comes from, and the subject of the token that it
// bears. The address is taken from the connection, or from the header field in which a known number of proxies record it; nothing
// that a client writes can change it.
//
// An address is personal data. It is logged and stored only where the configuration says so.
package caller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
)

// Caller is who makes a call.
type Caller struct {
	// Address is the caller's address: IPv4 where the caller uses IPv4 over an IPv6 socket, and without a zone. It is not valid if
	// the connection has no address, as that of a Unix socket.
	Address netip.Addr
	// Subject is who the caller's token was issued to: the key of an issuer and its subject (lib/access) for a call, a service account
	// for an event. It is empty for a caller without a token. A token that is not valid is refused before.
	Subject string
}

// Key names the caller for what is counted of it: the subject of its token, or else the network that its address belongs to, with a
// prefix of v4 or v6 bits. Whoever has one address of a network usually has all of them. The key of a network contains its address,
// which is personal data. It is empty if nothing is known of the caller.
func (c Caller) Key(v4, v6 int) string {
	if c.Subject != "" {
		sum := sha256.Sum256([]byte(c.Subject))
		return "sub:" + hex.EncodeToString(sum[:16])
	}
	if !c.Address.IsValid() {
		return ""
	}
	bits := v6
	if c.Address.Is4() { // also over an IPv6 socket, see Caller
		bits = v4
	}
	return "net:" + netip.PrefixFrom(c.Address, bits).Masked().String()
}

type key struct{}

// NewContext returns a context that carries the caller.
func NewContext(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, key{}, c)
}

// From returns the caller that a context carries; the zero Caller if it carries none.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(key{}).(Caller)
	return c
}

// The header fields in which proxies record where a request comes from.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded" // RFC 7239
)

// Proxies are the proxies between the callers and this server.
type Proxies struct {
	// Count is how many proxies each request passes, counted from the server, that all append the address of their peer to
	// Header. 0: the caller is the peer of the connection, and no header field is read.
	Count int
	// Header is XForwardedFor or Forwarded; empty: XForwardedFor. The other one is never read: a proxy that does not know a field
	// passes on what the client wrote in it.
	Header string
}

// Address returns the address that a request comes from. remote is the peer of the connection as http.Request.RemoteAddr has it.
//
// Each trusted proxy appends one entry, so the caller's address is entry number Count from the right, and what a client writes
// stands left of it. If there are fewer entries, the request did not pass all proxies, and a client may have written any of them;
// the same holds if the entry is not an address but "unknown" or an obfuscated identifier. Address then returns the peer's address.
func (p Proxies) Address(remote string, header http.Header) netip.Addr {
	peer := parse(remote)
	if p.Count <= 0 {
		return peer
	}
	name, last := XForwardedFor, lastEntry
	if http.CanonicalHeaderKey(p.Header) == Forwarded {
		name, last = Forwarded, lastElement
	}
	lines := header.Values(name)
	var entry string
	for range p.Count {
		if len(lines) == 0 {
			return peer
		}
		var more bool
		line := lines[len(lines)-1]
		entry, line, more = last(line)
		if more {
			lines = append(lines[:len(lines)-1:len(lines)-1], line)
		} else {
			lines = lines[:len(lines)-1]
		}
	}
	if name == Forwarded {
		entry = forOf(entry)
	}
	if a := parse(entry); a.IsValid() {
		return a
	}
	return peer
}

// parse reads an address, with a port or without, in brackets or without. The result is not valid if the text is not an address.
func parse(text string) netip.Addr {
	a, err := netip.ParseAddr(host(text))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
