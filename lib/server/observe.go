package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// observe is around everything: it counts requests in flight, recovers panics, tells the observer, and logs each request
// in one line when it ends. It logs no query, no header and no body: they hold secrets.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inFlight.Add(1)
		defer s.inFlight.Add(-1)
		c := &call{began: time.Now(), method: r.Method, path: loggable(r.URL.Path)}
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
		answered := &response{ResponseWriter: w}
		c.begin()
		defer func() {
			v := recover()
			if v != nil && v != http.ErrAbortHandler {
				st := recovered(r.Context(), v)
				if answered.code == 0 {
					answer(answered, r, http.StatusInternalServerError, st)
				}
			}
			c.answered(answered.code)
			s.end(r.Context(), c)
			if v == http.ErrAbortHandler {
				panic(v) // net/http's own way to cut a connection
			}
		}()
		next.ServeHTTP(answered, r)
	})
}

// end logs a request, and tells the observer of it, if no part of it is under way any more.
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
	c.mu.Unlock() // the log takes the lock, too
	if s.Observer != nil {
		s.Observer.End(ctx, request)
	}
	if loud {
		s.Log.LogAttrs(ctx, level, "request", attrs...)
	}
}

// level says how loud the line about a request is. The caller holds the call's lock.
func (c *call) level() slog.Level {
	switch {
	case c.known && c.hasty && c.code == codes.DeadlineExceeded:
		return slog.LevelInfo // what took long is not known to be slow
	case c.status >= http.StatusBadRequest && c.status < http.StatusInternalServerError && c.status != http.StatusTooManyRequests:
		return slog.LevelInfo // a body that is too large or too slow has the code of what is ours at other times
	case c.known:
		return levelOf(c.code)
	}
	return levelOfStatus(c.status)
}

// attrs returns what is logged of a request. The caller holds the call's lock.
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

// levelOfStatus is levelOf for what is no call: a page, an unknown path.
func levelOfStatus(code int) slog.Level {
	switch {
	case code >= http.StatusInternalServerError:
		return slog.LevelError
	case code >= http.StatusBadRequest:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// response remembers the status that was answered.
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

// Flush is what gRPC asks of a response.
func (w *response) Flush() {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is what http.ResponseController asks of a response.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
