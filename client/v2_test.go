package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
)

func TestCallsV2(t *testing.T) {
	auth := `{"job_id":"` + id + `","secret":"` + secret + `"}`
	query := "job_id=" + id + "&secret=" + secret
	began, ended := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), time.Date(2026, 1, 31, 12, 7, 31, 0, time.UTC)
	times := `"started":"2026-01-31T12:00:00Z","updated":"2026-01-31T12:07:31Z"`
	for _, row := range []struct {
		name   string
		call   func(context.Context, *V2) (any, error)
		answer string
		sent   request
		want   any
	}{
		{
			name: "workflows",
			call: func(ctx context.Context, v *V2) (any, error) { return v.Workflows(ctx) },
			answer: `[{"workflow_kind":"bakta_baktfold","result_kind":"bakta","uploads":[{"upload_kind":"genome_fasta","required":true},
				{"upload_kind":"hmms_file","required":false}],"stages":["bakta","baktfold"],"new":1}]`,
			sent: request{"GET", "/api/v2/workflows", ""},
			want: []Workflow{{"bakta_baktfold", "bakta", []UploadKind{{"genome_fasta", true}, {"hmms_file", false}}, []string{"bakta", "baktfold"}}},
		},
		{
			name: "init",
			call: func(ctx context.Context, v *V2) (any, error) {
				return v.Init(ctx, "bakta_proteins", "E. coli \"x\"\n")
			},
			answer: `{"job":` + auth + `,"workflow_kind":"bakta_proteins","uploads":[{"upload_kind":"protein_fasta","required":true,"url":"u",` +
				`"headers":{"A":"b"}}]}`,
			sent: request{"POST", "/api/v2/job/init", `{"name":"E. coli \"x\"\n","workflow_kind":"bakta_proteins"}`},
			want: Made{Job: ref, Workflow: "bakta_proteins",
				Uploads: []UploadLink{{UploadKind{"protein_fasta", true}, "u", map[string]string{"A": "b"}}}},
		},
		{
			name: "init in a batch",
			call: func(ctx context.Context, v *V2) (any, error) {
				return v.InitInBatch(ctx, "bakta", "x", "b-1")
			},
			answer: `{"job":` + auth + `,"workflow_kind":"bakta","uploads":[{"upload_kind":"genome_fasta","required":true,"url":"u"}]}`,
			sent:   request{"POST", "/api/v2/job/init", `{"batch":"b-1","name":"x","workflow_kind":"bakta"}`},
			want:   Made{Job: ref, Workflow: "bakta", Uploads: []UploadLink{{UploadKind: UploadKind{"genome_fasta", true}, URL: "u"}}},
		},
		{
			name: "start",
			call: func(ctx context.Context, v *V2) (any, error) {
				return v.Start(ctx, ref, "bakta", Config{UseRegions: true, TranslationTable: 4, LocusTagIncrement: 5, SkipNCRNARegion: true})
			},
			answer: `{"warnings":[{"code":"small_genome","upload_kind":"genome_fasta","message":"It is small."}]}`,
			want:   []Warning{{Code: "small_genome", Kind: "genome_fasta", Message: "It is small."}},
			sent: request{"POST", "/api/v2/job/submit",
				`{"config":{"locus_tag_increment":5,"skip_ncrna_region":true,"translation_table":4,"use_regions":true},"job":` + auth + `,` +
					`"workflow_kind":"bakta"}`},
		},
		{
			name:   "start without options",
			call:   func(ctx context.Context, v *V2) (any, error) { return v.Start(ctx, ref, "baktfold", Config{}) },
			answer: `{"warnings":[]}`,
			want:   []Warning{},
			sent:   request{"POST", "/api/v2/job/submit", `{"config":{},"job":` + auth + `,"workflow_kind":"baktfold"}`},
		},
		{
			name: "status",
			call: func(ctx context.Context, v *V2) (any, error) {
				return v.Status(ctx, Ref{ID: "other", Secret: "x"}, ref)
			},
			answer: `{"jobs":[{"job_id":"` + id + `","status":"successful","workflow_kind":"bakta_baktfold",
				"result_kind":"bakta",` + times + `,"name":"n"}],
				"failed_jobs":[{"job_id":"other","status":"not_found"}]}`,
			sent: request{"POST", "/api/v2/job/list", `{"details":true,"jobs":[{"job_id":"other","secret":"x"},` + auth + `]}`},
			want: []Status{{ID: "other", State: NotFound},
				{ID: id, State: Successful, Name: "n", Started: began, Updated: ended, Workflow: "bakta_baktfold", ResultKind: "bakta"}},
		},
		{
			name: "status of a job that waits",
			call: func(ctx context.Context, v *V2) (any, error) { return v.Status(ctx, ref) },
			answer: `{"jobs":[{"job_id":"` + id + `","status":"init","workflow_kind":"bakta","result_kind":"bakta",` + times + `,"name":"n",` +
				`"waiting":true}],"failed_jobs":[]}`,
			sent: request{"POST", "/api/v2/job/list", `{"details":true,"jobs":[` + auth + `]}`},
			want: []Status{{ID: id, State: Init, Name: "n", Started: began, Updated: ended, Workflow: "bakta", ResultKind: "bakta",
				Waiting: new(true)}},
		},
		{
			name: "result",
			call: func(ctx context.Context, v *V2) (any, error) { return v.Result(ctx, ref, false) },
			answer: `{"job_id":"` + id + `","workflow_kind":"bakta","result":{"result_kind":"bakta","files":{"gff3":"https://s/x",` +
				`"json":"https://s/y","tsv":null,"faa":" "}},` +
				times + `,"name":"n"}`,
			sent: request{"POST", "/api/v2/job/result", auth},
			want: Result{Name: "n", Started: began, Updated: ended, Workflow: "bakta", ResultKind: "bakta",
				Files: map[string]string{"gff3": "https://s/x", "json": "https://s/y"}},
		},
		{
			name: "partial result",
			call: func(ctx context.Context, v *V2) (any, error) { return v.Result(ctx, ref, true) },
			answer: `{"job_id":"` + id + `","workflow_kind":"bakta_baktfold","result":{"result_kind":"bakta","files":{}},` +
				`"failure":"Baktfold failed",` +
				times + `,"name":"n"}`,
			sent: request{"POST", "/api/v2/job/result", `{"job_id":"` + id + `","partial":true,"secret":"` + secret + `"}`},
			want: Result{Name: "n", Started: began, Updated: ended, Workflow: "bakta_baktfold", ResultKind: "bakta", Files: map[string]string{},
				Failure: "Baktfold failed"},
		},
		{
			name: "logs",
			call: func(ctx context.Context, v *V2) (any, error) { return v.Logs(ctx, ref) },
			answer: `{"workflow_kind":"bakta_baktfold","stages":[{"stage":"bakta","status":"succeeded","content":"a\nb"},{"stage":"baktfold",` +
				`"status":"running","content":""}]}`,
			sent: request{"GET", "/api/v2/job/logs?" + query, ""},
			want: []StageLog{{"bakta", StageSucceeded, "a\nb"}, {"baktfold", StageRunning, ""}},
		},
		{
			name:   "delete",
			call:   func(ctx context.Context, v *V2) (any, error) { return nil, v.Delete(ctx, ref) },
			answer: ``,
			sent:   request{"DELETE", "/api/v2/job/delete?" + query, ""},
		},
		{
			name:   "version",
			call:   func(ctx context.Context, v *V2) (any, error) { return v.Version(ctx) },
			answer: `{"backend_version":"3","bakta_version":"1.12.2","bakta_db_version":"6.0","baktfold_version":"0.3.0","baktfold_db_version":""}`,
			sent:   request{"GET", "/api/v2/version", ""},
			want:   Versions{Tool: "1.12.2", DB: "6.0", Backend: "3", Baktfold: "0.3.0"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, answer(200, row.answer))
			got, err := row.call(t.Context(), s.client(t, Options{}).V2())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("answer (-want +got)\n%s", diff)
			}
			seen := s.requests()
			for i := range seen {
				seen[i].Body = compact(t, seen[i].Body)
			}
			if diff := cmp.Diff([]request{row.sent}, seen); diff != "" {
				t.Errorf("request (-want +got)\n%s", diff)
			}
		})
	}
}

// The second version's errors are a JSON string with a status and no code.
func TestRefusalsV2(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		call   func(context.Context, *V2) error
		code   codes.Code
		says   string
	}{
		{400, `"Invalid translation_table"`, startV2, codes.InvalidArgument, "starting the job: Invalid translation_table"},
		{422, `"config is missing"`, startV2, codes.InvalidArgument, "starting the job: config is missing"},
		{409, `"it was started before"`, startV2, codes.AlreadyExists, "starting the job: it was started before"},
		{404, `"Job not found"`, startV2, codes.NotFound, "starting the job: Job not found"},
		{401, `"Unauthorized"`, resultV2, codes.Unauthenticated, "getting the result: Unauthorized"},
		{400, `"Job not finished"`, resultV2, codes.FailedPrecondition, "getting the result: Job not finished"},
		{500, `"a fault"`, resultV2, codes.Internal, "getting the result: a fault"},
	} {
		s := serve(t, answer(row.status, row.body, "Content-Type", "application/json"))
		err := row.call(t.Context(), s.client(t, Options{Patience: -1}).V2())
		if CodeOf(err) != row.code || err.Error() != row.says {
			t.Errorf("%d %s: %v, %v", row.status, row.body, CodeOf(err), err)
		}
	}
}

// An older server has no call that answers warnings, and is asked in the older way.
func TestStartOlderServer(t *testing.T) {
	for _, status := range []int{404, 405, 501} {
		var called []string
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			called = append(called, r.URL.Path)
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path != "/api/v2/job/start" {
				w.WriteHeader(status)
				io.WriteString(w, `"there is nothing at this path"`)
				return
			}
			io.WriteString(w, "null")
		})
		warnings, err := s.client(t, Options{Patience: -1}).V2().Start(t.Context(), ref, "bakta", Config{})
		if err != nil || warnings != nil || !slices.Equal(called, []string{"/api/v2/job/submit", "/api/v2/job/start"}) {
			t.Errorf("%d: %v, %v, %v", status, warnings, err, called)
		}
	}
}

func startV2(ctx context.Context, v *V2) error {
	_, err := v.Start(ctx, ref, "bakta", Config{})
	return err
}

func resultV2(ctx context.Context, v *V2) error {
	_, err := v.Result(ctx, ref, false)
	return err
}

// A server that knows the first version alone has nothing at these paths.
func TestOlderServer(t *testing.T) {
	s := serve(t, answer(404, `{"code":5,"message":"there is nothing here"}`))
	v := s.client(t, Options{Patience: -1}).V2()
	_, listed := v.Workflows(t.Context())
	_, made := v.Init(t.Context(), "bakta", "")
	_, version := v.Version(t.Context())
	for _, err := range []error{listed, made, version} {
		if err == nil || !strings.Contains(err.Error(), s.URL+" does not serve the second version") {
			t.Errorf("%v", err)
		}
	}
}

// The logs may be as large as a server allows for two stages, of which every byte may be escaped in six.
func TestLargeLogsV2(t *testing.T) {
	if least := 2 * 6 * (8<<20 + 4<<10); maxLogs < least {
		t.Errorf("%d bytes are read, and an answer may have %d", maxLogs, least)
	}
	content := strings.Repeat("0123456789 abcde", (8<<20+1<<10)/16)
	s := serve(t, answer(200, `{"workflow_kind":"bakta_baktfold","stages":[{"stage":"bakta","status":"succeeded","content":"`+content+`"},`+
		`{"stage":"baktfold","status":"running","content":"`+content+`"}]}`))
	logs, err := s.client(t, Options{}).V2().Logs(t.Context(), ref)
	if err != nil || len(logs) != 2 || logs[0].Content != content || logs[1].Content != content {
		t.Errorf("%d logs, %v", len(logs), err)
	}
}

func TestRetriesV2(t *testing.T) {
	s := serve(t, answer(503, `"the database is away"`), answer(200, `[]`))
	if _, err := s.client(t, Options{}).V2().Workflows(t.Context()); err != nil || len(s.requests()) != 2 {
		t.Errorf("%v after %d requests", err, len(s.requests()))
	}
}

func TestNoSecretInErrorsV2(t *testing.T) {
	for _, handler := range []http.HandlerFunc{hangUp, answer(200, `{`), answer(400, `"no"`),
		answer(302, ``, "Location", "http://elsewhere/?"+secret)} {
		s := serve(t, handler)
		v := s.client(t, Options{Patience: -1}).V2()
		_, status := v.Status(t.Context(), ref)
		_, state := v.State(t.Context(), ref, time.Second, "x")
		_, logs := v.Logs(t.Context(), ref)
		_, result := v.Result(t.Context(), ref, true)
		for _, err := range []error{startV2(t.Context(), v), status, state, logs, result} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestUploadV2(t *testing.T) {
	var got http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	v := s.client(t, Options{}).V2()
	if err := v.Upload(
		t.Context(),
		UploadLink{URL: s.URL + "/x", Headers: map[string]string{"content-type": "application/octet-stream"}},
		BytesContent([]byte("x")),
		nil,
	); err != nil {
		t.Fatal(err)
	}
	if got.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("headers %v", got)
	}
	if err := v.Upload(t.Context(), UploadLink{URL: s.URL + "/x"}, BytesContent([]byte("x")), nil); err != nil {
		t.Fatal(err)
	}
	if _, there := got["Content-Type"]; there {
		t.Errorf("headers %v", got)
	}
}

func TestWaitV2(t *testing.T) {
	list := func(status string) http.HandlerFunc {
		return answer(
			200,
			`{"jobs":[{"job_id":"`+id+`","status":"`+status+`","workflow_kind":"bakta","started":"2026-01-31T12:00:00Z",`+
				`"updated":"2026-01-31T12:00:00Z"}],"failed_jobs":[]}`,
		)
	}
	older := answer(404, `"there is nothing at this path"`)
	s := serve(t, older, list("init"), list("running"), list("error"))
	var seen []State
	status, err := s.client(t, Options{}).V2().Wait(t.Context(), ref, time.Millisecond, func(s Status, err error) {
		seen = append(seen, s.State)
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil || status.State != Failed {
		t.Errorf("%+v, %v", status, err)
	}
	if diff := cmp.Diff([]State{Init, Running, Failed}, seen); diff != "" {
		t.Error(diff)
	}
	s = serve(t, older, answer(200, `{"jobs":[],"failed_jobs":[]}`))
	if _, err := s.client(t, Options{}).V2().Wait(t.Context(), ref, time.Millisecond, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a server that says nothing of the job: %v", err)
	}
}
