package caller_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	const peer = "127.0.0.1:4711"
	for _, row := range []struct {
		name   string
		remote string
		count  int
		header string
		lines  []string
		want   string
	}{
		{"no proxy", peer, 0, "", []string{"192.0.2.1"}, "127.0.0.1"},
		{"no proxy, IPv6", "[2001:db8::1]:80", 0, "", nil, "2001:db8::1"},
		{"no proxy, a zone", "[fe80::1%eth0]:80", 0, "", nil, "fe80::1"},
		{"no proxy, IPv4 on an IPv6 socket", "[::ffff:192.0.2.1]:80", 0, "", nil, "192.0.2.1"},
		{"no proxy, no port", "192.0.2.1", 0, "", nil, "192.0.2.1"},
		{"a Unix socket", "@", 0, "", nil, "invalid IP"},
		{"no address at all", "", 1, "", []string{"unknown"}, "invalid IP"},

		{"one proxy", peer, 1, "", []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy, the client writes", peer, 1, "", []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", peer, 2, "", []string{"203.0.113.9, 192.0.2.1, 10.0.0.1"}, "192.0.2.1"},
		{"two proxies, a line each", peer, 2, "", []string{"203.0.113.9", "192.0.2.1", "10.0.0.1"}, "192.0.2.1"},
		{"two proxies, lines of several", peer, 2, "", []string{"203.0.113.9,198.51.100.7 ,192.0.2.1", "10.0.0.1"}, "192.0.2.1"},
		{"no white space", peer, 2, "", []string{"203.0.113.9,192.0.2.1,10.0.0.1"}, "192.0.2.1"},
		{"tabs", peer, 1, "", []string{"203.0.113.9,\t192.0.2.1\t "}, "192.0.2.1"},
		{"empty entries of the client", peer, 1, "", []string{", ,,192.0.2.1"}, "192.0.2.1"},
		{"the client writes an empty line", peer, 2, "", []string{"", "192.0.2.1, 10.0.0.1"}, "192.0.2.1"},
		{"a proxy was left out", peer, 3, "", []string{"203.0.113.9, 192.0.2.1"}, "127.0.0.1"},
		{"no header", peer, 1, "", nil, "127.0.0.1"},
		{"an empty header", peer, 1, "", []string{""}, "127.0.0.1"},
		{"an empty entry", peer, 1, "", []string{"192.0.2.1,"}, "127.0.0.1"},
		{"not an address", peer, 1, "", []string{"203.0.113.9, localhost"}, "127.0.0.1"},
		{"unknown", peer, 1, "", []string{"203.0.113.9, unknown"}, "127.0.0.1"},
		{"a port", peer, 1, "", []string{"192.0.2.1:55555"}, "192.0.2.1"},
		{"IPv6", peer, 1, "", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in capitals", peer, 1, "", []string{"2001:DB8::A"}, "2001:db8::a"},
		{"IPv6 in brackets", peer, 1, "", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 in brackets with a port", peer, 1, "", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv6 with a zone", peer, 1, "", []string{"fe80::1%eth0"}, "fe80::1"},
		{"IPv4 in IPv6", peer, 1, "", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a bracket that is not closed", peer, 1, "", []string{"[2001:db8::1"}, "127.0.0.1"},
		{"more after a bracket", peer, 1, "", []string{"[2001:db8::1]x"}, "127.0.0.1"},
		{"zeros before a number", peer, 1, "", []string{"192.0.02.1"}, "127.0.0.1"},
		{"a long header", peer, 1, "", []string{strings.Repeat("203.0.113.9, ", 4000) + "192.0.2.1"}, "192.0.2.1"},
		{"a long entry", peer, 1, "", []string{strings.Repeat("1", 60000)}, "127.0.0.1"},
		{"the other header", peer, 1, "", nil, "127.0.0.1"},

		{"RFC 7239: IPv4", peer, 1, "Forwarded", []string{"for=192.0.2.1"}, "192.0.2.1"},
		{"RFC 7239: name in any case", peer, 1, "forwarded", []string{"For=192.0.2.1"}, "192.0.2.1"},
		{"RFC 7239: IPv6", peer, 1, "Forwarded", []string{`for="[2001:db8::1]"`}, "2001:db8::1"},
		{"RFC 7239: IPv6 with a port", peer, 1, "Forwarded", []string{`for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"RFC 7239: a port", peer, 1, "Forwarded", []string{`for="192.0.2.1:_port"`}, "192.0.2.1"},
		{"RFC 7239: other parameters", peer, 1, "Forwarded", []string{`by=10.0.0.9;for=192.0.2.1;proto=https;host="a,b;for=203.0.113.9"`},
			"192.0.2.1"},
		{"RFC 7239: a quoted parameter before", peer, 1, "Forwarded", []string{`host="x\",for=203.0.113.9, " ; for=192.0.2.1`}, "192.0.2.1"},
		{"RFC 7239: a quotation mark in quotes", peer, 1, "Forwarded", []string{`host="for=203.0.113.9,\"";for=192.0.2.1`}, "192.0.2.1"},
		{"RFC 7239: two proxies", peer, 2, "Forwarded", []string{`for=203.0.113.9, for="[2001:db8::1]";by=x`, `for=10.0.0.1`}, "2001:db8::1"},
		{"RFC 7239: an escaped character", peer, 1, "Forwarded", []string{`for="192.0\.2.1"`}, "192.0.2.1"},
		{"RFC 7239: unknown", peer, 1, "Forwarded", []string{"for=203.0.113.9, for=unknown"}, "127.0.0.1"},
		{"RFC 7239: obfuscated", peer, 1, "Forwarded", []string{"for=203.0.113.9, for=_hidden"}, "127.0.0.1"},
		{"RFC 7239: without for", peer, 1, "Forwarded", []string{"for=203.0.113.9, by=192.0.2.1"}, "127.0.0.1"},
		{"RFC 7239: malformed", peer, 1, "Forwarded", []string{"192.0.2.1"}, "127.0.0.1"},
		{"RFC 7239: quotes not closed", peer, 1, "Forwarded", []string{`for="192.0.2.1`}, "127.0.0.1"},
		{"RFC 7239: the client opens quotes", peer, 1, "Forwarded", []string{`for=203.0.113.9, for=198.51.100.7, for=", for=192.0.2.1`},
			"192.0.2.1"},
		{"RFC 7239: the client escapes", peer, 1, "Forwarded", []string{`for="\, for="[2001:db8::1]"`}, "2001:db8::1"},
		{"RFC 7239: the client opens quotes in a line", peer, 2, "Forwarded", []string{`for="`, `for=192.0.2.1, for=10.0.0.1`}, "192.0.2.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			name := caller.XForwardedFor
			if strings.HasPrefix(row.name, "RFC 7239") {
				name = caller.Forwarded
			}
			header := http.Header{name: row.lines}
			if name == caller.XForwardedFor { // never read
				header.Set(caller.Forwarded, "for=198.51.100.99")
			} else {
				header.Set(caller.XForwardedFor, "198.51.100.99")
			}
			before := strings.Join(row.lines, "\n")
			if got := (caller.Proxies{Count: row.count, Header: row.header}).Address(row.remote, header); got.String() != row.want {
				t.Errorf("the caller is %s, not %s", got, row.want)
			}
			if after := strings.Join(header.Values(name), "\n"); len(row.lines) > 0 && after != before {
				t.Errorf("the header became %q", after)
			}
		})
	}
}

// Whatever a client writes, and however the proxies append to it, the result is the same.
func TestClientChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entry := rapid.OneOf(
			rapid.SampledFrom([]string{"203.0.113.9", "for=203.0.113.9", `for="`, `"`, `\`, `\"`, ",", ";", "", " ", `for="[::1]"`, "unknown", "[",
				"]", "for=", "="}),
			rapid.StringMatching(`[ -~]{0,12}`),
		)
		written := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(entry, 0, 6).Draw(t, "entries"), rapid.SampledFrom([]string{",", ", ", "", " "}).Draw(t, "separator"))
		}), 0, 3).Draw(t, "written")
		name := rapid.SampledFrom([]string{caller.XForwardedFor, caller.Forwarded}).Draw(t, "name")
		count := rapid.IntRange(1, 4).Draw(t, "proxies")
		want := netip.MustParseAddr("192.0.2.1")
		header := http.Header{name: written}
		for i := range count {
			address := []string{"192.0.2.1", "2001:db8::5", "10.0.0.6", "10.0.0.7"}[i]
			if name == caller.Forwarded && strings.Contains(address, ":") {
				address = `"[` + address + `]:443"`
			}
			if name == caller.Forwarded {
				address = "by=_a;for=" + address + rapid.SampledFrom([]string{"", `;host="a,b\"c"`, ";proto=https"}).Draw(t, "more")
			}
			lines := header[name]
			switch {
			case len(lines) == 0 || rapid.Bool().Draw(t, "a line of its own"):
				header[name] = append(lines, address)
			case rapid.Bool().Draw(t, "one line"): // as httputil.ReverseProxy
				header[name] = []string{strings.Join(lines, ", ") + ", " + address}
			default:
				lines[len(lines)-1] += "," + address
			}
		}
		if got := (caller.Proxies{Count: count, Header: name}).Address("127.0.0.1:1", header); got != want {
			t.Fatalf("%d proxies, %q: the caller is %s", count, header[name], got)
		}
		// Without trusted proxies no header field is read.
		if got := (caller.Proxies{Header: name}).Address("127.0.0.1:1", header); got != netip.MustParseAddr("127.0.0.1") {
			t.Fatalf("without proxies, the caller is %s", got)
		}
	})
}

// Real proxies, as Knative's activator and queue-proxy are (httputil.ReverseProxy with a Director, knative.dev/serving v0.50.0,
// pkg/http/proxy.go), append to what a client wrote.
func TestBehindReverseProxies(t *testing.T) {
	t.Parallel()
	got := make(chan netip.Addr, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- caller.Proxies{Count: 3}.Address(r.RemoteAddr, r.Header)
	}))
	t.Cleanup(server.Close)
	next := server.URL
	for i := range 3 {
		target, err := url.Parse(next)
		if err != nil {
			t.Fatal(err)
		}
		//nolint:staticcheck // Knative's proxies have a Director, which treats the header otherwise than Rewrite
		proxy := &httputil.ReverseProxy{Director: func(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", target.Host }}
		hop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if i == 2 { // the one that clients reach
				r.RemoteAddr = "192.0.2.1:1234"
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(hop.Close)
		next = hop.URL
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["X-Forwarded-For"] = []string{"203.0.113.9, 203.0.113.8", "203.0.113.7"}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if a := <-got; a != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("the caller is %s", a)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	if c := caller.From(context.Background()); c != (caller.Caller{}) {
		t.Errorf("%v", c)
	}
	want := caller.Caller{Address: netip.MustParseAddr("192.0.2.1"), Subject: "s"}
	if c := caller.From(caller.NewContext(context.Background(), want)); c != want {
		t.Errorf("%v", c)
	}
}

// Addresses of one network have one key, however they are written; other networks and subjects have others.
func TestKey(t *testing.T) {
	at := func(text string) caller.Caller { // as a server determines it
		return caller.Caller{Address: caller.Proxies{}.Address("["+text+"]:80", nil)}
	}
	for _, row := range []struct {
		name   string
		caller caller.Caller
		v4, v6 int
		want   string
	}{
		{"an IPv4 address", at("192.0.2.7"), 32, 64, "net:192.0.2.7/32"},
		{"an IPv4 network", at("192.0.2.7"), 24, 64, "net:192.0.2.0/24"},
		{"an IPv4 address over an IPv6 socket", at("::ffff:192.0.2.7"), 32, 64, "net:192.0.2.7/32"},
		{"an IPv6 network", at("2001:db8:1:2:3:4:5:6"), 32, 64, "net:2001:db8:1:2::/64"},
		{"another address of it", at("2001:db8:1:2:ffff::1"), 32, 64, "net:2001:db8:1:2::/64"},
		{"another network", at("2001:db8:1:3::"), 32, 64, "net:2001:db8:1:3::/64"},
		{"a larger network", at("2001:db8:1:3::"), 32, 48, "net:2001:db8:1::/48"},
		{"a zone", at("fe80::1%eth0"), 32, 64, "net:fe80::/64"},
		{"no address", caller.Caller{}, 32, 64, ""},
		{"a subject", caller.Caller{Address: netip.MustParseAddr("192.0.2.7"), Subject: "https://issuer someone"}, 32, 64,
			"sub:8032e4ceeb27cae847980398abf61279"},
		{"a subject without an address", caller.Caller{Subject: "https://issuer someone"}, 32, 64, "sub:8032e4ceeb27cae847980398abf61279"},
	} {
		if got := row.caller.Key(row.v4, row.v6); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
