package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	// maxToken bounds a token, in bytes. One with hundreds of groups has some 10,000.
	maxToken = 32 << 10
	// issuerTime bounds the wait of a call for the issuer: its discovery document and its keys.
	issuerTime = 10 * time.Second
)

// algorithms are those of asymmetric keys. With the others, whoever can check a token can make one.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// Options say which tokens are accepted.
type Options struct {
	Issuer      string        // URL of the issuer, as its tokens name it
	Audience    string        // that a token must have
	GroupsClaim string        // claim with the groups of the subject: a text or a list of texts
	Groups      []string      // of which a subject must have one; empty: any subject
	ClockSkew   time.Duration // how much the clocks of the issuer and of this process may differ

	KeysTime time.Duration    // after which the issuer's keys are read again; 0: an hour
	HTTP     *http.Client     // for the issuer; nil: one with the system's certificates
	Now      func() time.Time // nil: time.Now
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	options Options
	offline *oidc.IDTokenVerifier // reads a token without its signature
	client  *http.Client

	discovery singleflight.Group
	mu        sync.Mutex
	verifier  *oidc.IDTokenVerifier // nil before the issuer has answered
}

// New returns a verifier. It makes no network call.
func New(o Options) (*Verifier, error) {
	if o.Issuer == "" || o.Audience == "" {
		return nil, errors.New("access: an issuer and an audience are required")
	}
	if (len(o.Groups) > 0) != (o.GroupsClaim != "") {
		return nil, errors.New("access: groups and the claim with the groups of a subject belong together")
	}
	if o.ClockSkew < 0 {
		return nil, errors.New("access: the clock skew must not be negative")
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: http.DefaultTransport}
	}
	if o.KeysTime <= 0 {
		o.KeysTime = time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &Verifier{options: o, client: careful(o.HTTP)}
	v.offline = oidc.NewVerifier(o.Issuer, nil, &oidc.Config{
		SkipClientIDCheck: true, SkipExpiryCheck: true, InsecureSkipSignatureCheck: true, SupportedSigningAlgs: algorithms,
	})
	return v, nil
}

// Subject returns the key of a token's subject (see SubjectKey). The error is job.BadToken if the token is not valid, job.Forbidden if its
// subject has none of the groups, and job.Unavailable if the issuer does not answer. Each is written for the caller.
func (v *Verifier) Subject(ctx context.Context, token string) (string, error) {
	if len(token) > maxToken {
		return "", job.Errorf(job.BadToken, "the token is longer than %d bytes", maxToken)
	}
	// First what needs no network call: whatever is not meant for this server must not cause one.
	claims, err := v.offline.Verify(ctx, token)
	if err != nil {
		return "", job.Errorf(job.BadToken, "the token is not a signed JSON Web Token of the issuer %s", v.options.Issuer).Because(err)
	}
	if err := v.check(claims); err != nil {
		return "", err
	}
	verifier, err := v.discovered(ctx)
	if err != nil {
		return "", v.away(err)
	}
	away := new(unread)
	claims, err = verifier.Verify(context.WithValue(ctx, unreadKey{}, away), token)
	switch {
	case away.err != nil:
		return "", v.away(away.err)
	case err != nil:
		return "", job.Errorf(job.BadToken, "the signature of the token is not one of the issuer %s", v.options.Issuer).Because(err)
	}
	if err := v.admit(claims); err != nil {
		return "", err
	}
	return SubjectKey(claims.Issuer, claims.Subject), nil
}

func (v *Verifier) away(err error) error {
	return job.Errorf(job.Unavailable, "the token cannot be checked now, because its issuer does not answer; try again later, "+
		"or call without a token").Because(err)
}

// check checks whom and when a token is for.
func (v *Verifier) check(t *oidc.IDToken) error {
	var times struct {
		NotBefore float64 `json:"nbf"`
	}
	// The library has read the claims as JSON before.
	if err := t.Claims(&times); err != nil {
		return job.Errorf(job.BadToken, "a time of the token is not a number").Because(err)
	}
	const skew = "%s; compare the clocks of the issuer and of the server"
	now, form := v.options.Now(), time.RFC3339
	switch begins := max(times.NotBefore, unix(t.IssuedAt)); {
	case t.Subject == "":
		return job.Errorf(job.BadToken, "the token names no subject")
	case !slices.Contains(t.Audience, v.options.Audience):
		return job.Errorf(job.BadToken, "the token is for another audience; this server needs %q", v.options.Audience)
	case t.Expiry.IsZero():
		return job.Errorf(job.BadToken, "the token has no expiry")
	case !now.Before(t.Expiry.Add(v.options.ClockSkew)):
		return job.Errorf(job.BadToken, "the token expired at %s", t.Expiry.UTC().Format(form))
	case begins > unix(now.Add(v.options.ClockSkew)):
		return job.Errorf(job.BadToken, "the token is not valid before "+skew, time.Unix(int64(begins), 0).UTC().Format(form))
	}
	return nil
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// admit checks the groups of a subject.
func (v *Verifier) admit(t *oidc.IDToken) error {
	if len(v.options.Groups) == 0 {
		return nil
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return job.Errorf(job.BadToken, "the claims of the token cannot be read").Because(err)
	}
	var has []string
	switch value := claims[v.options.GroupsClaim].(type) {
	case string:
		has = []string{value}
	case []any:
		for _, one := range value {
			if text, ok := one.(string); ok {
				has = append(has, text)
			}
		}
	}
	for _, group := range v.options.Groups {
		if slices.Contains(has, group) {
			return nil
		}
	}
	if has == nil {
		return job.Errorf(job.Forbidden, "the token has no groups (claim %q), and this server requires one; log in with the scope for groups",
			v.options.GroupsClaim)
	}
	return job.Errorf(job.Forbidden, "the subject of the token is in none of the groups that may use this server")
}

// SubjectKey is how the subject of an issuer's token is stored and logged: two hashes, of the issuer and of both. It never changes for a
// subject, and differs between issuers.
func SubjectKey(issuer, subject string) string {
	of := sha256.Sum256([]byte(issuer))
	who := sha256.Sum256([]byte(fmt.Sprintf("%d %s%s", len(issuer), issuer, subject)))
	return hex.EncodeToString(of[:6]) + ":" + hex.EncodeToString(who[:16])
}
