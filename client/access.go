package client

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Access is how a server identifies its callers.
type Access struct {
	Issuer   string   `json:"issuer"`    // URL of the OpenID Connect issuer whose tokens it accepts; empty: it accepts none
	Audience string   `json:"audience"`  // that a token must have
	ClientID string   `json:"client_id"` // public client of the issuer, to log in by; empty: there is none
	Scopes   []string `json:"scopes"`    // to ask for
	Required bool     `json:"required"`  // each call needs a token
}

// Access returns how the server identifies its callers. The call needs no token, and sends none.
func (v *V2) Access(ctx context.Context) (Access, error) {
	var answer Access
	anonymous := *v.c
	anonymous.options.Token = nil
	if err := anonymous.V2().call(ctx, http.MethodGet, "/access", nil, nil, &answer); err != nil {
		if CodeOf(err) == codes.NotFound {
			return Access{}, fmt.Errorf("%s has no login: it is an older server, or another program", v.c.server)
		}
		return Access{}, fmt.Errorf("asking how the server identifies its callers: %w", err)
	}
	return answer, nil
}

// Own returns the caller's own jobs, the newest first, at most limit of them. It needs Options.Token.
func (v *V2) Own(ctx context.Context, limit int) ([]Status, error) {
	var jobs []Status
	for query := (url.Values{"page_size": {"200"}}); ; {
		var answer struct {
			Jobs []struct {
				ID       string    `json:"job_id"`
				Status   string    `json:"status"`
				Workflow string    `json:"workflow_kind"`
				Kind     string    `json:"result_kind"`
				Started  time.Time `json:"started"`
				Updated  time.Time `json:"updated"`
				Name     string    `json:"name"`
			} `json:"jobs"`
			Next string `json:"next_page_token"`
		}
		if err := v.call(ctx, http.MethodGet, "/jobs", query, nil, &answer); err != nil {
			return nil, fmt.Errorf("listing your jobs on %s: %w", v.c.server, err)
		}
		for _, j := range answer.Jobs {
			if len(jobs) == limit {
				return jobs, nil
			}
			jobs = append(jobs, Status{ID: j.ID, State: State(strings.ToUpper(j.Status)), Name: j.Name, Started: j.Started, Updated: j.Updated,
				Workflow: j.Workflow, ResultKind: j.Kind})
		}
		if answer.Next == "" {
			return jobs, nil
		}
		query.Set("page_token", answer.Next)
	}
}

// Private reports whether what is sent to a URL can't be read on the way: it is https, or http to this machine. A token is sent to no
// other.
func Private(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "https" {
		return err == nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
