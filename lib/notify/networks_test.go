package notify_test

import (
	"net/netip"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

func TestNetworks(t *testing.T) {
	prefix := netip.MustParsePrefix
	none := notify.Networks{}
	lab := notify.Networks{
		Allow:  []netip.Prefix{prefix("10.20.0.0/16"), prefix("fd00:1::/32"), prefix("64:ff9b::/96"), prefix("127.0.0.0/8")},
		Forbid: []netip.Prefix{prefix("10.20.30.0/24"), prefix("9.9.9.0/24"), prefix("2606:4700::/32")},
	}
	for _, tt := range []struct {
		networks notify.Networks
		address  string
		want     bool
	}{
		{none, "9.9.9.9", true},
		{none, "172.15.255.255", true},
		{none, "172.32.0.1", true},
		{none, "100.63.255.255", true},
		{none, "100.128.0.0", true},
		{none, "223.255.255.255", true},
		{none, "2606:4700:4700::1111", true},
		{none, "2a00:1450::1", true},
		{none, "::ffff:9.9.9.9", true}, // the same as 9.9.9.9: the resolver returns it so
		// All below is internal, or leads somewhere else.
		{none, "0.0.0.0", false},
		{none, "0.1.2.3", false},
		{none, "10.0.0.1", false},
		{none, "100.64.0.1", false},
		{none, "100.100.100.200", false},
		{none, "127.0.0.1", false},
		{none, "127.255.255.254", false},
		{none, "168.63.129.16", false},
		{none, "169.254.169.254", false},
		{none, "172.16.0.1", false},
		{none, "172.31.255.255", false},
		{none, "192.0.0.192", false},
		{none, "192.0.2.1", false},
		{none, "192.168.1.1", false},
		{none, "198.18.0.1", false},
		{none, "198.51.100.1", false},
		{none, "203.0.113.1", false},
		{none, "224.0.0.1", false},
		{none, "240.0.0.1", false},
		{none, "255.255.255.255", false},
		{none, "::", false},
		{none, "::1", false},
		{none, "::ffff:127.0.0.1", false},
		{none, "::ffff:10.0.0.1", false},
		{none, "::ffff:169.254.169.254", false},
		{none, "::127.0.0.1", false},         // IPv4-compatible
		{none, "::ffff:0:127.0.0.1", false},  // IPv4-translated
		{none, "64:ff9b::127.0.0.1", false},  // NAT64
		{none, "64:ff9b::9.9.9.9", false},    // operators allow it where there is a NAT64
		{none, "64:ff9b:1::10.0.0.1", false}, // local NAT64
		{none, "2002:7f00:1::1", false},      // 6to4 of 127.0.0.1
		{none, "2001:0:1:2:3:4:5:6", false},  // Teredo
		{none, "2001:10::1", false},          // ORCHID
		{none, "2001:db8::1", false},         // documentation
		{none, "3fff::1", false},             // documentation
		{none, "fc00::1", false},             // unique local
		{none, "fd00:ec2::254", false},       // unique local: the metadata of a cloud
		{none, "fe80::1", false},             // link-local
		{none, "fec0::1", false},             // site-local
		{none, "ff02::1", false},             // multicast
		{none, "100::1", false},              // discarded
		{none, "5f00::1", false},             // segment routing
		{none, "2606:4700::1%eth0", false},   // with a zone
		{lab, "10.20.1.1", true},             // allowed
		{lab, "::ffff:10.20.1.1", true},      // the same
		{lab, "10.20.30.1", false},           // forbidden inside of what is allowed
		{lab, "10.21.0.1", false},            // private and not allowed
		{lab, "fd00:1::1", true},             // allowed
		{lab, "fd00:2::1", false},            // not
		{lab, "9.9.9.9", false},              // public and forbidden
		{lab, "::ffff:9.9.9.9", false},       // the same
		{lab, "2606:4700:4700::1111", false}, // public and forbidden
		{lab, "64:ff9b::8.8.8.8", true},      // by the NAT64 that is allowed
		{lab, "64:ff9b::9.9.9.9", false},     // forbidden, whatever the way
		{lab, "64:ff9b::192.168.1.1", false}, // private, whatever the way
		{lab, "64:ff9b::10.20.1.1", true},    // allowed on both
		{lab, "127.0.0.1", true},             // allowed
	} {
		if got := tt.networks.Allows(netip.MustParseAddr(tt.address)); got != tt.want {
			t.Errorf("%s: allowed is %v, want %v", tt.address, got, tt.want)
		}
	}
	if none.Allows(netip.Addr{}) {
		t.Error("the zero address is allowed")
	}
}
