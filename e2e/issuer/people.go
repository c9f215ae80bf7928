package main

import (
	"context"
	"log/slog"

	"github.com/dexidp/dex/connector"
)

// people is the connector of the users.
const people = "people"

// groups are the users, with their groups. The password of each is its name.
var groups = map[string][]string{
	"ada":  {"annotators", "staff"},
	"ben":  {"guests"},
	"cleo": nil,
}

// directory checks the passwords of the users. Dex's own connectors for tests know one user.
type directory struct{}

// Open implements server.ConnectorConfig.
func (d *directory) Open(string, *slog.Logger) (connector.Connector, error) { return d, nil }

// Prompt implements connector.PasswordConnector.
func (d *directory) Prompt() string { return "Name" }

// Login implements connector.PasswordConnector.
func (d *directory) Login(_ context.Context, s connector.Scopes, name, password string) (connector.Identity, bool, error) {
	of, known := groups[name]
	if !known || password != name {
		return connector.Identity{}, false, nil
	}
	i := connector.Identity{UserID: name, Username: name, Email: name + "@example.org", EmailVerified: true}
	if s.Groups {
		i.Groups = of
	}
	return i, true, nil
}

// Refresh implements connector.RefreshConnector.
func (d *directory) Refresh(_ context.Context, _ connector.Scopes, i connector.Identity) (connector.Identity, error) {
	return i, nil
}
