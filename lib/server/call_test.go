package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// The error of a method, the status that callers get by gRPC and REST, and the level at which it is logged.
func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("the cause")
	const internal = "internal error; please contact the operators if it happens again"
	for _, row := range []struct {
		name    string
		err     func(context.Context) error
		code    codes.Code
		status  int
		message string
		level   string
	}{
		{"invalid", returns(job.Errorf(job.Invalid, "refused").Because(cause)), codes.InvalidArgument, 400, "refused", "INFO"},
		{"not found", returns(job.Errorf(job.NotFound, "refused").Because(cause)), codes.NotFound, 404, "refused", "INFO"},
		{"wrong secret", returns(job.Errorf(job.WrongSecret, "refused").Because(cause)), codes.Unauthenticated, 401, "refused", "INFO"},
		{"exists", returns(job.Errorf(job.AlreadyExists, "refused").Because(cause)), codes.AlreadyExists, 409, "refused", "INFO"},
		{"not ready", returns(job.Errorf(job.NotReady, "refused").Because(cause)), codes.FailedPrecondition, 400, "refused", "INFO"},
		{"too large", returns(job.Errorf(job.TooLarge, "refused").Because(cause)), codes.InvalidArgument, 400, "refused", "INFO"},
		{"exhausted", returns(job.Errorf(job.Exhausted, "refused").Because(cause)), codes.ResourceExhausted, 429, "refused", "WARN"},
		{"unavailable", returns(job.Errorf(job.Unavailable, "refused").Because(cause)), codes.Unavailable, 503, "refused", "WARN"},
		{"wrapped", returns(fmt.Errorf("doing: %w", job.Errorf(job.NotFound, "refused").Because(cause))), codes.NotFound, 404, "refused", "INFO"},
		{"the outermost counts", returns(job.Errorf(job.Unavailable, "refused").Because(job.Errorf(job.NotFound, "the cause"))),
			codes.Unavailable,
			503, "refused", "WARN"},
		{"of an unknown code", returns(job.Errorf("odd", "the cause")), codes.Internal, 500, internal, "ERROR"},
		{"any other", returns(cause), codes.Internal, 500, internal, "ERROR"},
		{"another server's status", returns(fmt.Errorf("asking: %w", status.Error(codes.NotFound, "the cause"))), codes.Internal, 500, internal,
			"ERROR"},
		{"a panic", func(context.Context) error { panic("the cause") }, codes.Internal, 500, internal, "ERROR"},
		{"a nil pointer", func(context.Context) error { return errors.New(*(*string)(nil)) }, codes.Internal, 500, internal, "ERROR"},
		{"a deadline", func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("the cause: %w", ctx.Err()) }, codes.DeadlineExceeded,
			504, "the call took too long; try again later", "WARN"},
		{"odd bytes", returns(job.Errorf(job.Invalid, "t\xffold").Because(cause)), codes.InvalidArgument, 400, "t�old", "INFO"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := echoing()
			f.remove = func(ctx context.Context, _ *protov1.JobAuth) (*protov1.Empty, error) { return nil, row.err(ctx) }
			s := serve(t, server.Options{Timeout: 100 * time.Millisecond}, func(s *server.Server) error {
				return s.Serve(apiv1.API(), f, "Delete")
			})
			const id = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"

			_, err := protov1.NewBaktaJobsClient(s.grpc).Delete(t.Context(), &protov1.JobAuth{JobID: strings.ToUpper(id)})
			if got := status.Convert(err); got.Code() != row.code || got.Message() != row.message {
				t.Errorf("gRPC says %v %q, not %v %q", got.Code(), got.Message(), row.code, row.message)
			}
			got := send(t, client(t), "DELETE", s.url+"/api/v1/delete?jobID="+id, "")
			if got.status != row.status {
				t.Errorf("REST says %d, not %d", got.status, row.status)
			}
			if f := got.failure(t); codes.Code(*f.Code) != row.code || f.Message != row.message {
				t.Errorf("REST says %v %q, not %v %q", *f.Code, f.Message, row.code, row.message)
			}
			if retry := got.header.Get("Retry-After"); (retry != "") != (row.status == 429 || row.status == 503) {
				t.Errorf("REST says %d and Retry-After %q", got.status, retry)
			}

			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(s.log.String(), "\n")
			var found int
			for _, line := range lines {
				if strings.Contains(line, id) {
					found++
					for _, want := range []string{`"level":"` + row.level + `"`, `"code":"` + row.code.String() + `"`, `BaktaJobs/Delete"`,
						`"request":"`} {
						if !strings.Contains(line, want) {
							t.Errorf("the log does not say %s: %s", want, line)
						}
					}
					if row.name != "a nil pointer" && !strings.Contains(line, "the cause") {
						t.Error("the log lacks the cause:", line)
					}
					if (row.name == "a panic" || row.name == "a nil pointer") && !strings.Contains(line, "call_test.go") {
						t.Error("the log lacks the stack:", line)
					}
				}
			}
			if found != 2 {
				t.Errorf("two calls are logged in %d lines:\n%s", found, s.log)
			}
		})
	}
}

func returns(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// A call that its caller cancels is not an error of the server, whatever error the handler returns.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	called := make(chan struct{})
	f := &jobs{version: func(ctx context.Context) (*protov1.VersionResponse, error) {
		close(called)
		<-ctx.Done()
		return nil, job.Errorf(job.Unavailable, "the store is away").Because(ctx.Err())
	}}
	s := serveJobs(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-called
		cancel()
	}()
	if _, err := protov1.NewBaktaJobsClient(s.grpc).Version(ctx, &protov1.Empty{}); status.Code(err) != codes.Canceled {
		t.Error("the caller gets", err)
	}
	eventually(t, "the call is logged", func() bool { return strings.Contains(s.log.String(), `"code":"Canceled"`) })
	if strings.Contains(s.log.String(), "WARN") {
		t.Error("the log warns:", s.log)
	}
}

// A call that exceeds its caller's own, shorter deadline is not an error of the server.
func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	f := &jobs{version: func(ctx context.Context) (*protov1.VersionResponse, error) {
		<-ctx.Done()
		return nil, job.Errorf(job.Unavailable, "the store is away").Because(ctx.Err())
	}}
	s := serveJobs(t, f)
	for _, timeout := range []string{"1n", "20m"} {
		got := send(t, client(t), "GET", s.url+"/api/v1/version", "", "Grpc-Timeout", timeout)
		if f := got.failure(t); got.status != 504 || codes.Code(*f.Code) != codes.DeadlineExceeded || !strings.Contains(f.Message,
			"longer than the caller's deadline") {
			t.Errorf("Grpc-Timeout %s gets %d %s", timeout, got.status, got.body)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := protov1.NewBaktaJobsClient(s.grpc).Version(ctx, &protov1.Empty{}); status.Code(err) != codes.DeadlineExceeded {
		t.Error("a caller by gRPC gets", err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if said := s.log.String(); strings.Contains(said, "WARN") || strings.Contains(said, "ERROR") || strings.Count(said,
		`"code":"DeadlineExceeded"`) < 2 {
		t.Error("the log says", said)
	}
}

// A method that another function serves says so. It is never 404: clients take a 404 of a delete for done.
func TestUnserved(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{}, func(s *server.Server) error {
		return errors.Join(
			s.Serve(apiv1.API(), echoing(), "InitJob", "StartJob"),
			s.Serve(apiv1.API(), echoing(), "Version"), // another function on the same server
			s.Serve(apiv1.Updates(), protov1.UnimplementedBaktaStatusUpdateServer{}),
		)
	})
	c := protov1.NewBaktaJobsClient(s.grpc)
	if _, err := c.InitJob(t.Context(), &protov1.InitJobRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := c.Version(t.Context(), &protov1.Empty{}); err != nil {
		t.Error(err)
	}
	const want = "Delete is not served here; the request was sent to the wrong function"
	_, err := c.Delete(t.Context(), &protov1.JobAuth{})
	if got := status.Convert(err); got.Code() != codes.Unimplemented || got.Message() != want {
		t.Error("gRPC says", err)
	}
	got := send(t, client(t), "DELETE", s.url+"/api/v1/job/delete?jobID=i&secret=s", "")
	if f := got.failure(t); got.status != http.StatusNotImplemented || *f.Code != 12 || f.Message != want {
		t.Errorf("REST says %d %s", got.status, got.body)
	}
	if _, err := protov1.NewBaktaStatusUpdateClient(s.grpc).UpdateStatus(t.Context(),
		&protov1.UpdateStatusRequest{}); status.Code(err) != codes.Unimplemented {
		t.Error("UpdateStatus says", err)
	}
	if err := s.grpc.Invoke(t.Context(), "/bakta.web.api.proto.v1.BaktaJobs/Nothing", &protov1.Empty{},
		&protov1.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Error("an unknown method says", err)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	srv := func() *server.Server {
		s, err := server.New(server.Options{Log: server.NewLogger(io.Discard, nil)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	nothing := http.NotFoundHandler()
	for name, set := range map[string]func(*server.Server) error{
		"an unknown method": func(s *server.Server) error { return s.Serve(apiv1.API(), echoing(), "Nothing") },
		"a method twice":    func(s *server.Server) error { return s.Serve(apiv1.API(), echoing(), "Version", "Version") },
		"of two functions": func(s *server.Server) error {
			return errors.Join(s.Serve(apiv1.API(), echoing(), "Version"), s.Serve(apiv1.API(), echoing(), "Version"))
		},
		"another service's impl": func(s *server.Server) error { return s.Serve(apiv1.Updates(), echoing(), "UpdateStatus") },
		"no impl":                func(s *server.Server) error { return s.Serve(apiv1.API(), nil, "Version") },
		"no service":             func(s *server.Server) error { return s.Serve(server.API{}, echoing()) },
		"a path twice":           func(s *server.Server) error { return errors.Join(s.Handle("/x", nothing), s.Handle("/x", nothing)) },
		"a relative path":        func(s *server.Server) error { return s.Handle("x", nothing) },
		"no handler":             func(s *server.Server) error { return s.Handle("/x", nil) },
		"the health's path":      func(s *server.Server) error { return s.Handle("/healthz", nothing) },
	} {
		if set(srv()) == nil {
			t.Error(name, "is taken")
		}
	}
	for name, o := range map[string]server.Options{
		"no log":           {},
		"a negative limit": {Log: server.NewLogger(io.Discard, nil), MaxBody: -1},
	} {
		if _, err := server.New(o); err == nil {
			t.Error(name, "is taken")
		}
	}
}

// Telemetry sees every call with the status that its caller gets, and its own panics end no process.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 4)
	f := &jobs{version: func(context.Context) (*protov1.VersionResponse, error) { panic("handler") }}
	s := serve(t, server.Options{
		Interceptors: []grpc.UnaryServerInterceptor{func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any,
			error) {
			if info.FullMethod == protov1.BaktaJobs_Delete_FullMethodName {
				panic("interceptor")
			}
			answer, err := next(ctx, r)
			seen <- info.FullMethod + " " + status.Code(err).String()
			return answer, err
		}},
		Middleware: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/panic" {
					panic("middleware")
				}
				w.Header().Set("X-Middleware", "saw it")
				next.ServeHTTP(w, r)
			})
		}},
	}, func(s *server.Server) error { return s.Serve(apiv1.API(), f, "Version", "Delete") })
	c := protov1.NewBaktaJobsClient(s.grpc)

	if _, err := c.Version(t.Context(), &protov1.Empty{}); status.Code(err) != codes.Internal {
		t.Error("gRPC says", err)
	}
	if got := send(t, client(t), "GET", s.url+"/api/v1/version", ""); got.status != 500 || got.header.Get("X-Middleware") == "" {
		t.Errorf("REST says %d with %v", got.status, got.header)
	}
	close(seen)
	for range 2 {
		if got := <-seen; got != protov1.BaktaJobs_Version_FullMethodName+" Internal" {
			t.Errorf("telemetry sees %q", got)
		}
	}
	if _, err := c.Delete(t.Context(), &protov1.JobAuth{}); status.Code(err) != codes.Internal {
		t.Error("a panic of an interceptor is", err)
	}
	if got := send(t, client(t), "GET", s.url+"/panic", ""); got.status != 500 || *got.failure(t).Code != 13 {
		t.Errorf("a panic of middleware is %d %s", got.status, got.body)
	}
}

// gRPC messages are limited like bodies.
func TestMessageTooLarge(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	_, err := protov1.NewBaktaJobsClient(s.grpc).InitJob(t.Context(), &protov1.InitJobRequest{Name: strings.Repeat("x", 1<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Error("says", err)
	}
}

func TestReflectionAndHealth(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	stream, err := grpc_reflection_v1.NewServerReflectionClient(s.grpc).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: "bakta.web.api.proto.v1.BaktaJobs.InitJob",
		},
	}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Error("reflection answers", answer)
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}

	health := grpc_health_v1.NewHealthClient(s.grpc)
	watch, err := health.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Error("health is", got, err)
	}
	if got := send(t, client(t), "GET", s.url+"/healthz", "", "User-Agent", "kube-probe/1.33"); got.status != 200 || got.body != "ok\n" {
		t.Errorf("/healthz is %d %q", got.status, got.body)
	}
	// Watching does not hold up the end.
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(s.log.String(), "healthz") {
		t.Error("probes are logged:", s.log)
	}
}
