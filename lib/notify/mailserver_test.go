package notify_test

import (
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

func TestMailServer(t *testing.T) {
	const from = "Bakta <bakta@example.org>"
	for _, tt := range []struct {
		url, from string
		want      notify.MailServer // without From; zero: refused
	}{
		{"smtp://mail.example.org", from, notify.MailServer{Host: "mail.example.org", Port: 587, Encryption: notify.StartTLS}},
		{
			"smtp://bakta@mail.example.org:2525/", from,
			notify.MailServer{Host: "mail.example.org", Port: 2525, Encryption: notify.StartTLS, User: "bakta"},
		},
		{
			"smtps://bakta%40example.org@mail.example.org", "bakta@example.org",
			notify.MailServer{Host: "mail.example.org", Port: 465, Encryption: notify.TLS, User: "bakta@example.org"},
		},
		{"smtp+plain://[::1]:1025", from, notify.MailServer{Host: "::1", Port: 1025, Encryption: notify.Plain}},
		{"smtp+plain://localhost", from, notify.MailServer{Host: "localhost", Port: 25, Encryption: notify.Plain}},
		{"smtp+plain://mail.example.org", from, notify.MailServer{}},
		{"smtp+plain://bakta@localhost", from, notify.MailServer{}},
		{"smtp://bakta:word@mail.example.org", from, notify.MailServer{}},
		{"mail.example.org", from, notify.MailServer{}},
		{"http://mail.example.org", from, notify.MailServer{}},
		{"smtp://", from, notify.MailServer{}},
		{"smtp://mail.example.org/path", from, notify.MailServer{}},
		{"smtp://mail.example.org?from=bakta@example.org", from, notify.MailServer{}},
		{"smtp://mail.example.org:0", from, notify.MailServer{}},
		{"smtp://mail.example.org:70000", from, notify.MailServer{}},
		{"smtp://mail.example.org", "", notify.MailServer{}},
		{"smtp://mail.example.org", "a@example.org, b@example.org", notify.MailServer{}},
	} {
		got, err := notify.ParseMailServer(tt.url, tt.from)
		refused := tt.want == notify.MailServer{}
		if !refused {
			tt.want.From = tt.from
		}
		if (err != nil) != refused || got != tt.want {
			t.Errorf("%s from %q: %+v, %v, want %+v", tt.url, tt.from, got, err, tt.want)
		}
	}
}

// The error about a password in the URL names the variables where it belongs, and does not repeat it.
func TestMailServerPassword(t *testing.T) {
	_, err := notify.ParseMailServer("smtp://bakta:s3cret@mail.example.org", "bakta@example.org")
	const want = "set the environment variable MailPassword (BAKTA_WEB_MAIL_PASSWORD for bakta-web local)"
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error is %v", err)
	}
}
