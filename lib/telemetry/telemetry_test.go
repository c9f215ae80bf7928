package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcollector"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/telemetry"
)

// parent is a caller's trace context.
const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func options(url string) telemetry.Options {
	return telemetry.Options{
		Service: "submit", Instance: "test", Log: slog.New(slog.DiscardHandler),
		Metrics: telemetry.Metrics{Protocol: telemetry.GRPC, Endpoint: url, Interval: time.Hour},
		Tracing: telemetry.Tracing{Protocol: telemetry.GRPC, Endpoint: url, SamplingRate: 1},
	}
}

func open(t *testing.T, o telemetry.Options) *telemetry.Telemetry {
	t.Helper()
	m, err := telemetry.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestClose holds that what was measured leaves the process at its end, if not before.
func TestClose(t *testing.T) {
	t.Parallel()
	c := testcollector.Start(t)
	m := open(t, options(c.URL))
	ctx, _, _ := m.Begin(httptest.NewRequest(http.MethodPost, "/api/v2/job/start", nil))
	m.Started(ctx, "bakta")
	m.End(ctx, telemetry.Request{Route: "/api/v2/job/start", Method: http.MethodPost, Status: 200, Took: time.Millisecond})
	if c.Sent("bakta-web-submit") {
		t.Error("something was sent before its time")
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !c.Sent("bakta-web-submit") || len(c.Spans()) != 1 || !slices.Equal(c.Metrics(), []string{"http.request.duration", "jobs.submitted"}) {
		t.Errorf("%d spans and the metrics %v were sent", len(c.Spans()), c.Metrics())
	}
}

// TestCloseAlone checks that a collector that does not answer delays Close only briefly, and is logged.
func TestCloseAlone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var said bytes.Buffer
	o := options("http://" + l.Addr().String())
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	m := open(t, o)
	ctx, _, _ := m.Begin(httptest.NewRequest(http.MethodGet, "/", nil))
	m.End(ctx, telemetry.Request{Took: 1})
	began := time.Now()
	if err := m.Close(t.Context()); err != nil {
		t.Errorf("the program would end with %v", err)
	}
	if took := time.Since(began); took > 20*time.Second || !strings.Contains(said.String(), "lost") {
		t.Errorf("after %s: %s", took, &said)
	}
}

// TestHTTP holds that a collector's URL without a path is one to which the protocol's own paths are added.
func TestHTTP(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var paths []string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.URL.Path)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer collector.Close()
	o := options(collector.URL)
	o.Metrics.Protocol, o.Tracing.Protocol = telemetry.HTTP, telemetry.HTTP
	m := open(t, o)
	ctx, _, _ := m.Begin(httptest.NewRequest(http.MethodGet, "/", nil))
	m.End(ctx, telemetry.Request{Took: 1})
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	if want := []string{"/v1/metrics", "/v1/traces"}; !slices.Equal(paths, want) {
		t.Errorf("sent to %q, want %q", paths, want)
	}
}

// TestNothing is a Telemetry without any protocol.
func TestNothing(t *testing.T) {
	t.Parallel()
	o := options("")
	o.Metrics, o.Tracing = telemetry.Metrics{Protocol: telemetry.None}, telemetry.Tracing{Protocol: telemetry.None}
	o.Active = func(context.Context) ([]telemetry.Count, error) {
		t.Error("jobs are counted though nothing is measured")
		return nil, nil
	}
	m := open(t, o)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Traceparent", parent)
	ctx, traceID, spanID := m.Begin(r)
	m.Swept(ctx, time.Second, false, nil)
	m.End(ctx, telemetry.Request{})
	if traceID+spanID+m.Traceparent(ctx) != "" {
		t.Errorf("there is a trace %s %s", traceID, spanID)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSpans checks the spans of requests, and that they contain no secret.
func TestSpans(t *testing.T) {
	t.Parallel()
	c := testcollector.Start(t)
	m := open(t, options(c.URL))
	serve := func(request *http.Request, end telemetry.Request, inside func(context.Context)) {
		ctx, _, _ := m.Begin(request)
		if inside != nil {
			inside(ctx)
		}
		end.Took = 1
		m.End(ctx, end)
	}
	secret := httptest.NewRequest(http.MethodGet, "/api/v1/job/logs%3Fsecret=hunter2?secret=hunter2", strings.NewReader("hunter2"))
	secret.Header.Set("Authorization", "hunter2")
	secret.Header.Set("Traceparent", parent)
	secret.Header.Set("Baggage", "secret=hunter2")
	serve(secret, telemetry.Request{Method: "GET", Status: 404}, nil)
	serve(httptest.NewRequest("BREW", "/", nil), telemetry.Request{Method: "BREW", Status: 503}, nil)
	event := httptest.NewRequest(http.MethodPost, "/events", nil)
	event.Header.Set("Ce-Traceparent", parent)
	serve(event, telemetry.Request{Method: "POST", Route: "/events", Status: 204}, func(ctx context.Context) {
		l := m.Lifecycle(lifecycle{job.Errorf(job.Unavailable, "away").Because(errors.New("hunter2"))})
		if err := l.Settle(
			ctx,
			job.Job{ID: "id", Workflow: "bakta", Start: &job.Start{Trace: "no trace at all"}},
		); !job.Is(
			err,
			job.Unavailable,
		) {
			t.Errorf("the error is lost: %v", err)
		}
	})
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var spans []string
	for _, s := range c.Spans() {
		spans = append(spans, s.GetName()+" "+s.GetStatus().GetCode().String()+" "+s.GetStatus().GetMessage())
		if strings.Contains(s.String(), "hunter2") {
			t.Errorf("a span contains a secret: %s", s)
		}
	}
	slices.Sort(spans)
	want := []string{
		"GET STATUS_CODE_UNSET ",
		"POST /events STATUS_CODE_UNSET ",
		"other STATUS_CODE_ERROR Service Unavailable",
		"settle STATUS_CODE_ERROR unavailable",
	}
	if diff := cmp.Diff(want, spans); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// An event that comes without the trace of a delivery is part of its own.
	i := slices.IndexFunc(c.Spans(), func(s *trace.Span) bool { return s.GetName() == "POST /events" })
	if i < 0 || !strings.Contains(parent, hex(c.Spans()[i].GetTraceId())) {
		t.Errorf("the event is of another trace")
	}
}

// lifecycle moves nothing on.
type lifecycle struct{ err error }

func (l lifecycle) Launch(context.Context, job.Job) error { return l.err }
func (l lifecycle) Settle(context.Context, job.Job) error { return l.err }
func (l lifecycle) Remove(context.Context, job.Job) error { return l.err }

func (l lifecycle) Next(context.Context, string) (bool, error) { return false, l.err }

func hex(b []byte) string { return fmt.Sprintf("%x", b) }
