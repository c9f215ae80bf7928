package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
)

// Error is an answer of a server that reports an error.
type Error struct {
	Status  int        // of HTTP
	Code    codes.Code // of gRPC, as in the API's errors; codes.Unknown if the answer contains none
	Message string     // for people
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// CodeOf returns the code of the *Error in err's chain; codes.OK if there is none.
func CodeOf(err error) codes.Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return codes.OK
}

// Transient reports whether the same call may succeed later.
func Transient(err error) bool {
	var t *transient
	return errors.As(err, &t)
}

// Limited reports whether a limit refused a call: the status is 429, and the call had no effect. after is how long the server asks to wait
// before the same call, at most a day; 0 if it does not say. Such an error is Transient, too.
func Limited(err error) (after time.Duration, limited bool) {
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests {
		return 0, false
	}
	if t := (*transient)(nil); errors.As(err, &t) {
		after = t.after
	}
	return after, true
}

// Repeatable marks an error of Options.Token as Transient: the call is repeated, and a wait goes on.
func Repeatable(err error) error { return &transient{err: err} }

// transient marks an error after which the same call may succeed.
type transient struct {
	err   error
	after time.Duration // how long the server asks to wait, at most maxAfter; 0 if it does not
}

func (t *transient) Error() string { return t.err.Error() }
func (t *transient) Unwrap() error { return t.err }

// refusal returns the error that an answer with another status than 200 reports.
func (c *Client) refusal(response *http.Response, body []byte) error {
	e := &Error{Status: response.StatusCode, Code: codes.Unknown}
	var status struct {
		Code    codes.Code `json:"code"`
		Message string     `json:"message"`
	}
	var text string // errors of the second version are strings
	location, locationErr := response.Location()
	switch {
	case locationErr == nil:
		e.Message = fmt.Sprintf("%s redirects to %s://%s; use that address", c.server, location.Scheme, location.Host)
	case json.Unmarshal(body, &status) == nil && status.Message != "":
		e.Code, e.Message = status.Code, status.Message
	case json.Unmarshal(body, &text) == nil && text != "":
		e.Code, e.Message = codeOf(response.StatusCode), text
	default:
		e.Message = fmt.Sprintf("%s answers %s", c.server, statusText(response.StatusCode))
		if text := plain(response, body); text != "" {
			e.Message += ": " + text
		}
	}
	return maybeTransient(e, response)
}

// codeOf returns the code for a status of the second version, whose errors contain no code.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusConflict:
		return codes.AlreadyExists
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return codes.Unimplemented
	case http.StatusInternalServerError:
		return codes.Internal
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	}
	return codes.Unknown
}

// storageRefusal returns the error that an answer of the object storage reports. Such an answer may quote the link of the request, so
// only its code and message are read.
func storageRefusal(response *http.Response, body []byte) error {
	e := &Error{Status: response.StatusCode, Code: codes.Unknown}
	var answer struct {
		Code    string
		Message string
	}
	switch {
	case response.StatusCode == http.StatusRequestEntityTooLarge:
		e.Message = "the object storage refuses the file, because it is too large"
	case xml.Unmarshal(body, &answer) == nil && answer.Code != "":
		e.Message = fmt.Sprintf("the object storage answers %s: %s", answer.Code, answer.Message)
		if strings.Contains(answer.Message, "expired") || answer.Code == "ExpiredToken" {
			e.Message = "the link has expired"
		}
	default:
		e.Message = "the object storage answers " + statusText(response.StatusCode)
	}
	return maybeTransient(e, response)
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

func maybeTransient(e *Error, response *http.Response) error {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &transient{err: e, after: retryAfter(response.Header.Get("Retry-After"))}
	}
	return e
}

// maxAfter bounds how long a server may ask to wait.
const maxAfter = 24 * time.Hour

// retryAfter reads the header field Retry-After, seconds or a date. It returns at most maxAfter.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, min(seconds, int(maxAfter/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(time.Until(at), maxAfter))
	}
	return 0
}

// plain returns the beginning of an answer in plain text, on one line.
func plain(response *http.Response, body []byte) string {
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") || !utf8.Valid(body) {
		return ""
	}
	text := strings.Join(strings.Fields(string(body)), " ")
	if strings.HasPrefix(text, "<") {
		return "" // HTML, or an error of the object storage that quotes the request
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// unreachable returns the error of a request without an answer.
func unreachable(host string, err error) error {
	err = withoutURL(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		return err
	}
	said := fmt.Errorf("%s can't be reached: %w", host, err)
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var lookup *net.DNSError
	switch {
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%s can't be reached: the server speaks HTTP without TLS, so its address begins with http://", host)
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &lookup) && lookup.IsNotFound:
		return said
	}
	return &transient{err: said}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// withoutURL removes the URL from an error of net/http, because it contains a job's secret or a signature.
func withoutURL(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
