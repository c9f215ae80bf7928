package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/cloudevent"
)

// binary are the headers of a valid event in binary mode.
func binary() []string {
	return []string{
		"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "dev.knative.apiserver.ref.update", "Ce-Source", "https://10.0.0.1:443",
		"Ce-Subject", "/apis/batch/v1/namespaces/bakta/jobs/x", "Ce-Kind", "Job", "Ce-Name", "x", "Content-Type", "application/json",
	}
}

const structured = `{"specversion":"1.0","id":"1","type":"dev.knative.apiserver.ref.update","source":"https://10.0.0.1:443",` +
	`"subject":"/apis/batch/v1/namespaces/bakta/jobs/x","kind":"Job","name":"x","datacontenttype":"application/json","data":{"a":1}}`

func TestEvents(t *testing.T) {
	t.Parallel()
	handled := make(chan string, 10)
	handle := func(_ context.Context, e event.Event) error {
		handled <- strings.Join([]string{e.Type(), e.Subject(), e.Extensions()["kind"].(string), string(e.Data())}, " ")
		return nil
	}
	s := serve(t, server.Options{MaxBody: 1000}, func(s *server.Server) error { return s.Events("/events", handle) })
	c := client(t)
	const want = "dev.knative.apiserver.ref.update /apis/batch/v1/namespaces/bakta/jobs/x Job "
	for _, row := range []struct {
		name, body string
		headers    []string
		status     int
		handled    string
	}{
		{"binary", `{"a":1}`, binary(), 204, want + `{"a":1}`},
		{"binary without data", ``, binary(), 204, want},
		{"structured", structured, []string{"Content-Type", "application/cloudevents+json"}, 204, want + `{"a":1}`},
		{"structured with a character set", structured, []string{"Content-Type", "application/cloudevents+json; charset=utf-8"}, 204,
			want + `{"a":1}`},
		{"nothing", ``, nil, 400, ""},
		{"no event", `{"a":1}`, []string{"Content-Type", "application/json"}, 400, ""},
		{"no id", `{}`, append([]string{"Ce-Id", ""}, binary()[4:]...), 400, ""},
		{"an unknown version", `{}`, append(binary(), "Ce-Specversion", "9.9"), 400, ""},
		{"a malformed extension", `{}`, append(binary(), "Ce-A_b", "x"), 400, ""},
		{"structured and cut off", structured[:50], []string{"Content-Type", "application/cloudevents+json"}, 400, ""},
		{"structured without its source", `{"specversion":"1.0","id":"1","type":"x"}`, []string{"Content-Type", "application/cloudevents+json"},
			400, ""},
		{"a batch", "[" + structured + "]", []string{"Content-Type", "application/cloudevents-batch+json"}, 400, ""},
		{"too large", `"` + strings.Repeat("x", 1000) + `"`, binary(), 413, ""},
	} {
		got := send(t, c, "POST", s.url+"/events", row.body, row.headers...)
		if got.status != row.status {
			t.Errorf("%s: status %d, not %d: %s", row.name, got.status, row.status, got.body)
		}
		if row.status >= 400 {
			got.failure(t)
		}
		var was string
		select {
		case was = <-handled:
		default:
		}
		if was != row.handled {
			t.Errorf("%s: handled as %q, not %q", row.name, was, row.handled)
		}
	}
	if got := send(t, c, "GET", s.url+"/events", ""); got.status != 405 || got.header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("GET: status %d, %v", got.status, got.header)
	}
}

// No error of a handler is 500: sources lose the event at once then.
func TestEventErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		handle func(context.Context) error
		status int
		level  string
	}{
		{"done", returns(nil), 204, "DEBUG"},
		{"away", returns(job.Errorf(job.Unavailable, "the cause")), 503, "WARN"},
		{"too much", returns(job.Errorf(job.Exhausted, "the cause")), 429, "WARN"},
		{"wrong", returns(job.Errorf(job.Invalid, "the cause")), 204, "INFO"},
		{"gone", returns(job.Errorf(job.NotFound, "the cause")), 204, "INFO"},
		{"unknown", returns(errors.New("the cause")), 503, "ERROR"},
		{"a panic", func(context.Context) error { panic("the cause") }, 503, "ERROR"},
		{"a deadline", func(ctx context.Context) error {
			<-ctx.Done()
			return errors.Join(errors.New("the cause"), ctx.Err())
		}, 503, "WARN"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, server.Options{Timeout: 100 * time.Millisecond}, func(s *server.Server) error {
				return s.Events("/events", func(ctx context.Context, _ event.Event) error {
					server.Note(ctx, "job", "the job")
					return row.handle(ctx)
				})
			})
			if got := send(t, client(t), "POST", s.url+"/events", "{}", binary()...); got.status != row.status {
				t.Errorf("status %d, not %d", got.status, row.status)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			want := []string{`"level":"` + row.level + `"`, `"job":"the job"`, `"event":"dev.knative.apiserver.ref.update"`}
			if row.name != "done" {
				want = append(want, "the cause")
			}
			if row.name == "a panic" {
				want = append(want, "events_test.go")
			}
			for _, w := range want {
				if !strings.Contains(s.log.String(), w) {
					t.Errorf("the log does not say %s:\n%s", w, s.log)
				}
			}
		})
	}
}

// A server that can't read events takes no handler of them.
func TestEventsNeedAReader(t *testing.T) {
	t.Parallel()
	s, err := server.New(server.Options{Log: server.NewLogger(io.Discard, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Events("/events", func(context.Context, event.Event) error { return nil }); err == nil {
		t.Error("the handler is registered")
	}
}

// What the CloudEvents SDK sends is received as it was.
func TestEventsFromSDK(t *testing.T) {
	t.Parallel()
	handled := make(chan event.Event, 1)
	s := serve(t, server.Options{}, func(s *server.Server) error {
		return s.Events("/events", func(_ context.Context, e event.Event) error { handled <- e; return nil })
	})
	protocol, err := cloudevents.NewHTTP(cloudevents.WithTarget(s.url + "/events"))
	if err != nil {
		t.Fatal(err)
	}
	sender, err := cloudevents.NewClient(protocol)
	if err != nil {
		t.Fatal(err)
	}
	want := cloudevents.NewEvent()
	want.SetID("1")
	want.SetType("dev.knative.sources.ping")
	want.SetSource("/apis/v1/namespaces/bakta/pingsources/sweep")
	want.SetTime(time.Now().UTC())
	want.SetExtension("kind", "PingSource")
	if err := want.SetData("application/json", map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	for name, ctx := range map[string]context.Context{
		"binary":     cloudevents.WithEncodingBinary(t.Context()),
		"structured": cloudevents.WithEncodingStructured(t.Context()),
	} {
		if result := sender.Send(ctx, want); !cloudevents.IsACK(result) {
			t.Error(name, "is answered with", result)
			continue
		}
		if diff := cmp.Diff(want.String(), (<-handled).String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever is posted as an event, the answer is one of those that sources understand.
func FuzzEvents(f *testing.F) {
	f.Add("application/cloudevents+json", "", "", "", []byte(structured))
	f.Add("application/json", "1.0", "1", "x", []byte(`{}`))
	f.Add("application/cloudevents-batch+json", "", "", "", []byte(`[]`))
	f.Add("text/xml", "0.3", "\x00", "", []byte(nil))
	s, err := server.New(server.Options{Log: server.NewLogger(io.Discard, nil), MaxBody: 10_000, ReadEvent: cloudevent.Read})
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Events("/events", func(context.Context, event.Event) error { return nil }); err != nil {
		f.Fatal(err)
	}
	handler, err := s.Handler()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType, version, id, extension string, body []byte) {
		r := httptest.NewRequest("POST", "/events", strings.NewReader(string(body)))
		r.Header = http.Header{
			"Content-Type": {contentType}, "Ce-Specversion": {version}, "Ce-Id": {id}, "Ce-Type": {"x"}, "Ce-Source": {"/x"},
			"Ce-Extension": {extension}, "Ce-Time": {extension},
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 204 && w.Code != 400 && w.Code != 413 {
			t.Errorf("status %d", w.Code)
		}
	})
}
