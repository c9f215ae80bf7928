package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Authenticator checks a bearer token. It returns the token's subject; a job.WrongSecret error if the token is not valid or does not
// allow its subject to send events; and any other error if the token cannot be checked now.
type Authenticator func(ctx context.Context, token string) (subject string, err error)

// Admission decides whether a call may proceed, before anything is done for it. The method is the full name of a gRPC method, which
// is also that of its REST form, or the path of an event. Admission returns the context that the call proceeds with, or an error of
// lib/job that the caller gets: job.Exhausted if the caller may try again later.
type Admission func(ctx context.Context, c caller.Caller, method string) (context.Context, error)

// identified puts the caller of a request into its context: the only place where a caller's address is determined.
func (s *Server) identified(ctx context.Context, r *http.Request) (context.Context, caller.Caller) {
	c := caller.Caller{Address: s.Proxies.Address(r.RemoteAddr, r.Header)}
	return caller.NewContext(ctx, c), c
}

// admit is the only place where a call is admitted or refused: each call of a method, by gRPC or REST, and each event. It returns
// the context that the call proceeds with. With an Authenticator, the call must have a valid token.
func (s *Server) admit(ctx context.Context, method, token string, authenticate Authenticator) (context.Context, error) {
	c := caller.From(ctx)
	if authenticate != nil {
		subject, err := "", error(job.Errorf(job.WrongSecret, "no token"))
		if token != "" {
			subject, err = authenticate(ctx, token)
		}
		switch {
		case err == nil:
		case job.Is(err, job.WrongSecret):
			return nil, job.Errorf(job.WrongSecret, "a bearer token of the event source is required").Because(err)
		default:
			return nil, job.Errorf(job.Unavailable, "the token cannot be checked now; try again later").Because(err)
		}
		c.Subject = subject
		ctx = caller.NewContext(ctx, c)
		callOf(ctx).by(c)
	}
	if s.Admit != nil {
		return s.Admit(ctx, c, method)
	}
	return ctx, nil
}

// admitEvent admits the request of an event, or answers it. The context that it returns has no deadline. A source gives up if it is
// refused (4xx), except by 429, and retries what could not be decided (503).
func (s *Server) admitEvent(w http.ResponseWriter, r *http.Request, path string) (context.Context, bool) {
	limited, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = ""
	}
	admitted, err := s.admit(limited, path, token, s.Authenticate)
	if err == nil {
		return caller.NewContext(r.Context(), caller.From(admitted)), true
	}
	st := statusOf(err)
	callOf(r.Context()).end(st.Code(), err)
	code := runtime.HTTPStatusFromCode(st.Code())
	if code >= http.StatusInternalServerError {
		code = http.StatusServiceUnavailable
	}
	answer(w, r, code, st)
	return nil, false
}
