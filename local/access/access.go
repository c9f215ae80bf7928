// Package access says who may use a server on this machine: under which names it is asked, web pages of which origins
// may ask it, and how many connections they may hold.
//
// A server on the loopback address is reached by every web page that a browser on this machine shows. Such a page may
// send requests to it though the page is of another origin, and a page whose name an attacker's name server has
// pointed at this machine ("DNS rebinding") is even of the server's own origin. A browser gives both away: the first
// by the header Origin, the second by Host.
package access

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Policy says by which host names a server may be asked, and by pages of which origins. Loopback names and addresses
// (localhost, names below it, 127.0.0.0/8, ::1) are always among them, with any port.
type Policy struct {
	hosts   []string // normalised, see normal
	origins []string // in lower case, without a port that is the scheme's own
	any     bool     // pages of any origin may ask
	log     *slog.Logger

	mu   sync.Mutex
	told map[string]bool // hosts and origins whose refusal was logged
}

// maxTold bounds how many refusals are logged: a page may make up any number of names.
const maxTold = 32

// New returns the policy of a server that is known by those host names or addresses, empty ones left out, and may be
// asked by pages of those origins as well: each as https://bakta.example.org, or * for any. Refusals are logged as
// warnings, each host and origin once.
func New(hosts, origins []string, log *slog.Logger) (*Policy, error) {
	p := &Policy{log: log, told: make(map[string]bool)}
	for _, host := range hosts {
		if host != "" {
			p.hosts = append(p.hosts, normal(host))
		}
	}
	for _, text := range origins {
		if text == "*" {
			p.any = true
			continue
		}
		o, err := url.Parse(text)
		if err != nil || o.Scheme == "" || o.Hostname() == "" || strings.Trim(o.Path, "/") != "" || o.User != nil || o.RawQuery != "" || o.Fragment != "" {
			return nil, fmt.Errorf("%q is not the origin of a web page; write one as in https://bakta.example.org, or * for any", text)
		}
		p.origins = append(p.origins, origin(o))
	}
	return p, nil
}

// origin is an origin as browsers write it.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.ToLower(u.Scheme) + "://" + host
}

// normal is the one form of a host name or address that is compared.
func normal(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// known reports whether a host, without a port, stands for this machine. local is the address at which the request
// came in: a page can't make a browser take it for another's.
func (p *Policy) known(host string, local net.Addr) bool {
	host = normal(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(p.hosts, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if at, ok := local.(*net.TCPAddr); ok && at.AddrPort().Addr().Unmap().WithZone("") == ip {
		return true
	}
	return ip.IsLoopback()
}

// allowed reports whether pages of an origin may ask. Those that this machine serves may, at whatever port: a web UI
// under development has a server of its own.
func (p *Policy) allowed(text string, local net.Addr) bool {
	if p.any || slices.Contains(p.origins, text) {
		return true
	}
	o, err := url.Parse(text)
	return err == nil && (o.Scheme == "http" || o.Scheme == "https") && o.Hostname() != "" && p.known(o.Hostname(), local)
}

// Allowed reports whether pages of an origin may ask, whatever address they ask at.
func (p *Policy) Allowed(origin string) bool { return p.allowed(origin, nil) }

// Guard refuses what the policy does not allow, and hands the rest on. It answers in the form that the caller
// understands: a gRPC client gets a status, a REST client what its version of the API has for errors, and others get text.
func (p *Policy) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !p.known(hostname(r.Host), local) {
			p.refuse(w, r, http.StatusMisdirectedRequest, r.Host, fmt.Sprintf("This server is not known as %.200q. "+
				"Use the address that it printed when it started; or, to have it answer to this name, start it with --public and the name.", r.Host))
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			if !p.allowed(origin, local) {
				p.refuse(w, r, http.StatusForbidden, origin, fmt.Sprintf("Web pages of %.200q may not use this server. "+
					"To allow it, start the server with --allow-origin and the page's origin.", origin))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is the host of a Host header or an :authority, without the port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// permissionDenied is gRPC's code for it.
const permissionDenied = 7

func (p *Policy) refuse(w http.ResponseWriter, r *http.Request, code int, whom, why string) {
	p.tell(whom, why)
	h := w.Header()
	switch {
	case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", fmt.Sprint(permissionDenied))
		h.Set("Grpc-Message", url.PathEscape(why)) // gRPC wants it percent-encoded
		w.WriteHeader(http.StatusOK)
	case strings.HasPrefix(r.URL.Path, "/api/v2/"): // its errors are JSON strings
		h.Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(why) // fails only when the client is gone
	case strings.HasPrefix(r.URL.Path, "/api/"):
		h.Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]any{"code": permissionDenied, "message": why, "details": []any{}}) // fails only when the client is gone
	default:
		http.Error(w, why, code)
	}
}

// tell logs a refusal, once for each host and origin.
func (p *Policy) tell(whom, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil || p.told[whom] || len(p.told) == maxTold {
		return
	}
	p.told[whom] = true
	p.log.Warn("a request was refused", "reason", why)
}
