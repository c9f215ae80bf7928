package deployment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/internal/testcollector"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// world is a backend with its stores, and the state of the test.
type world struct {
	testing.TB
	url       string
	scrape    string // address
	api       pb.BaktaJobsClient
	updates   pb.BaktaStatusUpdateClient
	conn      *grpc.ClientConn
	jobs      *mongo.Store
	limits    func(ctx context.Context, set bson.D) error // changes the documents of all callers
	runs      *runs
	clock     atomic.Int64 // how far it is ahead, in nanoseconds
	collector *testcollector.Collector
	log       *lines
	routes    []string
	stop      func()
	secrets   []string // operators must not see them
	scraped   string
}

// newWorld serves a backend whose configuration the test may change. Only one world of a process is measured, see TestTelemetry.
func newWorld(t *testing.T, measured bool, change func(*config.Config)) *world {
	ports, err := process.FreePorts(1) // the configuration does not accept port 0
	must(t, err)
	w := &world{TB: t, collector: testcollector.Start(t), log: &lines{}, scrape: "127.0.0.1:" + ports[0]}
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
	cfg.Limits.Caller.Unstarted = 1
	d := &Deployment{Config: cfg, Log: server.NewLogger(w.log, slog.LevelDebug), Holder: "test"}
	change(&d.Config)
	if measured {
		must(t, d.Measure(t.Context(), "all"))
		// The notify function has a process of its own.
		d.telemetry.Attempted(t.Context(),
			job.Delivery{Channel: job.ChannelWebhook, Event: job.EventSucceeded, State: job.Delivered}, time.Second)
	}

	jobs, err := d.Jobs()
	must(t, err)
	files, err := d.Files()
	must(t, err)
	must(t, jobs.Setup(t.Context()))
	must(t, files.Setup(t.Context()))
	w.jobs = jobs
	w.runs = &runs{test: t, files: files, launched: make(map[string]job.Job), ended: make(map[string]bool)}
	d.limiter, err = d.limits(jobs)
	must(t, err)
	w.limits = func(ctx context.Context, set bson.D) error { return setLimits(ctx, uri, database, set) }
	now := func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }
	parts := d.partsOn(jobs, files)
	parts.Runner, parts.Now = w.runs, now
	set := d.Settings()
	set.Retention, set.PendingTimeout, set.MaxList = keep, keep, 10
	all, err := functions.New(parts, set)
	must(t, err)
	srv, err := d.HintServer(func(s *server.Server) error { return errors.Join(all.Register(s), all.RegisterEvents(s)) })
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
	w.conn = conn
	w.api, w.updates = pb.NewBaktaJobsClient(conn), pb.NewBaktaStatusUpdateClient(conn)
	return w
}

// setLimits changes the documents of all callers.
func setLimits(ctx context.Context, uri, database string, set bson.D) error {
	client, err := driver.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	_, err = client.Database(database).Collection("annotationLimits").UpdateMany(ctx, bson.D{}, bson.D{{Key: "$set", Value: set}})
	return errors.Join(err, client.Disconnect(ctx))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) secret(secrets ...string) { w.secrets = append(w.secrets, secrets...) }

func (w *world) later(d time.Duration) { w.clock.Add(int64(d)) }

// created is the ID and the secret of a job.
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

// signature returns the signature of a link, which is its secret part.
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

// lines collects a log.
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

// runs is a fake runner: a job runs from its launch until the test ends it.
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
func (r *runs) Tail(context.Context, job.Job, string, int64) ([]byte, error) {
	return nil, job.Errorf(job.NotFound, "no log")
}
func (r *runs) Release(context.Context, job.Job) error { return r.ask() }
func (r *runs) Discard(context.Context, job.Job) error { return r.ask() }
func (r *runs) Stop(context.Context, string) error     { return r.ask() }

// end stores the manifest of a run.
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
