package deployment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/metadata"

	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

const (
	patience = time.Minute
	keep     = 30 * 24 * time.Hour
	genome   = ">contig_1\nATGACGTACGTTAGCATCGATCGATCGACTAGCTAGCATCGATCAGCTACGACTAGCATCAGCATCGACTACGACTAA\n"

	// Traces of callers.
	usersTrace   = "0af7651916cd43dd8448eb211c80319c"
	eventsTrace  = "11f7651916cd43dd8448eb211c803111"
	deliverTrace = "22f7651916cd43dd8448eb211c803122"
)

func traceparent(id string) string { return "00-" + id + "-b7ad6b7169203331-01" }

// TestTelemetry takes jobs through their lives on a whole backend with a fake runner, and checks its telemetry: the metrics
// are the documented ones, each outcome is counted once, the trace of a start leads to the end of its job, and metrics,
// traces and logs contain no secret.
//
// It is one test because Knative's package for Prometheus has one registry per process.
func TestTelemetry(t *testing.T) {
	w := newWorld(t, true, func(*config.Config) {})

	// A job by REST, from a traced call to its results, with its events.
	done := w.initREST("v1")
	w.start(done)
	w.runs.end(done.id, nil)
	update := []string{
		"Ce-Type",
		"dev.knative.apiserver.resource.update",
		"Ce-Subject",
		"/apis/batch/v1/namespaces/x/jobs/" + job.ObjectName(done.id, 1),
	}
	w.event(
		"/events",
		http.StatusNoContent,
		append(update, "Ce-Traceparent", traceparent(eventsTrace), "Traceparent", traceparent(deliverTrace))...)
	w.event("/events", http.StatusNoContent, update...) // twice: it ended before
	w.post("/api/v1/job/list", fmt.Sprintf(`{"jobs":[%s]}`, done.auth()), http.StatusOK)
	w.secret(linksIn(w.post("/api/v1/job/result", done.auth(), http.StatusOK))...)

	// A job by gRPC, whose run can't be launched at first, then fails, and sends a hint.
	failed := w.initGRPC()
	w.runs.away.Store(true)
	if _, err := w.api.StartJob(t.Context(), &pb.StartJobRequest{Job: &pb.JobAuth{JobID: failed.id, Secret: failed.secret}}); err != nil {
		t.Fatal(err)
	}
	w.later(10 * time.Second)
	w.sweep(http.StatusServiceUnavailable)
	w.runs.away.Store(false)
	w.later(2 * time.Minute)
	w.sweep(http.StatusNoContent)
	w.runs.end(failed.id, &job.Failure{Code: job.BadInput, Message: "Bakta says no."})
	kept, err := w.jobs.Get(t.Context(), failed.id)
	if err != nil {
		t.Fatal(err)
	}
	hint := metadata.AppendToOutgoingContext(t.Context(), "traceparent", kept.Start.Trace)
	for range 2 {
		if _, err := w.updates.UpdateStatus(hint, &pb.UpdateStatusRequest{JobID: failed.id}); err != nil {
			t.Fatal(err)
		}
	}

	// A job that continues to run, and whose run can't be observed for a while.
	going := w.initREST("v1")
	w.start(going)
	w.event("/events", http.StatusNoContent, "Ce-Type", "dev.knative.apiserver.resource.add", "Ce-Subject", "/x/"+job.ObjectName(going.id, 1))
	w.runs.away.Store(true)
	w.event(
		"/events",
		http.StatusServiceUnavailable,
		"Ce-Type",
		"dev.knative.apiserver.resource.add",
		"Ce-Subject",
		"/x/"+job.ObjectName(going.id, 1),
	)
	w.runs.away.Store(false)

	// A job is created above the caller's limit. Then the caller's document can't be changed, so one is created all the same.
	w.initREST("v1")
	w.post("/api/v1/job/init", `{"name":"one too many"}`, http.StatusTooManyRequests)
	must(t, w.limits(t.Context(), bson.D{{Key: "held.unstarted-jobs", Value: "not a list"}}))
	w.initREST("v1")

	// Requests and events that belong to no job.
	w.event("/events", http.StatusNoContent, "Ce-Type", "com.example.whatever", "Ce-Subject", "x")
	w.event("/events", http.StatusBadRequest, "Ce-Type", "")
	w.post("/api/v1/job/nothing", "{}", http.StatusNotFound)
	w.get("/api/v1/job/logs%3Fsecret="+going.secret, http.StatusNotFound)
	w.post("/api/v1/job/result", going.auth(), http.StatusBadRequest)
	w.post("/api/v1/job/result", strings.Replace(going.auth(), going.secret, strings.Repeat("x", 32), 1), http.StatusUnauthorized)

	// The end: one job is deleted, the others expire, except the one that continues to run.
	w.do(http.MethodDelete, "/api/v1/job/delete?jobID="+done.id+"&secret="+done.secret, "", http.StatusOK)
	w.sweep(http.StatusNoContent)
	w.holdsMetrics()
	w.later(keep)
	w.sweep(http.StatusNoContent)
	w.counted(`jobs_removed_total{reason="expired"}`, 3)

	w.stop()
	w.holdsTraces(done, failed, kept.Start.Trace)
	w.holdsNoSecret()
}

// holdsMetrics compares the scraped metrics with the list, and some values with the events of this test.
func (w *world) holdsMetrics() {
	w.Helper()
	for series, want := range map[string]float64{
		`jobs_created_total{api_version="v1",workflow_kind="bakta"}`:                                                   5,
		`limit_refusals_total{limit="unstarted-jobs"}`:                                                                 1,
		`limit_uncounted_total{}`:                                                                                      1,
		`jobs_submitted_total{api_version="v1",workflow_kind="bakta"}`:                                                 3,
		`jobs_completed_total{status="successful",workflow_kind="bakta"}`:                                              1,
		`jobs_completed_total{status="error",workflow_kind="bakta"}`:                                                   1,
		`jobs_failed_total{code="bad_input",workflow_kind="bakta"}`:                                                    1,
		`jobs_removed_total{reason="owner"}`:                                                                           1,
		`job_launches_total{result="done",run="1",workflow_kind="bakta"}`:                                              3,
		`job_launches_total{result="unavailable",run="1",workflow_kind="bakta"}`:                                       2,
		`job_runtime_seconds{workflow_kind="bakta"}`:                                                                   2,
		`jobs_active{status="init",workflow_kind="bakta"}`:                                                             0,
		`jobs_active{status="running",workflow_kind="bakta"}`:                                                          1,
		`jobs_active{status="pending",workflow_kind="bakta"}`:                                                          0,
		`events_total{event="update",outcome="handled"}`:                                                               2,
		`events_total{event="add",outcome="handled"}`:                                                                  1,
		`events_total{event="add",outcome="deferred"}`:                                                                 1,
		`events_total{event="other",outcome="ignored"}`:                                                                1,
		`events_total{event="other",outcome="malformed"}`:                                                              1,
		`sweeps_total{result="done"}`:                                                                                  2,
		`sweeps_total{result="unavailable"}`:                                                                           1,
		`sweep_jobs_total{result="unavailable",task="launch"}`:                                                         1,
		`sweep_jobs_total{result="done",task="launch"}`:                                                                1,
		`http_request_duration_seconds{method="POST",route="/api/v1/job/start",status="200"}`:                          2,
		`http_request_duration_seconds{method="POST",route="/bakta.web.api.proto.v1.BaktaJobs/StartJob",status="200"}`: 1,
		`http_request_duration_seconds{method="POST",route="/api/v1/job/result",status="401"}`:                         1,
		`http_request_duration_seconds{method="POST",route="",status="404"}`:                                           1,
	} {
		w.counted(series, want)
	}
	w.documented()
}

// holdsTraces checks the spans that the collector received. The server sends the last of them after it has drained.
func (w *world) holdsTraces(done, failed created, kept string) {
	w.Helper()
	spans := w.collector.Spans()
	name := func(id []byte) string { return fmt.Sprintf("%x", id) }
	find := func(what string, is func(*trace.Span) bool) *trace.Span {
		w.Helper()
		if i := slices.IndexFunc(spans, is); i >= 0 {
			return spans[i]
		}
		w.Errorf("no span: %s", what)
		return &trace.Span{}
	}
	about := func(s *trace.Span, id string) bool {
		return slices.ContainsFunc(attributes(s), func(a string) bool { return a == "bakta.job="+id })
	}
	// The call and the launch continue the user's trace.
	started := find("the start by REST", func(s *trace.Span) bool { return s.GetName() == "POST /api/v1/job/start" && about(s, done.id) })
	if got := name(started.GetTraceId()); got != usersTrace {
		w.Errorf("the start is of the trace %s, its caller's is %s", got, usersTrace)
	}
	find("the launch", func(s *trace.Span) bool {
		return s.GetName() == "launch" && about(s, done.id) && bytes.Equal(s.GetParentSpanId(), started.GetSpanId())
	})
	// So do its calls to the stores.
	for _, asked := range []string{"mongodb submitting", "s3 GET"} {
		find(asked, func(s *trace.Span) bool {
			return s.GetName() == asked && bytes.Equal(s.GetParentSpanId(), started.GetSpanId())
		})
	}
	// The delivery of an event has its own trace, with links to the traces of the event and of the start.
	event := find("the event", func(s *trace.Span) bool { return s.GetName() == "POST /events" && name(s.GetTraceId()) == deliverTrace })
	settled := find("the settling", func(s *trace.Span) bool {
		return s.GetName() == "settle" && bytes.Equal(s.GetParentSpanId(), event.GetSpanId())
	})
	for of, want := range map[*trace.Span]string{event: eventsTrace, settled: usersTrace} {
		if links := of.GetLinks(); len(links) != 1 || name(links[0].GetTraceId()) != want {
			w.Errorf("%s has the links %v, not one to %s", of.GetName(), links, want)
		}
	}
	// The hint of the run is part of the start's trace. Its caller sent no trace.
	byGRPC := find("the start by gRPC", func(s *trace.Span) bool {
		return s.GetName() == "POST /bakta.web.api.proto.v1.BaktaJobs/StartJob" && about(s, failed.id)
	})
	if want := fmt.Sprintf("00-%x-%x-01", byGRPC.GetTraceId(), byGRPC.GetSpanId()); kept != want {
		w.Errorf("the job keeps %s, its start was %s", kept, want)
	}
	find("the hint, in the start's trace", func(s *trace.Span) bool {
		return s.GetName() == "POST /bakta.web.api.proto.v1.BaktaStatusUpdate/UpdateStatus" &&
			bytes.Equal(s.GetParentSpanId(), byGRPC.GetSpanId())
	})
	// The sweep's launch of that job is linked to its start.
	find("the sweep's launch", func(s *trace.Span) bool {
		return s.GetName() == "settle" && about(s, failed.id) && len(s.GetLinks()) == 1 &&
			bytes.Equal(s.GetLinks()[0].GetTraceId(), byGRPC.GetTraceId())
	})
}

// holdsNoSecret searches the traces, metrics and logs for secrets.
func (w *world) holdsNoSecret() {
	w.Helper()
	var output strings.Builder
	for _, s := range w.collector.Spans() {
		fmt.Fprintln(&output, s.String())
	}
	output.WriteString(w.scraped)
	lines := w.log.lines()
	for _, line := range lines {
		output.WriteString(line + "\n")
	}
	if len(w.secrets) < 10 {
		w.Fatalf("only %d secrets are known", len(w.secrets))
	}
	for _, secret := range w.secrets {
		if strings.Contains(output.String(), secret) {
			w.Errorf("operators see the secret %s…", secret[:8])
		}
	}
	jobs := 0
	for _, line := range lines {
		var of struct {
			Msg     string
			Request string
			Trace   string `json:"trace_id"`
			Span    string `json:"span_id"`
			Job     string
		}
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			w.Errorf("%v: %s", err, line)
		}
		if of.Request != "" && (of.Trace != of.Request || len(of.Span) != 16) {
			w.Errorf("a line of a traced request has no trace and span: %s", line)
		}
		if of.Msg == "request" && of.Job != "" {
			jobs++
		}
		if strings.Count(line, `"job":`) > 1 {
			w.Errorf("a line names two jobs: %s", line)
		}
	}
	if jobs < 10 {
		w.Errorf("%d requests of %d lines name their job", jobs, len(lines))
	}
}

func attributes(s *trace.Span) (all []string) {
	for _, a := range s.GetAttributes() {
		all = append(all, a.GetKey()+"="+a.GetValue().GetStringValue())
	}
	return all
}
