package local_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/mail"
)

// guarded is a mail server that only a user with a password may send by. It offers authentication on any connection, so whatever a client
// sends without encryption would be seen.
type guarded struct {
	mu       sync.Mutex
	sessions int
	logins   []string // user, password
	letters  int
}

func (g *guarded) NewSession(*smtp.Conn) (smtp.Session, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions++
	return &guardedSession{session{box: &letterbox{}}, g, false}, nil
}

type guardedSession struct {
	session
	server *guarded
	known  bool
}

func (*guardedSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *guardedSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.logins = append(s.server.logins, user, password)
		if s.known = user == "bakta" && password == "s3cret"; !s.known {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *guardedSession) Rcpt(to string, o *smtp.RcptOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.letters++
	return s.session.Rcpt(to, o)
}

// TestMailServers sends by real servers of each kind. A password, and a message, must not reach one whose connection is not safe.
func TestMailServers(t *testing.T) {
	t.Parallel()
	h := receiveHooks(t, nil) // for its certificate
	pem, err := os.ReadFile(h.ca)
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(pem)
	for _, row := range []struct {
		name, scheme, password string
		tls                    *tls.Config // of the server
		first                  bool        // the server uses TLS from the first byte
		roots                  *x509.CertPool
		words                  string // of the error; empty: the message is sent
	}{
		{"STARTTLS", "smtp", "s3cret", h.TLS, false, known, ""},
		{"TLS", "smtps", "s3cret", h.TLS, true, known, ""},
		{"a wrong password", "smtp", "wrong", h.TLS, false, known, "refuses this server"},
		{"a server without STARTTLS", "smtp", "s3cret", nil, false, known, "refuses this server"},
		{"an unknown authority", "smtp", "s3cret", h.TLS, false, nil, "the certificate of the mail server is not trusted"},
		{"an unknown authority, TLS", "smtps", "s3cret", h.TLS, true, nil, "the certificate of the mail server is not trusted"},
		{"a server that does not use TLS", "smtps", "s3cret", h.TLS, false, known, "does not use TLS at this port"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			backend := new(guarded)
			server := smtp.NewServer(backend)
			server.AllowInsecureAuth = true
			server.ErrorLog = quiet{}
			if row.tls != nil {
				server.TLSConfig = row.tls.Clone()
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := listener.Addr().String()
			if row.first {
				listener = tls.NewListener(listener, server.TLSConfig)
			}
			go server.Serve(listener) // ends when the server closes
			t.Cleanup(func() { server.Close() })
			where := url.URL{Scheme: row.scheme, User: url.User("bakta"), Host: address}
			m, err := notify.ParseMailServer(where.String(), "Bakta <bakta@example.org>")
			if err != nil {
				t.Fatal(err)
			}
			sender, err := mail.New(mail.Options{Server: m, Password: row.password, Roots: row.roots, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			err = sendMail(t, sender)
			backend.mu.Lock()
			defer backend.mu.Unlock()
			if row.words == "" {
				if err != nil || backend.letters != 1 || strings.Join(backend.logins, " ") != "bakta s3cret" {
					t.Errorf("%v, %d letters, logins %q", err, backend.letters, backend.logins)
				}
				return
			}
			var failed *notify.Error
			if !errors.As(err, &failed) || failed.Final || backend.letters != 0 ||
				strings.Contains(err.Error(), row.password) {
				t.Errorf("%v, %d letters", err, backend.letters)
			} else if !strings.Contains(failed.Words, row.words) {
				t.Errorf("the words are %q, of %v", failed.Words, err)
			}
			if row.password == "s3cret" && len(backend.logins) > 0 {
				t.Errorf("the server got %q by a connection that is not safe", backend.logins)
			}
		})
	}
}

// sendMail sends ada the message about a job.
func sendMail(t *testing.T, sender *mail.Sender) error {
	t.Helper()
	at := time.Now()
	j := job.Job{
		ID: "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d", State: job.Succeeded, Updated: at, Expires: at.AddDate(0, 0, 30),
		Start: &job.Start{Notify: &job.Notify{Email: "ada@example.org"}},
	}
	message, err := notify.CloudEvent(notify.DefaultSource, j, job.EventSucceeded)
	if err != nil {
		t.Fatal(err)
	}
	return sender.Send(t.Context(), j, message)
}

// unwilling is a mail server that refuses everything at one point.
type unwilling struct {
	at    string // MAIL, RCPT or DATA
	error *smtp.SMTPError
}

func (u *unwilling) NewSession(*smtp.Conn) (smtp.Session, error) { return &unwillingSession{u}, nil }

type unwillingSession struct{ server *unwilling }

func (s *unwillingSession) refusal(at string) error {
	if at == s.server.at {
		return s.server.error
	}
	return nil
}

func (*unwillingSession) Reset()                                      {}
func (*unwillingSession) Logout() error                               { return nil }
func (s *unwillingSession) Mail(string, *smtp.MailOptions) error      { return s.refusal("MAIL") }
func (s *unwillingSession) Rcpt(to string, _ *smtp.RcptOptions) error { return s.refusal("RCPT") }
func (s *unwillingSession) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return s.refusal("DATA")
}

// TestMailRefusals: a refusal that another attempt can't change is final. One of the sender, or of this server, is not: operators can
// correct it, and Postfix only tells it after the address.
func TestMailRefusals(t *testing.T) {
	t.Parallel()
	const address, message, server = "did not accept the address", "did not accept the message", "does not let this server send"
	none := smtp.NoEnhancedCode
	for _, row := range []struct {
		at     string
		code   int
		status smtp.EnhancedCode
		final  bool
		words  string
	}{
		{"RCPT", 550, smtp.EnhancedCode{5, 1, 1}, true, address + " (550 5.1.1)"},
		{"RCPT", 550, smtp.EnhancedCode{5, 1, 2}, true, address},
		{"RCPT", 501, smtp.EnhancedCode{5, 1, 3}, true, address},
		{"RCPT", 551, smtp.EnhancedCode{5, 1, 6}, true, address},
		{"RCPT", 556, smtp.EnhancedCode{5, 1, 10}, true, address},
		{"RCPT", 550, smtp.EnhancedCode{5, 2, 1}, true, address},
		{"RCPT", 550, none, true, address + " (550)"},
		{"RCPT", 551, none, true, address},
		{"RCPT", 553, none, true, address},
		{"RCPT", 554, smtp.EnhancedCode{5, 7, 1}, false, server + " (554 5.7.1)"}, // Relay access denied
		{"RCPT", 553, smtp.EnhancedCode{5, 7, 1}, false, server},                  // Sender address rejected
		{"RCPT", 550, smtp.EnhancedCode{5, 1, 8}, false, server},
		{"RCPT", 550, smtp.EnhancedCode{5, 7, 26}, false, server},
		{"RCPT", 530, none, false, server},
		{"RCPT", 554, none, false, server + " (554)"},
		{"RCPT", 552, smtp.EnhancedCode{5, 2, 2}, false, address},
		{"RCPT", 552, none, false, address},
		{"RCPT", 450, smtp.EnhancedCode{4, 1, 1}, false, address + " (450 4.1.1)"},
		{"RCPT", 450, none, false, address},
		{"DATA", 554, smtp.EnhancedCode{5, 7, 1}, false, server + " (554 5.7.1)"},
		{"DATA", 554, smtp.EnhancedCode{5, 6, 0}, true, message + " (554 5.6.0)"},
		{"DATA", 554, none, true, message},
		{"DATA", 451, smtp.EnhancedCode{4, 7, 1}, false, message},
		{"MAIL", 553, smtp.EnhancedCode{5, 1, 8}, false, server},
		{"MAIL", 451, smtp.EnhancedCode{4, 3, 0}, false, message},
	} {
		t.Run(fmt.Sprint(row.at, row.code, row.status), func(t *testing.T) {
			t.Parallel()
			refusal := &smtp.SMTPError{Code: row.code, EnhancedCode: row.status, Message: "by internal.example.org"}
			backend := smtp.NewServer(&unwilling{row.at, refusal})
			backend.ErrorLog = quiet{}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go backend.Serve(listener) // ends when the server closes
			t.Cleanup(func() { backend.Close() })
			m, err := notify.ParseMailServer("smtp+plain://"+listener.Addr().String(), "Bakta <bakta@example.org>")
			if err != nil {
				t.Fatal(err)
			}
			sender, err := mail.New(mail.Options{Server: m, Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			err = sendMail(t, sender)
			var failed *notify.Error
			if !errors.As(err, &failed) || failed.Final != row.final || !strings.Contains(failed.Words, row.words) ||
				!strings.Contains(failed.Words, fmt.Sprint(row.code)) || strings.Contains(failed.Words, "internal") {
				t.Errorf("%+v; want final %t, with %q", err, row.final, row.words)
			}
		})
	}
}

// quiet is a log that is not written.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
