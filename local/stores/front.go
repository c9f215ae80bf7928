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

// Limits that prevent a slow or idle client of the S3 store from holding a connection. A whole upload or download has no
// time limit: five gigabytes over a slow connection are accepted, as long as they make progress.
const (
	headerTime = 10 * time.Second // to send the header of a request
	idleTime   = time.Minute      // between two requests
	stallTime  = time.Minute      // to send or receive the next step of content
	step       = 16 << 10         // bytes; with stallTime, the minimum speed is about 270 bytes/s
	headerSize = 16 << 10         // bytes; the store itself accepts 8 KiB
	closeTime  = 2 * time.Second  // for requests in progress at the end

	// Limits for reading refused content, in bytes and time. Most clients read the response after they have sent all
	// content, and never see it if the connection is closed before.
	leftover     = 64 << 20
	leftoverTime = time.Minute
)

// front is the server of the S3 store for users. The store itself listens on a socket for this process only, so that the
// backend can always connect: the store's server has no time limits, and one limit of connections for all clients.
type front struct {
	server *http.Server
	proxy  *httputil.ReverseProxy
	done   chan error
}

// newFront starts a server on a listener, which it closes. The server forwards requests to the store behind the dialer.
func newFront(listener net.Listener, store func(context.Context, string, string) (net.Conn, error), o ObjectsOptions) *front {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := store(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return lenient{conn}, nil
		},
		// Content passes unchanged: a client's signature may cover Accept-Encoding.
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
	f := &front{done: make(chan error, 1)}
	f.proxy = &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			// The host is the one that the client sent: the signature of a link covers it.
			r.SetURL(&url.URL{Scheme: "http", Host: "store"})
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Expect") // this server answers it when it reads the content
			if r.Out.Body != nil && r.Out.Body != http.NoBody {
				r.Out.Body = &outbound{ReadCloser: r.Out.Body, over: make(chan struct{})}
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if body, ok := r.Request.Body.(*outbound); ok {
				body.await(r.Request.Context())
			}
			if o.Guard == nil {
				return nil // the CORS rules of the bucket apply
			}
			// The guard has refused the origins that are not allowed.
			r.Header.Del("Access-Control-Allow-Origin")
			if origin := r.Request.Header.Get("Origin"); origin != "" {
				r.Header.Set("Access-Control-Allow-Origin", origin)
			}
			r.Header.Add("Vary", "Origin")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				o.Log.Info("a request to the S3 store was interrupted", "method", r.Method, "error", err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelInfo),
	}
	handler := requireLength(f.proxy)
	if o.Room != nil {
		handler = requireSpace(handler, o)
	}
	if o.Guard != nil {
		handler = o.Guard(handler)
	}
	connections := access.NewConnections()
	f.server = &http.Server{
		Handler:           requireProgress(handler, stallTime),
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      stallTime, // every step extends it, see requireProgress
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerSize,
		ConnState:         connections.State,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelInfo),
	}
	go func() { f.done <- f.server.Serve(connections.Listener(listener)) }()
	return f
}

// requireLength refuses content without a Content-Length. The store also refuses it, but does not read it (as of versitygw
// 1.8.0), and parses it as the next request on the connection, which may be another user's.
func requireLength(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 {
			refuse(w, r, http.StatusLengthRequired, "MissingContentLength", "Send the file with a Content-Length, not with chunked encoding.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// lenient is a connection to the store that ignores writes after the store has closed it. The store answers some requests
// before it has read their content, and closes the connection; an error of Write would lose its response.
type lenient struct{ net.Conn }

func (c lenient) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(p), nil
	}
	return n, err
}

// outbound is the content of a request to the store.
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

// await waits until the content is read, up to the limits for refused content.
func (b *outbound) await(ctx context.Context) {
	select {
	case <-b.over:
	case <-ctx.Done():
	case <-time.After(leftoverTime):
	}
}

// refuse sends an error in the form of S3.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= leftover { // a client with Expect waits before it sends content
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(leftoverTime))
		_, _ = io.CopyN(io.Discard, r.Body, leftover) // fails if the client has disconnected or is too slow
	}
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
	}
	h.Add("Vary", "Origin")
	w.WriteHeader(status)
	io.WriteString(w, xml.Header+"<Error><Code>"+code+"</Code><Message>") // writes fail only if the client has disconnected
	xml.EscapeText(w, []byte(message))
	io.WriteString(w, "</Message></Error>\n")
}

// requireSpace refuses uploads for which the disk has too little space.
func requireSpace(next http.Handler, o ObjectsOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			if err := o.Room(max(0, r.ContentLength)); err != nil {
				o.Log.Warn("an upload was refused", "bytes", r.ContentLength, "error", err)
				message := "The server has too little disk space for the file."
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

// close stops the server. Requests in progress have closeTime to end.
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

// requireProgress ends requests whose content makes no progress: each step of it, in either direction, has to pass within
// a time.
func requireProgress(next http.Handler, within time.Duration) http.Handler {
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
	read    int // bytes of this step
}

// extend sets the deadline of the next step. An error means that the connection is closed, which the next read returns.
func (b *incoming) extend() {
	b.read = 0
	_ = b.control.SetReadDeadline(time.Now().Add(b.within))
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read += n; b.read >= step {
		b.extend()
	}
	if err == io.EOF {
		// The server continues to read, to detect a disconnect, and treats a deadline as one. After any other error the
		// deadline stays: it limits how long the server reads the rest of the body.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// outgoing is a response.
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

// Write extends the deadline for each piece: the proxy copies pieces of 32 KiB.
func (w *outgoing) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *outgoing) Unwrap() http.ResponseWriter { return w.ResponseWriter }
