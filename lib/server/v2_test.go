package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// jobsV2 is a function of the second version. It answers with what it was asked, or with an error.
type jobsV2 struct {
	protov2.UnimplementedBaktaJobsServer
	err     error
	started chan *protov2.StartJobRequest
	list    func(ctx context.Context)
}

func (j *jobsV2) Workflows(context.Context, *protov2.WorkflowsRequest) (*protov2.WorkflowsResponse, error) {
	return &protov2.WorkflowsResponse{Workflows: []*protov2.Workflow{
		{WorkflowKind: protov2.WorkflowKind_WORKFLOW_KIND_BAKTA_PROTEINS, Stages: []string{"a", "b"}}, {},
	}}, j.err
}

func (j *jobsV2) InitJob(_ context.Context, r *protov2.InitJobRequest) (*protov2.InitJobResponse, error) {
	return &protov2.InitJobResponse{Job: &protov2.JobRef{JobId: "i", Secret: r.GetName()}, WorkflowKind: r.GetWorkflowKind()}, j.err
}

func (j *jobsV2) StartJob(_ context.Context, r *protov2.StartJobRequest) (*protov2.StartJobResponse, error) {
	if j.started != nil {
		j.started <- r
	}
	return &protov2.StartJobResponse{}, j.err
}

func (j *jobsV2) JobsStatus(ctx context.Context, r *protov2.JobsStatusRequest) (*protov2.JobsStatusResponse, error) {
	if j.list != nil {
		j.list(ctx)
	}
	l := new(protov2.JobsStatusResponse)
	for _, ref := range r.GetJobs() {
		l.FailedJobs = append(l.FailedJobs, &protov2.FailedJob{JobId: ref.GetJobId(), Status: protov2.FailedStatus_FAILED_STATUS_NOT_FOUND})
	}
	return l, j.err
}

func (j *jobsV2) Delete(context.Context, *protov2.DeleteRequest) (*protov2.DeleteResponse, error) {
	return &protov2.DeleteResponse{}, j.err
}

func (j *jobsV2) Logs(_ context.Context, r *protov2.LogsRequest) (*protov2.LogsResponse, error) {
	return &protov2.LogsResponse{Stages: []*protov2.StageLog{{Stage: r.GetJobId() + " " + r.GetSecret(),
		Status: protov2.StageStatus_STAGE_STATUS_PENDING}}}, j.err
}

func serveV2(t *testing.T, f *jobsV2) *running {
	t.Helper()
	return serve(t, server.Options{}, func(s *server.Server) error {
		return s.Serve(apiv2.API(), f, "Workflows", "InitJob", "StartJob", "JobsStatus", "Delete", "Logs")
	})
}

func TestV2(t *testing.T) {
	t.Parallel()
	s := serveV2(t, &jobsV2{})
	const job = `"job":{"job_id":"i","secret":"s"}`
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		want                     string // the whole body of a success; part of the text of an error
	}{
		{"a bare list", "GET", "/api/v2/workflows", ``, 200, `[{"workflow_kind":"bakta_proteins","result_kind":"","uploads":[],"stages":["a",` +
			`"b"]},{"workflow_kind":"","result_kind":"","uploads":[],"stages":[]}]`},
		{"words", "POST", "/api/v2/job/init", `{"name":"x","workflow_kind":"bakta_baktfold"}`, 200,
			`{"job":{"job_id":"i","secret":"x"},"workflow_kind":"bakta_baktfold","uploads":[]}`},
		{"words in any case", "POST", "/api/v2/job/init", `{"name":"x","workflowKind":" Bakta"}`, 200,
			`{"job":{"job_id":"i","secret":"x"},"workflow_kind":"bakta","uploads":[]}`},
		{"a byte order mark", "POST", "/api/v2/job/init", "\ufeff" + `{"name":"x","workflow_kind":"bakta"}`, 200,
			`{"job":{"job_id":"i","secret":"x"},"workflow_kind":"bakta","uploads":[]}`},
		{"UTF-16", "POST", "/api/v2/job/init", "\xff\xfe{\x00}\x00", 400, "UTF-16; send it as UTF-8"},
		{"no names of protobuf's", "POST", "/api/v2/job/init", `{"workflow_kind":"WORKFLOW_KIND_BAKTA"}`, 422,
			"workflow_kind must be one of bakta, bakta_proteins, bakta_baktfold, baktfold"},
		{"no numbers", "POST", "/api/v2/job/init", `{"workflow_kind":1}`, 422, "workflow_kind must be one of"},
		{"not the one that is not specified", "POST", "/api/v2/job/init", `{"workflow_kind":"unspecified"}`, 422, "workflow_kind must be one of"},
		{"a text as it is", "POST", "/api/v2/job/init", `{"name":"<é> & \"q\"\n","workflow_kind":"bakta"}`, 200,
			`{"job":{"job_id":"i","secret":"<é> & \"q\"\n"},"workflow_kind":"bakta","uploads":[]}`},
		{"null", "POST", "/api/v2/job/start", `{` + job + `,"workflow_kind":"bakta","config":{}}`, 200, `null`},
		{"a number in a text", "POST", "/api/v2/job/start", `{` + job + `,"workflow_kind":"bakta","config":{"translation_table":"11",` +
			`"min_contig_length":2e2}}`, 200, `null`},
		{"no config", "POST", "/api/v2/job/start", `{` + job + `,"workflow_kind":"bakta"}`, 422, "config is missing"},
		{"config is null", "POST", "/api/v2/job/start", `{` + job + `,"workflow_kind":"bakta","config":null}`, 422, "config is missing"},
		{"no workflow", "POST", "/api/v2/job/start", `{` + job + `,"config":{}}`, 422, "workflow_kind is missing"},
		{"no job", "POST", "/api/v2/job/start", `{"workflow_kind":"bakta","config":{}}`, 422, "job is missing"},
		{"nothing", "POST", "/api/v2/job/start", ``, 422, "job is missing"},
		{"null alone", "POST", "/api/v2/job/init", `null`, 422, "workflow_kind is missing"},
		{"a wrong type", "POST", "/api/v2/job/start", `{` + job + `,"workflow_kind":"bakta","config":{"genus":5}}`, 422,
			"config.genus must be a text in quotes, not a number"},
		{"a wrong number", "POST", "/api/v2/job/start", `{` + job + `,"workflow_kind":"bakta","config":{"translation_table":"x"}}`, 422,
			"config.translation_table must be a number"},
		{"a list", "POST", "/api/v2/job/list", `[]`, 422, "the body must be an object, not a list"},
		{"not JSON", "POST", "/api/v2/job/list", `jobs=x`, 400, "not JSON"},
		{"cut off", "POST", "/api/v2/job/list", `{"jobs":[`, 400, "not JSON"},
		{"a list of none", "POST", "/api/v2/job/list", `{"jobs":[]}`, 200, `{"jobs":[],"failed_jobs":[]}`},
		{"no list", "POST", "/api/v2/job/list", `{}`, 422, "jobs is missing"},
		{"a bad entry fails nothing", "POST", "/api/v2/job/list", `{"jobs":[null,{},{"jobId":"x"}]}`, 200,
			`{"jobs":[],"failed_jobs":[{"job_id":"","status":"not_found"},{"job_id":"","status":"not_found"},{"job_id":"x","status":"not_found"}]}`},
		{"a query", "GET", "/api/v2/job/logs?job_id=i&secret=s", ``, 200,
			`{"workflow_kind":"","stages":[{"stage":"i s","status":"pending","content":""}]}`},
		{"a query in lowerCamelCase", "GET", "/api/v2/job/logs?jobId=i&secret=s", ``, 200,
			`{"workflow_kind":"","stages":[{"stage":"i s","status":"pending","content":""}]}`},
		{"nothing", "DELETE", "/api/v2/job/delete?job_id=i&secret=s", ``, 200, ``},
		{"a bad query", "DELETE", "/api/v2/job/delete?job_id=i&secret=%zz", ``, 400, "URL-encoded"},
		{"a body too large", "POST", "/api/v2/job/init", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "the limit is 1048576 bytes"},
		{"no such path", "GET", "/api/v2/nothing", ``, 404, "there is nothing at this path"},
		{"a wrong method", "GET", "/api/v2/job/init", ``, 405, "supports OPTIONS, POST"},
		{"another function's", "GET", "/api/v2/version", ``, 501, "Version is not served here"},
	} {
		for name, protocol := range map[string]func(*http.Protocols){"HTTP/1.1": http1, "HTTP/2": h2c} {
			t.Run(row.name+" over "+name, func(t *testing.T) {
				t.Parallel()
				got := send(t, client(t, protocol), row.method, s.url+row.path, row.body, "Content-Type", "text/plain", "Origin",
					"https://ui.example.org")
				if got.status != row.status {
					t.Errorf("status %d, not %d: %s", got.status, row.status, got.body)
				}
				if origin := got.header.Get("Access-Control-Allow-Origin"); origin != "*" {
					t.Errorf("a page of another origin may not read it: %q", origin)
				}
				want := "application/json"
				if row.status == 200 && row.want == "" {
					want = "text/plain; charset=utf-8"
				}
				if contentType := got.header.Get("Content-Type"); contentType != want {
					t.Errorf("Content-Type %q, not %q", contentType, want)
				}
				if row.status == http.StatusOK {
					if got.body != row.want {
						t.Errorf("answers %s, not %s", got.body, row.want)
					}
					return
				}
				if text := got.text(t); !strings.Contains(text, row.want) {
					t.Errorf("says %q, not %q", text, row.want)
				}
			})
		}
	}
}

// text reads the body as an error of the second version.
func (a answer) text(t *testing.T) (text string) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &text); err != nil || text == "" {
		t.Fatalf("status %d with a body that is not a JSON string: %q (%v)", a.status, a.body, err)
	}
	return text
}

// Callers get the texts that they compare, by REST and gRPC.
func TestErrorsV2(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err    error
		code   codes.Code
		status int
		text   string
	}{
		{job.Errorf(job.NotFound, "there is no such job; it may have been deleted"), codes.NotFound, 404, "Job not found"},
		{job.Errorf(job.WrongSecret, "the secret is not this job's"), codes.Unauthenticated, 401, "Unauthorized"},
		{job.Errorf(job.Invalid, `say "hi" & <b>`), codes.InvalidArgument, 400, `say "hi" & <b>`},
		{job.Errorf(job.AlreadyExists, "refused"), codes.AlreadyExists, 409, "refused"},
		{job.Errorf(job.NotReady, "refused"), codes.FailedPrecondition, 400, "refused"},
		{job.Errorf(job.Exhausted, "refused"), codes.ResourceExhausted, 429, "refused"},
		{job.Errorf(job.Unavailable, "refused"), codes.Unavailable, 503, "refused"},
		{context.DeadlineExceeded, codes.DeadlineExceeded, 504, "the call took too long; try again later"},
	} {
		s := serveV2(t, &jobsV2{err: row.err})
		got := send(t, client(t), "DELETE", s.url+"/api/v2/job/delete", "")
		if text := got.text(t); got.status != row.status || text != row.text {
			t.Errorf("%v: REST says %d %q", row.err, got.status, text)
		}
		if retry := got.header.Get("Retry-After"); (retry != "") != (row.status == 429 || row.status == 503) {
			t.Errorf("%v: Retry-After %q", row.err, retry)
		}
		_, err := protov2.NewBaktaJobsClient(s.grpc).Delete(t.Context(), &protov2.DeleteRequest{})
		if got := status.Convert(err); got.Code() != row.code || got.Message() != row.text {
			t.Errorf("%v: gRPC says %v", row.err, err)
		}
	}
}

// What is asked by REST is what is asked by gRPC.
func TestRESTIsGRPCV2(t *testing.T) {
	t.Parallel()
	f := &jobsV2{started: make(chan *protov2.StartJobRequest, 2)}
	s := serveV2(t, f)
	want := &protov2.StartJobRequest{
		Job: &protov2.JobRef{JobId: "i", Secret: "s"}, WorkflowKind: protov2.WorkflowKind_WORKFLOW_KIND_BAKTA,
		Config: &protov2.JobConfig{UseReplicons: true, TranslationTable: 4, MinContigLength: 1 << 40, DermType: protov2.DermType_DERM_TYPE_DIDERM,
			LocusTag: "ABC", SkipNcrnaRegion: true},
	}
	if _, err := protov2.NewBaktaJobsClient(s.grpc).StartJob(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	send(t, client(t), "POST", s.url+"/api/v2/job/start", `{"job":{"job_id":"i","secret":"s"},"workflow_kind":"bakta",`+
		`"config":{"use_replicons":true,"use_hmms":null,`+
		`"translation_table":4,"min_contig_length":"1099511627776","derm_type":"diderm","locus_tag":"ABC","genus":"","species":null,`+
		`"skip_ncrna_region":true,"threads":8}}`)
	for _, way := range []string{"gRPC", "REST"} {
		if diff := cmp.Diff(want, <-f.started, protocmp.Transform()); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", way, diff)
		}
	}
}
