package server_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// identify knows a few tokens.
func identify(_ context.Context, token string) (string, error) {
	switch token {
	case "good":
		return "issuer:ada", nil
	case "stranger":
		return "", job.Errorf(job.Forbidden, "in none of the groups")
	case "later":
		return "", job.Errorf(job.Unavailable, "the issuer does not answer")
	}
	return "", job.Errorf(job.BadToken, "the token expired")
}

// A call's token is checked in both versions and by gRPC, and the answer says what is wrong with it.
func TestIdentify(t *testing.T) {
	t.Parallel()
	const invalid, scope = `Bearer error="invalid_token"`, `Bearer error="insufficient_scope"`
	for _, row := range []struct {
		name, authorization string
		ignore, required    bool
		subject             string // of a call that is served
		code                codes.Code
		http                int
		message, challenge  string
	}{
		{name: "no token", code: codes.OK, http: 200},
		{name: "a token", authorization: "Bearer good", subject: "issuer:ada", code: codes.OK, http: 200},
		{name: "the scheme in another case", authorization: "bearer  good ", subject: "issuer:ada", code: codes.OK, http: 200},
		{name: "another scheme", authorization: "Basic Z29vZDpnb29k", code: codes.OK, http: 200},
		{name: "a token that is not valid", authorization: "Bearer old", code: codes.Unauthenticated, http: 401, message: "the token expired",
			challenge: invalid},
		{name: "an empty token", authorization: "Bearer", code: codes.Unauthenticated, http: 401, message: "the token expired",
			challenge: invalid},
		{name: "no group", authorization: "Bearer stranger", code: codes.PermissionDenied, http: 403, message: "in none of the groups",
			challenge: scope},
		{name: "no issuer", authorization: "Bearer later", code: codes.Unavailable, http: 503, message: "the issuer does not answer"},
		{name: "tokens are ignored", authorization: "Bearer old", ignore: true, code: codes.OK, http: 200},
		{name: "required", required: true, code: codes.Unauthenticated, http: 401, message: "this server requires a bearer token",
			challenge: "Bearer"},
		{name: "required, another scheme", authorization: "Basic Z29vZDpnb29k", required: true, code: codes.Unauthenticated, http: 401,
			message: "this server requires a bearer token", challenge: "Bearer"},
		{name: "required, a token", authorization: "Bearer good", required: true, subject: "issuer:ada", code: codes.OK, http: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := server.Options{Identify: identify, TokenRequired: row.required, LogCallers: true}
			if row.ignore {
				o.Identify = nil
			}
			f, served := echoing(), make(chan string, 1)
			f.list = func(ctx context.Context, _ *protov1.JobStatusRequestList) (*protov1.JobStatusReponseList, error) {
				served <- caller.From(ctx).Subject
				return &protov1.JobStatusReponseList{}, nil
			}
			second := &jobsV2{list: func(ctx context.Context) { served <- caller.From(ctx).Subject }}
			s := serve(t, o, func(s *server.Server) error {
				return errors.Join(s.Serve(apiv1.API(), f, all()...), s.Serve(apiv2.API(), second, "Workflows", "JobsStatus"))
			})
			headers := []string{"Authorization", row.authorization}
			ctx := t.Context()
			if row.authorization == "" {
				headers = nil
			} else {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", row.authorization)
			}
			checkServed := func(way string) {
				t.Helper()
				select {
				case subject := <-served:
					if row.code != codes.OK || subject != row.subject {
						t.Errorf("%s: a call of %q is served", way, subject)
					}
				default:
					if row.code == codes.OK {
						t.Errorf("%s: the call is not served", way)
					}
				}
			}
			for _, path := range []string{"/api/v1/job/list", "/api/v2/job/list"} {
				got := send(t, client(t), http.MethodPost, s.url+path, `{"jobs":[]}`, headers...)
				if got.status != row.http || !strings.Contains(got.body, row.message) || got.header.Get("WWW-Authenticate") != row.challenge {
					t.Errorf("%s is answered %d %s %q", path, got.status, got.body, got.header.Get("WWW-Authenticate"))
				}
				checkServed(path)
			}
			_, err := protov1.NewBaktaJobsClient(s.grpc).JobsStatus(ctx, &protov1.JobStatusRequestList{})
			if status.Code(err) != row.code || !strings.Contains(status.Convert(err).Message(), row.message) {
				t.Errorf("gRPC: %v", err)
			}
			checkServed("gRPC")
			_, err = protov2.NewBaktaJobsClient(s.grpc).JobsStatus(ctx, &protov2.JobsStatusRequest{})
			if status.Code(err) != row.code || !strings.Contains(status.Convert(err).Message(), row.message) {
				t.Errorf("gRPC: %v", err)
			}
			checkServed("gRPC")
			// Some methods need no token in any case.
			if row.authorization == "" {
				for _, path := range []string{"/api/v1/version", "/api/v2/workflows", "/healthz"} {
					if got := send(t, client(t), http.MethodGet, s.url+path, ""); got.status != http.StatusOK {
						t.Errorf("%s is answered %d %s", path, got.status, got.body)
					}
				}
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			if text := s.log.String(); row.subject != "" && !strings.Contains(text, `"subject":"issuer:ada"`) || strings.Contains(text, "good") {
				t.Errorf("the log is\n%s", text)
			}
		})
	}
}

// A call whose token is refused counts as one of its address, and is refused for its token only while that has calls left.
func TestRefusedTokensCount(t *testing.T) {
	t.Parallel()
	type counted struct{}
	var mu sync.Mutex
	var calls, finished int
	exhausted := job.Errorf(job.Exhausted, "too many calls")
	o := server.Options{Identify: identify, TokenRequired: true}
	o.Admit = func(ctx context.Context, c caller.Caller, _ string) (context.Context, error) {
		mu.Lock()
		defer mu.Unlock()
		if c.Subject != "" || !c.Address.IsValid() {
			t.Errorf("the caller is %v", c)
		}
		if calls++; calls > 3 {
			return nil, exhausted
		}
		return context.WithValue(ctx, counted{}, true), nil
	}
	o.Finish = func(ctx context.Context, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Value(counted{}) == nil || err == nil {
			t.Errorf("a call ends with %v, which was not admitted", err)
		}
		if finished++; finished > 2 {
			return exhausted
		}
		return err
	}
	s := serve(t, o, func(s *server.Server) error { return s.Serve(apiv1.API(), echoing(), all()...) })
	for i, row := range []struct {
		authorization string
		http          int
	}{{"Bearer old", 401}, {"Bearer stranger", 403}, {"", 429}, {"Bearer old", 429}} {
		var headers []string
		if row.authorization != "" {
			headers = []string{"Authorization", row.authorization}
		}
		got := send(t, client(t), http.MethodPost, s.url+"/api/v1/job/list", `{"jobs":[]}`, headers...)
		if got.status != row.http {
			t.Errorf("call %d is answered %d %s, not %d", i, got.status, got.body, row.http)
		}
	}
}

// Two header fields could mean two callers, one for a proxy and one for this server.
func TestTwoTokens(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{Identify: identify}, func(s *server.Server) error { return s.Serve(apiv1.API(), echoing(), all()...) })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/version", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = []string{"Bearer good", "Bearer good"}
	response, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("two tokens are answered %s", response.Status)
	}
	if _, err := server.New(server.Options{Log: server.NewLogger(new(buffer), nil), TokenRequired: true}); err == nil {
		t.Error("a server requires tokens and cannot check them")
	}
}

// Web pages may send tokens, and read why one was refused.
func TestTokensOfPages(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{Identify: identify}, func(s *server.Server) error { return s.Serve(apiv1.API(), echoing(), all()...) })
	got := send(t, client(t), http.MethodOptions, s.url+"/api/v1/job/list", "", "Origin", "https://ui.example.org",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	if allowed := got.header.Get("Access-Control-Allow-Headers"); !strings.Contains(allowed, "authorization") {
		t.Errorf("the preflight allows %q", allowed)
	}
	got = send(t, client(t), http.MethodPost, s.url+"/api/v1/job/list", "{}",
		"Origin", "https://ui.example.org", "Authorization", "Bearer old")
	if exposed := got.header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Www-Authenticate") {
		t.Errorf("the answer exposes %q", exposed)
	}
}
