package local

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"

	"github.com/ag-computational-bio/bakta-web-backend/local/access"
)

// supported returns why a local backend can't be had on a system.
func supported(system string) error {
	if system != "linux" {
		return errors.New("a local backend runs jobs, which works on Linux only; in a container or a virtual machine it does here, too. " +
			"The other commands work here with the server of somebody else")
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// checkHosts reports an address that nobody could listen on, and one that can't stand in a link.
func (o Options) checkHosts() error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("--listen is %q; write a host and a port, as in 127.0.0.1:8080", o.Listen)
	}
	if o.Public == "" {
		if unspecified(host) {
			return fmt.Errorf("--listen %s stands for all addresses of this machine; links need one of them: "+
				"name by --public the host name or address under which others reach this machine", o.Listen)
		}
		return nil
	}
	if _, err := netip.ParseAddr(o.Public); err != nil && !hostName.MatchString(o.Public) || unspecified(o.Public) {
		return fmt.Errorf("--public is %q; write a host name or an address, without a scheme and a port", o.Public)
	}
	return nil
}

// unspecified reports whether a host stands for all addresses of the machine.
func unspecified(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || err == nil && address.Unmap().IsUnspecified()
}

// named returns an address that is listened on as others write it.
func (o Options) named(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil && o.Public != "" {
		return net.JoinHostPort(o.Public, port)
	}
	return address
}

// access returns who may use what this backend serves.
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
