package local

import (
	"log/slog"
	"strings"
	"testing"
)

// Options of notifications that are wrong, or that would have no effect, are refused at the start.
func TestNotifyOptions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		notify Notify
		fails  string // empty: it does not
	}{
		{"nothing", Notify{}, ""},
		{"a network", Notify{Webhooks: true, Allow: []string{"10.0.0.0/8"}, Forbid: []string{"10.1.0.0/16"}}, ""},
		{"a network without webhooks", Notify{Allow: []string{"10.0.0.0/8"}}, "--notify-allow has no effect without --notify-webhooks"},
		{"a forbidden network without webhooks", Notify{Forbid: []string{"10.0.0.0/8"}}, "--notify-forbid has no effect"},
		{"not a network", Notify{Webhooks: true, Forbid: []string{"lab"}}, `--notify-forbid: "lab" is not a network`},
		{"a sender without a server", Notify{MailFrom: "a@example.org"}, "--mail-from has no effect without --mail-server"},
		{"authorities of nothing", Notify{CA: "ca.pem", OnEnd: "true"}, "--notify-ca has no effect without --notify-webhooks or --mail-server"},
		{"a file that does not exist", Notify{CA: "nowhere.pem", Webhooks: true}, "--notify-ca: open nowhere.pem"},
		{"not a file of authorities", Notify{CA: "go.mod", Webhooks: true}, "--notify-ca: go.mod has no certificate"},
		{"a server", Notify{MailServer: "smtp://mail.example.org", MailFrom: "a@example.org"}, ""},
		{"a server without a sender", Notify{MailServer: "smtp://mail.example.org"}, `the sender "" is not a mail address`},
		{"a user", Notify{MailServer: "smtp://ada@mail.example.org", MailFrom: "a@example.org", MailPassword: "x"}, ""},
		{"a user without a password", Notify{MailServer: "smtp://ada@mail.example.org", MailFrom: "a@example.org"},
			"the password of ada is missing; set the environment variable BAKTA_WEB_MAIL_PASSWORD"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			made, err := row.notify.open(t.TempDir(), "1.0", slog.New(slog.DiscardHandler))
			made.stop()
			if (err == nil) != (row.fails == "") || err != nil && !strings.Contains(err.Error(), row.fails) {
				t.Errorf("%v, want %q", err, row.fails)
			}
		})
	}
}
