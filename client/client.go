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

// Options change what a Client does. The zero value is good for most.
type Options struct {
	// HTTP makes the requests; by default a client that gives up when no answer begins within two minutes.
	HTTP *http.Client
	// Patience is how long a call is tried again while the server can't serve it; a minute if zero. Less than
	// zero: no call is tried again.
	Patience time.Duration
	// OnRetry, if set, is told before a pause what went wrong and how long the pause is.
	OnRetry func(err error, pause time.Duration)
	// MaxDownload is the largest file that Download fetches, in bytes; 16 GiB if zero.
	MaxDownload int64
	// UserAgent is what a server's log calls the program.
	UserAgent string
}

const (
	maxAnswer  = 16 << 20 // bytes of an answer that are read; a list of 100 jobs has some 20 kB
	maxRefusal = 64 << 10 // bytes of a storage's refusal, which may quote the whole request
	maxText    = 2000     // bytes of a text that is no JSON that are quoted in an error

	maxDownload = 16 << 30 // bytes of a file, unless the options say otherwise
)

// New returns a client of the server at that URL, as in https://bakta.example.org. The path that the API has
// there, /api/v1 or /api/v2, may stand at its end.
func New(server string, options Options) (*Client, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("the server's address must be a URL such as https://bakta.example.org")
	case u.User != nil:
		return nil, errors.New("the server's address must not hold a user or a password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the server's address must not have anything behind its path")
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
	// A redirect would turn a POST into a GET, and carry a secret to where nobody meant it to go.
	api := *options.HTTP
	api.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/api/v1"), "/api/v2")
	return &Client{
		server: u.Scheme + "://" + u.Host + path, api: &api, storage: options.HTTP, options: options,
	}, nil
}

// WithPatience returns a client of the same server that has another patience.
func (c *Client) WithPatience(patience time.Duration) *Client {
	other := *c
	other.options.Patience = patience
	return &other
}

// WithMaxDownload returns a client of the same server that downloads files of at most that many bytes.
func (c *Client) WithMaxDownload(bytes int64) *Client {
	other := *c
	other.options.MaxDownload = bytes
	return &other
}

// Server returns the server's URL.
func (c *Client) Server() string { return c.server }

// call makes one call of the API, again and again if need be. Request and response may be nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, request, response proto.Message) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = protojson.Marshal(request); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	var answer []byte
	err := c.retry(ctx, 0, func() (bool, error) {
		var err error
		answer, err = c.ask(ctx, method, path, query, body)
		return false, err
	})
	if err != nil || response == nil {
		return err
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, response); err != nil {
		return fmt.Errorf("%s answers %s with something else than Bakta-Web's API would: is it such a server? (%w)", c.server, path, err)
	}
	return nil
}

// ask makes one request and returns the body of the answer, at most maxAnswer bytes of it.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body []byte) ([]byte, error) {
	address := c.server + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.do(c.api, request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, &transient{err: fmt.Errorf("reading the answer of %s: %w", c.server, withoutURL(err))}
	}
	if response.StatusCode != http.StatusOK {
		return nil, c.refusal(response, answer)
	}
	return answer, nil
}

// do makes a request and sorts its failures.
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
