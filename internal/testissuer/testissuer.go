// Package testissuer gives tests a real OpenID Connect issuer: Dex (e2e/issuer), behind a proxy that can take it away.
//
// The users ada (groups annotators and staff), ben (guests) and cleo (no groups) have their names as passwords. The groups of a user are
// in a token that was asked for with the scope groups.
package testissuer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

// The public clients that are registered. The audience of a token is its client.
const (
	Client      = "bakta-web"
	OtherClient = "another-service"
)

// buildTime bounds the build of the issuer on a clean machine, which takes less than a minute.
const buildTime = 9 * time.Minute

// Issuer is a running issuer of one test.
type Issuer struct {
	URL string

	t        testing.TB
	client   *http.Client // reaches the issuer
	away     atomic.Bool
	requests atomic.Int64
	slow     atomic.Pointer[chan struct{}] // while it is not nil, requests wait until it is closed

	mu    sync.Mutex // of the commands
	stdin io.WriteCloser
	lines *bufio.Reader
}

// program is the path of the issuer, which is built once in a test process; the go command does nothing if it is up to date. It is not
// written by this process: a child that is forked meanwhile would hold it open for writing, and it could not be executed.
var program = sync.OnceValues(func() (path string, err error) {
	root, err := teststores.Root()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	path = filepath.Join(root, "bin", "test-issuer")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	// Several test processes may begin at once.
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", path, ".")
	build.Dir = filepath.Join(root, "e2e", "issuer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests' issuer: %w: %s", err, out)
	}
	return path, nil
})

// Start starts an issuer, which ends with the test, and with the test's process. Its tokens are valid for that long.
func Start(t testing.TB, valid time.Duration) *Issuer {
	t.Helper()
	return StartAt(t, valid, func(front http.Handler) (string, *http.Client) {
		served := httptest.NewServer(front)
		t.Cleanup(served.Close)
		return served.URL, http.DefaultClient
	})
}

// StartAt is Start at another address: serve serves the issuer until the test ends, and returns its URL, by which the test and others
// reach it, and a client that the test can call it with.
func StartAt(t testing.TB, valid time.Duration, serve func(front http.Handler) (url string, client *http.Client)) *Issuer {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{t: t}
	var upstream atomic.Pointer[httputil.ReverseProxy]
	front, client := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.requests.Add(1)
		if gate := i.slow.Load(); gate != nil {
			select {
			case <-*gate:
			case <-r.Context().Done():
			}
		}
		if i.away.Load() {
			panic(http.ErrAbortHandler)
		}
		upstream.Load().ServeHTTP(w, r)
	}))
	i.URL, i.client = front+"/dex", client
	cmd := exec.Command(path, "-issuer", i.URL, "-clients", Client+","+OtherClient, "-valid", valid.String())
	var said bytes.Buffer
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if i.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = i.stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the issuer ended with %v: %s", err, said.String())
		}
	})
	i.lines = bufio.NewReader(stdout)
	var serves struct{ Address string }
	line, err := i.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &serves)
	}
	if err != nil {
		t.Fatalf("the issuer does not serve: %v", err)
	}
	upstream.Store(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: serves.Address})
		r.Out.Host = r.In.Host
	}})
	return i
}

func (i *Issuer) command(text string) {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	_, err := io.WriteString(i.stdin, text+"\n")
	if err == nil {
		_, err = i.lines.ReadString('\n')
	}
	if err != nil {
		i.t.Fatalf("%s: %v", text, err)
	}
}

// Rotate makes new keys. Tokens of the former ones stay valid.
func (i *Issuer) Rotate() { i.command("rotate") }

// Withdraw makes new keys, and takes the former ones back.
func (i *Issuer) Withdraw() { i.command("withdraw") }

// SetClock sets the issuer's clock so far ahead of this machine's, or back if negative.
func (i *Issuer) SetClock(ahead time.Duration) { i.command("clock " + ahead.String()) }

// SetAway takes the issuer away, or brings it back. Connections to an issuer that is away end without an answer.
func (i *Issuer) SetAway(away bool) { i.away.Store(away) }

// Hold lets requests wait until the function that it returns is called.
func (i *Issuer) Hold() (release func()) {
	gate := make(chan struct{})
	i.slow.Store(&gate)
	return func() { i.slow.Store(nil); close(gate) }
}

// Requests returns how many requests the issuer has received.
func (i *Issuer) Requests() int64 { return i.requests.Load() }

// Tokens are the answer of an issuer.
type Tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// Login returns the tokens of a user, by the password grant. Further scopes may be groups and offline_access.
func (i *Issuer) Login(client, user string, scopes ...string) Tokens {
	i.t.Helper()
	answer, err := i.client.PostForm(i.URL+"/token", url.Values{
		"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {user},
		"scope": {strings.Join(append([]string{"openid"}, scopes...), " ")},
	})
	if err != nil {
		i.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	var tokens Tokens
	if err == nil {
		err = json.Unmarshal(body, &tokens)
	}
	if err != nil || answer.StatusCode != http.StatusOK || tokens.ID == "" {
		i.t.Fatalf("login of %s: %s %s %v", user, answer.Status, body, err)
	}
	return tokens
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// Approve does what a user does in a browser who is shown the URL of a device flow: it enters the code and logs in.
func (i *Issuer) Approve(user, verification string) error {
	shown, err := url.Parse(verification)
	if err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Transport: i.client.Transport}
	form, err := post(browser, i.URL+"/device/auth/verify_code", url.Values{"user_code": {shown.Query().Get("user_code")}})
	if err != nil {
		return err
	}
	action := formAction.FindStringSubmatch(form.page)
	if action == nil {
		return fmt.Errorf("the issuer shows no form to log in with: %s", form.page)
	}
	target, err := form.at.Parse(strings.ReplaceAll(action[1], "&amp;", "&"))
	if err != nil {
		return err
	}
	done, err := post(browser, target.String(), url.Values{"login": {user}, "password": {user}})
	if err == nil && !strings.Contains(done.page, "Login Successful") {
		err = errors.New("the issuer does not accept the login: " + done.page)
	}
	return err
}

// page is what a browser shows, and where.
type page struct {
	at   *url.URL
	page string
}

func post(browser *http.Client, target string, form url.Values) (page, error) {
	answer, err := browser.PostForm(target, form)
	if err != nil {
		return page{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", target, answer.Status, body)
	}
	return page{at: answer.Request.URL, page: string(body)}, err
}
