// Package mail sends messages about the ends of jobs as mail, by the mail server of the deployment.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/wneessen/go-mail"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// Options are the options of a Sender.
type Options struct {
	Server   notify.MailServer
	Password string         // of Server.User
	Roots    *x509.CertPool // authorities of the server's certificate; nil: those of the system
	Timeout  time.Duration  // of the connection, and again of the transmission; 0: 8 s
}

// MaxTime is how long an attempt may take, with the default Timeout.
const MaxTime = 3 * timeout

// timeout is the default of Options.Timeout.
const timeout = 8 * time.Second

// Sender sends messages by mail.
type Sender struct {
	options Options
	from    *netmail.Address
	domain  string // of the address that mail is from
	client  []mail.Option
}

// New returns a Sender. It makes no network call.
func New(o Options) (*Sender, error) {
	if o.Timeout == 0 {
		o.Timeout = timeout
	}
	from, err := netmail.ParseAddress(o.Server.From)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	client := []mail.Option{
		mail.WithPort(o.Server.Port),
		mail.WithTimeout(o.Timeout),
		mail.WithTLSConfig(&tls.Config{ServerName: o.Server.Host, MinVersion: tls.VersionTLS12, RootCAs: o.Roots}),
	}
	switch o.Server.Encryption {
	case notify.TLS:
		client = append(client, mail.WithSSL())
	case notify.StartTLS:
		client = append(client, mail.WithTLSPolicy(mail.TLSMandatory))
	case notify.Plain:
		client = append(client, mail.WithTLSPolicy(mail.NoTLS))
	}
	if o.Server.User != "" {
		client = append(client, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(o.Server.User), mail.WithPassword(o.Password))
	}
	return &Sender{options: o, from: from, domain: domain, client: client}, nil
}

// Send sends the message to the address of the job. The error is a *notify.Error.
func (s *Sender) Send(ctx context.Context, j job.Job, message event.Event) error {
	if j.Start == nil || j.Start.Notify == nil || j.Start.Notify.Email == "" {
		return &notify.Error{Words: "the job has no mail address", Final: true}
	}
	letter, err := s.letter(j, message)
	if err != nil {
		return &notify.Error{Words: "the mail can't be written", Final: true, Cause: err}
	}
	// A client for each message: it keeps the state of its connection.
	client, err := mail.NewClient(s.options.Server.Host, s.client...)
	if err != nil {
		return &notify.Error{Words: "the mail server is not configured correctly", Cause: err}
	}
	err = client.DialAndSendWithContext(ctx, letter)
	if err == nil || letter.IsDelivered() { // what fails after the server has accepted the message does not matter
		return nil
	}
	return failed(err, j.Start.Notify.Email)
}

// letter writes the mail.
func (s *Sender) letter(j job.Job, message event.Event) (*mail.Msg, error) {
	letter := mail.NewMsg()
	if err := letter.FromFormat(s.from.Name, s.from.Address); err != nil {
		return nil, err
	}
	if err := letter.To(j.Start.Notify.Email); err != nil {
		return nil, err
	}
	subject, text := words(j, message)
	letter.Subject(subject)
	letter.SetMessageIDWithValue(message.ID() + "@" + s.domain)
	letter.SetDateWithValue(message.Time()) // the same each time, see notify.CloudEvent
	// RFC 3834: no one is away, and no one replies.
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetGenHeader("X-Auto-Response-Suppress", "All")
	letter.SetBodyString(mail.TypeTextPlain, text)
	return letter, nil
}

// maxName bounds the name of a job in a mail, in bytes. Who starts a job writes it, and may name the address of somebody else.
const maxName = 80

// timeFormat is how times are written in mails.
const timeFormat = "2006-01-02 15:04 UTC"

// words returns the subject and the text of a mail.
func words(j job.Job, message event.Event) (subject, text string) {
	name := job.Words(j.Name, maxName)
	if name == "" {
		name = j.ID
	}
	at := func(t time.Time) string { return t.UTC().Format(timeFormat) }
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch job.Event(strings.TrimPrefix(message.Type(), notify.TypePrefix)) {
	case job.EventSucceeded:
		subject = fmt.Sprintf("Bakta job %q has succeeded", name)
		line("The Bakta job %q has succeeded.", name)
	case job.EventExpiring:
		subject = fmt.Sprintf("Bakta job %q is deleted soon", name)
		line("The Bakta job %q is deleted soon, with its results. Download what you need before then.", name)
	default:
		subject = fmt.Sprintf("Bakta job %q has failed", name)
		line("The Bakta job %q has failed.", name)
		if f := j.Failure; f != nil {
			line("\nReason: %s", job.Words(f.Message, job.MaxMessage))
		}
	}
	line("\nId:       %s", j.ID)
	line("Workflow: %s", j.Workflow)
	line("Started:  %s", at(j.Started))
	line("Ended:    %s", at(j.Updated))
	line("Deleted:  %s", at(j.Expires))
	if strings.HasPrefix(message.Source(), "https://") || strings.HasPrefix(message.Source(), "http://") {
		line("Server:   %s", message.Source())
	}
	line("\nThe start of the job named this address. Replies are not read.")
	return subject, b.String()
}

// failed returns why the mail was not accepted. The texts of the server are only logged: they may have internal names. The address is not
// logged: it is personal data, which the library and most servers repeat.
func failed(err error, address string) error {
	var sent *mail.SendError
	known := errors.As(err, &sent)
	err = hidden{err, address}
	if !known {
		var dns *net.DNSError
		var network net.Error
		var certificate *tls.CertificateVerificationError // also of another name, or out of its time
		var record tls.RecordHeaderError
		switch {
		case errors.As(err, &certificate):
			return &notify.Error{Words: "the certificate of the mail server is not trusted", Cause: err}
		case errors.As(err, &record):
			return &notify.Error{Words: "the mail server does not use TLS at this port", Cause: err}
		}
		if errors.As(err, &dns) || errors.As(err, &network) {
			return &notify.Error{Words: "the mail server can't be reached", Cause: err}
		}
		return &notify.Error{Words: "the mail server refuses this server", Cause: err}
	}
	code, status := sent.ErrorCode(), sent.EnhancedStatusCode()
	if code == 0 { // the server has said nothing
		return &notify.Error{Words: "the transmission to the mail server failed", Cause: err}
	}
	final, words := judge(sent.Reason, code, status)
	return &notify.Error{Words: fmt.Sprintf("%s (%s)", words, strings.TrimSpace(fmt.Sprint(code, " ", status))), Final: final, Cause: err}
}

// badAddress are the enhanced status codes (RFC 3463, RFC 7505) of an address that gets no mail: its mailbox or domain does not exist, its
// form is wrong, it has moved, its domain accepts no mail, or the mailbox is disabled.
var badAddress = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}

// judge returns whether a refusal is final, and what it says. Only what concerns the address or the message is final. A sender that is
// refused, or this server, is for the operators to correct, within the time of the attempts. Postfix delays such refusals to its answer
// about the address (smtpd_delay_reject). The status is empty if the server gave none.
func judge(at mail.SendErrReason, code int, status string) (final bool, words string) {
	const refused = "the mail server does not let this server send"
	never, policy := code/100 == 5, strings.HasPrefix(status, "5.7.")
	switch {
	case at == mail.ErrSMTPRcptTo:
		bad := slices.Contains(badAddress, status) || status == "" && (code == 550 || code == 551 || code == 553)
		full := status == "" && code == 552 || strings.HasPrefix(status, "5.2.") // also of the mailbox, and may pass
		if never && !bad && !full {
			return false, refused
		}
		return never && bad, "the mail server did not accept the address"
	case never && (at == mail.ErrSMTPMailFrom || policy):
		return false, refused
	}
	return never && at == mail.ErrSMTPDataClose, "the mail server did not accept the message"
}

// hidden is an error without the address that the message is to.
type hidden struct {
	error
	address string
}

func (h hidden) Error() string {
	return regexp.MustCompile("(?i)"+regexp.QuoteMeta(h.address)).ReplaceAllLiteralString(h.error.Error(), "ADDRESS")
}

func (h hidden) Unwrap() error { return h.error }
