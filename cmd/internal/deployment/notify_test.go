package deployment

import (
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
)

// A user without a password would be refused by the mail server, for each message.
func TestMailPassword(t *testing.T) {
	for _, row := range []struct{ user, password, fails string }{
		{"", "", ""},
		{"ada@", "s3cret", ""},
		{"ada@", "", "MailPassword is missing: the password of the user ada"},
	} {
		cfg := config.Default()
		cfg.Notify.Function = "http://notify"
		cfg.Notify.Mail = config.Mail{Server: "smtp://" + row.user + "mail.example.org", From: "a@example.org"}
		cfg.Notify.Mail.Password = config.Secret(row.password)
		senders, err := (&Deployment{Config: cfg}).senders()
		if row.fails == "" && (err != nil || len(senders) != 2) || row.fails != "" && (err == nil || !strings.Contains(err.Error(), row.fails)) {
			t.Errorf("%q: %d senders, %v, want %q", row.user, len(senders), err, row.fails)
		}
	}
}
