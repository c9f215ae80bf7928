package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Resolver returns the addresses of a name; net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	maxAddresses = 4               // of a name, that are tried
	dialTime     = 4 * time.Second // for one address
)

// errNetwork is the cause of an address that may not be reached.
var errNetwork = errors.New("the network is not allowed")

// dialer connects to receivers, and to nothing else.
type dialer struct {
	resolver Resolver
	allowed  func(netip.Addr) bool
}

// DialContext resolves the name once and connects to an address that it has checked. If one of the addresses is not allowed, none is used:
// such a name mixes them to reach that one sooner or later.
func (d dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		if !d.allowed(a) {
			return nil, fmt.Errorf("%s has the address %s: %w", host, a, errNetwork)
		}
	}
	var failures []error
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		// The second check is of what the socket connects to.
		connect := net.Dialer{Timeout: dialTime, Control: d.control}
		conn, err := connect.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

func (d dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if host[len(host)-1] != '.' {
		host += "." // so that the search domains of a cluster are not tried
	}
	found, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addresses := make([]netip.Addr, 0, len(found))
	for _, a := range found {
		// IPv4 addresses are returned as IPv6 ones (Go 1.26, net.Resolver).
		if a = a.Unmap(); !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	if len(addresses) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return addresses, nil
}

// control checks the address of a socket before it connects.
func (d dialer) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !d.allowed(to.Addr()) {
		return errNetwork
	}
	return nil
}
