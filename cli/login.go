package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/cli/login"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	domain "github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// mostOwn bounds how many jobs of an account a list shows.
const mostOwn = 1000

// logins returns the logins of this user, which lie beside the known jobs.
func (a *app) logins() (*login.Logins, error) {
	path, err := book.Path(a.env)
	if err != nil {
		return nil, err
	}
	return login.Open(filepath.Join(filepath.Dir(path), "logins.json"), &http.Client{Transport: a.transport()}), nil
}

// token returns what gives calls of a server the token of this user. After the login has expired, it is none if the server requires none:
// jobs can be used by their secrets, and a long wait goes on.
func (a *app) token(server string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		l, err := a.logins()
		if err != nil {
			return "", nil //nolint:nilerr // without a home directory there are no logins
		}
		token, err := l.Token(ctx, server)
		if !errors.Is(err, login.ErrExpired) {
			return token, err
		}
		required, askErr := a.requiresLogin(ctx, server)
		switch {
		case client.Transient(askErr):
			return "", askErr // the call that needs the token would fail, too, and is repeated
		case askErr != nil || required:
			return "", err
		}
		return "", nil
	}
}

// requiresLogin asks a server whose login has expired whether it requires one. If not, it says so, once for the server.
func (a *app) requiresLogin(ctx context.Context, server string) (bool, error) {
	a.expired.mu.Lock()
	defer a.expired.mu.Unlock()
	if slices.Contains(a.expired.servers, server) {
		return false, nil
	}
	c, err := a.client(server)
	if err != nil {
		return false, err
	}
	access, err := c.Access(ctx)
	if err != nil || access.Required {
		return access.Required, err
	}
	a.expired.servers = append(a.expired.servers, server)
	a.display.line("The login for %s has expired; run `bakta-web login --server %s`.\n"+
		"Until then jobs are used by their secrets, and new ones do not belong to your account.", shown(server), quoted(server))
	return false, nil
}

func (a *app) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Log in to a server, so that jobs belong to your account",
		Long: `Log in to a server. The command prints a URL and a code: open the URL in any
browser, enter the code and log in there. From then on each command sends that
server your token: jobs that you submit belong to your account, and
"bakta-web list" lists them on each machine where you are logged in.

The server names the issuer of the token and the audience that it is meant for.
Both are shown before the code. Stop if they are not of this server: it could
use such a token at another server of that audience, in your name.

The token is kept in the file logins.json beside the list of known jobs, which
only you can read, and is renewed when it expires.`,
		Example: `  bakta-web login --server https://bakta.example.org`,
		Args:    Takes(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.login(cmd.Context()) },
	}
}

func (a *app) login(ctx context.Context) error {
	c, err := a.client(a.newServer())
	if err != nil {
		return err
	}
	access, err := c.Access(ctx)
	switch {
	case err != nil:
		return err
	case access.Issuer == "":
		return fmt.Errorf("%s has no login; everything can be used without one", shown(c.Server()))
	case access.ClientID == "":
		return fmt.Errorf("%s names no client for logins of this program; ask its operators to set Access.ClientID", shown(c.Server()))
	}
	l, err := a.logins()
	if err != nil {
		return err
	}
	code, wait, err := l.Begin(ctx, c.Server(), access)
	if err != nil {
		return err
	}
	// The server chooses the issuer and the audience, and could name those of another server to get a token for it.
	fmt.Fprintf(a.out, "The token is from %s\nfor the audience %s\nand is sent to %s alone.\n",
		shown(access.Issuer), shown(access.Audience), shown(c.Server()))
	if hostOf(access.Audience) != "" && hostOf(access.Audience) != hostOf(c.Server()) {
		a.display.line("warning: the audience is the URL of another server. Do not log in unless you know why.")
	}
	fmt.Fprintf(a.out, "Open %s in a browser and enter the code %s\n", shown(code.VerificationURI), shown(code.UserCode))
	if code.VerificationURIComplete != "" {
		fmt.Fprintf(a.out, "or open %s\n", shown(code.VerificationURIComplete))
	}
	if err := wait(); err != nil {
		return err
	}
	a.display.line("You are logged in to %s.", shown(c.Server()))
	return nil
}

// hostOf returns the host and port of a URL; "" if the text is not one.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Forget the login to a server",
		Long: `Delete your token for a server from this machine. Jobs stay, and those that were
submitted from here can still be used by their secrets, unless the server
requires a login. The session at the issuer, if any, is not ended.`,
		Example: `  bakta-web logout --server https://bakta.example.org`,
		Args:    Takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(a.newServer())
			if err != nil {
				return err
			}
			l, err := a.logins()
			if err != nil {
				return err
			}
			found, err := l.Remove(cmd.Context(), c.Server())
			if err == nil && !found {
				err = fmt.Errorf("you are not logged in to %s", shown(c.Server()))
			}
			return err
		},
	}
}

// ownJobs returns the jobs of the user's accounts that are not known here: of the server that the command line names, or of all where the
// user is logged in. A server that does not answer is among the errors.
func (a *app) ownJobs(ctx context.Context, known []book.Entry) ([]job, error) {
	l, err := a.logins()
	if err != nil {
		return nil, nil //nolint:nilerr // without a home directory there are no logins
	}
	servers, err := l.Servers()
	if err != nil {
		return nil, err
	}
	var jobs []job
	var failures []error
	for _, server := range servers {
		c, err := a.client(server)
		if err == nil && a.server != "" {
			var named *client.V2
			if named, err = a.client(a.server); err == nil && named.Server() != server {
				continue
			}
		}
		var token string
		if err == nil {
			if token, err = a.token(server)(ctx); err == nil && token == "" {
				continue // the login has expired
			}
		}
		var states []client.Status
		if err == nil {
			states, err = c.Own(ctx, mostOwn)
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, s := range slices.Backward(states) { // the newest last
			if !slices.ContainsFunc(known, func(e book.Entry) bool { return e.ID == s.ID && e.Server == server }) {
				jobs = append(jobs, describe(book.Entry{ID: s.ID, Server: server, Name: s.Name, Created: s.Started}, s))
			}
		}
	}
	return jobs, errors.Join(failures...)
}

// owned returns a job that is not known here, by its whole id, if the user is logged in to the server that the command is about.
func (a *app) owned(id string) (book.Entry, bool) {
	id, err := domain.ParseID(id)
	if err != nil {
		return book.Entry{}, false
	}
	c, err := a.client(a.newServer())
	if err != nil {
		return book.Entry{}, false
	}
	l, err := a.logins()
	if err != nil {
		return book.Entry{}, false
	}
	servers, err := l.Servers()
	return book.Entry{ID: id, Server: c.Server(), Name: id}, err == nil && slices.Contains(servers, c.Server())
}
