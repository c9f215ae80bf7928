package server

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Authenticator says whether who bears a token may send events. It returns nil if so, a job.WrongSecret error if not,
// and another one if nobody can tell now.
type Authenticator func(ctx context.Context, token string) error

// authenticated reports whether a request with an event may be read, and answers it if not. Without an Authenticator every one may.
//
// A source that is refused gives up: it bears the wrong token, and would again. One that can't be judged comes later.
func (s *Server) authenticated(w http.ResponseWriter, r *http.Request) bool {
	if s.Authenticate == nil {
		return true
	}
	refuse := status.New(codes.Unauthenticated, "events are taken from their source alone, which says by a token who it is")
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		answer(w, r, http.StatusUnauthorized, refuse)
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	switch err := s.Authenticate(ctx, token); {
	case err == nil:
		return true
	case job.Is(err, job.WrongSecret):
		answer(w, r, http.StatusUnauthorized, refuse)
	default:
		callOf(r.Context()).end(codes.Unavailable, err)
		answer(w, r, http.StatusServiceUnavailable, status.New(codes.Unavailable, "nobody can tell now who sends this; try again later"))
	}
	return false
}
