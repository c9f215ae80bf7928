// Package webhook sends messages about the ends of jobs to the URLs that the jobs' owners name, as Standard Webhooks describes it
// (https://www.standardwebhooks.com). Such a URL may be any, so the package guards what this process can reach: see dialer.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// Options are the options of a Sender.
type Options struct {
	Networks notify.Networks
	Roots    *x509.CertPool   // authorities of receivers' certificates; nil: those of the system
	Resolver Resolver         // nil: net.DefaultResolver
	Timeout  time.Duration    // of one attempt; 0: Timeout
	Now      func() time.Time // nil: time.Now
	Agent    string           // User-Agent; empty: bakta-web
}

// Timeout is the time that an attempt may take in all.
const Timeout = 10 * time.Second

const (
	maxBody   = 4 << 10  // bytes that are read of an answer's body
	maxHeader = 16 << 10 // bytes of an answer's header
)

// Sender sends messages to webhooks.
type Sender struct {
	options Options
	client  *http.Client
}

// New returns a Sender. It makes no network call.
func New(o Options) *Sender {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Timeout == 0 {
		o.Timeout = Timeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Agent == "" {
		o.Agent = "bakta-web"
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &Sender{options: o, client: &http.Client{
		// Neither a proxy of the environment, which would resolve the name again, nor a connection of another message, nor a cookie.
		Transport: &http.Transport{
			DialContext:            dialer{o.Resolver, o.Networks.Allows}.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
			Protocols:              &protocols,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send posts the message to the webhook of the job. The error is a *notify.Error.
func (s *Sender) Send(ctx context.Context, j job.Job, message event.Event) error {
	if j.Start == nil || j.Start.Notify == nil || j.Start.Notify.Webhook == "" {
		return &notify.Error{Words: "the job has no webhook", Final: true}
	}
	to := j.Start.Notify
	body, err := json.Marshal(message)
	if err != nil {
		return &notify.Error{Words: "the message can't be written", Final: true, Cause: err}
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Webhook, bytes.NewReader(body))
	if err != nil { // it contains the URL, see failed
		return &notify.Error{Words: "the webhook is not a URL", Final: true}
	}
	if request.URL.Scheme != "https" {
		return &notify.Error{Words: "the webhook is not an https URL", Final: true}
	}
	request.Header.Set("Content-Type", event.ApplicationCloudEventsJSON)
	request.Header.Set("User-Agent", s.options.Agent)
	sign(request.Header, message.ID(), s.options.Now(), body, to.Key)
	answer, err := s.client.Do(request)
	if err != nil {
		return s.failed(ctx, err)
	}
	defer answer.Body.Close()
	// The body is of no interest. Some receivers handle a request only while their answer is read.
	_, _ = io.CopyN(io.Discard, answer.Body, maxBody)
	return judge(answer.StatusCode)
}

// judge returns what a status means.
func judge(status int) error {
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusGone:
		return &notify.Error{Words: "the receiver answered that it is gone (410)", Final: true}
	case status/100 == 3:
		return &notify.Error{Words: fmt.Sprintf("the receiver answered with a redirect (%d), which is not followed", status)}
	}
	return &notify.Error{Words: fmt.Sprintf("the receiver answered with the status %d", status)}
}

// failed returns why there is no answer. The words are the same for a name that does not exist and for one whose addresses are not allowed:
// they must not report which names exist in a private network.
func (s *Sender) failed(ctx context.Context, err error) error {
	// The client's error contains the URL, and the path or the query of a webhook is often a secret. The cause is logged.
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	words := "the connection to the receiver failed"
	switch {
	case errors.Is(err, errNetwork), errors.As(err, &dns) && !dns.IsTemporary && !dns.IsTimeout:
		words = "the receiver's name has no address that may be reached"
	case errors.As(err, &certificate):
		words = "the receiver's TLS certificate is not valid for its name, has expired, or is not from a known authority"
	case errors.Is(err, http.ErrSchemeMismatch):
		words = "the receiver does not use TLS"
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		words = fmt.Sprintf("the receiver did not answer within %s", s.options.Timeout)
	case strings.Contains(err.Error(), "server response headers exceeded"): // the error has no type
		words = "the header of the receiver's answer is too large"
	}
	return &notify.Error{Words: words, Cause: err}
}
