package server

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Authenticator checks a bearer token. It returns the token's subject; a job.WrongSecret error if the token is not valid or does not
// allow its subject to send events; and any other error if the token cannot be checked now.
type Authenticator func(ctx context.Context, token string) (subject string, err error)

// Identifier checks the bearer token of a call. It returns the key of the token's subject, or an error of lib/job that is written for the
// caller: job.BadToken if the token is not valid, job.Forbidden if it does not allow its subject to make calls, job.Unavailable if it
// cannot be checked now.
type Identifier func(ctx context.Context, token string) (subject string, err error)

// Admission decides whether a call may proceed, before anything is done for it. The method is the full name of a gRPC method, which
// is also that of its REST form, or the path of an event. Admission returns the context that the call proceeds with, or an error of
// lib/job that the caller gets: job.Exhausted if the caller may try again later.
type Admission func(ctx context.Context, c caller.Caller, method string) (context.Context, error)

// identified puts the caller of a request into its context: the only place where a caller's address is determined.
func (s *Server) identified(ctx context.Context, r *http.Request) (context.Context, caller.Caller) {
	c := caller.Caller{Address: s.Proxies.Address(r.RemoteAddr, r.Header)}
	return caller.NewContext(ctx, c), c
}

// admit is the only place where a call is admitted or refused: each call of a method, by gRPC or REST, and each event. The context has
// the caller, and is returned with its subject, if that is known.
func (s *Server) admit(ctx context.Context, method, subject string) (context.Context, error) {
	c := caller.From(ctx)
	if subject != "" {
		c.Subject = subject
		ctx = caller.NewContext(ctx, c)
		callOf(ctx).by(c)
	}
	if s.Admit != nil {
		return s.Admit(ctx, c, method)
	}
	return ctx, nil
}

// admitCall admits the call of a method. It returns the context that the call proceeds with. A call whose token is refused is a call of the
// address that it comes from: it counts there, so that tokens can't be tried without a limit.
func (s *Server) admitCall(ctx context.Context, method string) (context.Context, error) {
	subject, err := s.identify(ctx, method)
	if err == nil {
		return s.admit(ctx, method, subject)
	}
	admitted, refusal := s.admit(ctx, method, "")
	if refusal == nil && s.Finish != nil {
		refusal = s.Finish(admitted, err)
	}
	if refusal != nil {
		return nil, refusal
	}
	return nil, err
}

// identify returns the subject of a call's token, if it has one.
func (s *Server) identify(ctx context.Context, method string) (string, error) {
	if s.Identify == nil {
		return "", nil
	}
	c := callOf(ctx)
	token, given := bearer(c.authorization)
	var subject string
	var err error
	switch {
	case given && len(c.authorization) > 1:
		err = job.Errorf(job.BadToken, "the call has more than one Authorization header field")
	case given:
		subject, err = s.Identify(ctx, token)
	case s.TokenRequired && !s.open(method):
		c.challenged("Bearer") // without a code, as RFC 6750, section 3.1, wants it for a call without a token
		return "", job.Errorf(job.BadToken, "this server requires a bearer token; log in, for example with bakta-web login")
	}
	switch job.CodeOf(err) {
	case job.BadToken:
		c.challenged(`Bearer error="invalid_token"`)
	case job.Forbidden:
		c.challenged(`Bearer error="insufficient_scope"`)
	}
	return subject, err
}

// open reports whether a method needs no token even where one is required.
func (s *Server) open(method string) bool {
	api := s.apis[serviceOf(method)]
	return api != nil && slices.Contains(api.Open, method[strings.LastIndexByte(method, '/')+1:])
}

// bearer returns the token of Authorization header fields, and whether there is one. Other schemes are not for this server: a proxy in
// front of it may ask for a password.
func bearer(fields []string) (token string, given bool) {
	for _, field := range fields {
		scheme, rest, _ := strings.Cut(strings.TrimLeft(field, " \t"), " ")
		if strings.EqualFold(scheme, "Bearer") { // RFC 9110, section 11.1: in any case
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// admitEvent admits the request of an event, or answers it. The context that it returns has no deadline. A source gives up if it is
// refused (4xx), except by 429, and retries what could not be decided (503).
func (s *Server) admitEvent(w http.ResponseWriter, r *http.Request, path string) (context.Context, bool) {
	limited, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	subject, err := s.source(limited, r)
	if err == nil {
		var admitted context.Context
		if admitted, err = s.admit(limited, path, subject); err == nil {
			return caller.NewContext(r.Context(), caller.From(admitted)), true
		}
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

// source returns the subject of the token of an event's source, if a token is required.
func (s *Server) source(ctx context.Context, r *http.Request) (string, error) {
	if s.Authenticate == nil {
		return "", nil
	}
	subject, err := "", error(job.Errorf(job.WrongSecret, "no token"))
	if token, given := bearer(r.Header.Values("Authorization")); given && token != "" {
		subject, err = s.Authenticate(ctx, token)
	}
	switch {
	case err == nil:
		return subject, nil
	case job.Is(err, job.WrongSecret):
		return "", job.Errorf(job.WrongSecret, "a bearer token of the event source is required").Because(err)
	}
	return "", job.Errorf(job.Unavailable, "the token cannot be checked now; try again later").Because(err)
}
