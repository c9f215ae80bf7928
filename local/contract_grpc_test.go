package local_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// testGRPC goes through the calls by gRPC that are refused.
func testGRPC(t *testing.T, s *site) {
	created := s.create(t, "by gRPC")
	own := &protov1.JobAuth{JobID: created.Job.JobID, Secret: created.Job.Secret}
	unknown := &protov1.JobAuth{JobID: unknownID, Secret: wrongSecret}
	wrong := &protov1.JobAuth{JobID: created.Job.JobID, Secret: wrongSecret}
	malformed := &protov1.JobAuth{JobID: `{"$ne":null}`, Secret: "x"}
	start := func(job *protov1.JobAuth, config *protov1.JobConfig) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.jobs.StartJob(ctx, &protov1.StartJobRequest{Job: job, Config: config})
			return err
		}
	}
	result := func(job *protov1.JobAuth) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.jobs.JobResult(ctx, job); return err }
	}
	remove := func(job *protov1.JobAuth) func(context.Context) error {
		return func(ctx context.Context) error { _, err := s.jobs.Delete(ctx, job); return err }
	}
	logs := func(job *protov1.JobAuth) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.jobs.Logs(ctx, &protov1.LogsRequest{JobID: job.GetJobID(), Secret: job.GetSecret()})
			return err
		}
	}
	list := func(n int) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.jobs.JobsStatus(ctx, &protov1.JobStatusRequestList{Jobs: slices.Repeat([]*protov1.JobAuth{unknown}, n)})
			return err
		}
	}
	named := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.jobs.InitJob(ctx, &protov1.InitJobRequest{Name: name})
			return err
		}
	}
	yes := true
	for _, tt := range []struct {
		name    string
		call    func(context.Context) error
		code    codes.Code
		message string
	}{
		{"init: a name of 10 kB", named(strings.Repeat("x", 10_000)), codes.InvalidArgument, "name: "},
		{"init: a name of 2 MB", named(strings.Repeat("x", 2<<20)), codes.ResourceExhausted, ""},
		{"start: no genome", start(own, nil), codes.InvalidArgument, "genome"},
		{"start: a promise", start(own, &protov1.JobConfig{HasReplicons: &yes}), codes.InvalidArgument, "genome"},
		{"start: a bad table", start(own, &protov1.JobConfig{TranslationalTable: 3}), codes.InvalidArgument, "translationTable: "},
		{"start: a bad number", start(own, &protov1.JobConfig{MinContigLength: -3}), codes.InvalidArgument, "minContigLength: "},
		{"start: a bad locus tag", start(own, &protov1.JobConfig{LocusTag: "a b"}), codes.InvalidArgument, "locusTag: "},
		{"start: unknown", start(unknown, nil), codes.NotFound, "no such job"},
		{"start: a wrong secret", start(wrong, nil), codes.Unauthenticated, "secret"},
		{"start: no UUID", start(malformed, nil), codes.InvalidArgument, "id of a job"},
		{"start: no job", start(nil, nil), codes.InvalidArgument, "id of a job"},
		{"list: one too many", list(1001), codes.InvalidArgument, "1000"},
		{"list: huge", list(20_000), codes.ResourceExhausted, ""},
		{"result: not started", result(own), codes.FailedPrecondition, "not finished"},
		{"result: unknown", result(unknown), codes.NotFound, "no such job"},
		{"result: a wrong secret", result(wrong), codes.Unauthenticated, "secret"},
		{"result: no UUID", result(malformed), codes.InvalidArgument, "id of a job"},
		{"delete: unknown", remove(unknown), codes.NotFound, "no such job"},
		{"delete: a wrong secret", remove(wrong), codes.Unauthenticated, "secret"},
		{"delete: no UUID", remove(malformed), codes.InvalidArgument, "id of a job"},
		{"delete: nothing", remove(&protov1.JobAuth{}), codes.InvalidArgument, "id of a job"},
		{"logs: unknown", logs(unknown), codes.NotFound, "no such job"},
		{"logs: a wrong secret", logs(wrong), codes.Unauthenticated, "secret"},
	} {
		err := tt.call(t.Context())
		if got := status.Convert(err); got.Code() != tt.code || !strings.Contains(got.Message(), tt.message) {
			t.Errorf("%s: %v, want %s with %q", tt.name, err, tt.code, tt.message)
		}
	}
}

// testJobByGRPC takes a job all its way by gRPC, and compares what gRPC says with what REST says.
func testJobByGRPC(t *testing.T, s *site) {
	ctx := t.Context()
	made, err := s.jobs.InitJob(ctx, &protov1.InitJobRequest{Name: "by gRPC \"é\"\n", RepliconTableType: protov1.RepliconTableType_TSV})
	if err != nil {
		t.Fatal(err)
	}
	auth := made.GetJob()
	s.put(t, made.GetUploadLinkFasta(), genome)
	s.put(t, made.GetUploadLinkReplicons(), replicons)
	s.put(t, made.GetUploadLinkProdigal(), training())
	list := func() *protov1.JobStatusReponseList {
		t.Helper()
		list, err := s.jobs.JobsStatus(ctx, &protov1.JobStatusRequestList{Jobs: []*protov1.JobAuth{
			auth, {JobID: auth.GetJobID(), Secret: wrongSecret}, {JobID: unknownID, Secret: "x"}, nil,
		}})
		if err != nil {
			t.Fatal(err)
		}
		want := []*protov1.FailedJob{
			{JobID: auth.GetJobID(), JobStatus: protov1.JobFailedStatus_UNAUTHORIZED},
			{JobID: unknownID, JobStatus: protov1.JobFailedStatus_NOT_FOUND},
			{JobStatus: protov1.JobFailedStatus_NOT_FOUND},
		}
		if diff := cmp.Diff(want, list.GetFailedJobs(), protocmp.Transform()); diff != "" {
			t.Fatal(diff)
		}
		if j := list.GetJobs()[0]; len(list.GetJobs()) != 1 || j.GetJobID() != auth.GetJobID() || j.GetName() != "by gRPC \"é\"\n" ||
			!j.GetStarted().IsValid() || !j.GetUpdated().IsValid() || j.GetStarted().AsTime().IsZero() {
			t.Fatalf("listed: %v", list)
		}
		return list
	}
	if got := list().GetJobs()[0].GetJobStatus(); got != protov1.JobStatusEnum_INIT {
		t.Errorf("a new job is %s", got)
	}
	no := false
	request := &protov1.StartJobRequest{Job: auth,
		Config: &protov1.JobConfig{TranslationalTable: 4, DermType: protov1.DermType_MONODERM, HasProdigal: &no, LocusTag: "TAG"}}
	for range 2 {
		if _, err := s.jobs.StartJob(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	request.Config.Genus = "Salmonella"
	if _, err := s.jobs.StartJob(ctx, request); status.Code(err) != codes.AlreadyExists {
		t.Errorf("another start: %v", err)
	}
	// Both APIs read one configuration.
	s.post(t, "/api/v1/job/start", `{"job":{"jobID":"`+auth.GetJobID()+`","secret":"`+auth.GetSecret()+
		`"},"config":{"translationTable":"4","dermType":"MONODERM","hasProdigal":false,"locusTag":"TAG"}}`).must(t, `{}`)
	s.until(t, "the job succeeds", func() bool {
		now := list().GetJobs()[0].GetJobStatus()
		if now == protov1.JobStatusEnum_ERROR {
			t.Fatalf("%v", list())
		}
		return now == protov1.JobStatusEnum_SUCCESSFULL // the number that has two names
	})
	result, err := s.jobs.JobResult(ctx, auth)
	if err != nil {
		t.Fatal(err)
	}
	for key := range endings() {
		if link := result.GetResultFiles().GetFields()[key].GetStringValue(); s.download(t, link).length < 0 {
			t.Errorf("%s: no length", key)
		}
	}
	if n := len(result.GetResultFiles().GetFields()); n != len(endings()) || result.GetJobID() != auth.GetJobID() ||
		result.GetName() != "by gRPC \"é\"\n" || !result.GetStarted().IsValid() || !result.GetUpdated().IsValid() {
		t.Errorf("result: %v", result)
	}
	log, err := s.jobs.Logs(ctx, &protov1.LogsRequest{JobID: auth.GetJobID(), Secret: auth.GetSecret()})
	if err != nil {
		t.Fatal(err)
	}
	options := argv(t, string(log.GetData()))
	if i := slices.IndexFunc(options, func(o string) bool { return strings.HasPrefix(o, "--replicons=") }); i >= 0 {
		options[i] = "--replicons"
	}
	if diff := cmp.Diff([]string{"--translation-table=4", "--gram=+", "--locus-tag=TAG", "--replicons"}, options); diff != "" {
		t.Errorf("options: %s", diff)
	}
	version, err := s.jobs.Version(ctx, &protov1.Empty{})
	if err != nil || version.GetToolVersion() == "" || version.GetDbVersion() == "" || version.GetBackendVersion() == "" {
		t.Errorf("version: %v, %v", version, err)
	}

	// A hint is answered the same whatever it names, before the job's end, after it and after its deletion.
	hint := func() {
		for _, id := range []string{auth.GetJobID(), strings.ToUpper(auth.GetJobID()), unknownID, "", "x", `{"$ne":null}`,
			strings.Repeat("x", 10_000)} {
			answer, err := s.updates.UpdateStatus(ctx, &protov1.UpdateStatusRequest{JobID: id})
			if diff := cmp.Diff(&protov1.Empty{}, answer, protocmp.Transform()); err != nil || diff != "" {
				t.Errorf("a hint at %.40q: %v %s", id, err, diff)
			}
		}
	}
	hint()
	if _, err := s.jobs.Delete(ctx, auth); err != nil {
		t.Fatal(err)
	}
	hint()
	if _, err := s.jobs.Delete(ctx, auth); status.Code(err) != codes.NotFound {
		t.Errorf("the second delete: %v", err)
	}
	if _, err := s.jobs.JobResult(ctx, auth); status.Code(err) != codes.NotFound {
		t.Errorf("the result of a deleted job: %v", err)
	}
	s.post(t, "/api/v1/job/result", `{"jobID":"`+auth.GetJobID()+`","secret":"`+auth.GetSecret()+`"}`).refused(t, http.StatusNotFound, 5,
		"no such job")
}
