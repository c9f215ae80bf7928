package mail

import (
	"errors"
	"net/url"
	"strconv"
)

// Server reads the URL of a mail server: smtp://[USER@]HOST[:PORT] for STARTTLS on port 587, smtps:// for TLS on port 465, and
// smtp+plain:// for a server on this machine without encryption, on port 25.
func Server(text string) (Options, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return Options{}, errors.New("is not the URL of a mail server; write smtp://mail.example.org, with a user and a port if needed: " +
			"smtps://bakta@mail.example.org:465")
	}
	o := Options{Host: u.Hostname(), User: u.User.Username()}
	if _, given := u.User.Password(); given {
		return Options{}, errors.New("contains a password, which belongs into an environment variable")
	}
	switch u.Scheme {
	case "smtp":
		o.Encryption, o.Port = StartTLS, 587
	case "smtps":
		o.Encryption, o.Port = TLS, 465
	case "smtp+plain":
		o.Encryption, o.Port = Plain, 25
	default:
		return Options{}, errors.New("must begin with smtp:// or smtps://")
	}
	if port := u.Port(); port != "" {
		if o.Port, err = strconv.Atoi(port); err != nil {
			return Options{}, err
		}
	}
	return o, nil
}
