package webhook_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify/webhook"
)

// names is a resolver.
type names struct {
	mu    sync.Mutex
	table map[string][]string
	asked []string
}

func (n *names) LookupNetIP(_ context.Context, _, host string) (list []netip.Addr, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, host)
	found, ok := n.table[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, a := range found {
		list = append(list, netip.MustParseAddr(a))
	}
	return list, nil
}

// receiver is a TLS server on the loopback address, with a certificate for it and for example.com.
type receiver struct {
	*httptest.Server
	roots       *x509.CertPool
	connections atomic.Int32
	port        string
}

func receive(t *testing.T, handle http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{Server: httptest.NewUnstartedServer(handle), roots: x509.NewCertPool()}
	r.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			r.connections.Add(1)
		}
	}
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	r.roots.AddCert(r.Certificate())
	u, _ := url.Parse(r.URL)
	r.port = u.Port()
	return r
}

var (
	loopback = notify.Networks{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	key      = []byte("0123456789abcdef0123456789abcdef")
)

func hooked(to string) job.Job {
	return job.Job{
		ID: "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d", State: job.Succeeded, Name: "E. coli", Updated: time.Unix(1_770_000_000, 0),
		Start: &job.Start{Notify: &job.Notify{Webhook: to, Key: key}},
	}
}

func message(t *testing.T, j job.Job) event.Event {
	t.Helper()
	e, err := notify.CloudEvent(notify.DefaultSource, j, job.EventSucceeded)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSigned(t *testing.T) {
	// The example in the documentation of the first implementation.
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h := make(http.Header)
	webhook.Sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), secret)
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the signature is %s", got)
	}
}

func TestSend(t *testing.T) {
	var got *http.Request
	var body []byte
	r := receive(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // is not used
	resolver := &names{table: map[string][]string{"example.com.": {"::ffff:127.0.0.1"}}}
	s := webhook.New(webhook.Options{Networks: loopback, Roots: r.roots, Resolver: resolver, Agent: "bakta-web/1.2.3"})
	j := hooked("https://example.com:" + r.port + "/hook?for=ada")
	for range 2 {
		if err := s.Send(t.Context(), j, message(t, j)); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.connections.Load(); n != 2 {
		t.Errorf("%d connections for two messages", n)
	}
	if len(resolver.asked) != 2 || resolver.asked[0] != "example.com." {
		t.Errorf("resolved %q", resolver.asked)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/hook?for=ada" || got.Host != "example.com:"+r.port ||
		got.Header.Get("Content-Type") != "application/cloudevents+json" || got.Header.Get("Webhook-Id") != j.ID+"-succeeded" ||
		got.UserAgent() != "bakta-web/1.2.3" || got.Header.Get("Cookie") != "" {
		t.Errorf("the request is %s %s of %s with %v", got.Method, got.RequestURI, got.Host, got.Header)
	}
	if !strings.Contains(string(body), `"type":"org.bakta.job.succeeded"`) {
		t.Errorf("the body is %s", body)
	}
}

// TestReceivers sends to receivers of every kind.
func TestReceivers(t *testing.T) {
	over := make(chan struct{})
	defer close(over) // before the servers close, which wait for their requests
	var written atomic.Int64
	for _, tt := range []struct {
		name   string
		handle http.HandlerFunc
		words  string // "": it succeeds
		final  bool
	}{
		{"accepts", status(200), "", false},
		{"accepts without a body", status(204), "", false},
		{"wrong", status(500), "the status 500", false},
		{"busy", status(429), "the status 429", false},
		{"not there", status(404), "the status 404", false},
		{"gone", status(410), "gone (410)", true},
		{
			"redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
			"a redirect (302)", false,
		},
		{"redirects and keeps the method", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/other" {
				t.Error("the redirect was followed")
			}
			http.Redirect(w, r, "/other", http.StatusPermanentRedirect)
		}, "a redirect (308)", false},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-over:
			case <-r.Context().Done():
			}
		}, "did not answer within 500ms", false},
		{"slow in the body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-over:
			case <-r.Context().Done():
			}
		}, "", false},
		{"endless body", func(w http.ResponseWriter, _ *http.Request) {
			for {
				n, err := w.Write(make([]byte, 4096))
				if written.Add(int64(n)); err != nil {
					return
				}
			}
		}, "", false},
		{"large header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 64<<10))
			w.WriteHeader(http.StatusOK)
		}, "header of the receiver's answer is too large", false},
		{"closes", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection to the receiver failed", false},
	} {
		r := receive(t, tt.handle)
		s := webhook.New(webhook.Options{Networks: loopback, Roots: r.roots, Timeout: 500 * time.Millisecond})
		j := hooked(r.URL + "/token?token=1")
		began := time.Now()
		err := s.Send(t.Context(), j, message(t, j))
		check(t, tt.name, err, tt.words, tt.final)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: it took %s", tt.name, took)
		}
	}
	// What was sent before the connection was closed is bounded by the buffers of both systems.
	if n := written.Load(); n > 64<<20 {
		t.Errorf("%d bytes of the endless body were sent", n)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func check(t *testing.T, name string, err error, words string, final bool) {
	t.Helper()
	if words == "" {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	var failed *notify.Error
	if !errors.As(err, &failed) || !strings.Contains(failed.Words, words) || failed.Final != final {
		t.Errorf("%s: %+v, want %q, final: %v", name, err, words, final)
	} else if strings.Contains(failed.Words, "127.0.0.1") {
		t.Errorf("%s: the words have an address: %s", name, failed.Words)
	}
	if err != nil && strings.Contains(err.Error(), "token") {
		t.Errorf("%s: the error, which is logged, has the secret part of the URL: %v", name, err)
	}
}

// TestGuard sends to names and addresses that lead to this machine. Nothing may connect.
func TestGuard(t *testing.T) {
	r := receive(t, status(200))
	const refused = "no address that may be reached"
	for _, tt := range []struct {
		name, to  string
		addresses []string
		networks  notify.Networks
	}{
		{"an address", "https://127.0.0.1", nil, notify.Networks{}},
		{"a mapped address", "https://[::ffff:127.0.0.1]", nil, notify.Networks{}},
		{"an IPv6 address", "https://[::1]", nil, notify.Networks{}},
		{"a name", "https://example.com", []string{"127.0.0.1"}, notify.Networks{}},
		{"a name with a mapped address", "https://example.com", []string{"::ffff:127.0.0.1"}, notify.Networks{}},
		{"a name with an IPv6 address", "https://example.com", []string{"::1"}, notify.Networks{}},
		{"a name that is unspecified", "https://example.com", []string{"0.0.0.0"}, notify.Networks{}},
		{"a name by NAT64", "https://example.com", []string{"64:ff9b::7f00:1"}, notify.Networks{}},
		{"a name that also has a public address", "https://example.com", []string{"9.9.9.9", "127.0.0.1"}, notify.Networks{}},
		{"a name that also has a public address", "https://example.com", []string{"127.0.0.1", "2606:4700::1"}, notify.Networks{}},
		{"a name without addresses", "https://example.com", []string{}, notify.Networks{}},
		{"a name that does not exist", "https://internal.example", nil, notify.Networks{}},
		{"what operators forbid", "https://example.com", []string{"127.0.0.1"}, notify.Networks{
			Allow: loopback.Allow, Forbid: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		}},
	} {
		resolver := &names{table: make(map[string][]string)}
		if tt.addresses != nil {
			resolver.table["example.com."] = tt.addresses
		}
		s := webhook.New(webhook.Options{Networks: tt.networks, Roots: r.roots, Resolver: resolver})
		j := hooked(tt.to + ":" + r.port + "/token")
		check(t, tt.name, s.Send(t.Context(), j, message(t, j)), refused, false)
	}
	if n := r.connections.Load(); n != 0 {
		t.Errorf("there were %d connections", n)
	}
}

// TestResolvedOnce has a name change its address: what was checked is what is connected to.
func TestResolvedOnce(t *testing.T) {
	r := receive(t, status(200))
	resolver := &changing{}
	s := webhook.New(webhook.Options{Networks: notify.Networks{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
		Roots: r.roots, Resolver: resolver})
	j := hooked("https://example.com:" + r.port + "/")
	if err := s.Send(t.Context(), j, message(t, j)); err != nil {
		t.Error(err)
	}
	if n := resolver.asked.Load(); n != 1 {
		t.Errorf("the name was resolved %d times", n)
	}
	check(t, "after the change", s.Send(t.Context(), j, message(t, j)), "no address that may be reached", false)
}

type changing struct{ asked atomic.Int32 }

func (c *changing) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if c.asked.Add(1) == 1 {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil
}

// TestCertificates verifies receivers by the name in the URL.
func TestCertificates(t *testing.T) {
	r := receive(t, status(200))
	resolver := &names{table: map[string][]string{"example.com.": {"127.0.0.1"}, "other.example.": {"127.0.0.1"}}}
	const invalid = "TLS certificate is not valid"
	for _, tt := range []struct {
		name, host, words string
		roots             *x509.CertPool
	}{
		{"its name", "example.com", "", r.roots},
		{"another name", "other.example", invalid, r.roots},
		{"an unknown authority", "example.com", invalid, nil},
	} {
		s := webhook.New(webhook.Options{Networks: loopback, Roots: tt.roots, Resolver: resolver})
		j := hooked("https://" + tt.host + ":" + r.port + "/")
		check(t, tt.name, s.Send(t.Context(), j, message(t, j)), tt.words, false)
	}
	plain := httptest.NewServer(status(200))
	t.Cleanup(plain.Close)
	s := webhook.New(webhook.Options{Networks: loopback})
	j := hooked(strings.Replace(plain.URL, "http:", "https:", 1))
	check(t, "a receiver without TLS", s.Send(t.Context(), j, message(t, j)), "does not use TLS", false)
	check(t, "no URL", s.Send(t.Context(), hooked("https://token/%zz"), message(t, j)), "not a URL", true)
	j = hooked(plain.URL)
	check(t, "a URL without TLS", s.Send(t.Context(), j, message(t, j)), "not an https URL", true)
	check(t, "no webhook", s.Send(t.Context(), job.Job{}, message(t, j)), "no webhook", true)
}
