package notify_test

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

func TestWebhooks(t *testing.T) {
	long := "https://example.org/" + strings.Repeat("x", notify.MaxWebhook)
	for _, tt := range []struct{ url, refused string }{
		{"https://example.org", ""},
		{"https://example.org:443/hook?token=a%20b&c", ""},
		{"HTTPS://Example.ORG./hook", ""},
		{"https://hooks.example.org:8443/", ""},
		{"https://xn--bcher-kva.example/", ""},
		{"https://9.9.9.9/", ""},
		{"https://[2606:4700:4700::1111]:8443/x", ""},
		{"https://hooks_1.example.org/", ""},
		{long[:notify.MaxWebhook], ""},
		{long[:notify.MaxWebhook+1], "2049 bytes"},
		{"http://example.org/", "only https"},
		{"ftp://example.org/", "only https"},
		{"//example.org/", "only https"},
		{"example.org/hook", "only https"},
		{"https:example.org", "host"},
		{"https:///hook", "host"},
		{"https://", "host"},
		{"https://ada@example.org/", "user name"},
		{"https://ada:word@example.org/", "user name"},
		{"https://@example.org/", "user name"},
		{"https://example.org/#part", "fragment"},
		{"https://example.org/#", "fragment"},
		{"https://example.org/ hook", "space"},
		{"https://example.org/\r\nX-Other: 1", "space"},
		{"https://example.org/h\x00", "space"},
		{"https://bücher.example/", "xn--"},
		{"https://example.org:80/", "port"},
		{"https://example.org:25/", "port"},
		{"https://example.org:/", "port"},
		{"https://example.org:65536/", "port"},
		{"https://example.org:x/", "not a URL"},
		{"https://[::1/", "not a URL"},
		{"https://exa%6dple.org/", "not a URL"},
		{"https://-example.org/", "host"},
		{"https://example..org/", "host"},
		{"https://127.1/", "host"},
		{"https://2130706433/", "host"},
		{"https://0x7f000001/", "host"},
		{"https://0x7f.0.0.1/", "host"},
		{"https://127.0.0.01/", "host"},
		{"https://127.0.0.1/", "public"},
		{"https://10.0.0.1:8443/", "public"},
		{"https://169.254.169.254/latest", "public"},
		{"https://[::1]/", "public"},
		{"https://[fe80::1]/", "public"},
		{"https://[fe80::1%25eth0]/", "host"},
		{"https://[::ffff:9.9.9.9]/", "host"},
	} {
		n, err := notify.Offer{Webhook: true}.Check(tt.url, "")
		switch {
		case tt.refused == "" && err != nil:
			t.Errorf("%.60q: %v", tt.url, err)
		case tt.refused == "" && (n.Webhook != tt.url || len(n.Key) != 32):
			t.Errorf("%.60q: %+v", tt.url, n)
		case tt.refused != "" && (!job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%.60q: %v, want a refusal with %q", tt.url, err, tt.refused)
		}
	}
	lab := notify.Offer{Webhook: true, Networks: notify.Networks{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	if _, err := lab.Check("https://10.0.0.1/", ""); err != nil {
		t.Errorf("an address that is allowed: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		address string
		ok      bool
	}{
		{"ada@example.org", true},
		{"ada.lovelace+bakta@mail.example.org", true},
		{"o'hara@example.org", true},
		{strings.Repeat("x", 64) + "@example.org", true},
		{strings.Repeat("x", 65) + "@example.org", false},
		{"ada@" + strings.Repeat("x.", 130) + "org", false},
		{"ada", false},
		{"@example.org", false},
		{"ada@", false},
		{"ada@example.org, eve@example.org", false},
		{"Ada <ada@example.org>", false},
		{"<ada@example.org>", false},
		{"ada@example.org (comment)", false},
		{"group: ada@example.org;", false},
		{" ada@example.org", false},
		{"ada@example.org\n", false},
		{"ada@example.org\r\nBcc: eve@example.org", false},
		{"\"a b\"@example.org", false},
		{"ada@[127.0.0.1]", false},
		{"adä@example.org", false},
		{"ada@127.1", false},
		{"ada@127.0.0.1", false},
		{"ada@[IPv6:::1]", false},
	} {
		n, err := notify.Offer{Email: true}.Check("", tt.address)
		if tt.ok != (err == nil) || err != nil && !job.Is(err, job.Invalid) {
			t.Errorf("%.60q: %v, want accepted: %v", tt.address, err, tt.ok)
		}
		if tt.ok && (n.Email != tt.address || n.Key != nil) {
			t.Errorf("%.60q: %+v", tt.address, n)
		}
	}
}

func TestOffer(t *testing.T) {
	for _, tt := range []struct {
		offer          notify.Offer
		webhook, email string
		refused        string
	}{
		{notify.Offer{}, "", "", ""},
		{notify.Offer{}, "https://example.org/", "", "notify.webhook: this server does not send webhooks"},
		{notify.Offer{Email: true}, "https://example.org/", "ada@example.org", "notify.webhook: this server does not send webhooks"},
		{notify.Offer{Webhook: true}, "https://example.org/", "ada@example.org", "notify.email: this server does not send mail"},
		{notify.Offer{Webhook: true, Email: true}, "https://example.org/", "ada@example.org", ""},
	} {
		_, err := tt.offer.Check(tt.webhook, tt.email)
		if tt.refused == "" && err != nil || tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)) {
			t.Errorf("%+v, %q, %q: %v, want %q", tt.offer, tt.webhook, tt.email, err, tt.refused)
		}
	}
	a, _ := notify.Offer{Webhook: true}.Check("https://example.org/", "")
	b, _ := notify.Offer{Webhook: true}.Check("https://example.org/", "")
	if bytes.Equal(a.Key, b.Key) || !a.Same(b) {
		t.Error("two starts must have different keys, and are the same otherwise")
	}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(notify.KeyText(a.Key), "whsec_")); err != nil ||
		!bytes.Equal(key, a.Key) {
		t.Errorf("the key is %s, %v", notify.KeyText(a.Key), err)
	}
}
