package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// Requests in flight when the end comes are answered; what they need is closed after them.
func TestDrain(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 3), make(chan struct{})
	var answered, closed atomic.Int32
	f := &jobs{version: func(context.Context) (*protov1.VersionResponse, error) {
		entered <- struct{}{}
		<-leave
		if closed.Load() > 0 {
			return nil, errors.New("closed")
		}
		answered.Add(1)
		return &protov1.VersionResponse{ToolVersion: "1"}, nil
	}}
	var order []string
	s := serve(t, server.Options{}, func(s *server.Server) error {
		for _, name := range []string{"first", "second"} {
			s.AfterDrain(func(context.Context) error {
				closed.Add(1)
				order = append(order, name)
				return nil
			})
		}
		return s.Serve(apiv1.API(), f, "Version")
	})
	results := make(chan error, 3)
	go func() {
		_, err := protov1.NewBaktaJobsClient(s.grpc).Version(t.Context(), &protov1.Empty{})
		results <- err
	}()
	for _, c := range []*http.Client{client(t, http1), client(t, h2c)} {
		go func() {
			response, err := c.Get(s.url + "/api/v1/version")
			if err == nil {
				var body []byte
				body, err = io.ReadAll(response.Body)
				response.Body.Close()
				if want := `{"toolVersion":"1","dbVersion":"","backendVersion":""}`; err == nil && string(body) != want {
					err = fmt.Errorf("answered %d %s", response.StatusCode, body)
				}
			}
			results <- err
		}()
	}
	for range 3 {
		<-entered
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	eventually(t, "the listener is closed", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatal("it ended with requests in flight:", err)
	default:
	}
	close(leave)
	for range 3 {
		if err := <-results; err != nil {
			t.Error("a request in flight failed:", err)
		}
	}
	if err := <-ended; err != nil {
		t.Error("it ended with", err)
	}
	if strings.Join(order, " ") != "second first" {
		t.Error("closed", order)
	}
}

// Requests whose header or body never comes hold up the end for a moment only.
func TestDrainDoesNotWaitForWhatNeverComes(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 3)
	f := &jobs{version: func(context.Context) (*protov1.VersionResponse, error) { return &protov1.VersionResponse{}, nil }}
	s := serve(t, server.Options{
		Middleware: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				entered <- struct{}{}
				next.ServeHTTP(w, r)
			})
		}},
	}, func(s *server.Server) error { return s.Serve(apiv1.API(), f, "Version", "InitJob") })
	for _, begin := range []string{"", "GET / HTTP/1.1\r\nX-Slow: ",
		"POST /api/v1/job/init HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
	}
	never, writer := io.Pipe()
	defer writer.Close()
	for _, contentType := range []string{"application/json", "application/grpc"} {
		path := map[string]string{"application/json": "/api/v1/job/init",
			"application/grpc": "/" + protov1.BaktaJobs_ServiceDesc.ServiceName + "/Version"}[contentType]
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, never)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		go func() {
			if response, err := client(t, h2c).Do(r); err == nil {
				response.Body.Close()
			}
		}()
	}
	for range 3 {
		<-entered
	}
	began := time.Now()
	if err := s.stop(); err != nil {
		t.Error("it ended with", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it ended after %s", took)
	}
}

// A request that does not end is cut off, and its context ends.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan struct{})
	f := &jobs{version: func(ctx context.Context) (*protov1.VersionResponse, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}}
	var closed atomic.Bool
	s := serve(t, server.Options{Drain: 50 * time.Millisecond}, func(s *server.Server) error {
		s.AfterDrain(func(context.Context) error { closed.Store(true); return errors.New("can't close") })
		return s.Serve(apiv1.API(), f, "Version")
	})
	result := make(chan error, 1)
	go func() {
		_, err := protov1.NewBaktaJobsClient(s.grpc).Version(t.Context(), &protov1.Empty{})
		result <- err
	}()
	<-entered
	err := s.stop()
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "can't close") {
		t.Error("it ended with", err)
	}
	<-ended
	if code := status.Code(<-result); code != codes.Unavailable && code != codes.Canceled {
		t.Error("the caller gets", code)
	}
	if !closed.Load() {
		t.Error("nothing was closed")
	}
}

// A handler whose client has gone is waited for, too.
func TestDrainWaitsForTheForsaken(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	var left atomic.Bool
	f := &jobs{version: func(ctx context.Context) (*protov1.VersionResponse, error) {
		close(entered)
		<-leave
		left.Store(true)
		return &protov1.VersionResponse{}, nil
	}}
	s := serve(t, server.Options{}, func(s *server.Server) error {
		s.AfterDrain(func(context.Context) error {
			if !left.Load() {
				return errors.New("closed before the handler left")
			}
			return nil
		})
		return s.Serve(apiv1.API(), f, "Version")
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	if _, err := protov1.NewBaktaJobsClient(s.grpc).Version(ctx, &protov1.Empty{}); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	eventually(t, "it drains", func() bool { return strings.Contains(s.log.String(), "draining") })
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// While the server drains, a probe on an open connection fails.
func TestHealthWhileDraining(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	s, err := server.New(server.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Handle("/wait", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })); err != nil {
		t.Fatal(err)
	}
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, listener) }()
	go func() { _, _ = http.Get("http://" + listener.Addr().String() + "/wait") }()
	<-entered
	if got := probe(handler); got != http.StatusOK {
		t.Error("before the end, health is", got)
	}
	cancel()
	eventually(t, "health is 503", func() bool { return probe(handler) == http.StatusServiceUnavailable })
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func probe(h http.Handler) int {
	w := &statusOnly{header: make(http.Header), code: http.StatusOK}
	r, _ := http.NewRequest("GET", "/healthz", nil)
	h.ServeHTTP(w, r)
	return w.code
}

type statusOnly struct {
	header http.Header
	code   int
}

func (w *statusOnly) Header() http.Header         { return w.header }
func (w *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w *statusOnly) WriteHeader(code int)        { w.code = code }

func TestRunFails(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var closed bool
	s.AfterDrain(func(context.Context) error { closed = true; return nil })
	listener.Close()
	if err := s.Run(t.Context(), listener); !errors.Is(err, net.ErrClosed) || !closed {
		t.Error("ended with", err, "closed:", closed)
	}
}

// A header that is too large is refused, before it is all there.
func TestHugeHeader(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	huge := strings.Repeat("x", 256<<10)
	got := send(t, client(t, http1), "GET", s.url+"/api/v1/version", "", "X-Huge", huge)
	if got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Error("over HTTP/1.1: status", got.status)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/v1/version", nil)
	r.Header.Set("X-Huge", huge)
	response, err := client(t, h2c).Do(r)
	if err == nil {
		response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Error("over HTTP/2: status", response.StatusCode)
		}
	}
	if got := send(t, client(t, h2c), "GET", s.url+"/api/v1/version", ""); got.status != http.StatusOK {
		t.Error("afterwards: status", got.status)
	}
}

// A client that stops in the middle of its body gets an answer when it closes, and does not delay the end of the server.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /api/v1/job/init HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"name\":")
	if got := send(t, client(t), "GET", s.url+"/api/v1/version", ""); got.status != http.StatusOK {
		t.Error("meanwhile: status", got.status)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusBadRequest {
		t.Error("status", response.StatusCode)
	}
}

// A client that sends all of a body that is not wanted, and only then reads, reads the answer, and may go on.
func TestUnwantedBody(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	const size = 24 << 20 // more than the kernel would keep for a server that does not read
	for request, want := range map[string]int{"POST /api/v1/job/init": 413, "PUT /api/v1/job/init": 405, "PUT /nothing": 404,
		"POST /api/v1/job/list?x=%zz": 400} {
		for _, length := range []string{fmt.Sprintf("Content-Length: %d", size), "Transfer-Encoding: chunked"} {
			t.Run(request+" "+length, func(t *testing.T) {
				t.Parallel()
				c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				begin, end := "", ""
				if strings.HasSuffix(length, "chunked") {
					begin, end = fmt.Sprintf("%x\r\n", size), "\r\n0\r\n\r\n"
				}
				if _, err := fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s%s%s", request, length, begin, strings.Repeat("A", size),
					end); err != nil {
					t.Fatal("sending:", err)
				}
				read := bufio.NewReader(c)
				response, err := http.ReadResponse(read, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != want {
					t.Fatalf("status %d, %v", response.StatusCode, err)
				}
				fmt.Fprintf(c, "GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n")
				if response, err = http.ReadResponse(read, nil); err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("afterwards: %v", err)
				}
			})
		}
	}
}

// A client that expects 100-continue gets the error at once, without sending its body.
func TestUnwantedBodyIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /api/v1/job/init HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", 24<<20)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusRequestEntityTooLarge || !response.Close {
		t.Errorf("status %d, close %v", response.StatusCode, response.Close)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if said := s.log.String(); strings.Contains(said, "WARN") || !strings.Contains(said, `"status":413`) {
		t.Error("the log warns of what a client sent:", said)
	}
}

// Nothing of a request but its path is logged.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	const secret = "FmZUzJ6Y0S3cr3tS3cr3t0KZw2Qr8abc"
	f := echoing()
	f.remove = func(context.Context, *protov1.JobAuth) (*protov1.Empty, error) { panic("as the test wants") }
	s := serveJobs(t, f)
	bodies := []string{
		`{"jobID":"0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d","secret":"` + secret + `"}`,
		`{"jobID":"` + secret + `"}`,
		`{"secret":{"x":"` + secret + `"}}`,
		`{"job":{"secret":"` + secret + `"},"config":{"dermType":"` + secret + `","translationTable":"` + secret + `"}}`,
		`{"jobs":[{"secret":"` + secret + `"},"` + secret + `"]}`,
		`{"secret":"` + secret, secret, `"` + secret + `"`,
	}
	paths := []string{
		"/api/v1/job/init", "/api/v1/job/start", "/api/v1/job/list", "/api/v1/job/result", "/api/v1/version?secret=" + secret,
		"/api/v1/delete?jobID=x&secret=" + secret, "/api/v1/job/delete?secret=" + secret + "&secret=other",
		"/api/v1/job/logs?jobID=x&secret=" + secret,
		"/api/v1/job/logs?offset=" + secret, "/api/v1/job/logs?secret=" + secret + "%zz", "/api/v1/job/logs?secret=" + secret + "%ff",
		"/api/v1/job/logs?x;secret=" + secret,
		"/api/v1/job/logs%3Fsecret=" + secret, "/api/v1/job/logs&secret=" + secret, "/nothing?secret=" + secret, "/?secret=" + secret,
		"/healthz?secret=" + secret,
	}
	c := client(t)
	for _, path := range paths {
		for _, method := range []string{"GET", "POST", "DELETE", "PUT"} {
			for _, body := range bodies {
				send(t, c, method, s.url+path, body, "Authorization", "Bearer "+secret, "Cookie", secret, "Referer", s.url+"/?"+secret, "User-Agent",
					secret, "Traceparent", "00-"+secret+"-1-1")
			}
		}
	}
	api := protov1.NewBaktaJobsClient(s.grpc)
	_, _ = api.Delete(t.Context(), &protov1.JobAuth{JobID: secret, Secret: secret})
	_, _ = api.JobResult(t.Context(), &protov1.JobAuth{JobID: "x", Secret: secret})
	_ = s.grpc.Invoke(t.Context(), "/bakta.web.api.proto.v1.BaktaJobs/Nothing?secret="+secret, &protov1.Empty{}, &protov1.Empty{})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(s.log.String(), "\n"); lines < 400 {
		t.Errorf("only %d lines are logged", lines)
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, secret[:12]) {
			t.Fatal("the log holds the secret:", line)
		}
	}
}

// A body that comes too slowly is given up.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s, err := server.New(server.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(apiv1.API(), echoing(), all()...); err != nil {
		t.Fatal(err)
	}
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hasty := &http.Server{Handler: handler, ReadTimeout: 200 * time.Millisecond}
	ended := make(chan error, 1)
	go func() { ended <- hasty.Serve(listener) }()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /api/v1/job/init HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"name\":")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusRequestTimeout {
		t.Error("status", response.StatusCode)
	}
	c.Close()
	hasty.Close()
	<-ended
}
