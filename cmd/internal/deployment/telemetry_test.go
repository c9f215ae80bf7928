package deployment

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/internal/testcollector"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
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

// TestTelemetry lives some jobs' lives on a whole backend, whose runs alone are played, and looks at what operators see
// of it: the metrics are those that are documented, each outcome is counted once, the trace of a start leads to the end
// of its job, and neither metrics, traces nor logs hold what opens something.
//
// It is one test because it is one process: Knative's package for Prometheus has one registry.
func TestTelemetry(t *testing.T) {
	w := newWorld(t)

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

	// A job by gRPC, whose run can't be launched at first, and fails, and says so itself.
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

	// A job that goes on, of whose run nothing can be learned for a while.
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

	// What is nobody's.
	w.event("/events", http.StatusNoContent, "Ce-Type", "com.example.whatever", "Ce-Subject", "x")
	w.event("/events", http.StatusBadRequest, "Ce-Type", "")
	w.post("/api/v1/job/nothing", "{}", http.StatusNotFound)
	w.get("/api/v1/job/logs%3Fsecret="+going.secret, http.StatusNotFound)
	w.post("/api/v1/job/result", going.auth(), http.StatusBadRequest)
	w.post("/api/v1/job/result", strings.Replace(going.auth(), going.secret, strings.Repeat("x", 32), 1), http.StatusUnauthorized)

	// The end: one is deleted, the others expire, but for the one that goes on.
	w.do(http.MethodDelete, "/api/v1/job/delete?jobID="+done.id+"&secret="+done.secret, "", http.StatusOK)
	w.sweep(http.StatusNoContent)
	w.holdsMetrics()
	w.later(keep)
	w.sweep(http.StatusNoContent)
	w.counted(`jobs_removed_total{reason="expired"}`, 1)

	w.stop()
	w.holdsTraces(done, failed, kept.Start.Trace)
	w.holdsNoSecret()
}

// holdsMetrics compares what is scraped with the list, and some of it with what happened.
func (w *world) holdsMetrics() {
	w.Helper()
	for series, want := range map[string]float64{
		`jobs_created_total{api_version="v1",workflow_kind="bakta"}`:                                                   3,
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

// holdsTraces looks at what the collector was sent, the last of it when the server had drained.
func (w *world) holdsTraces(done, failed created, kept string) {
	w.Helper()
	spans := w.collector.Spans()
	name := func(id []byte) string { return fmt.Sprintf("%x", id) }
	find := func(what string, is func(*trace.Span) bool) *trace.Span {
		w.Helper()
		if i := slices.IndexFunc(spans, is); i >= 0 {
			return spans[i]
		}
		w.Errorf("there is no span of %s", what)
		return &trace.Span{}
	}
	about := func(s *trace.Span, id string) bool {
		return slices.ContainsFunc(attributes(s), func(a string) bool { return a == "bakta.job="+id })
	}
	// The user's trace goes on in the call, and in the launch.
	started := find("the start by REST", func(s *trace.Span) bool { return s.GetName() == "POST /api/v1/job/start" && about(s, done.id) })
	if got := name(started.GetTraceId()); got != usersTrace {
		w.Errorf("the start is of the trace %s, its caller's is %s", got, usersTrace)
	}
	find("the launch", func(s *trace.Span) bool {
		return s.GetName() == "launch" && about(s, done.id) && bytes.Equal(s.GetParentSpanId(), started.GetSpanId())
	})
	// What it asked is part of it, too.
	for _, asked := range []string{"mongodb submitting", "s3 GET"} {
		find(asked, func(s *trace.Span) bool {
			return s.GetName() == asked && bytes.Equal(s.GetParentSpanId(), started.GetSpanId())
		})
	}
	// An event's delivery is a trace of its own, linked to that of the event, and to the start's.
	event := find("the event", func(s *trace.Span) bool { return s.GetName() == "POST /events" && name(s.GetTraceId()) == deliverTrace })
	settled := find("the settling", func(s *trace.Span) bool {
		return s.GetName() == "settle" && bytes.Equal(s.GetParentSpanId(), event.GetSpanId())
	})
	for of, want := range map[*trace.Span]string{event: eventsTrace, settled: usersTrace} {
		if links := of.GetLinks(); len(links) != 1 || name(links[0].GetTraceId()) != want {
			w.Errorf("%s has the links %v, not one to %s", of.GetName(), links, want)
		}
	}
	// The run's own call is part of the start's trace, which was nobody else's.
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

// holdsNoSecret looks for all that opens something in all that operators see.
func (w *world) holdsNoSecret() {
	w.Helper()
	var said strings.Builder
	for _, s := range w.collector.Spans() {
		fmt.Fprintln(&said, s.String())
	}
	said.WriteString(w.scraped)
	lines := w.log.lines()
	for _, line := range lines {
		said.WriteString(line + "\n")
	}
	if len(w.secrets) < 10 {
		w.Fatalf("only %d secrets are known", len(w.secrets))
	}
	for _, secret := range w.secrets {
		if strings.Contains(said.String(), secret) {
			w.Errorf("%s… is told to operators", secret[:8])
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
			w.Errorf("a line of a traced request does not say where it is in the trace: %s", line)
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

// world is a backend with its stores, and what is known of it.
type world struct {
	testing.TB
	url       string
	scrape    string // address
	api       pb.BaktaJobsClient
	updates   pb.BaktaStatusUpdateClient
	jobs      *mongo.Store
	runs      *runs
	clock     atomic.Int64 // how far it is ahead, in nanoseconds
	collector *testcollector.Collector
	log       *lines
	routes    []string
	stop      func()
	secrets   []string // what must never be told
	scraped   string
}

func newWorld(t *testing.T) *world {
	w := &world{TB: t, collector: testcollector.Start(t), log: &lines{}, scrape: freeAddress(t)}
	uri, database := teststores.Mongo(t)
	bucket := teststores.Bucket(t)
	w.secret(bucket.SecretKey)
	cfg := config.Default()
	cfg.Database.URI, cfg.Database.MongoDBName = config.Secret(uri), database
	cfg.Objectstorage.S3 = config.S3{UserBucket: bucket.Bucket, Endpoint: bucket.Endpoint, Region: bucket.Region, PathStyle: true,
		AccessKey: config.Secret(bucket.AccessKey), SecretKey: config.Secret(bucket.SecretKey)}
	cfg.JobContainer, cfg.JobCommand = "bakta", []string{"bakta"}
	cfg.Telemetry.Metrics = config.Metrics{Protocol: config.ProtocolPrometheus, Endpoint: w.scrape}
	cfg.Telemetry.Tracing = config.Tracing{Protocol: config.ProtocolGRPC, Endpoint: w.collector.URL, SamplingRate: 1}
	d := &Deployment{Config: cfg, Log: server.NewLogger(w.log, slog.LevelDebug), Holder: "test"}
	must(t, d.Measure(t.Context(), "all"))

	jobs, err := d.Jobs()
	must(t, err)
	files, err := d.Files()
	must(t, err)
	must(t, jobs.Setup(t.Context()))
	must(t, files.Setup(t.Context()))
	w.jobs = jobs
	w.runs = &runs{test: t, files: files, launched: make(map[string]job.Job), ended: make(map[string]bool)}
	now := func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }
	parts := d.parts(jobs, files)
	parts.Runner, parts.Now = w.runs, now
	set := d.Settings()
	set.Retention, set.PendingTimeout, set.MaxList = keep, keep, 10
	all, err := functions.New(parts, set)
	must(t, err)
	srv, err := d.Server(func(s *server.Server) error { return all.Register(s, s) })
	must(t, err)
	w.routes, err = srv.Served()
	must(t, err)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx, l) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("the server ends with %v", err)
		}
	})
	t.Cleanup(w.stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	w.api, w.updates = pb.NewBaktaJobsClient(conn), pb.NewBaktaStatusUpdateClient(conn)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address that was free a moment ago: who listens on it later takes no port 0.
func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (w *world) secret(secrets ...string) { w.secrets = append(w.secrets, secrets...) }

func (w *world) later(d time.Duration) { w.clock.Add(int64(d)) }

// created is a job as its owner knows it.
type created struct{ id, secret string }

func (c created) auth() string { return fmt.Sprintf(`{"jobID":%q,"secret":%q}`, c.id, c.secret) }

// do calls the backend as part of the user's trace.
func (w *world) do(method, path, body string, want int, header ...string) string {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	must(w, err)
	r.Header.Set("Traceparent", traceparent(usersTrace))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	must(w, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(w, err)
	if response.StatusCode != want {
		w.Fatalf("%s %s: %s, not %d: %s", method, path, response.Status, want, content)
	}
	return string(content)
}

func (w *world) post(path, body string, want int) string {
	w.Helper()
	return w.do(http.MethodPost, path, body, want)
}

func (w *world) get(path string, want int) { w.Helper(); w.do(http.MethodGet, path, "", want) }

func (w *world) initREST(version string) created {
	w.Helper()
	var made struct {
		UploadLinkFasta, UploadLinkProdigal, UploadLinkReplicons string
		Job                                                      struct{ JobID, Secret string }
	}
	must(w, json.Unmarshal([]byte(w.post("/api/"+version+"/job/init", `{"name":"a job"}`, http.StatusOK)), &made))
	w.secret(signature(made.UploadLinkFasta), signature(made.UploadLinkProdigal), signature(made.UploadLinkReplicons), made.Job.Secret)
	w.upload(made.UploadLinkFasta)
	return created{made.Job.JobID, made.Job.Secret}
}

func (w *world) initGRPC() created {
	w.Helper()
	made, err := w.api.InitJob(w.Context(), &pb.InitJobRequest{Name: "a job"})
	must(w, err)
	w.secret(signature(made.GetUploadLinkFasta()), made.GetJob().GetSecret())
	w.upload(made.GetUploadLinkFasta())
	return created{made.GetJob().GetJobID(), made.GetJob().GetSecret()}
}

func (w *world) upload(link string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPut, link, strings.NewReader(genome))
	must(w, err)
	response, err := http.DefaultClient.Do(r)
	must(w, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		w.Fatal(response.Status)
	}
}

func (w *world) start(c created) {
	w.Helper()
	w.post("/api/v1/job/start", fmt.Sprintf(`{"job":%s}`, c.auth()), http.StatusOK)
}

func (w *world) event(path string, want int, header ...string) {
	w.Helper()
	w.do(http.MethodPost, path, "", want, append([]string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "x"}, header...)...)
}

func (w *world) sweep(want int) {
	w.Helper()
	w.event(expire.SweepPath, want, "Ce-Type", "dev.knative.sources.ping")
}

// signature returns what makes a link one that opens something.
func signature(link string) string {
	_, rest, _ := strings.Cut(link, "X-Amz-Signature=")
	s, _, _ := strings.Cut(rest, "&")
	if len(s) != 64 {
		panic("no signed link: " + link)
	}
	return s
}

func linksIn(body string) (signatures []string) {
	for _, part := range strings.Split(body, `"`) {
		if strings.Contains(part, "X-Amz-Signature=") {
			signatures = append(signatures, signature(strings.ReplaceAll(part, `\u0026`, "&")))
		}
	}
	return signatures
}

// families scrapes.
func (w *world) families() map[string]*dto.MetricFamily {
	w.Helper()
	response, err := http.Get("http://" + w.scrape + "/metrics")
	must(w, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(w, err)
	w.scraped = string(content)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(content))
	must(w, err)
	return families
}

// counted holds a series to its value; of a histogram, that is how many values it was given. It waits: a request is
// counted when it has ended, and its client has its answer before that.
func (w *world) counted(series string, want float64) {
	w.Helper()
	deadline := time.Now().Add(patience)
	for {
		var got []string
		for name, f := range w.families() {
			for _, m := range f.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					if !strings.HasPrefix(l.GetName(), "otel_") {
						labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
					}
				}
				value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
				this := fmt.Sprintf("%s{%s}", name, strings.Join(labels, ","))
				if this == series && value == want {
					return
				}
				if strings.HasPrefix(series, name+"{") {
					got = append(got, fmt.Sprint(this, " ", value))
				}
			}
		}
		if time.Now().After(deadline) {
			w.Errorf("%s is not %v. There are:\n%s", series, want, strings.Join(got, "\n"))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// documented compares what is scraped with the list.
func (w *world) documented() {
	w.Helper()
	content, err := os.ReadFile("../../../kservices/observability/metrics.txt")
	must(w, err)
	families := w.families()
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		name := words[0]
		f := families[name]
		if f == nil {
			w.Errorf("%s is documented and does not exist", name)
			continue
		}
		delete(families, name)
		if kind := strings.ToLower(f.GetType().String()); kind != words[1] {
			w.Errorf("%s is a %s", name, kind)
		}
		documented := make(map[string][]string)
		for _, label := range words[2:] {
			key, values, _ := strings.Cut(label, "=")
			documented[key] = strings.Split(values, ",")
		}
		for _, m := range f.GetMetric() {
			seen := make(map[string]bool)
			for _, l := range m.GetLabel() {
				key, value := l.GetName(), l.GetValue()
				seen[key] = true
				switch allowed := documented[key]; {
				case strings.HasPrefix(key, "otel_scope_"):
				case allowed == nil:
					w.Errorf("%s has an undocumented label %s", name, key)
				case key == "route" && value != "" && !slices.Contains(w.routes, value):
					w.Errorf("%s has a route that nobody serves: %q", name, value)
				case !slices.Contains(allowed, "*") && !slices.Contains(allowed, value):
					w.Errorf("%s has an undocumented value: %s=%q", name, key, value)
				}
			}
			for key := range documented {
				if !seen[key] {
					w.Errorf("%s lacks its label %s", name, key)
				}
			}
		}
	}
	for name, f := range families {
		// What Prometheus's client tells of every program is not ours.
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && !strings.HasPrefix(name, "promhttp_") &&
			name != "target_info" {
			w.Errorf("%s %s is not documented", name, f.GetType())
		}
	}
}

func attributes(s *trace.Span) (all []string) {
	for _, a := range s.GetAttributes() {
		all = append(all, a.GetKey()+"="+a.GetValue().GetStringValue())
	}
	return all
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.all.String()), "\n")
}

// runs plays what runs jobs: each runs from its launch until it is ended.
type runs struct {
	test  testing.TB
	files *s3.Store
	away  atomic.Bool

	mu       sync.Mutex
	launched map[string]job.Job
	ended    map[string]bool
}

func (r *runs) ask() error {
	if r.away.Load() {
		return job.Errorf(job.Unavailable, "the runs are away")
	}
	return nil
}

func (r *runs) Launch(_ context.Context, j job.Job) (string, error) {
	if err := r.ask(); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.launched[j.ID] = j
	return job.ObjectName(j.ID, j.Run), nil
}

func (r *runs) Observe(_ context.Context, j job.Job) (job.Observation, error) {
	if err := r.ask(); err != nil {
		return job.Observation{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch _, launched := r.launched[j.ID]; {
	case !launched:
		return job.Observation{Phase: job.Absent}, nil
	case r.ended[j.ID]:
		return job.Observation{Phase: job.Ended}, nil
	}
	return job.Observation{Phase: job.Active, Stages: []job.Stage{{Name: workflow.Bakta, Status: job.StageRunning}}}, nil
}

func (r *runs) Log(context.Context, job.Job, string) (io.ReadCloser, error) {
	return nil, job.Errorf(job.NotFound, "no log")
}
func (r *runs) Release(context.Context, job.Job) error { return r.ask() }
func (r *runs) Discard(context.Context, job.Job) error { return r.ask() }
func (r *runs) Stop(context.Context, string) error     { return r.ask() }

// end stores what a run stores last of all.
func (r *runs) end(id string, failure *job.Failure) {
	r.test.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	j, launched := r.launched[id]
	if !launched {
		r.test.Fatalf("job %s was not launched", id)
	}
	w, _ := workflow.Lookup(j.Workflow)
	now := time.Now()
	m := stage.Manifest{Version: stage.ManifestVersion, Job: id, Run: j.Run, Outcome: stage.Succeeded, Failure: failure}
	how := job.StageSucceeded
	if failure != nil {
		m.Outcome, how = stage.Failed, job.StageFailed
	}
	for _, s := range w.Stages {
		m.Stages = append(m.Stages, stage.Result{Name: s.Name, Status: how, Started: now.Add(-time.Second), Ended: now})
	}
	if failure == nil {
		for _, result := range w.Results {
			f, err := r.files.Put(r.test.Context(), job.RunPrefix(id, j.Run)+result.Ending, strings.NewReader("x"), 1)
			must(r.test, err)
			f.Name = result.Ending
			m.Files = append(m.Files, f)
		}
	}
	content, err := json.Marshal(m)
	must(r.test, err)
	_, err = r.files.Put(r.test.Context(), job.ManifestKey(id, j.Run), bytes.NewReader(content), int64(len(content)))
	must(r.test, err)
	r.ended[id] = true
}
