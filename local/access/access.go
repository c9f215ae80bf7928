// Package access limits the use of a server on this machine: the host names of requests, the origins of web pages, and the
// number of connections.
//
// Every web page in a browser on this machine can reach a server on the loopback address. A page of another origin can send
// requests to it. A page whose host name an attacker's name server resolves to this machine ("DNS rebinding") even has the
// server's own origin. The browser reveals the first by the header Origin, the second by the header Host.
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

// Policy is the host names under which a server may be called, and the origins of web pages that may call it. Loopback
// names and addresses (localhost, names below it, 127.0.0.0/8, ::1) are always allowed, with any port.
type Policy struct {
	hosts   []string // normalised, see normal
	origins []string // in lower case, without a port that is the scheme's own
	any     bool     // pages of any origin are allowed
	log     *slog.Logger

	mu     sync.Mutex
	logged map[string]bool // hosts and origins whose refusal was logged
}

// maxLogged bounds the number of logged refusals: a page can invent any number of names.
const maxLogged = 32

// New returns a policy that allows the host names or addresses, without the empty ones, and pages of the origins: each
// like https://bakta.example.org, or * for any. Refusals are logged as warnings, each host and origin once.
func New(hosts, origins []string, log *slog.Logger) (*Policy, error) {
	p := &Policy{log: log, logged: make(map[string]bool)}
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
		if err != nil || o.Scheme == "" || o.Hostname() == "" || strings.Trim(o.Path, "/") != "" || o.User != nil ||
			o.RawQuery != "" || o.Fragment != "" {
			return nil, fmt.Errorf("%q is not the origin of a web page; write one such as https://bakta.example.org, or * for any", text)
		}
		p.origins = append(p.origins, origin(o))
	}
	return p, nil
}

// origin returns an origin as browsers write it.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.ToLower(u.Scheme) + "://" + host
}

// normal returns the normalised form of a host name or address.
func normal(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// known reports whether a host, without a port, means this machine. local is the address that received the request: the
// request was sent to it, so a page that names it has not used DNS rebinding.
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

// allowed reports whether pages of an origin are allowed. Pages from any port of this machine are: a web UI under
// development has its own server.
func (p *Policy) allowed(text string, local net.Addr) bool {
	if p.any || slices.Contains(p.origins, text) {
		return true
	}
	o, err := url.Parse(text)
	return err == nil && (o.Scheme == "http" || o.Scheme == "https") && o.Hostname() != "" && p.known(o.Hostname(), local)
}

// Allowed reports whether pages of an origin are allowed, at any address of the server.
func (p *Policy) Allowed(origin string) bool { return p.allowed(origin, nil) }

// Guard refuses requests that the policy does not allow, and passes the others on. The form of the error depends on the
// client: a gRPC client gets a status, a REST client the error body of its API version, other clients get text.
func (p *Policy) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !p.known(hostname(r.Host), local) {
			p.refuse(w, r, http.StatusMisdirectedRequest, r.Host, fmt.Sprintf("This server is not known as %.200q. "+
				"Use the address that it printed when it started. To allow this name, start the server with --public and the name.", r.Host))
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

// hostname returns the host of a Host header or an :authority, without the port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// permissionDenied is the code of gRPC for a refused request.
const permissionDenied = 7

// refuse answers a request with an error. name is the host or the origin that is not allowed.
func (p *Policy) refuse(w http.ResponseWriter, r *http.Request, code int, name, why string) {
	p.logOnce(name, why)
	h := w.Header()
	switch {
	case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", fmt.Sprint(permissionDenied))
		h.Set("Grpc-Message", url.PathEscape(why)) // gRPC requires percent-encoding
		w.WriteHeader(http.StatusOK)
	case strings.HasPrefix(r.URL.Path, "/api/v2/"): // errors of this version are JSON strings
		h.Set("Content-Type", "application/json")
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(why) // fails only if the client has disconnected
	case strings.HasPrefix(r.URL.Path, "/api/"):
		h.Set("Content-Type", "application/json")
		w.WriteHeader(code)
		// Fails only if the client has disconnected.
		json.NewEncoder(w).Encode(map[string]any{"code": permissionDenied, "message": why, "details": []any{}})
	default:
		http.Error(w, why, code)
	}
}

// logOnce logs a refusal, once for each host and origin.
func (p *Policy) logOnce(name, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil || p.logged[name] || len(p.logged) == maxLogged {
		return
	}
	p.logged[name] = true
	p.log.Warn("a request was refused", "reason", why)
}
