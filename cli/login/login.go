// Package login keeps the tokens of a user for the servers where it has logged in, in a file that no other user can read, and renews them.
package login

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gofrs/flock"
	"golang.org/x/oauth2"

	"github.com/ag-computational-bio/bakta-web-backend/cli/privatefile"
	"github.com/ag-computational-bio/bakta-web-backend/client"
)

const (
	// early is how long before its end a token is renewed, so that it does not expire on the way.
	early = 30 * time.Second
	// lockTime is how long another process may hold the file: it may wait for the issuer.
	lockTime = time.Minute
)

// entry is the login at one server.
type entry struct {
	Server   string    `json:"server"` // URL; the token is sent to no other
	Audience string    `json:"audience"`
	ClientID string    `json:"client_id"`
	TokenURL string    `json:"token_url"`
	Token    string    `json:"token"`
	Expires  time.Time `json:"expires"`
	Refresh  string    `json:"refresh_token,omitempty"`
}

// Logins is a file of logins. Several processes may use it at a time.
type Logins struct {
	path string
	http *http.Client // for issuers
}

// Open returns the logins in a file, which need not exist yet.
func Open(path string, issuers *http.Client) *Logins { return &Logins{path, issuers} }

// ErrExpired is the cause of an error about a login that can't be renewed. Where the server requires no token, calls may go on without.
var ErrExpired = errors.New("the login has expired; log in again with `bakta-web login`")

// Begin starts a login (RFC 8628) at a server. The user opens the URL in any browser and enters the code. The function that it returns
// waits until the user has done so, and keeps the token.
func (l *Logins) Begin(
	ctx context.Context,
	server string,
	a client.Access,
) (shown *oauth2.DeviceAuthResponse, wait func() error, err error) {
	for _, address := range []string{server, a.Issuer} {
		if !client.Private(address) {
			return nil, nil, fmt.Errorf("%s is not https; a token must not be sent where it can be read on the way", address)
		}
	}
	ctx = oidc.ClientContext(ctx, l.http)
	provider, err := oidc.NewProvider(ctx, a.Issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the issuer %s: %w", a.Issuer, err)
	}
	config := oauth2.Config{ClientID: a.ClientID, Scopes: a.Scopes, Endpoint: provider.Endpoint()}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client has no password
	switch e := config.Endpoint; {
	case e.DeviceAuthURL == "":
		return nil, nil, fmt.Errorf("the issuer %s does not offer logins of programs (the device flow)", a.Issuer)
	case !client.Private(e.DeviceAuthURL) || !client.Private(e.TokenURL):
		return nil, nil, fmt.Errorf("the issuer %s names an address that is not https", a.Issuer)
	}
	shown, err = config.DeviceAuth(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the issuer %s for a login: %w", a.Issuer, err)
	}
	return shown, func() error {
		answer, err := config.DeviceAccessToken(ctx, shown)
		if err != nil {
			return fmt.Errorf("logging in at %s: %w", a.Issuer, err)
		}
		e := entry{Server: server, Audience: a.Audience, ClientID: a.ClientID, TokenURL: config.Endpoint.TokenURL}
		if err := e.take(answer); err != nil {
			return err
		}
		return l.locked(ctx, func(all []entry) ([]entry, error) { return append(without(all, server), e), nil })
	}, nil
}

// take keeps those of the issuer's tokens that are meant for the server.
func (e *entry) take(answer *oauth2.Token) error {
	if answer.RefreshToken != "" {
		e.Refresh = answer.RefreshToken
	}
	id, _ := answer.Extra("id_token").(string)
	for _, token := range []string{answer.AccessToken, id} {
		if expires, ok := isFor(token, e.Audience); ok {
			e.Token, e.Expires = token, expires
			return nil
		}
	}
	return fmt.Errorf(
		"the issuer gave no token for the audience %q, which the server needs; its operators must set the client up for it",
		e.Audience,
	)
}

// isFor reports whether a token is a JSON Web Token for an audience, and when it expires. The server checks it; here it is only read.
func isFor(token, audience string) (expires time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	content, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Audience any     `json:"aud"` // a text or a list of texts
		Expires  float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(content, &claims) != nil {
		return time.Time{}, false
	}
	list, isList := claims.Audience.([]any)
	return time.Unix(int64(claims.Expires), 0), claims.Audience == audience || isList && slices.Contains(list, any(audience))
}

// Token returns the token for a server, which it renews if that is due; "" without a login. Of several processes that find a token that has
// expired one renews it: an issuer may accept a refresh token once only.
func (l *Logins) Token(ctx context.Context, server string) (string, error) {
	all, err := l.read()
	if err != nil {
		return "", err
	}
	e := find(all, server)
	if e == nil {
		return "", nil
	}
	switch {
	case e.fresh():
		return e.Token, nil
	case e.Refresh == "":
		return "", fmt.Errorf("%s: %w", server, ErrExpired)
	}
	var token string
	var expired error
	err = l.locked(ctx, func(all []entry) ([]entry, error) {
		e := find(all, server)
		if e == nil {
			return all, nil // another process has logged out
		}
		if !e.fresh() {
			err := l.renew(ctx, e)
			if errors.Is(err, ErrExpired) {
				expired = fmt.Errorf("%s: %w", server, err)
				return all, nil // without the refresh token, if the issuer has refused it
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", server, err)
			}
		}
		token = e.Token
		return all, nil
	})
	return token, cmp.Or(err, expired)
}

func (e *entry) fresh() bool { return time.Now().Add(early).Before(e.Expires) }

func (l *Logins) renew(ctx context.Context, e *entry) error {
	if e.Refresh == "" || !client.Private(e.TokenURL) {
		return ErrExpired
	}
	config := oauth2.Config{ClientID: e.ClientID, Endpoint: oauth2.Endpoint{TokenURL: e.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	answer, err := config.TokenSource(oidc.ClientContext(ctx, l.http), &oauth2.Token{RefreshToken: e.Refresh}).Token()
	if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) {
		switch status := refused.Response.StatusCode; {
		case status == http.StatusBadRequest && refused.ErrorCode != "": // about the refresh token (RFC 6749, 5.2), so it is not sent again
			e.Refresh = ""
			return ErrExpired
		case status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
			return ErrExpired
		}
	}
	if err != nil {
		return client.Repeatable(fmt.Errorf("renewing the login: %w", err)) // the issuer is away, or overloaded
	}
	return e.take(answer)
}

// Servers returns the URLs of the servers with a login.
func (l *Logins) Servers() (servers []string, err error) {
	all, err := l.read()
	for _, e := range all {
		servers = append(servers, e.Server)
	}
	return servers, err
}

// Remove removes the login at a server, and reports whether there was one.
func (l *Logins) Remove(ctx context.Context, server string) (found bool, err error) {
	err = l.locked(ctx, func(all []entry) ([]entry, error) {
		found = find(all, server) != nil
		return without(all, server), nil
	})
	return found, err
}

func find(all []entry, server string) *entry {
	for i := range all {
		if all[i].Server == server {
			return &all[i]
		}
	}
	return nil
}

func without(all []entry, server string) []entry {
	return slices.DeleteFunc(all, func(e entry) bool { return e.Server == server })
}

// read reads the file. It refuses one that others can read: whoever has a token can use the user's jobs.
func (l *Logins) read() ([]entry, error) {
	file, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the logins: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the logins: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("the file of logins %s can be read by other users (mode %04o): delete it, log in again, and end the "+
			"sessions at the issuer", l.path, mode)
	}
	var all []entry
	if err := json.NewDecoder(file).Decode(&all); err != nil {
		return nil, fmt.Errorf("the file of logins %s is damaged (%w); delete it and log in again", l.path, err)
	}
	return all, nil
}

// locked changes the file while no other process does.
func (l *Logins) locked(ctx context.Context, change func([]entry) ([]entry, error)) error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return fmt.Errorf("keeping logins: %w", err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, lockTime, fmt.Errorf("another process holds %s.lock", l.path))
	defer cancel()
	lock := flock.New(l.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(limited, 20*time.Millisecond); err != nil {
		if limited.Err() != nil {
			err = context.Cause(limited)
		}
		return fmt.Errorf("keeping logins: %w", err)
	}
	defer lock.Unlock()
	all, err := l.read()
	if err != nil {
		return err
	}
	if all, err = change(all); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ") //nolint:gosec // the tokens are what this file keeps, for its user alone
	if err != nil {
		return err
	}
	if err := privatefile.Write(l.path, append(text, '\n')); err != nil {
		return fmt.Errorf("keeping logins: %w", err)
	}
	return nil
}
