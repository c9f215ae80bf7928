package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// chain combines interceptors into one. The first is the outermost.
func chain(interceptors ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		for i := len(interceptors) - 1; i >= 0; i-- {
			intercept, next := interceptors[i], handler
			handler = func(ctx context.Context, request any) (any, error) { return intercept(ctx, request, info, next) }
		}
		return handler(ctx, request)
	}
}

// recovering turns a panic into an internal error. gRPC runs handlers in separate goroutines, where an unrecovered panic ends the process.
func recovering(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if v := recover(); v != nil {
			answer, err = nil, recovered(ctx, v).Err()
		}
	}()
	return handler(ctx, request)
}

// streaming is recovering for the streams of health and reflection. It ends them when the server drains, because clients watch the health
// without an end.
func (s *Server) streaming(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	callOf(stream.Context()).called(info.FullMethod)
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	defer func() {
		if v := recover(); v != nil {
			err = recovered(ctx, v).Err()
		}
	}()
	return handler(server, until{stream, ctx})
}

// until is a stream with a context of its own.
type until struct {
	grpc.ServerStream
	ctx context.Context
}

func (u until) Context() context.Context { return u.ctx }

// recovered records a panic for the log and returns the status for the caller.
func recovered(ctx context.Context, v any) *status.Status {
	cause := fmt.Errorf("panic: %v", v)
	c := callOf(ctx)
	c.end(codes.Internal, cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stack = debug.Stack()
	return statusOf(cause)
}

// counting counts a call as in flight. A gRPC handler may still run after its client has disconnected and the HTTP request has ended, so
// counting requests is not enough.
func (s *Server) counting(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	c := callOf(ctx)
	c.begin()
	c.called(info.FullMethod)
	defer s.end(ctx, c)
	return handler(ctx, request)
}

// translating sets the deadline of a call, admits it, and translates its error for the caller. It records method, job and outcome for the
// log.
func (s *Server) translating(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c := callOf(ctx)
	c.mu.Lock()
	c.rpc = info.FullMethod
	c.mu.Unlock()
	if id := s.jobOf(info.FullMethod, request); id != "" {
		Note(ctx, jobKey, id)
	}
	limited, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	var answer any
	admitted, err := s.admitCall(limited, info.FullMethod)
	if err == nil {
		answer, err = handler(admitted, request)
		if s.Finish != nil {
			err = s.Finish(admitted, err)
		}
	}
	if err == nil {
		c.end(codes.OK, nil)
		return answer, nil
	}
	st := s.statusFor(info.FullMethod, err)
	switch {
	// The caller cancelled the call: whatever error the handler made of that, nothing else failed.
	case errors.Is(ctx.Err(), context.Canceled):
		st = statusOf(ctx.Err())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		st = status.New(codes.DeadlineExceeded, "the call took longer than the caller's deadline")
		c.givenUp()
	}
	c.end(st.Code(), err)
	return nil, st.Err()
}

// SetHeader sets a header field of the answer to a call by REST. A method, or Options.Admit, calls it before it returns. It does nothing by
// gRPC, where further metadata cost a fast call a third of its time, and if the context belongs to no call.
func SetHeader(ctx context.Context, name, value string) {
	if c := callOf(ctx); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.grpc {
			c.header.Set(name, value)
		}
	}
}

// statusFor is statusOf with the texts of the method's API.
func (s *Server) statusFor(method string, err error) *status.Status {
	st := statusOf(err)
	if api := s.apis[serviceOf(method)]; api != nil {
		if text, ok := api.Texts[job.CodeOf(err)]; ok {
			return status.New(st.Code(), text)
		}
	}
	return st
}

// jobOf returns the id of the job that a request is about.
func (s *Server) jobOf(method string, request any) string {
	api := s.apis[serviceOf(method)]
	if api == nil || api.Job == nil || request == nil {
		return ""
	}
	return api.Job(request)
}

// serviceOf returns the service of a full method name, "/service/method".
func serviceOf(method string) string {
	for i := len(method) - 1; i > 0; i-- {
		if method[i] == '/' {
			return method[1:i]
		}
	}
	return ""
}
