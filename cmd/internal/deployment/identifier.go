package deployment

import (
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/lib/access"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// identifier returns the identifier of callers, or nil if the configuration names no issuer.
func (d *Deployment) identifier() (server.Identifier, error) {
	a := d.Access
	if a.Issuer == "" {
		return nil, nil
	}
	v, err := access.New(access.Options{
		Issuer: a.Issuer, Audience: a.Audience, GroupsClaim: a.GroupsClaim, Groups: a.Groups, ClockSkew: a.ClockSkew,
	})
	if err != nil {
		return nil, err
	}
	return v.Subject, nil
}

// access returns what the API shows of it.
func (d *Deployment) access() status.Access {
	a := d.Access
	if a.Issuer == "" {
		return status.Access{}
	}
	return status.Access{Issuer: a.Issuer, Audience: a.Audience, ClientID: a.ClientID, Scopes: a.Scopes, Required: a.Required}
}
