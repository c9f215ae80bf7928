package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// echoing answers each method with what it was asked, as far as the method's answer can hold it.
func echoing() *jobs {
	return &jobs{
		init: func(_ context.Context, r *protov1.InitJobRequest) (*protov1.InitJobResponse, error) {
			return &protov1.InitJobResponse{UploadLinkFasta: r.GetName(), Job: &protov1.JobAuth{JobID: "i", Secret: "s"}}, nil
		},
		start: func(context.Context, *protov1.StartJobRequest) (*protov1.Empty, error) { return &protov1.Empty{}, nil },
		list: func(_ context.Context, r *protov1.JobStatusRequestList) (*protov1.JobStatusReponseList, error) {
			l := new(protov1.JobStatusReponseList)
			for _, j := range r.GetJobs() {
				l.FailedJobs = append(l.FailedJobs, &protov1.FailedJob{JobID: j.GetJobID()})
			}
			return l, nil
		},
		result: func(_ context.Context, r *protov1.JobAuth) (*protov1.JobResultResponse, error) {
			return &protov1.JobResultResponse{JobID: r.GetJobID()}, nil
		},
		version: func(context.Context) (*protov1.VersionResponse, error) {
			return &protov1.VersionResponse{ToolVersion: "1"}, nil
		},
		remove: func(context.Context, *protov1.JobAuth) (*protov1.Empty, error) { return &protov1.Empty{}, nil },
		logs: func(_ context.Context, r *protov1.LogsRequest) (*httpbody.HttpBody, error) {
			return &httpbody.HttpBody{
				ContentType: "text/plain; charset=utf-8",
				Data: fmt.Appendf(nil, "%s %s %d\n<b>", r.GetJobID(), r.GetSecret(),
					r.GetOffset()),
			}, nil
		},
	}
}

func TestREST(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		want                     string // the whole body of a success; part of the message of an error
		code                     int    // of an error
	}{
		{"init", "POST", "/api/v1/job/init", `{"name":"x","repliconTableType":"TSV"}`, 200,
			`{"uploadLinkFasta":"x","uploadLinkProdigal":"","uploadLinkReplicons":"","job":{"secret":"s","jobID":"i"}}`, 0},
		{"init without a body", "POST", "/api/v1/job/init", ``, 200,
			`{"uploadLinkFasta":"","uploadLinkProdigal":"","uploadLinkReplicons":"","job":{"secret":"s","jobID":"i"}}`, 0},
		{"start", "POST", "/api/v1/job/start", `{"config":{"completeGenome":true},"job":{"jobID":"i","secret":"s"}}`, 200, `{}`, 0},
		{"list of none", "POST", "/api/v1/job/list", `{"jobs":[]}`, 200, `{"jobs":[],"failedJobs":[]}`, 0},
		{"list", "POST", "/api/v1/job/list", `{"jobs":[{"jobID":"I"}]}`, 200, `{"jobs":[],"failedJobs":[{"jobID":"I","jobStatus":"NOT_FOUND"}]}`,
			0},
		{"result", "POST", "/api/v1/job/result", `{"jobId":"i","secret":"s"}`, 200, `{"jobID":"i","name":""}`, 0},
		{"version", "GET", "/api/v1/version", ``, 200, `{"toolVersion":"1","dbVersion":"","backendVersion":""}`, 0},
		{"version with a query", "GET", "/api/v1/version?x=1&x=2&y[z]=1&%5b=", ``, 200, `{"toolVersion":"1","dbVersion":"","backendVersion":""}`,
			0},
		{"version with a body", "GET", "/api/v1/version", `x`, 200, `{"toolVersion":"1","dbVersion":"","backendVersion":""}`, 0},
		{"delete as the UI does", "DELETE", "/api/v1/delete?jobID=i&secret=s", ``, 200, `{}`, 0},
		{"delete as documented", "DELETE", "/api/v1/job/delete?secret=s&jobID=i", ``, 200, `{}`, 0},
		{"logs", "GET", "/api/v1/job/logs?jobID=i&secret=s", ``, 200, "i s 0\n<b>", 0},
		{"logs with jobId", "GET", "/api/v1/job/logs?jobId=i&secret=s", ``, 200, "i s 0\n<b>", 0},
		{"logs from an offset", "GET", "/api/v1/job/logs?jobID=i&secret=s&offset=7", ``, 200, "i s 7\n<b>", 0},
		{"logs from no offset", "GET", "/api/v1/job/logs?jobID=i&secret=s&offset=&jobId=", ``, 200, "i s 0\n<b>", 0},
		{"logs with encoded values", "GET", "/api/v1/job/logs?jobID=%C3%BC+%26&secret=a%3Db", ``, 200, "ü & a=b 0\n<b>", 0},
		{"logs with the same value twice", "GET", "/api/v1/job/logs?jobID=i&jobID=i&secret=s", ``, 200, "i s 0\n<b>", 0},
		{"logs with two values", "GET", "/api/v1/job/logs?jobID=i&secret=s&secret=t", ``, 400, "secret more than once", 3},
		{"logs with a bad offset", "GET", "/api/v1/job/logs?jobID=i&secret=s&offset=x", ``, 400, "offset must be a number", 3},
		{"logs with a bad escape", "GET", "/api/v1/job/logs?jobID=i&secret=%zz", ``, 400, "URL-encoded", 3},
		{"logs with bad UTF-8", "GET", "/api/v1/job/logs?jobID=i&secret=%ff", ``, 400, "UTF-8", 3},
		{"not JSON", "POST", "/api/v1/job/init", `name=x`, 400, "not JSON", 3},
		{"a wrong type", "POST", "/api/v1/job/list", `{"jobs":[{"jobID":{"$ne":1}}]}`, 400, "jobs[0].jobID must be a text", 3},
		{"a body too large", "POST", "/api/v1/job/init", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "the limit is 1048576 bytes", 8},
		{"no such path", "GET", "/api/v1/jobs", ``, 404, "nothing at this path", 5},
		{"no such path above", "POST", "/api/v3/job/init", `{}`, 404, "nothing at this path", 5},
		{"a path too long", "GET", "/api/v1/version/x", ``, 404, "nothing at this path", 5},
		{"two slashes", "GET", "//api/v1/version", ``, 404, "nothing at this path", 5},
		{"the root", "GET", "/", ``, 404, "nothing at this path", 5},
		{"a gRPC path", "POST", "/bakta.web.api.proto.v1.BaktaJobs/Version", `{}`, 404, "nothing at this path", 5},
		{"a wrong method", "GET", "/api/v1/job/init", ``, 405, "supports OPTIONS, POST", 12},
		{"another wrong method", "PUT", "/api/v1/version", ``, 405, "supports GET, HEAD, OPTIONS", 12},
	} {
		for name, protocol := range map[string]func(*http.Protocols){"HTTP/1.1": http1, "HTTP/2": h2c} {
			t.Run(row.name+" over "+name, func(t *testing.T) {
				t.Parallel()
				got := send(t, client(t, protocol), row.method, s.url+row.path, row.body, "Content-Type", "application/octet-stream")
				if got.status != row.status {
					t.Errorf("status %d, not %d: %s", got.status, row.status, got.body)
				}
				if row.status == http.StatusOK {
					if got.body != row.want {
						t.Errorf("answers %s, not %s", got.body, row.want)
					}
					return
				}
				if f := got.failure(t); *f.Code != row.code || !strings.Contains(f.Message, row.want) {
					t.Errorf("says %d %q, not %d %q", *f.Code, f.Message, row.code, row.want)
				}
			})
		}
	}
}

// The Content-Type of a request means nothing, not even gRPC's over HTTP/1.1.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	c := client(t)
	for _, contentType := range []string{"application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain",
		"application/grpc", "", "§"} {
		got := send(t, c, "POST", s.url+"/api/v1/job/start", `{"job":{"jobID":"i"}}`, "Content-Type", contentType, "X-HTTP-Method-Override",
			"GET")
		if got.status != http.StatusOK || got.body != "{}" {
			t.Errorf("%q: status %d, %s", contentType, got.status, got.body)
		}
		if got.header.Get("Content-Type") != "application/json" || got.header.Get("Content-Length") != "2" {
			t.Errorf("%q: answered with %v", contentType, got.header)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	c := client(t)
	for _, row := range []struct {
		name, method, path string
		headers            []string
		status             int
		want               map[string]string // "" is absent
	}{
		{"logs are not HTML", "GET", "/api/v1/job/logs", nil, 200, map[string]string{
			"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Access-Control-Allow-Origin": "",
		}},
		{"HEAD is GET without its body", "HEAD", "/api/v1/version", nil, 200, map[string]string{"Content-Type": "application/json",
			"Content-Length": "54"}},
		{"the answer to a wrong method lists the right ones", "PATCH", "/api/v1/job/delete", nil, 405,
			map[string]string{"Allow": "DELETE, OPTIONS"}},
		{"OPTIONS", "OPTIONS", "/api/v1/version", nil, 204, map[string]string{"Allow": "GET, HEAD, OPTIONS"}},
		{"any origin may read", "GET", "/api/v1/version", []string{"Origin", "https://ui.example.org"}, 200, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "",
		}},
		{"any origin may read errors", "POST", "/api/v1/version", []string{"Origin", "https://ui.example.org"}, 405,
			map[string]string{"Access-Control-Allow-Origin": "*"}},
		{"a browser asks before it sends JSON", "OPTIONS", "/api/v1/job/init", []string{
			"Origin", "https://ui.example.org", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers",
			"accept,authorization,content-type",
		}, 204, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST",
			"Access-Control-Allow-Headers": "accept,authorization,content-type",
			"Access-Control-Max-Age":       "7200", "Access-Control-Allow-Credentials": "",
		}},
		{"a browser asks before it deletes", "OPTIONS", "/api/v1/delete?jobID=i&secret=s", []string{
			"Origin", "null", "Access-Control-Request-Method", "DELETE",
		}, 204, map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "DELETE"}},
		{"a trace's id is the request's", "GET", "/api/v1/version",
			[]string{"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, 200, map[string]string{
				"X-Request-Id": "4bf92f3577b34da6a3ce929d0e0e4736",
			}},
	} {
		got := send(t, c, row.method, s.url+row.path, "", row.headers...)
		if got.status != row.status {
			t.Errorf("%s: status %d, not %d", row.name, got.status, row.status)
		}
		for name, want := range row.want {
			if got := got.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, not %q", row.name, name, got, want)
			}
		}
	}
	for _, garbage := range []string{"", "x", "00-xyz-00-01", "00-" + strings.Repeat("\u00e4", 16) + "-00f067aa0ba902b7-01"} {
		if id := send(t, c, "GET", s.url+"/api/v1/version", "", "Traceparent",
			garbage).header.Get("X-Request-Id"); len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("the request of trace %q has the id %q", garbage, id)
		}
	}
}

// Whatever an error is, a page of any origin may read it, and what it says of when to come again.
func TestPagesReadErrors(t *testing.T) {
	t.Parallel()
	f := echoing()
	f.remove = func(_ context.Context, a *protov1.JobAuth) (*protov1.Empty, error) {
		if a.GetJobID() == "panic" {
			panic("as the test wants")
		}
		return nil, job.Errorf(job.Code(a.GetJobID()), "refused")
	}
	s := serve(t, server.Options{Timeout: 50 * time.Millisecond}, func(s *server.Server) error {
		f.version = func(ctx context.Context) (*protov1.VersionResponse, error) { <-ctx.Done(); return nil, ctx.Err() }
		return errors.Join(s.Serve(apiv1.API(), f, "Delete", "InitJob", "Version"), s.Docs("API", documents()...))
	})
	c := client(t)
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		headers                  []string
	}{
		{"malformed", "POST", "/api/v1/job/init", "{", 400, nil},
		{"a bad query", "DELETE", "/api/v1/delete?jobID=%zz", "", 400, nil},
		{"wrong secret", "DELETE", "/api/v1/delete?jobID=" + string(job.WrongSecret), "", 401, nil},
		{"no such job", "DELETE", "/api/v1/delete?jobID=" + string(job.NotFound), "", 404, nil},
		{"no such path", "GET", "/api/v1/nothing", "", 404, nil},
		{"no such path of a version", "POST", "/api/v9/job/init", "{}", 404, nil},
		{"no such path at all", "GET", "/nothing", "", 404, nil},
		{"a prefix", "GET", "/api/v1", "", 404, nil},
		{"a wrong method", "GET", "/api/v1/job/init", "", 405, nil},
		{"a method of no path", "PUT", "/api/v1/job/init", "{}", 405, nil},
		{"another one", "PATCH", "/api/v1/version", "{}", 405, nil},
		{"a started job", "DELETE", "/api/v1/delete?jobID=" + string(job.AlreadyExists), "", 409, nil},
		{"too large", "POST", "/api/v1/job/init", strings.Repeat(" ", 2<<20), 413, nil},
		{"compressed", "POST", "/api/v1/job/init", "\x1f\x8b", 415, []string{"Content-Encoding", "gzip"}},
		{"too much", "DELETE", "/api/v1/delete?jobID=" + string(job.Exhausted), "", 429, nil},
		{"internal", "DELETE", "/api/v1/delete?jobID=odd", "", 500, nil},
		{"a panic", "DELETE", "/api/v1/delete?jobID=panic", "", 500, nil},
		{"served elsewhere", "POST", "/api/v1/job/list", "{}", 501, nil},
		{"away", "DELETE", "/api/v1/delete?jobID=" + string(job.Unavailable), "", 503, nil},
		{"slow", "GET", "/api/v1/version", "", 504, nil},
	} {
		got := send(t, c, row.method, s.url+row.path, row.body, append(row.headers, "Origin", "https://ui.example.org")...)
		if got.status != row.status || got.header.Get("Access-Control-Allow-Origin") != "*" || *got.failure(t).Code == 0 {
			t.Errorf("%s: status %d, %v: %s", row.name, got.status, got.header, got.body)
		}
		if exposed := got.header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Retry-After") {
			t.Errorf("%s: a page may read %q", row.name, exposed)
		}
		// A browser asks first, with whatever headers the page sends.
		got = send(t, c, "OPTIONS", s.url+row.path, "", "Origin", "https://ui.example.org",
			"Access-Control-Request-Method", row.method, "Access-Control-Request-Headers", "content-encoding,x-requested-with")
		if h := got.header; got.status != 204 || h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Access-Control-Allow-Methods") != row.method ||
			h.Get("Access-Control-Allow-Headers") != "content-encoding,x-requested-with" {
			t.Errorf("%s: preflight: status %d, %v", row.name, got.status, got.header)
		}
	}
}

// The error about a compressed body names the reason, instead of invalid JSON.
func TestContentEncoding(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	c := client(t)
	for encoding, want := range map[string]int{"": 200, "identity": 200, "Identity": 200, "gzip": 415, "br": 415, "aws-chunked": 415,
		"gzip, identity": 415} {
		got := send(t, c, "POST", s.url+"/api/v1/job/start", `{"job":{"jobID":"i"}}`, "Content-Encoding", encoding)
		if got.status != want {
			t.Errorf("%q: status %d, %s", encoding, got.status, got.body)
		}
		if want == 415 && (!strings.Contains(got.failure(t).Message,
			"send the JSON without one") || got.header.Get("Accept-Encoding") != "identity") {
			t.Errorf("%q: %v %s", encoding, got.header, got.body)
		}
	}
	if got := send(t, c, "GET", s.url+"/api/v1/version", "", "Content-Encoding", "gzip"); got.status != 200 {
		t.Error("a call without a body:", got.status)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{Origins: []string{"https://ui.example.org"}}, func(s *server.Server) error {
		return s.Serve(apiv1.API(), echoing(), all()...)
	})
	c := client(t)
	for origin, want := range map[string]string{"https://ui.example.org": "https://ui.example.org", "https://other.example.org": "",
		"null": ""} {
		if got := send(t, c, "GET", s.url+"/api/v1/version", "", "Origin", origin).header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s gets %q, not %q", origin, got, want)
		}
	}
}

// What a method gets is what was sent, and a caller that sends the same message by gRPC gets the same answer.
func TestRESTIsGRPC(t *testing.T) {
	t.Parallel()
	got := make(chan *protov1.StartJobRequest, 2)
	f := echoing()
	f.start = func(_ context.Context, r *protov1.StartJobRequest) (*protov1.Empty, error) {
		got <- r
		return &protov1.Empty{}, nil
	}
	s := serveJobs(t, f)
	yes := true
	want := &protov1.StartJobRequest{
		Job: &protov1.JobAuth{JobID: "i", Secret: "s"},
		Config: &protov1.JobConfig{HasReplicons: &yes, TranslationalTable: 4, MinContigLength: 1 << 40, DermType: protov1.DermType_DIDERM,
			LocusTag: "ABC"},
	}
	if _, err := protov1.NewBaktaJobsClient(s.grpc).StartJob(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	send(t, client(t), "POST", s.url+"/api/v1/job/start",
		`{"job":{"jobID":"i","secret":"s"},"config":{"hasReplicons":true,"translationTable":4,"minContigLength":"1099511627776",`+
			`"dermType":"DIDERM","locusTag":"ABC"}}`)
	for _, way := range []string{"gRPC", "REST"} {
		if diff := cmp.Diff(want, <-got, protocmp.Transform()); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", way, diff)
		}
	}
}

// A body of unknown length is limited, too.
func TestChunkedBody(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	for _, row := range []struct{ size, status int }{{1000, 200}, {1 << 20, 413}, {8 << 20, 413}} {
		body := `{"name":"` + strings.Repeat("x", row.size) + `"}`
		r, err := http.NewRequestWithContext(
			t.Context(),
			"POST",
			s.url+"/api/v1/job/init",
			struct{ *strings.Reader }{strings.NewReader(body)},
		)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client(t, h2c).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != row.status {
			t.Errorf("%d bytes: status %d, not %d", row.size, response.StatusCode, row.status)
		}
		response.Body.Close()
	}
}

func TestErrorsAreJSON(t *testing.T) {
	t.Parallel()
	s := serveJobs(t, echoing())
	got := send(t, client(t), "POST", s.url+"/api/v1/job/init", `{`)
	var f map[string]any
	if err := json.Unmarshal([]byte(got.body), &f); err != nil {
		t.Fatal(err)
	}
	if len(f) != 3 || f["code"] != 3.0 || f["message"] == "" || len(f["details"].([]any)) != 0 {
		t.Errorf("an error is %s", got.body)
	}
}
