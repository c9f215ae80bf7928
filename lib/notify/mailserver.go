package notify

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
)

// Encryption is how the connection to a mail server is encrypted.
type Encryption string

// The kinds of encryption.
const (
	StartTLS Encryption = "starttls" // required, after a greeting in clear text; usually port 587
	TLS      Encryption = "tls"      // from the first byte; usually port 465
	Plain    Encryption = "none"     // no encryption, for a server at a loopback address only
)

// MailServer is a mail server, and the sender of the mail that it sends.
type MailServer struct {
	Host       string // its name, for which its certificate must be valid
	Port       int
	Encryption Encryption
	User       string // no authentication if empty
	From       string // address that mail is from, with or without a name
}

// ParseMailServer reads the URL of a mail server and the address that mail is from. The URL is smtp://[USER@]HOST[:PORT] for STARTTLS on
// port 587, smtps:// for TLS on port 465, and smtp+plain:// for a server on this machine without encryption, on port 25.
func ParseMailServer(text, from string) (MailServer, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return MailServer{}, errors.New("this is not the URL of a mail server; write smtp://mail.example.org, with a user and a port if " +
			"needed: smtps://bakta@mail.example.org:465")
	}
	m := MailServer{Host: u.Hostname(), User: u.User.Username(), From: from}
	if _, given := u.User.Password(); given {
		return MailServer{}, errors.New("the URL contains a password; take it out and set the environment variable MailPassword " +
			"(BAKTA_WEB_MAIL_PASSWORD for bakta-web local)")
	}
	switch u.Scheme {
	case "smtp":
		m.Encryption, m.Port = StartTLS, 587
	case "smtps":
		m.Encryption, m.Port = TLS, 465
	case "smtp+plain":
		m.Encryption, m.Port = Plain, 25
		if a, err := netip.ParseAddr(m.Host); m.Host != "localhost" && (err != nil || !a.IsLoopback()) {
			return MailServer{}, errors.New("only a mail server on this machine (localhost) can be used without encryption")
		}
		if m.User != "" {
			return MailServer{}, errors.New("a password is not sent without encryption")
		}
	default:
		return MailServer{}, errors.New("the URL must begin with smtp:// or smtps://")
	}
	if port := u.Port(); port != "" {
		if m.Port, err = strconv.Atoi(port); err != nil || m.Port < 1 || m.Port > 65535 {
			return MailServer{}, errors.New("the port must be 1 to 65535")
		}
	}
	if _, err := mail.ParseAddress(from); err != nil {
		return MailServer{}, fmt.Errorf("the sender %q is not a mail address; write one such as Bakta <bakta@example.org>", from)
	}
	return m, nil
}
