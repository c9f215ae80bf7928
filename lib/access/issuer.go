package access

import (
	"context"
	"encoding/base64"
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
	k := &keys{
		set:      oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), v.client), named.Keys),
		lifetime: v.options.KeysTime, now: v.options.Now, due: v.options.Now().Add(v.options.KeysTime),
	}
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
	set      *oidc.RemoteKeySet // its requests are bounded by the client, and go on for the others when a call gives up
	lifetime time.Duration
	now      func() time.Time

	mu       sync.Mutex
	due      time.Time // when the keys are old
	renewing bool      // they are old and are being read
}

// unread is why the keys of the issuer could not be read for a token.
type unread struct{ err error }

type unreadKey struct{}

// wrongSignature is the library's text (go-oidc 3.21.0, oidc/jwks.go) about a token that none of the keys has signed. Any other error
// means that the keys could not be read: a test holds both.
const wrongSignature = "failed to verify id token signature"

// unknownKey is a token that names a key that no issuer has. The library reads the keys for it, by one request with the calls whose tokens
// name a new key.
var unknownKey = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"a key that no issuer has"}`)) + ".e30.AA"

// VerifySignature implements oidc.KeySet. It waits for the issuer only if the token names a key that was not read, at most issuerTime.
func (k *keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, issuerTime)
	defer cancel()
	k.renew()
	payload, err := k.set.VerifySignature(limited, token)
	if away, ok := ctx.Value(unreadKey{}).(*unread); ok && err != nil && err.Error() != wrongSignature {
		away.err = err
	}
	return payload, err
}

// renew lets the keys be read again if they are old. No call waits for that, or can end it: calls use the keys that they find.
func (k *keys) renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.renewing && !k.now().Before(k.due) {
		k.renewing = true
		go k.read()
	}
}

// read reads the keys. If they cannot be read, it leaves the issuer alone for a while.
func (k *keys) read() {
	read := false
	defer func() {
		_ = recover() // the server recovers panics of its own goroutines alone; the keys were not read
		k.mu.Lock()
		defer k.mu.Unlock()
		after := k.lifetime
		if !read {
			after = min(after, retryKeys)
		}
		k.due, k.renewing = k.now().Add(after), false
	}()
	ctx, cancel := context.WithTimeout(context.Background(), issuerTime)
	defer cancel()
	_, err := k.set.VerifySignature(ctx, unknownKey)
	read = err != nil && err.Error() == wrongSignature
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
