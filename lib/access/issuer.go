package access

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// pause is the shortest time between two requests for the same document of the issuer. Tokens that name unknown keys could
	// otherwise make the server send the issuer one after the other.
	pause = time.Second
	// retryKeys is the time between two attempts to replace keys that are old.
	retryKeys = time.Minute
	// maxDocument bounds a document of the issuer, in bytes.
	maxDocument = 1 << 20
)

// discovered returns the verifier of the issuer's tokens. Calls that need it at once share one request for the discovery document, which
// is repeated until the issuer has answered it. A call that gives up does not end the request of the others.
func (v *Verifier) discovered(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	v.mu.Lock()
	known := v.verifier
	v.mu.Unlock()
	if known != nil {
		return known, nil
	}
	answer := v.discovery.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), issuerTime)
		defer cancel()
		return nil, v.discover(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answer:
		if a.Err != nil {
			return nil, a.Err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.verifier, nil
}

func (v *Verifier) discover(ctx context.Context) error {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.client), v.options.Issuer)
	if err != nil {
		return fmt.Errorf("reading the discovery document: %w", err)
	}
	var named struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&named); err != nil {
		return fmt.Errorf("reading the discovery document: %w", err)
	}
	if named.Keys == "" {
		return fmt.Errorf("the discovery document of %s names no keys", v.options.Issuer)
	}
	k := &keys{lifetime: v.options.KeysTime, now: v.options.Now, open: func() *oidc.RemoteKeySet {
		return oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), v.client), named.Keys)
	}}
	verifier := oidc.NewVerifier(v.options.Issuer, k, &oidc.Config{
		ClientID: v.options.Audience, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true, // check has checked it, with the skew
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.verifier = verifier
	return nil
}

// keys are the keys of the issuer. They are read when a token names an unknown one, and again after a while, so that a key that the
// issuer has withdrawn is given up. While the issuer is down, the keys that were read stay in use. The library alone would keep them for
// ever, and return that it cannot read them as text only.
type keys struct {
	open     func() *oidc.RemoteKeySet
	lifetime time.Duration
	now      func() time.Time

	mu   sync.Mutex
	set  *oidc.RemoteKeySet
	next *oidc.RemoteKeySet // replaces set as soon as it has been read; nil while set is not old
	due  time.Time          // when set is old
}

// unread is why the keys of the issuer could not be read for a token.
type unread struct{ err error }

type unreadKey struct{}

// wrongSignature is the library's text (go-oidc 3.21.0, oidc/jwks.go) about a token that none of the keys has signed. Any other error
// means that the keys could not be read: a test holds both.
const wrongSignature = "failed to verify id token signature"

// VerifySignature implements oidc.KeySet.
func (k *keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, issuerTime)
	defer cancel()
	set, next := k.sets()
	if next != nil {
		payload, err := next.VerifySignature(limited, token)
		read := err == nil || err.Error() == wrongSignature
		if k.renewed(next, read); read || ctx.Err() != nil {
			return payload, err
		}
	}
	payload, err := set.VerifySignature(limited, token)
	if away, ok := ctx.Value(unreadKey{}).(*unread); ok && err != nil && err.Error() != wrongSignature {
		away.err = err
	}
	return payload, err
}

// sets returns the keys, and those that will replace them if they are old.
func (k *keys) sets() (set, next *oidc.RemoteKeySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil {
		k.set, k.due = k.open(), k.now().Add(k.lifetime)
	}
	if k.next == nil && !k.now().Before(k.due) {
		k.next = k.open()
	}
	return k.set, k.next
}

// renewed replaces the keys by those that were read. If they could not be read, it leaves the issuer alone for a while.
func (k *keys) renewed(next *oidc.RemoteKeySet, read bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next != next {
		return // another call was first
	}
	k.next = nil
	if read {
		k.set, k.due = next, k.now().Add(k.lifetime)
	} else {
		k.due = k.now().Add(min(k.lifetime, retryKeys))
	}
}

// careful returns a client for the documents of an issuer: it uses https (http for a loopback address only), pauses between requests for
// the same document, follows no redirect, and reads a bounded answer within a bounded time.
func careful(client *http.Client) *http.Client {
	own := *client
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = &paced{transport: own.Transport, last: make(map[string]time.Time)}
	own.Timeout = issuerTime
	own.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		return fmt.Errorf("the issuer redirects to %s; configure the URL that does not", r.URL.Redacted())
	}
	return &own
}

// paced is the transport of such a client.
type paced struct {
	transport http.RoundTripper

	mu   sync.Mutex
	last map[string]time.Time // when the next request for a URL was, or will be, sent; the issuer names two URLs
}

// RoundTrip implements http.RoundTripper.
func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if !safe(r.URL) {
		return nil, fmt.Errorf("the issuer names %s, which is not https", r.URL.Redacted())
	}
	if err := p.wait(r.Context(), r.URL.String()); err != nil {
		return nil, err
	}
	answer, err := p.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxDocument), answer.Body}
	return answer, nil
}

func (p *paced) wait(ctx context.Context, address string) error {
	p.mu.Lock()
	now := time.Now()
	at := p.last[address].Add(pause)
	if at.Before(now) {
		at = now
	}
	p.last[address] = at
	p.mu.Unlock()
	if at.Equal(now) {
		return nil
	}
	timer := time.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// safe reports whether what is sent to a URL cannot be read or changed on the way.
func safe(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && address.IsLoopback())
}
