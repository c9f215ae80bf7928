package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// observe is the outermost handler. It counts requests in flight, determines the caller, recovers panics, reports to the observer, and logs
// each request in one line when it ends. It logs no query, no header field and no body, because they contain secrets.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inFlight.Add(1)
		defer s.inFlight.Add(-1)
		c := &call{began: time.Now(), method: r.Method, path: loggable(r.URL.Path), draining: s.draining.Done()}
		c.authorization = r.Header.Values("Authorization")
		ctx := r.Context()
		if s.Observer != nil && c.path != healthPath {
			ctx, c.id, c.span = s.Observer.Begin(r)
		}
		if c.id == "" {
			c.id = idOf(r)
		}
		ctx, c.caller = s.identified(ctx, r)
		r = r.WithContext(context.WithValue(ctx, callKey{}, c))
		w.Header().Set("X-Request-Id", c.id)
		c.header = w.Header()
		answered := &response{ResponseWriter: w}
		c.begin()
		defer func() {
			v := recover()
			aborted := v == http.ErrAbortHandler //nolint:errorlint // as net/http compares it
			if v != nil && !aborted {
				st := recovered(r.Context(), v)
				if answered.code == 0 {
					answer(answered, r, http.StatusInternalServerError, st)
				}
			}
			c.answered(answered.code)
			s.end(r.Context(), c)
			if aborted {
				panic(v) // net/http then closes the connection
			}
		}()
		next.ServeHTTP(answered, r)
	})
}

// end logs a request and reports it to the observer, when its last part has ended.
func (s *Server) end(ctx context.Context, c *call) {
	c.mu.Lock()
	c.under--
	if c.under > 0 || c.path == healthPath {
		c.mu.Unlock()
		return
	}
	request, level := c.request(), c.level()
	var attrs []slog.Attr
	loud := s.Log.Enabled(ctx, level)
	if loud {
		attrs = c.attrs()
		if s.LogCallers {
			attrs = append(attrs, slog.String("caller", c.caller.Address.String()))
			if c.caller.Subject != "" {
				attrs = append(attrs, slog.String("subject", c.caller.Subject))
			}
		}
	}
	c.mu.Unlock() // the log locks it, too
	if s.Observer != nil {
		s.Observer.End(ctx, request)
	}
	if loud {
		s.Log.LogAttrs(ctx, level, "request", attrs...)
	}
}

// level returns the level of the line about a request. The caller holds the call's lock.
func (c *call) level() slog.Level {
	switch {
	case c.known && c.hasty && c.code == codes.DeadlineExceeded:
		return slog.LevelInfo // the caller's deadline may be short
	case c.status >= http.StatusBadRequest && c.status < http.StatusInternalServerError && c.status != http.StatusTooManyRequests:
		return slog.LevelInfo // the codes of a body that is too large or too slow otherwise mean an error of the server
	case c.known:
		return levelOf(c.code)
	}
	return levelOfStatus(c.status)
}

// attrs returns the attributes of the line about a request. The caller holds the call's lock.
func (c *call) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("method", c.method), slog.String("path", c.path), slog.Int("status", c.status)}
	if c.rpc != "" {
		attrs = append(attrs, slog.String("call", c.rpc))
	}
	if c.known {
		attrs = append(attrs, slog.String("code", c.code.String()))
	}
	attrs = append(attrs, slog.Float64("ms", float64(time.Since(c.began).Microseconds())/1000))
	attrs = append(attrs, c.notes...)
	if c.cause != nil {
		attrs = append(attrs, slog.String("error", c.cause.Error()))
	}
	if c.stack != nil {
		attrs = append(attrs, slog.String("stack", string(c.stack)))
	}
	return attrs
}

// levelOfStatus is levelOf for requests that are not calls, such as pages and unknown paths.
func levelOfStatus(code int) slog.Level {
	switch {
	case code >= http.StatusInternalServerError:
		return slog.LevelError
	case code >= http.StatusBadRequest:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// response records the status of the answer.
type response struct {
	http.ResponseWriter
	code int
}

func (w *response) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Flush implements http.Flusher, which gRPC requires.
func (w *response) Flush() {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap implements the interface that http.ResponseController uses.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
