package stores

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/local/access"
)

// Limits that keep a slow or silent client of the object store from holding on to a connection. There is none for a
// whole upload or download: five gigabytes on a slow line are welcome, as long as they get on.
const (
	headerTime = 10 * time.Second // to send a request's header
	idleTime   = time.Minute      // between two requests
	stallTime  = time.Minute      // to send or take the next step of content
	step       = 16 << 10         // bytes; with stallTime the slowest line that will do, about 270 bytes/s
	headerSize = 16 << 10         // bytes; the store itself takes 8 KiB
	closeTime  = 2 * time.Second  // for requests that are under way at the end

	// How much is still read of content that is refused, in bytes, and for how long: most clients read the answer when
	// they have sent all, and never see it if the connection is closed before.
	leftover     = 64 << 20
	leftoverTime = time.Minute
)

// front is what users reach of the store. The store itself listens on a socket that is this process' alone, where it
// always has room for the backend: its server has no limits of time, and its bound of connections is one for all.
type front struct {
	server *http.Server
	proxy  *httputil.ReverseProxy
	done   chan error
}

// newFront serves on a listener, which it closes, what the store behind the dialer answers.
func newFront(listener net.Listener, store func(context.Context, string, string) (net.Conn, error), o ObjectsOptions) *front {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := store(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return answered{conn}, nil
		},
		// Content passes as it is: a client's signature may cover what it accepts.
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
	f := &front{done: make(chan error, 1)}
	f.proxy = &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			// The host stays as the client wrote it: the signature of a link covers it.
			r.SetURL(&url.URL{Scheme: "http", Host: "store"})
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Expect") // this server has answered it, or will, when the content is read
			if r.Out.Body != nil && r.Out.Body != http.NoBody {
				r.Out.Body = &outbound{ReadCloser: r.Out.Body, over: make(chan struct{})}
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if body, ok := r.Request.Body.(*outbound); ok {
				body.await(r.Request.Context())
			}
			if o.Guard == nil {
				return nil // the bucket's own rules say whose scripts may read
			}
			// What may not come never gets here.
			r.Header.Del("Access-Control-Allow-Origin")
			if origin := r.Request.Header.Get("Origin"); origin != "" {
				r.Header.Set("Access-Control-Allow-Origin", origin)
			}
			r.Header.Add("Vary", "Origin")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				o.Log.Info("a request to the object store was cut off", "method", r.Method, "error", err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelInfo),
	}
	handler := ofKnownLength(f.proxy)
	if o.Room != nil {
		handler = whereThereIsRoom(handler, o)
	}
	if o.Guard != nil {
		handler = o.Guard(handler)
	}
	connections := access.NewConnections()
	f.server = &http.Server{
		Handler:           gettingOn(handler, stallTime),
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      stallTime, // put off by every step, see gettingOn
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerSize,
		ConnState:         connections.State,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelInfo),
	}
	go func() { f.done <- f.server.Serve(connections.Listener(listener)) }()
	return f
}

// ofKnownLength refuses content whose length is not told before it. The store refuses it, too, but leaves it unread (as of
// versitygw 1.8.0) and takes it for the next request on the connection, which may be another user's.
func ofKnownLength(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 {
			refuse(w, r, http.StatusLengthRequired, "MissingContentLength", "Send the file with a Content-Length, and not in chunks.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answered is a connection to the store, which answers some requests before it has read their content, and closes: it
// takes what it is sent all the same, so that the answer is read and not lost to an error of sending.
type answered struct{ net.Conn }

func (c answered) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(p), nil
	}
	return n, err
}

// outbound is the content of a request on its way to the store.
type outbound struct {
	io.ReadCloser
	once sync.Once
	over chan struct{} // closed when no more is read
	read int64         // bytes
}

func (b *outbound) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read += int64(n); err != nil || b.read > leftover {
		b.end()
	}
	return n, err
}

func (b *outbound) Close() error {
	b.end()
	return b.ReadCloser.Close()
}

func (b *outbound) end() { b.once.Do(func() { close(b.over) }) }

// await waits until the content is read as far as is waited for.
func (b *outbound) await(ctx context.Context) {
	select {
	case <-b.over:
	case <-ctx.Done():
	case <-time.After(leftoverTime):
	}
}

// refuse answers an error as the store does.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= leftover { // one that expects a leave to send has sent nothing yet
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(leftoverTime))
		_, _ = io.CopyN(io.Discard, r.Body, leftover) // a client that went away, or is too slow
	}
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	h.Add("Vary", "Origin")
	w.WriteHeader(status)
	io.WriteString(w, xml.Header+"<Error><Code>"+code+"</Code><Message>") // these fail only when the client is gone
	xml.EscapeText(w, []byte(message))
	io.WriteString(w, "</Message></Error>\n")
}

// whereThereIsRoom refuses uploads for which there is no room.
func whereThereIsRoom(next http.Handler, o ObjectsOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			if err := o.Room(max(0, r.ContentLength)); err != nil {
				o.Log.Warn("an upload was refused", "bytes", r.ContentLength, "error", err)
				message := "There is no room for the file."
				if e := (*job.Error)(nil); errors.As(err, &e) {
					message = e.Message
				}
				refuse(w, r, http.StatusInsufficientStorage, "InsufficientStorage", message)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// close ends serving. Requests that are under way get a moment.
func (f *front) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := f.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = f.server.Close()
	}
	if served := <-f.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	f.proxy.Transport.(*http.Transport).CloseIdleConnections()
	return err
}

// gettingOn ends requests whose content does not get on: each step of it, in either direction, has to pass within a
// time.
func gettingOn(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			body := &incoming{ReadCloser: r.Body, control: control, within: within}
			body.extend()
			r.Body = body
		}
		next.ServeHTTP(&outgoing{ResponseWriter: w, control: control, within: within}, r)
	})
}

// incoming is the content of a request.
type incoming struct {
	io.ReadCloser
	control *http.ResponseController
	within  time.Duration
	came    int // bytes of this step
}

// extend gives the next step its time. An error is of a connection that is gone, which the next read tells.
func (b *incoming) extend() {
	b.came = 0
	_ = b.control.SetReadDeadline(time.Now().Add(b.within))
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.came += n; b.came >= step {
		b.extend()
	}
	if err == io.EOF {
		// The server goes on reading, to see whether the client leaves, and takes a deadline for that. After any other
		// error the deadline stays: what the server still reads of the body is not to take longer.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// outgoing is an answer.
type outgoing struct {
	http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
}

func (w *outgoing) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.within)) }

func (w *outgoing) WriteHeader(code int) {
	w.extend()
	w.ResponseWriter.WriteHeader(code)
}

// Write gives every piece its time: the proxy copies pieces of 32 KiB.
func (w *outgoing) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// Unwrap is what http.ResponseController asks of an answer.
func (w *outgoing) Unwrap() http.ResponseWriter { return w.ResponseWriter }
