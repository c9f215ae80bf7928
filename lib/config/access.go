package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxClockSkew bounds Access.ClockSkew: for that long, an expired token is accepted.
const maxClockSkew = 10 * time.Minute

func checkAccess(a Access, found *findings) {
	if n := a.TrustedProxies; n < 0 || n > 10 {
		found.bad("Access.TrustedProxies", "is %d; it must be 0 to 10", n)
	}
	if name := a.ForwardedHeader; !strings.EqualFold(name, "X-Forwarded-For") && !strings.EqualFold(name, "Forwarded") {
		found.bad("Access.ForwardedHeader", "is %q; write X-Forwarded-For or Forwarded", name)
	}
	if a.ClockSkew < 0 || a.ClockSkew > maxClockSkew {
		found.bad("Access.ClockSkew", "is %s; it must be 0s to %s", a.ClockSkew, maxClockSkew)
	}
	if len(a.Groups) > 0 && a.GroupsClaim == "" {
		found.bad("Access.GroupsClaim", "is missing: the claim of a token with the groups of its subject, such as groups; Access.Groups needs it")
	}
	if len(a.Groups) == 0 && a.GroupsClaim != "" {
		found.bad("Access.Groups", "is missing: the groups of which a caller must have one; without them leave Access.GroupsClaim empty")
	}
	if slices.Contains(a.Groups, "") {
		found.bad("Access.Groups", "contains an empty name")
	}
	if a.Issuer == "" {
		for _, other := range []struct {
			key   string
			given bool
		}{
			{"Access.Audience", a.Audience != ""}, {"Access.Required", a.Required}, {"Access.GroupsClaim", a.GroupsClaim != ""},
			{"Access.ClientID", a.ClientID != ""},
		} {
			if other.given && !found.failed(other.key) {
				found.bad(other.key, "has no effect without Access.Issuer; name the issuer, or remove the key")
			}
		}
		return
	}
	if !isIssuer(a.Issuer) {
		found.bad("Access.Issuer", "is %q; write the issuer's URL as its tokens name it, such as https://login.example.org: "+
			"with https (http only for a loopback address), without a user, a query and a fragment", a.Issuer)
	}
	found.missing(a.Audience, "Access.Audience", "the audience that tokens for this server have; often it is the client ID")
	if a.ClientID != "" && !slices.Contains(a.Scopes, "openid") {
		found.bad("Access.Scopes", "must contain openid; add offline_access, so that a login lasts longer than one token")
	}
}

// isIssuer reports whether text is the URL of an issuer (OpenID Connect Discovery 1.0, section 3).
func isIssuer(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return false
	}
	if u.Scheme == "http" {
		address, err := netip.ParseAddr(u.Hostname())
		return u.Hostname() == "localhost" || err == nil && address.IsLoopback()
	}
	return u.Scheme == "https"
}
