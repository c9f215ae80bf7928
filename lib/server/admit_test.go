package server_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// An event needs the token of a source, whose subject is then the caller's. Everything else is served as before.
func TestAuthenticator(t *testing.T) {
	t.Parallel()
	authenticate := func(_ context.Context, token string) (string, error) {
		switch token {
		case "good":
			return "source", nil
		case "later":
			return "", job.Errorf(job.Unavailable, "the cluster is away")
		case "odd":
			return "", errors.New("something is wrong")
		}
		return "wrong", job.Errorf(job.WrongSecret, "not you")
	}
	var handled atomic.Int32
	s := serve(t, server.Options{Authenticate: authenticate}, func(s *server.Server) error {
		return s.Events("/events", func(ctx context.Context, _ event.Event) error {
			if c := caller.From(ctx); c.Subject != "source" || !c.Address.IsLoopback() {
				t.Errorf("the caller is %+v", c)
			}
			handled.Add(1)
			return nil
		})
	})
	for _, row := range []struct {
		authorization string
		status        int
		events        int32
		message       string
	}{
		{"Bearer good", http.StatusNoContent, 1, ""},
		{"Bearer bad", http.StatusUnauthorized, 0, "a bearer token of the event source is required"},
		{"Bearer ", http.StatusUnauthorized, 0, "a bearer token of the event source is required"},
		{"Basic good", http.StatusUnauthorized, 0, "a bearer token of the event source is required"},
		{"good", http.StatusUnauthorized, 0, "a bearer token of the event source is required"},
		{"", http.StatusUnauthorized, 0, "a bearer token of the event source is required"},
		{"Bearer later", http.StatusServiceUnavailable, 0, "the token cannot be checked now; try again later"},
		{"Bearer odd", http.StatusServiceUnavailable, 0, "the token cannot be checked now; try again later"},
	} {
		got := send(t, client(t), http.MethodPost, s.url+"/events", "{}", append(binary(), "Authorization", row.authorization)...)
		if n := handled.Swap(0); got.status != row.status || n != row.events {
			t.Errorf("%q is answered %d, with %d events handled", row.authorization, got.status, n)
		}
		if row.message != "" && got.failure(t).Message != row.message {
			t.Errorf("%q is answered %s", row.authorization, got.body)
		}
	}
	if got := send(t, client(t), http.MethodGet, s.url+"/healthz", ""); got.status != http.StatusOK {
		t.Errorf("health is answered %d", got.status)
	}
}

// Every call and every event is admitted in one place, whichever way it comes, before it has an effect.
func TestAdmit(t *testing.T) {
	t.Parallel()
	const refused, allowed = "192.0.2.66", "192.0.2.1"
	var mu sync.Mutex
	var asked []string
	var refusal error
	admit := func(ctx context.Context, c caller.Caller, method string) (context.Context, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, c.Address.String()+" "+method)
		if c != caller.From(ctx) {
			t.Errorf("the context's caller is %v, not %v", caller.From(ctx), c)
		}
		if c.Address.String() == refused {
			return nil, refusal
		}
		return ctx, nil
	}
	f, second := echoing(), &jobsV2{}
	var effects atomic.Int32
	f.version = func(ctx context.Context) (*protov1.VersionResponse, error) {
		if a := caller.From(ctx).Address.String(); a != allowed {
			t.Errorf("a call of %s is served", a)
		}
		effects.Add(1)
		return &protov1.VersionResponse{}, nil
	}
	s := serve(t, server.Options{Admit: admit, Proxies: caller.Proxies{Count: 1}}, func(s *server.Server) error {
		return errors.Join(s.Serve(apiv1.API(), f, all()...), s.Serve(apiv2.API(), second, "Workflows"),
			s.Events("/events", func(context.Context, event.Event) error { effects.Add(1); return nil }))
	})
	const version, workflows = "/bakta.web.api.proto.v1.BaktaJobs/Version", "/bakta.web.api.proto.v2.BaktaJobs/Workflows"
	byGRPC := func(from string) error {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "203.0.113.9, "+from)
		_, err := protov1.NewBaktaJobsClient(s.grpc).Version(ctx, &protov1.Empty{})
		return err
	}
	for _, row := range []struct {
		err            error
		code           codes.Code
		http, ofEvents int
	}{
		{job.Errorf(job.Exhausted, "too many calls"), codes.ResourceExhausted, 429, 429},
		{job.Errorf(job.WrongSecret, "not you"), codes.Unauthenticated, 401, 401},
		{job.Errorf(job.Invalid, "not so"), codes.InvalidArgument, 400, 400},
		{job.Errorf(job.Unavailable, "away"), codes.Unavailable, 503, 503},
		{errors.New("odd"), codes.Internal, 500, 503},
	} {
		asked, refusal = nil, row.err
		for from, want := range map[string]struct {
			code        codes.Code
			http, event int
			effects     int32
		}{refused: {row.code, row.http, row.ofEvents, 0}, allowed: {codes.OK, 200, 204, 3}} {
			if err := byGRPC(from); status.Code(err) != want.code {
				t.Errorf("%v: gRPC from %s gets %v", row.err, from, err)
			}
			headers := []string{"X-Forwarded-For", "203.0.113.9, " + from, "Forwarded", "for=" + allowed}
			for _, path := range []string{"/api/v1/version", "/api/v2/workflows"} {
				if got := send(t, client(t), http.MethodGet, s.url+path, "", headers...); got.status != want.http {
					t.Errorf("%v: %s from %s gets %d %s", row.err, path, from, got.status, got.body)
				} else if want.http == http.StatusTooManyRequests && got.header.Get("Retry-After") == "" {
					t.Errorf("%v: %s does not say when to retry", row.err, path)
				}
			}
			if got := send(t, client(t), http.MethodPost, s.url+"/events", "{}", append(binary(), headers...)...); got.status != want.event {
				t.Errorf("%v: an event from %s gets %d", row.err, from, got.status)
			}
			if n := effects.Swap(0); n != want.effects {
				t.Errorf("%v: %d calls from %s have an effect", row.err, n, from)
			}
		}
		slices.Sort(asked)
		want := []string{
			allowed + " " + version, allowed + " " + version, allowed + " " + workflows, allowed + " /events",
			refused + " " + version, refused + " " + version, refused + " " + workflows, refused + " /events",
		}
		slices.Sort(want)
		if !slices.Equal(asked, want) {
			t.Errorf("%v: asked about %q", row.err, asked)
		}
	}
}

// A caller is logged only if the server is configured to.
func TestLogCallers(t *testing.T) {
	t.Parallel()
	for _, log := range []bool{false, true} {
		s := serve(t, server.Options{
			LogCallers: log, Proxies: caller.Proxies{Count: 1},
			Authenticate: func(context.Context, string) (string, error) { return "the-source", nil },
		}, func(s *server.Server) error {
			return errors.Join(s.Serve(apiv1.API(), echoing(), all()...),
				s.Events("/events", func(context.Context, event.Event) error { return nil }))
		})
		headers := []string{"X-Forwarded-For", "203.0.113.9, 2001:db8::77", "Authorization", "Bearer x"}
		send(t, client(t), http.MethodGet, s.url+"/api/v1/version", "", headers...)
		send(t, client(t), http.MethodPost, s.url+"/events", "{}", append(binary(), headers...)...)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		text := s.log.String()
		if n := strings.Count(text, `"caller":"2001:db8::77"`); log && n != 2 || !log && strings.Contains(text, "2001:db8::77") {
			t.Errorf("with LogCallers %t, the log is\n%s", log, text)
		}
		if strings.Contains(text, "the-source") != log || strings.Contains(text, "203.0.113.9") {
			t.Errorf("with LogCallers %t, the log is\n%s", log, text)
		}
	}
}

// A limit that refuses a call is described in the same way whichever way the call comes, and whether it refuses the call before or after
// it was handled.
func TestRefusal(t *testing.T) {
	t.Parallel()
	type begun struct{}
	var late atomic.Bool
	refusal := func(ctx context.Context) error {
		server.SetHeader(ctx, "RateLimit-Policy", `"calls-per-minute";q=1;w=60`)
		err := job.Errorf(job.Exhausted, "calls-per-minute: wait")
		err.Retry = &job.Retry{Limit: "calls-per-minute", After: 41_100 * time.Millisecond}
		return err
	}
	s := serve(t, server.Options{
		Admit: func(ctx context.Context, _ caller.Caller, _ string) (context.Context, error) {
			if !late.Load() {
				return nil, refusal(ctx)
			}
			return context.WithValue(ctx, begun{}, true), nil
		},
		Finish: func(ctx context.Context, err error) error {
			if ctx.Value(begun{}) == nil || err != nil {
				t.Errorf("the call ends with %v", err)
			}
			return refusal(ctx)
		},
	}, func(s *server.Server) error {
		return errors.Join(s.Serve(apiv1.API(), echoing(), all()...), s.Serve(apiv2.API(), &jobsV2{}, "Workflows"))
	})
	for _, after := range []bool{false, true} {
		late.Store(after)
		_, err := protov1.NewBaktaJobsClient(s.grpc).Version(t.Context(), &protov1.Empty{})
		st := status.Convert(err)
		if st.Code() != codes.ResourceExhausted || len(st.Details()) != 3 {
			t.Fatalf("gRPC gets %v", st)
		}
		retry, _ := st.Details()[0].(*errdetails.RetryInfo)
		quota, _ := st.Details()[1].(*errdetails.QuotaFailure)
		info, _ := st.Details()[2].(*errdetails.ErrorInfo)
		if retry.GetRetryDelay().AsDuration() != 41_100*time.Millisecond || len(quota.GetViolations()) != 1 ||
			quota.GetViolations()[0].GetQuotaId() != "calls-per-minute" || info.GetMetadata()["limit"] != "calls-per-minute" {
			t.Errorf("gRPC gets the details %v", st.Details())
		}
		for path, body := range map[string]string{"/api/v1/version": `"retryDelay":"41.100s"`, "/api/v2/workflows": `"calls-per-minute: wait"`} {
			got := send(t, client(t), http.MethodGet, s.url+path, "", "Origin", "https://page.example")
			if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "42" || !strings.Contains(got.body, body) {
				t.Errorf("%s gets %d after %s: %s", path, got.status, got.header.Get("Retry-After"), got.body)
			}
			if got.header.Get("RateLimit-Policy") != `"calls-per-minute";q=1;w=60` {
				t.Errorf("%s gets the headers %v", path, got.header)
			}
			for _, name := range []string{"RateLimit", "RateLimit-Policy", "Retry-After"} {
				if !slices.Contains(
					strings.Split(strings.ReplaceAll(got.header.Get("Access-Control-Expose-Headers"), " ", ""), ","),
					http.CanonicalHeaderKey(name),
				) {
					t.Errorf("a page can't read %s: %v", name, got.header)
				}
			}
		}
	}
}
