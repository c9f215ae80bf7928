package notify

import (
	"crypto/rand"
	"encoding/base64"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Bounds of what a start may name, in bytes.
const (
	MaxWebhook = 2048
	MaxEmail   = 254 // of an address in SMTP, RFC 5321
)

// Offer is which notifications a deployment makes.
type Offer struct {
	Webhook  bool
	Email    bool
	Networks Networks // where webhooks may be
}

// keyBytes is the length of a signing key. Standard Webhooks requires 24 to 64 bytes.
const keyBytes = 32

// KeyText returns a signing key as the libraries of Standard Webhooks take it.
func KeyText(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }

// Check returns what a start asks for, with a new key for its webhook, or a job.Invalid error. It returns nil for nothing.
func (o Offer) Check(webhook, email string) (*job.Notify, error) {
	if webhook == "" && email == "" {
		return nil, nil
	}
	n := &job.Notify{Webhook: webhook, Email: email}
	if webhook != "" {
		if !o.Webhook {
			return nil, job.Errorf(job.Invalid, "notify.webhook: this server does not send webhooks; leave it out")
		}
		if err := o.checkWebhook(webhook); err != nil {
			return nil, err
		}
		n.Key = make([]byte, keyBytes)
		rand.Read(n.Key) // never fails, see crypto/rand
	}
	if email != "" {
		if !o.Email {
			return nil, job.Errorf(job.Invalid, "notify.email: this server does not send mail; leave it out")
		}
		if err := checkEmail(email); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (o Offer) checkWebhook(text string) error {
	refuse := func(why string) error {
		return job.Errorf(job.Invalid, "notify.webhook: %s; write a URL such as https://example.org/hooks/bakta", why)
	}
	if len(text) > MaxWebhook {
		return refuse("the URL has " + strconv.Itoa(len(text)) + " bytes, at most " + strconv.Itoa(MaxWebhook) + " are allowed")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return refuse("the URL contains a space, a control character or a character outside ASCII, which must be percent-encoded (a host " +
			"name in its xn-- form)")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return refuse("this is not a URL")
	case !strings.EqualFold(u.Scheme, "https"):
		return refuse("only https is allowed")
	case u.User != nil:
		return refuse("a user name or password in the URL is not allowed")
	case strings.Contains(text, "#"):
		return refuse("a fragment (#) is not allowed")
	case !validHost(u.Hostname()):
		return refuse("the host is not a name or an IP address")
	case !validPort(u):
		return refuse("the port must be 443, or 1024 to 65535")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !o.Networks.Allows(a) {
		return refuse("the address is not a public one")
	}
	return nil
}

// validPort reports whether the URL has no port, or one at which no other common service listens.
func validPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n == 443 || n >= 1024)
}

// validHost reports whether a host is an address in its usual form, or a name. C libraries also read 127.1, 0x7f000001 and 2130706433 as
// IPv4 addresses; no top-level domain is a number, so these are refused.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == "" && !a.Is4In6()
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" ||
			label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

func checkEmail(text string) error {
	refuse := func(why string) error {
		return job.Errorf(job.Invalid, "notify.email: %s; write one address such as ada@example.org", why)
	}
	if len(text) > MaxEmail {
		return refuse("the address has " + strconv.Itoa(len(text)) + " bytes, at most " + strconv.Itoa(MaxEmail) + " are allowed")
	}
	// The parser also reads names, comments and groups; only the address itself is taken. ASCII, because not every mail server has
	// SMTPUTF8.
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return refuse("this is not an e-mail address")
	}
	at := strings.LastIndexByte(text, '@')
	local, domain := text[:at], text[at+1:]
	if len(local) > 64 || strings.ContainsAny(local, `"\`) || !validHost(domain) {
		return refuse("this is not an e-mail address")
	}
	// Some mail servers would connect to it, also inside the network.
	if _, err := netip.ParseAddr(domain); err == nil {
		return refuse("the part after the @ is an IP address, not a name")
	}
	return nil
}
