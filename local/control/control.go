// Package control lets commands change a local backend while it runs. The backend serves HTTP on a Unix socket in its data
// directory, to the user who runs it and to root alone.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// socketName is the name of the socket in the data directory.
const socketName = "control.sock"

// callTime bounds a call, and how long the backend waits for the rest of one.
const callTime = 10 * time.Second

// Jobs says how many jobs a backend runs at the same time.
type Jobs struct {
	Limit   int `json:"limit"`   // as many as may run
	Running int `json:"running"` // as many as run; for a while more than Limit after that was lowered
	Waiting int `json:"waiting"`
}

// Backend is what is changed.
type Backend interface {
	Jobs() Jobs
	SetJobs(limit int)
}

// MaxJobs bounds how many jobs may run at the same time: far more than any machine can run, and few enough to count.
const MaxJobs = 10_000

// CheckJobs returns an error for a limit that is not valid.
func CheckJobs(limit int) error {
	if limit < 1 || limit > MaxJobs {
		return fmt.Errorf("must be a number of jobs from 1 to %d", MaxJobs)
	}
	return nil
}

// Listen opens the socket in a data directory. No other process may use the directory.
func Listen(data string) (net.Listener, error) {
	// A path below a descriptor is short: the system limits the path of a socket to about 100 bytes.
	dir, err := os.Open(data)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	path := filepath.Join(data, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // a killed process leaves it behind
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: below(dir), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening the socket %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{UnixListener: l, path: path}, nil
}

func below(dir *os.File) string { return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName) }

// listener accepts connections of this user and of root.
type listener struct {
	*net.UnixListener
	path string
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		// The permissions of the socket and of its directory say the same; a user may have opened the directory to others.
		if allowed(c) {
			return c, nil
		}
		c.Close()
	}
}

// Close closes the socket and removes it. It may be called again.
func (l *listener) Close() error {
	err := l.UnixListener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	os.Remove(l.path) // the next start removes it, too
	return err
}

// Serve serves the backend until ctx ends.
func Serve(ctx context.Context, l net.Listener, b Backend) error {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(b.Jobs()) //nolint:errcheck,errchkjson // the caller is gone
	}
	mux.HandleFunc("GET /jobs", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	mux.HandleFunc("PUT /jobs", func(w http.ResponseWriter, r *http.Request) {
		var wanted Jobs
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&wanted)
		if err == nil {
			if err = CheckJobs(wanted.Limit); err != nil {
				err = fmt.Errorf("the limit %w", err)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.SetJobs(wanted.Limit)
		answer(w)
	})
	server := &http.Server{Handler: mux, ReadTimeout: callTime, WriteTimeout: callTime, IdleTimeout: callTime}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the socket for commands: %w", err)
	}
	return nil
}

// Read returns how many jobs the backend on a data directory runs.
func Read(ctx context.Context, data string) (Jobs, error) {
	return call(ctx, data, http.MethodGet, nil)
}

// Set changes how many jobs the backend on a data directory runs at the same time, and returns what is so then.
func Set(ctx context.Context, data string, limit int) (Jobs, error) {
	body, err := json.Marshal(Jobs{Limit: limit})
	if err != nil {
		return Jobs{}, err
	}
	return call(ctx, data, http.MethodPut, body)
}

func call(ctx context.Context, data, method string, body []byte) (Jobs, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	dir, err := os.Open(data)
	if err != nil {
		return Jobs{}, fmt.Errorf("--data: %w; name the directory of a backend that runs", err)
	}
	defer dir.Close()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", below(dir))
		},
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://backend/jobs", bytes.NewReader(body))
	if err != nil {
		return Jobs{}, err
	}
	response, err := transport.RoundTrip(request)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return Jobs{}, fmt.Errorf("no backend runs on %s; start it with `bakta-web local --data %s`", data, data)
	case errors.Is(err, fs.ErrPermission):
		return Jobs{}, fmt.Errorf("the backend on %s belongs to another user, who alone may change it", data)
	case err != nil:
		return Jobs{}, fmt.Errorf("calling the backend on %s: %w", data, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var text bytes.Buffer
		text.ReadFrom(http.MaxBytesReader(nil, response.Body, 1<<10)) //nolint:errcheck // what can be read is shown
		return Jobs{}, fmt.Errorf("the backend on %s refuses: %s", data, strings.TrimSpace(text.String()))
	}
	var jobs Jobs
	if err := json.NewDecoder(response.Body).Decode(&jobs); err != nil {
		return Jobs{}, fmt.Errorf("reading the answer of the backend on %s: %w", data, err)
	}
	return jobs, nil
}
