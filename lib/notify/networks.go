package notify

import (
	"fmt"
	"net/netip"
)

// Networks are the networks that webhooks may be in besides the public ones, and the public ones that they may not be in.
type Networks struct {
	Allow  []netip.Prefix
	Forbid []netip.Prefix // counts for more than Allow
}

// Allows reports whether a message may be sent to that address: one that Allow contains, or one of the public internet, that Forbid does
// not contain.
func (n Networks) Allows(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if contains(n.Forbid, a) {
		return false
	}
	allowed := contains(n.Allow, a)
	if nat64.Contains(a) {
		// A router translates it into the IPv4 address in its last four bytes. Where operators allow that, this address must be allowed, too.
		b := a.As16()
		return allowed && n.Allows(netip.AddrFrom4([4]byte(b[12:])))
	}
	return allowed || public(a)
}

// ParseNetwork reads a network: an address, or a prefix such as 10.0.0.0/8.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a network; write an address or a prefix such as 10.0.0.0/8 or fd00::/8", text)
	}
	return p.Masked(), nil
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// nat64 is the well-known prefix of RFC 6052.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// unicast is the only part of IPv6 from which public addresses have been assigned. The rest holds the loopback address, link-local,
// site-local and unique local addresses, multicast, and addresses with an IPv4 address in them.
var unicast = netip.MustParsePrefix("2000::/3")

// special are the networks of IANA's registries of special-purpose addresses that no public service has, and multicast.
var special = prefixes(
	"0.0.0.0/8",         // this network
	"10.0.0.0/8",        // private
	"100.64.0.0/10",     // shared by the customers of a provider
	"127.0.0.0/8",       // loopback
	"168.63.129.16/32",  // the platform services of Azure, reachable only from inside
	"169.254.0.0/16",    // link-local; clouds have their metadata here
	"172.16.0.0/12",     // private
	"192.0.0.0/24",      // protocol assignments
	"192.0.2.0/24",      // documentation
	"192.31.196.0/24",   // AS112
	"192.52.193.0/24",   // AMT
	"192.88.99.0/24",    // relays of 6to4
	"192.168.0.0/16",    // private
	"192.175.48.0/24",   // AS112
	"198.18.0.0/15",     // benchmarks
	"198.51.100.0/24",   // documentation
	"203.0.113.0/24",    // documentation
	"224.0.0.0/4",       // multicast
	"240.0.0.0/4",       // reserved, and broadcast
	"2001::/23",         // protocol assignments, with Teredo and ORCHID
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4, which has an IPv4 address in it
	"2620:4f:8000::/48", // AS112
	"3fff::/20",         // documentation
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// public reports whether an address may be that of a service on the public internet.
func public(a netip.Addr) bool {
	if !a.IsValid() || contains(special, a) {
		return false
	}
	return a.Is4() || unicast.Contains(a)
}
