package server_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// Events are taken of those alone who are admitted, and everything else is served as ever.
func TestAdmission(t *testing.T) {
	t.Parallel()
	admit := func(_ context.Context, token string) error {
		switch token {
		case "good":
			return nil
		case "later":
			return job.Errorf(job.Unavailable, "the cluster is away")
		case "odd":
			return errors.New("something is wrong")
		}
		return job.Errorf(job.WrongSecret, "not you")
	}
	var handled atomic.Int32
	s := serve(t, server.Options{Authenticate: admit}, func(s *server.Server) error {
		return s.Events("/events", func(context.Context, event.Event) error { handled.Add(1); return nil })
	})
	for _, row := range []struct {
		authorization string
		status        int
		events        int32
	}{
		{"Bearer good", http.StatusNoContent, 1},
		{"Bearer bad", http.StatusUnauthorized, 0},
		{"Bearer ", http.StatusUnauthorized, 0},
		{"Basic good", http.StatusUnauthorized, 0},
		{"", http.StatusUnauthorized, 0},
		{"Bearer later", http.StatusServiceUnavailable, 0},
		{"Bearer odd", http.StatusServiceUnavailable, 0},
	} {
		got := send(t, client(t), http.MethodPost, s.url+"/events", "{}", append(binary(), "Authorization", row.authorization)...)
		if n := handled.Swap(0); got.status != row.status || n != row.events {
			t.Errorf("%q is answered %d, with %d events handled", row.authorization, got.status, n)
		}
	}
	if got := send(t, client(t), http.MethodGet, s.url+"/healthz", ""); got.status != http.StatusOK {
		t.Errorf("health is answered %d", got.status)
	}
}
