package mail_test

import (
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/mail"
)

func TestServer(t *testing.T) {
	for text, want := range map[string]mail.Options{
		"smtp://mail.example.org":                        {Host: "mail.example.org", Port: 587, Encryption: mail.StartTLS},
		"smtp://bakta@mail.example.org:2525/":            {Host: "mail.example.org", Port: 2525, Encryption: mail.StartTLS, User: "bakta"},
		"smtps://bakta%40example.org@mail.example.org":   {Host: "mail.example.org", Port: 465, Encryption: mail.TLS, User: "bakta@example.org"},
		"smtp+plain://[::1]:1025":                        {Host: "::1", Port: 1025, Encryption: mail.Plain},
		"smtp://bakta:word@mail.example.org":             {},
		"mail.example.org":                               {},
		"http://mail.example.org":                        {},
		"smtp://":                                        {},
		"smtp://mail.example.org/path":                   {},
		"smtp://mail.example.org?from=bakta@example.org": {},
		"smtp://mail.example.org:x":                      {},
	} {
		got, err := mail.Server(text)
		if (err != nil) != (want == mail.Options{}) || got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	good := mail.Options{Host: "mail.example.org", Port: 587, Encryption: mail.StartTLS, From: "Bakta <bakta@example.org>"}
	for name, tt := range map[string]struct {
		change func(o *mail.Options)
		ok     bool
	}{
		"good":                     {func(*mail.Options) {}, true},
		"without a host":           {func(o *mail.Options) { o.Host = "" }, false},
		"without a sender":         {func(o *mail.Options) { o.From = "" }, false},
		"two senders":              {func(o *mail.Options) { o.From = "a@example.org, b@example.org" }, false},
		"plain elsewhere":          {func(o *mail.Options) { o.Encryption = mail.Plain }, false},
		"plain on this machine":    {func(o *mail.Options) { o.Encryption, o.Host = mail.Plain, "127.0.0.1" }, true},
		"plain with a password":    {func(o *mail.Options) { o.Encryption, o.Host, o.User = mail.Plain, "localhost", "bakta" }, false},
		"an unknown encryption":    {func(o *mail.Options) { o.Encryption = "ssl" }, false},
		"a port that is too large": {func(o *mail.Options) { o.Port = 70_000 }, false},
	} {
		o := good
		tt.change(&o)
		if err := o.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
