package local

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"

	"github.com/ag-computational-bio/bakta-web-backend/local/access"
)

// supported returns an error if a local backend can't run on an operating system.
func supported(system string) error {
	if system != "linux" {
		return errors.New("a local backend runs only on Linux; use a container or a virtual machine with Linux. " +
			"The other commands work here with a server on another machine")
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// checkHosts returns an error for an address to listen on that is not valid, and for one that links can't contain.
func (o Options) checkHosts() error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("--listen is %q; write a host and a port, such as 127.0.0.1:8080", o.Listen)
	}
	if o.Public == "" {
		if unspecified(host) {
			return fmt.Errorf("--listen %s means all addresses of this machine, but links need one; "+
				"set --public to the host name or address under which users reach this machine", o.Listen)
		}
		return nil
	}
	if _, err := netip.ParseAddr(o.Public); err != nil && !hostName.MatchString(o.Public) || unspecified(o.Public) {
		return fmt.Errorf("--public is %q; write a host name or an address, without a scheme and a port", o.Public)
	}
	return nil
}

// unspecified reports whether a host means all addresses of the machine.
func unspecified(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || err == nil && address.Unmap().IsUnspecified()
}

// named returns an address to listen on with the host that users know, if the options name one.
func (o Options) named(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil && o.Public != "" {
		return net.JoinHostPort(o.Public, port)
	}
	return address
}

// access returns the policy of this backend's servers.
func (o Options) access() (*access.Policy, error) {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, err
	}
	hosts := []string{o.Public}
	if !unspecified(host) {
		hosts = append(hosts, host)
	}
	policy, err := access.New(hosts, o.Origins, o.Log)
	if err != nil {
		return nil, fmt.Errorf("--allow-origin: %w", err)
	}
	return policy, nil
}
