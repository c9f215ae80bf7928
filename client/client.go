package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Client makes calls to one server. It may be used by any number of goroutines.
type Client struct {
	server  string // scheme://host[:port][/path], no slash at the end
	api     *http.Client
	storage *http.Client
	options Options
}

// Options change what a Client does. The zero value suits most programs.
type Options struct {
	// HTTP makes the requests; by default a client that fails if no answer begins within two minutes.
	HTTP *http.Client
	// Patience is how long a call is retried while the server cannot serve it. Zero: one minute. Negative: no retries. A call that the
	// server refuses because of a limit of its caller, and says when to repeat it, is repeated for two minutes if Patience is less.
	Patience time.Duration
	// OnRetry, if not nil, is called before each pause between two attempts, with the error of the first one.
	OnRetry func(err error, pause time.Duration)
	// MaxDownload is the largest file that Download fetches, in bytes; 16 GiB if zero.
	MaxDownload int64
	// Token, if not nil, returns the bearer token of each call of the API; "" for none. It is not asked for a server that is not Private.
	// Its error ends the call, unless it is Repeatable.
	Token func(ctx context.Context) (string, error)
	// UserAgent is the name of the program in the request's header.
	UserAgent string
}

const (
	maxAnswer  = 16 << 20 // bytes of an answer; a list of 100 jobs has some 20 kB
	maxRefusal = 64 << 10 // bytes of an error of the object storage, which may quote the whole request
	maxText    = 2000     // bytes of a plain text that an error quotes

	maxDownload = 16 << 30 // bytes of a file, unless the options say otherwise
)

// New returns a client of the server at a URL such as https://bakta.example.org. The URL may end with the path of the API, /api/v1 or
// /api/v2.
func New(server string, options Options) (*Client, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("the server's address must be a URL such as https://bakta.example.org")
	case u.User != nil:
		return nil, errors.New("the server's address must not contain a user or a password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the server's address must not contain a query or a fragment")
	}
	if options.HTTP == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = 2 * time.Minute
		options.HTTP = &http.Client{Transport: transport}
	}
	if options.Patience == 0 {
		options.Patience = time.Minute
	}
	if options.MaxDownload == 0 {
		options.MaxDownload = maxDownload
	}
	// A redirect would turn a POST into a GET, and send a secret to another server.
	api := *options.HTTP
	api.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/api/v1"), "/api/v2")
	return &Client{
		server: u.Scheme + "://" + u.Host + path, api: &api, storage: options.HTTP, options: options,
	}, nil
}

// WithPatience returns a client of the same server with other Options.Patience.
func (c *Client) WithPatience(patience time.Duration) *Client {
	other := *c
	other.options.Patience = patience
	return &other
}

// WithMaxDownload returns a client of the same server with other Options.MaxDownload.
func (c *Client) WithMaxDownload(bytes int64) *Client {
	other := *c
	other.options.MaxDownload = bytes
	return &other
}

// WithToken returns a client of the same server with other Options.Token.
func (c *Client) WithToken(token func(ctx context.Context) (string, error)) *Client {
	other := *c
	other.options.Token = token
	return &other
}

// Server returns the server's URL.
func (c *Client) Server() string { return c.server }

// call makes one call of the API, with retries. Request and response may be nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, request, response proto.Message) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = protojson.Marshal(request); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	answer, err := c.whole(ctx, method, path, query, body, maxAnswer)
	if err != nil || response == nil {
		return err
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, response); err != nil {
		return fmt.Errorf("the answer of %s to %s is not one of Bakta-Web's API; check the server's address: %w", c.server, path, err)
	}
	return nil
}

// whole makes one call, with retries, and returns the body of the answer. One that has more than limit bytes, a number of MiB, is an error.
func (c *Client) whole(ctx context.Context, method, path string, query url.Values, body []byte, limit int64) ([]byte, error) {
	var answer []byte
	err := c.retry(ctx, 0, func() (bool, error) {
		var cut bool
		var err error
		if answer, cut, err = c.ask(ctx, method, path, query, body, limit); err == nil && cut {
			err = fmt.Errorf("the answer of %s to %s has more than %d MiB", c.server, path, limit>>20)
		}
		return false, err
	})
	return answer, err
}

// ask makes one request and returns the first limit bytes of the answer's body. cut means that there are more.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body []byte, limit int64,
) (answer []byte, cut bool, err error) {
	address := c.server + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, false, withoutURL(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.options.Token != nil && Private(c.server) {
		token, err := c.options.Token(ctx)
		if err != nil {
			return nil, false, err
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
	}
	response, err := c.do(c.api, request)
	if err != nil {
		return nil, false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		limit = min(limit, maxAnswer)
	}
	answer, err = io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, false, &transient{err: fmt.Errorf("reading the answer of %s: %w", c.server, withoutURL(err))}
	}
	if response.StatusCode != http.StatusOK {
		return nil, false, c.refusal(response, answer)
	}
	if int64(len(answer)) > limit {
		return answer[:limit], true, nil
	}
	return answer, false, nil
}

// do makes a request, and marks transient failures.
func (c *Client) do(by *http.Client, request *http.Request) (*http.Response, error) {
	if c.options.UserAgent != "" {
		request.Header.Set("User-Agent", c.options.UserAgent)
	}
	response, err := by.Do(request)
	if err != nil {
		host := request.URL.Scheme + "://" + request.URL.Host
		return nil, unreachable(host, err)
	}
	return response, nil
}
