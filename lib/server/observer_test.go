package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

// observer records its calls.
type observer struct {
	mu     sync.Mutex
	began  int
	ended  []string
	events []string
}

type observed struct{}

func (o *observer) Begin(r *http.Request) (context.Context, string, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.began++
	return context.WithValue(r.Context(), observed{}, true), traceID, spanID
}

func (o *observer) End(ctx context.Context, r server.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Value(observed{}) == nil || r.Took <= 0 {
		o.ended = append(o.ended, "without a context, or a time")
	}
	o.ended = append(o.ended, strings.TrimSpace(fmt.Sprintf("%s %s %d %s %s", r.Method, r.Route, r.Status, r.Call, r.Job)))
}

func (o *observer) Event(_ context.Context, kind string, outcome server.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, fmt.Sprintf("%s %s", kind, outcome))
}

// The observer gets each request once, with its registered route.
func TestObserver(t *testing.T) {
	t.Parallel()
	const id = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"
	const service = "/bakta.web.api.proto.v1.BaktaJobs/"
	f := echoing()
	f.remove = func(context.Context, *protov1.JobAuth) (*protov1.Empty, error) {
		return nil, job.Errorf(job.Unavailable, "away")
	}
	o := new(observer)
	s := serve(t, server.Options{Observer: o}, func(s *server.Server) error {
		if err := s.Handle("/pages/", http.HandlerFunc(func(w http.ResponseWriter,
			r *http.Request) {
			panic(http.ErrAbortHandler)
		})); err != nil {
			return err
		}
		return s.Serve(apiv1.API(), f, all()...)
	})
	c := client(t)
	jobs := protov1.NewBaktaJobsClient(s.grpc)
	send(t, c, "GET", s.url+"/api/v1/version", "")
	send(t, c, "DELETE", s.url+"/api/v1/delete?jobID="+id+"&secret=x", "")
	send(t, c, "GET", s.url+"/api/v1/nothing", "")
	send(t, c, "POST", s.url+"/api/v1/version", "")
	send(t, c, "GET", s.url+"/elsewhere?secret=x", "")
	send(t, c, "GET", s.url+"/healthz", "")
	if r, err := c.Post(s.url+"/pages/one", "", nil); err == nil {
		r.Body.Close()
		t.Error("the connection was not cut")
	}
	_, _ = jobs.Version(t.Context(), &protov1.Empty{})
	_, _ = jobs.Delete(t.Context(), &protov1.JobAuth{JobID: id})
	_ = s.grpc.Invoke(t.Context(), "/no.Such/Method", &protov1.Empty{}, &protov1.Empty{})
	_, _ = grpc_health_v1.NewHealthClient(s.grpc).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GET /api/v1/version 200 " + service + "Version",
		"DELETE /api/v1/delete 503 " + service + "Delete " + id,
		"GET  404",
		"POST /api/v1/version 405",
		"GET  404",
		"POST /pages/ 499",
		"POST " + service + "Version 200 " + service + "Version",
		"POST " + service + "Delete 503 " + service + "Delete " + id,
		"POST  501",
		"POST /grpc.health.v1.Health/Check 200 /grpc.health.v1.Health/Check",
	}
	slices.Sort(want) // one request may end a little after the next has begun
	slices.Sort(o.ended)
	if diff := cmp.Diff(want, o.ended); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if o.began != len(want) {
		t.Errorf("%d requests began, %d ended", o.began, len(want))
	}
	for _, line := range lines(t, s.log) {
		if line["msg"] == "request" && (line["trace_id"] != traceID || line["span_id"] != spanID || line["request"] != traceID) {
			t.Errorf("a line does not say where it is in the trace: %v", line)
		}
	}
}

// The observer gets each event, and the lines about an event contain its job.
func TestObservedEvents(t *testing.T) {
	t.Parallel()
	o := new(observer)
	log := new(buffer)
	logger := server.NewLogger(log, slog.LevelDebug)
	s := serve(t, server.Options{Observer: o, Log: logger}, func(s *server.Server) error {
		return s.Events("/events", func(ctx context.Context, e event.Event) error {
			switch e.Subject() {
			case "ignored":
				server.Ignore(ctx, "not ours")
			case "refused":
				return job.Errorf(job.Invalid, "never")
			case "deferred":
				return job.Errorf(job.Unavailable, "later")
			case "panics":
				panic("oh")
			}
			server.Note(ctx, "job", "a")
			logger.InfoContext(ctx, "in between")
			logger.InfoContext(ctx, "of another", "job", "b")
			logger.With("job", "c").InfoContext(ctx, "of a third")
			return nil
		})
	})
	c := client(t)
	for _, subject := range []string{"handled", "ignored", "refused", "deferred", "panics"} {
		send(t, c, "POST", s.url+"/events", "", append(binary(), "Ce-Subject", subject)...)
	}
	send(t, c, "POST", s.url+"/events", "")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, outcome := range []string{"handled", "ignored", "refused", "deferred", "deferred"} {
		want = append(want, "dev.knative.apiserver.ref.update "+outcome)
	}
	if diff := cmp.Diff(append(want, " malformed"), o.events); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	of := make(map[any]any)
	for _, line := range lines(t, log) {
		of[line["msg"]] = line["job"]
	}
	if of["in between"] != "a" || of["of another"] != "b" || of["of a third"] != "c" {
		t.Errorf("lines name the jobs %v", of)
	}
}

// lines returns what was logged, line by line.
func lines(t *testing.T, log *buffer) (all []map[string]any) {
	t.Helper()
	for text := range strings.Lines(log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		all = append(all, line)
	}
	return all
}
