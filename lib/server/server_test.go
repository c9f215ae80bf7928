package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/cloudevent"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// jobs is a function whose methods a test fills in.
type jobs struct {
	protov1.UnimplementedBaktaJobsServer
	init    func(context.Context, *protov1.InitJobRequest) (*protov1.InitJobResponse, error)
	start   func(context.Context, *protov1.StartJobRequest) (*protov1.Empty, error)
	list    func(context.Context, *protov1.JobStatusRequestList) (*protov1.JobStatusReponseList, error)
	result  func(context.Context, *protov1.JobAuth) (*protov1.JobResultResponse, error)
	version func(context.Context) (*protov1.VersionResponse, error)
	remove  func(context.Context, *protov1.JobAuth) (*protov1.Empty, error)
	logs    func(context.Context, *protov1.LogsRequest) (*httpbody.HttpBody, error)
}

func (j *jobs) InitJob(ctx context.Context, r *protov1.InitJobRequest) (*protov1.InitJobResponse, error) {
	return j.init(ctx, r)
}

func (j *jobs) StartJob(ctx context.Context, r *protov1.StartJobRequest) (*protov1.Empty, error) {
	return j.start(ctx, r)
}

func (j *jobs) JobsStatus(ctx context.Context, r *protov1.JobStatusRequestList) (*protov1.JobStatusReponseList, error) {
	return j.list(ctx, r)
}

func (j *jobs) JobResult(ctx context.Context, r *protov1.JobAuth) (*protov1.JobResultResponse, error) {
	return j.result(ctx, r)
}

func (j *jobs) Version(ctx context.Context, _ *protov1.Empty) (*protov1.VersionResponse, error) {
	return j.version(ctx)
}

func (j *jobs) Delete(ctx context.Context, r *protov1.JobAuth) (*protov1.Empty, error) {
	return j.remove(ctx, r)
}

func (j *jobs) Logs(ctx context.Context, r *protov1.LogsRequest) (*httpbody.HttpBody, error) {
	return j.logs(ctx, r)
}

// all are the methods that jobs serves.
func all() []string {
	return []string{"InitJob", "StartJob", "JobsStatus", "JobResult", "Version", "Delete", "Logs"}
}

// running is a server that runs on a port of its own.
type running struct {
	url  string
	grpc *grpc.ClientConn
	log  *buffer
	stop func() error // ends the server and returns what Run returned
}

// serve runs a server with what set registers, until the test ends.
func serve(t testing.TB, o server.Options, set func(*server.Server) error) *running {
	t.Helper()
	log := new(buffer)
	if o.Log == nil {
		o.Log = server.NewLogger(log, slog.LevelDebug)
	}
	o.ReadEvent = cloudevent.Read
	srv, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		if err := set(srv); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx, listener) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &running{url: "http://" + listener.Addr().String(), grpc: conn, log: log, stop: stop}
}

// serveJobs is serve with all methods of a function.
func serveJobs(t testing.TB, f *jobs) *running {
	t.Helper()
	return serve(t, server.Options{}, func(s *server.Server) error { return s.Serve(apiv1.API(), f, all()...) })
}

// client returns an HTTP client with connections of its own.
func client(t testing.TB, protocols ...func(*http.Protocols)) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	if len(protocols) == 0 {
		transport.Protocols.SetHTTP1(true)
	}
	for _, p := range protocols {
		p(transport.Protocols)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func h2c(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }

// answer is what an HTTP request is answered with.
type answer struct {
	status int
	header http.Header
	body   string
}

// failure is the form that all errors have.
type failure struct {
	Code    *int
	Message string
	Details *[]any
}

// failure reads the body as an error, and fails the test if it is not exactly one.
func (a answer) failure(t *testing.T) failure {
	t.Helper()
	var f failure
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || f.Code == nil || f.Details == nil || f.Message == "" {
		t.Fatalf("status %d with a body that is not an error: %q (%v)", a.status, a.body, err)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("an error has the Content-Type %q", got)
	}
	return f
}

func send(t testing.TB, c *http.Client, method, url, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain until", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
