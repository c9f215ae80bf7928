package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const (
	secret = "S3cretS3cretS3cretS3cretS3cretS3"
	id     = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"
)

var ref = Ref{ID: id, Secret: secret}

// request is what a server saw.
type request struct{ Method, Target, Body string }

// server answers each request by the next of the handlers, and by the last one from then on.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func serve(t *testing.T, handlers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		handler := handlers[min(len(s.seen), len(handlers)-1)]
		s.seen = append(s.seen, request{r.Method, r.URL.RequestURI(), string(body)})
		s.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.seen...)
}

func (s *server) client(t *testing.T, options Options) *Client {
	t.Helper()
	c, err := New(s.URL, options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// hangUp breaks the connection off.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// compact makes JSON comparable: protojson varies its spaces on purpose.
func compact(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	out, _ := json.Marshal(value)
	return string(out)
}

// TestCalls compares what each call sends, and what it makes of an answer.
func TestCalls(t *testing.T) {
	auth := `{"jobID":"` + id + `","secret":"` + secret + `"}`
	query := "jobID=" + id + "&secret=" + secret
	began, ended := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), time.Date(2026, 1, 31, 12, 7, 31, 0, time.UTC)
	times := `"started":"2026-01-31T12:00:00Z","updated":"2026-01-31T12:07:31Z"`
	other := Ref{ID: "other", Secret: "x"}
	for _, row := range []struct {
		name   string
		call   func(context.Context, *Client) (any, error)
		answer string
		sent   request
		want   any
	}{
		{
			name: "init",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.Init(ctx, "E. coli \"x\"\n", protov1.RepliconTableType_TSV)
			},
			answer: `{"uploadLinkFasta":"f","uploadLinkProdigal":"p","uploadLinkReplicons":"r","job":` + auth + `,"new":1}`,
			sent:   request{"POST", "/api/v1/job/init", `{"name":"E. coli \"x\"\n","repliconTableType":"TSV"}`},
			want:   Created{Job: ref, Genome: "f", TrainingFile: "p", Replicons: "r"},
		},
		{
			name: "start",
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.Start(ctx, ref, &protov1.JobConfig{HasReplicons: proto.Bool(false), TranslationalTable: 4, LocusTag: "ABC"})
			},
			answer: `{}`,
			sent: request{"POST", "/api/v1/job/start", `{"config":{"hasReplicons":false,"locusTag":"ABC","translationTable":4},` +
				`"job":` + auth + `}`},
		},
		{
			name: "status",
			call: func(ctx context.Context, c *Client) (any, error) { return c.Status(ctx, other, ref) },
			answer: `{"jobs":[{"jobID":"` + id + `","jobStatus":"SUCCESSFUL",` + times + `,"name":"n"}],
				"failedJobs":[{"jobID":"other","jobStatus":"UNAUTHORIZED"}]}`,
			sent: request{"POST", "/api/v1/job/list", `{"jobs":[{"jobID":"other","secret":"x"},` + auth + `]}`},
			want: []Status{{ID: "other", State: Unauthorized}, {ID: id, State: Successful, Name: "n", Started: began, Updated: ended}},
		},
		{
			name:   "status of none",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Status(ctx) },
			answer: `{}`,
			want:   []Status{},
		},
		{
			name: "result",
			call: func(ctx context.Context, c *Client) (any, error) { return c.Result(ctx, ref) },
			answer: `{"jobID":"` + id + `","ResultFiles":{"GFF3":"https://s/x","JSON":"https://s/y","PNGCircularPlot":null},` + times + `,` +
				`"name":"n"}`,
			sent: request{"POST", "/api/v1/job/result", auth},
			want: Result{Name: "n", Started: began, Updated: ended,
				Files: map[string]string{"GFF3": "https://s/x", "JSON": "https://s/y"}},
		},
		{
			name:   "logs",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Logs(ctx, ref, 7) },
			answer: "rest\n",
			sent:   request{"GET", "/api/v1/job/logs?jobID=" + id + "&offset=7&secret=" + secret, ""},
			want:   []byte("rest\n"),
		},
		{
			name:   "logs of a server without offsets",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Logs(ctx, ref, 15) },
			answer: "Bakta Command: bakta\nnew\n",
			sent:   request{"GET", "/api/v1/job/logs?jobID=" + id + "&offset=15&secret=" + secret, ""},
			want:   []byte("bakta\nnew\n"),
		},
		{
			name:   "delete",
			call:   func(ctx context.Context, c *Client) (any, error) { return nil, c.Delete(ctx, ref) },
			answer: `{}`,
			sent:   request{"DELETE", "/api/v1/job/delete?" + query, ""},
		},
		{
			name:   "version",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.Version(ctx) },
			answer: `{"toolVersion":"1.12.2","dbVersion":"6.0","backendVersion":"3"}`,
			sent:   request{"GET", "/api/v1/version", ""},
			want:   Versions{Tool: "1.12.2", DB: "6.0", Backend: "3"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, answer(200, row.answer))
			got, err := row.call(t.Context(), s.client(t, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("answer (-want +got)\n%s", diff)
			}
			var want, seen []request
			if row.sent.Method != "" {
				want = []request{row.sent}
			}
			for _, r := range s.requests() {
				r.Body = compact(t, r.Body)
				seen = append(seen, r)
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("request (-want +got)\n%s", diff)
			}
		})
	}
}

func TestStatusOfManyAsksInParts(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"jobs":[],"failedJobs":[]}`)
	})
	// The fake server doesn't know the jobs that a real one would name; that is an error after the first part.
	var jobs []Ref
	for i := range 250 {
		jobs = append(jobs, Ref{ID: fmt.Sprint(i), Secret: "x"})
	}
	if _, err := s.client(t, Options{}).Status(t.Context(), jobs...); err == nil || !strings.Contains(err.Error(), "does not contain job 0") {
		t.Errorf("err = %v", err)
	}
	var lengths []int
	for _, r := range s.requests() {
		lengths = append(lengths, strings.Count(r.Body, "jobID"))
	}
	if diff := cmp.Diff([]int{100, 100, 50}, lengths); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRefusals has a row for each way in which a server may say no.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		want   Error
	}{
		{"an error of the API", answer(400, `{"code":3,"message":"species: must not be blank","details":[]}`),
			Error{400, codes.InvalidArgument, "species: must not be blank"}},
		{"a wrong secret", answer(401, `{"code":16,"message":"wrong secret"}`), Error{401, codes.Unauthenticated, "wrong secret"}},
		{"a page of something else", answer(404, "<html>nginx</html>", "Content-Type", "text/html"),
			Error{404, codes.Unknown, "SERVER answers 404 Not Found"}},
		{"plain text", answer(500, "it\n broke", "Content-Type", "text/plain; charset=utf-8"),
			Error{500, codes.Unknown, "SERVER answers 500 Internal Server Error: it broke"}},
		{"a redirect", answer(301, "", "Location", "https://new.example.org/api?secret="+secret),
			Error{301, codes.Unknown, "SERVER redirects to https://new.example.org; use that address"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.answer)
			_, err := s.client(t, Options{}).Result(t.Context(), ref)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("err = %v", err)
			}
			got := *e
			got.Message = strings.ReplaceAll(got.Message, s.URL, "SERVER")
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("it was asked %d times", n)
			}
			if Transient(err) {
				t.Error("it is transient")
			}
		})
	}
}

func TestNotBaktaWeb(t *testing.T) {
	const links = `"uploadLinkFasta":"http://h/1"`
	for _, body := range []string{"<html>", `[]`, `{"job":7}`, `{}`, "", `{"job":{"jobID":"1"},` + links + `}`,
		`{"job":{"jobID":"{0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d}"},` + links + `}`,
		`{"job":{"jobID":"0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2\u001b"},` + links + `}`} {
		s := serve(t, answer(200, body))
		if _, err := s.client(t, Options{}).Init(t.Context(), "", 0); err == nil || !strings.Contains(err.Error(), "check the server's address") {
			t.Errorf("%q: err = %v", body, err)
		}
	}
}

func TestDeleteOfNothing(t *testing.T) {
	s := serve(t, answer(404, `{"code":5,"message":"no such job"}`))
	if err := s.client(t, Options{}).Delete(t.Context(), ref); CodeOf(err) != codes.NotFound {
		t.Errorf("err = %v", err)
	}
	s = serve(t, answer(404, `page`))
	if err := s.client(t, Options{}).Delete(t.Context(), ref); err == nil || CodeOf(err) == codes.NotFound {
		t.Errorf("of a server that knows no such path: %v", err)
	}
}

// TestRetries: what passes is tried again.
func TestRetries(t *testing.T) {
	ok := answer(200, `{"toolVersion":"1"}`)
	t.Parallel()
	for _, row := range []struct {
		name  string
		first http.HandlerFunc
		error string
	}{
		{"429", answer(429, `{"code":8,"message":"slow down"}`), "slow down"},
		{"502", answer(502, ""), "answers 502 Bad Gateway"},
		{"503", answer(503, `{"code":14,"message":"away"}`), "away"},
		{"504", answer(504, ""), "answers 504 Gateway Timeout"},
		{"connection broken off", hangUp, "can't be reached"},
		{"answer broken off", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "reading the answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, row.first, row.first, ok)
			var errs []string
			c := s.client(t, Options{OnRetry: func(err error, pause time.Duration) { errs = append(errs, err.Error()) }})
			if _, err := c.Version(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := len(s.requests()); n != 3 {
				t.Errorf("it was asked %d times", n)
			}
			if len(errs) != 2 || !strings.Contains(errs[0], row.error) {
				t.Errorf("the errors are %q", errs)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for name, header := range map[string]string{"seconds": "1", "date": "date"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var at []time.Time
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				at = append(at, time.Now())
				if header == "date" {
					w.Header().Set("Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))
				} else {
					w.Header().Set("Retry-After", header)
				}
				w.WriteHeader(503)
			}, func(w http.ResponseWriter, r *http.Request) {
				at = append(at, time.Now())
				io.WriteString(w, "{}")
			})
			if _, err := s.client(t, Options{}).Version(t.Context()); err != nil {
				t.Fatal(err)
			}
			// A date has whole seconds, so up to one of the two is lost.
			if pause := at[1].Sub(at[0]); pause < 950*time.Millisecond {
				t.Errorf("it was asked again after %s", pause)
			}
		})
	}
	s := serve(t, answer(429, `{"code":8,"message":"full until tomorrow"}`, "Retry-After", "86400"))
	if _, err := s.client(t, Options{}).Version(t.Context()); err == nil || !strings.Contains(err.Error(), "full until tomorrow") {
		t.Errorf("err = %v", err)
	}
}

// A time that is far away ends a call at once, whatever the patience.
func TestRetryAfterFarDate(t *testing.T) {
	s := serve(t, answer(503, `{"code":14,"message":"away"}`, "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"))
	for _, patience := range []time.Duration{0, -1, math.MinInt64, time.Hour} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := s.client(t, Options{Patience: patience}).Version(ctx)
		cancel()
		if CodeOf(err) != codes.Unavailable || !Transient(err) {
			t.Errorf("with a patience of %s: %v", patience, err)
		}
	}
	if n := len(s.requests()); n != 4 {
		t.Errorf("four calls made %d requests", n)
	}
	later := time.Now().Add(10 * 24 * time.Hour).UTC().Format(http.TimeFormat)
	s = serve(t, answer(429, `{"code":8,"message":"the limit starts-per-day is reached"}`, "Retry-After", later))
	_, err := s.client(t, Options{Patience: -1}).Version(t.Context())
	if after, limited := Limited(err); !limited || after != 24*time.Hour {
		t.Errorf("%v: %v, %s", err, limited, after)
	}
}

// An answer that is too large is not taken for that of another program.
func TestLargeAnswer(t *testing.T) {
	large := `{"toolVersion":"` + strings.Repeat("1", 17<<20) + `"}`
	s := serve(t, answer(200, large))
	c := s.client(t, Options{})
	_, v1 := c.Version(t.Context())
	_, v2 := c.V2().Version(t.Context())
	for _, err := range []error{v1, v2} {
		if err == nil || !strings.HasSuffix(err.Error(), "has more than 16 MiB") || Transient(err) {
			t.Errorf("err = %v", err)
		}
	}
	if n := len(s.requests()); n != 2 {
		t.Errorf("two calls made %d requests", n)
	}
	log, err := c.Logs(t.Context(), ref, 0)
	if err != nil || string(log) != large[:16<<20] {
		t.Errorf("of a log of the first version, %d bytes are returned, and the error %v", len(log), err)
	}
	exact := `{"toolVersion":"1"}`
	s = serve(t, answer(200, exact+strings.Repeat(" ", 16<<20-len(exact))))
	if got, err := s.client(t, Options{}).Version(t.Context()); err != nil || got.Tool != "1" {
		t.Errorf("of the largest answer: %v, %v", got, err)
	}
}

// A call that a limit refuses is repeated after the time that the server names, also if that is longer than the patience.
func TestLimitOfCaller(t *testing.T) {
	t.Parallel()
	refusal := answer(429, `{"code":8,"message":"the limit calls-per-minute is reached"}`, "Retry-After", "1")
	s := serve(t, refusal, refusal, answer(200, "{}"))
	var pauses []time.Duration
	c := s.client(t, Options{Patience: 100 * time.Millisecond, OnRetry: func(err error, pause time.Duration) {
		if !strings.Contains(err.Error(), "calls-per-minute") {
			t.Errorf("the reason is %v", err)
		}
		pauses = append(pauses, pause)
	}})
	if _, err := c.Version(t.Context()); err != nil || !slices.Equal(pauses, []time.Duration{time.Second, time.Second}) {
		t.Errorf("%v, after the pauses %v", err, pauses)
	}
	s = serve(t, answer(429, `{"code":8,"message":"the limit starts-per-day is reached"}`, "Retry-After", "3600"))
	_, err := s.client(t, Options{}).Version(t.Context())
	if after, limited := Limited(err); !limited || after != time.Hour || !Transient(err) {
		t.Errorf("%v: %v, %s", err, limited, after)
	}
	if _, limited := Limited(&Error{Status: 503}); limited {
		t.Error("503 is taken for a limit")
	}
	s = serve(t, refusal)
	if _, err := s.client(t, Options{Patience: -1}).Version(t.Context()); err == nil || len(s.requests()) != 1 {
		t.Errorf("without patience: %v after %d requests", err, len(s.requests()))
	}
}

func TestPatienceEnds(t *testing.T) {
	s := serve(t, answer(503, `{"code":14,"message":"away"}`))
	_, err := s.client(t, Options{Patience: 300 * time.Millisecond}).Version(t.Context())
	if CodeOf(err) != codes.Unavailable || !Transient(err) || err.Error() != "getting the version: away" {
		t.Errorf("err = %v", err)
	}
	if n := len(s.requests()); n < 2 {
		t.Errorf("it was asked %d times", n)
	}
	s = serve(t, answer(503, ""))
	if _, err := s.client(t, Options{Patience: -1}).Version(t.Context()); err == nil || len(s.requests()) != 1 {
		t.Errorf("err = %v after %d requests", err, len(s.requests()))
	}
}

func TestContextEndsACall(t *testing.T) {
	s := serve(t, answer(503, ""))
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	c := s.client(t, Options{OnRetry: func(error, time.Duration) { cancel(why) }})
	if _, err := c.Version(ctx); !errors.Is(err, why) {
		t.Errorf("err = %v", err)
	}
}

// TestNoSecretInErrors: whatever fails, its text holds neither the secret nor a link's signature.
func TestNoSecretInErrors(t *testing.T) {
	closed := serve(t, hangUp)
	closed.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hung := serve(t, hangUp)
	link := func(s *server) string { return s.URL + "/b/key?X-Amz-Signature=" + secret }
	quoting := serve(
		t,
		answer(403, `<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><CanonicalRequest>`+secret+`</CanonicalRequest></Error>`),
	)
	dir := t.TempDir()
	for name, call := range map[string]func(c *Client, s *server) error{
		"logs":   func(c *Client, _ *server) error { _, err := c.Logs(t.Context(), ref, 0); return err },
		"delete": func(c *Client, _ *server) error { return c.Delete(t.Context(), ref) },
		"start":  func(c *Client, _ *server) error { return c.Start(t.Context(), ref, nil) },
		"upload": func(c *Client, s *server) error {
			return c.Upload(t.Context(), link(s), BytesContent([]byte("x")), nil)
		},
		"download": func(c *Client, s *server) error {
			_, err := c.Download(t.Context(), link(s), dir+"/f", nil)
			return err
		},
		"no link": func(c *Client, s *server) error {
			return c.Upload(t.Context(), "http://x\x7f/"+secret, BytesContent([]byte("x")), nil)
		},
	} {
		for _, s := range []*server{closed, hung, quoting} {
			err := call(s.client(t, Options{Patience: -1}), s)
			if err == nil {
				t.Errorf("%s: no error", name)
			} else if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
				t.Errorf("%s: the error contains the secret: %v", name, err)
			}
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "job", ref)
	if text := fmt.Sprintf("%v %+v %#v %s", ref, ref, ref, ref) + log.String(); strings.Contains(text, secret) || !strings.Contains(text, id) {
		t.Errorf("a Ref shows as %s", text)
	}
}

func TestUnreachable(t *testing.T) {
	s := serve(t, hangUp)
	s.Close()
	_, err := s.client(t, Options{Patience: -1}).Version(t.Context())
	if err == nil || !Transient(err) || !strings.Contains(err.Error(), s.URL+" can't be reached: ") ||
		!strings.Contains(err.Error(), "refused") {
		t.Errorf("err = %v", err)
	}
	// Plain HTTP where TLS is expected, and the reverse, stay wrong.
	plain := serve(t, answer(200, "{}"))
	c, err := New("https"+strings.TrimPrefix(plain.URL, "http"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Version(t.Context()); err == nil || Transient(err) {
		t.Errorf("err = %v", err)
	}
}

func TestNew(t *testing.T) {
	for server, want := range map[string]string{
		"http://127.0.0.1:8080":             "http://127.0.0.1:8080",
		"https://bakta.example.org/":        "https://bakta.example.org",
		"https://bakta.example.org/api/v1":  "https://bakta.example.org",
		"https://example.org/bakta/api/v1/": "https://example.org/bakta",
		"bakta.example.org":                 "",
		"ftp://bakta.example.org":           "",
		"https://":                          "",
		"https://u:p@bakta.example.org":     "",
		"https://bakta.example.org?a=b":     "",
		"http://bakta.example.org:port/":    "",
		"":                                  "",
	} {
		c, err := New(server, Options{})
		if (err != nil) != (want == "") || err == nil && c.Server() != want {
			t.Errorf("New(%q): %v, %v", server, c, err)
		}
	}
}

func TestWait(t *testing.T) {
	status := func(state string) http.HandlerFunc {
		return answer(200, `{"jobs":[{"jobID":"`+id+`","jobStatus":"`+state+`"}]}`)
	}
	s := serve(t, status("INIT"), answer(503, ""), status("RUNNING"), status("RUNNING"), status("ERROR"))
	var seen []string
	got, err := s.client(t, Options{Patience: -1}).Wait(t.Context(), ref, time.Millisecond, func(s Status, err error) {
		if err != nil {
			seen = append(seen, "away")
		} else {
			seen = append(seen, string(s.State))
		}
	})
	if err != nil || got.State != Failed {
		t.Errorf("%v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"INIT", "away", "RUNNING", "RUNNING", "ERROR"}, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s = serve(t, answer(400, `{"code":3,"message":"no"}`))
	if _, err := s.client(t, Options{}).Wait(t.Context(), ref, time.Millisecond, nil); CodeOf(err) != codes.InvalidArgument {
		t.Errorf("err = %v", err)
	}
	s = serve(t, status("RUNNING"))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.client(t, Options{}).Wait(ctx, ref, time.Hour, func(Status, error) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}
