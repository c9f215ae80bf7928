package local_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// testGRPCV2 goes through the calls of the second version by gRPC: those that are refused, then a job's way.
func testGRPCV2(t *testing.T, s *siteV2) {
	const bakta = protov2.WorkflowKind_WORKFLOW_KIND_BAKTA
	ctx := t.Context()
	made, err := s.v2.InitJob(ctx, &protov2.InitJobRequest{Name: "by gRPC", WorkflowKind: bakta})
	if err != nil {
		t.Fatal(err)
	}
	own := made.GetJob()
	unknown := &protov2.JobRef{JobId: unknownID, Secret: wrongSecret}
	wrong := &protov2.JobRef{JobId: own.GetJobId(), Secret: wrongSecret}
	malformed := &protov2.JobRef{JobId: `{"$ne":null}`, Secret: "x"}
	nothing := &protov2.JobConfig{}
	start := func(job *protov2.JobRef, kind protov2.WorkflowKind, config *protov2.JobConfig) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.v2.StartJob(ctx, &protov2.StartJobRequest{Job: job, WorkflowKind: kind, Config: config})
			return err
		}
	}
	result := func(job *protov2.JobRef) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.v2.JobResult(ctx, &protov2.JobResultRequest{JobId: job.GetJobId(), Secret: job.GetSecret()})
			return err
		}
	}
	remove := func(job *protov2.JobRef) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.v2.Delete(ctx, &protov2.DeleteRequest{JobId: job.GetJobId(), Secret: job.GetSecret()})
			return err
		}
	}
	logs := func(job *protov2.JobRef) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.v2.Logs(ctx, &protov2.LogsRequest{JobId: job.GetJobId(), Secret: job.GetSecret()})
			return err
		}
	}
	named := func(name string, kind protov2.WorkflowKind) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.v2.InitJob(ctx, &protov2.InitJobRequest{Name: name, WorkflowKind: kind})
			return err
		}
	}
	for _, tt := range []struct {
		name    string
		call    func(context.Context) error
		code    codes.Code
		message string
	}{
		{"init: no workflow", named("x", 0), codes.InvalidArgument, "workflow_kind is missing"},
		{"init: an unknown workflow", named("x", 99), codes.InvalidArgument, "workflow_kind"},
		{"init: a name too long", named(strings.Repeat("x", 1025), bakta), codes.InvalidArgument, "name: "},
		{"start: no config", start(own, bakta, nil), codes.InvalidArgument, "config is missing"},
		{"start: no workflow", start(own, 0, nothing), codes.InvalidArgument, "workflow_kind is missing"},
		{"start: another workflow", start(own, protov2.WorkflowKind_WORKFLOW_KIND_BAKTFOLD, nothing), codes.InvalidArgument,
			"Workflow kind mismatch"},
		{"start: no genome", start(own, bakta, nothing), codes.InvalidArgument, "genome: the file was not uploaded"},
		{"start: a bad table", start(own, bakta, &protov2.JobConfig{TranslationTable: 3}), codes.InvalidArgument, "Invalid translation_table"},
		{"start: a bad increment", start(own, bakta, &protov2.JobConfig{LocusTagIncrement: 3}), codes.InvalidArgument,
			"Invalid locus_tag_increment"},
		{"start: unknown", start(unknown, bakta, nothing), codes.NotFound, "Job not found"},
		{"start: a wrong secret", start(wrong, bakta, nothing), codes.Unauthenticated, "Unauthorized"},
		{"start: no UUID", start(malformed, bakta, nothing), codes.InvalidArgument, "id of a job"},
		{"start: no job", start(nil, bakta, nothing), codes.InvalidArgument, "id of a job"},
		{"result: not started", result(own), codes.FailedPrecondition, "Job not finished"},
		{"result: unknown", result(unknown), codes.NotFound, "Job not found"},
		{"result: a wrong secret", result(wrong), codes.Unauthenticated, "Unauthorized"},
		{"logs: unknown", logs(unknown), codes.NotFound, "Job not found"},
		{"logs: a wrong secret", logs(wrong), codes.Unauthenticated, "Unauthorized"},
		{"delete: unknown", remove(unknown), codes.OK, ""},
		{"delete: a wrong secret", remove(wrong), codes.Unauthenticated, "Unauthorized"},
		{"delete: nothing", remove(nil), codes.InvalidArgument, "id of a job"},
	} {
		err := tt.call(ctx)
		if got := status.Convert(err); got.Code() != tt.code || !strings.Contains(got.Message(), tt.message) {
			t.Errorf("%s: %v, want %s with %q", tt.name, err, tt.code, tt.message)
		}
	}

	workflows, err := s.v2.Workflows(ctx, &protov2.WorkflowsRequest{})
	if err != nil || !slices.ContainsFunc(workflows.GetWorkflows(), func(w *protov2.Workflow) bool {
		return w.GetWorkflowKind() == bakta && w.GetResultKind() == protov2.ResultKind_RESULT_KIND_BAKTA && w.GetUploads()[0].GetRequired()
	}) {
		t.Errorf("workflows: %v, %v", workflows, err)
	}
	for _, u := range made.GetUploads() {
		if u.GetUploadKind() == protov2.UploadKind_UPLOAD_KIND_GENOME_FASTA {
			s.put(t, u.GetUrl(), genome)
		}
	}
	request := &protov2.StartJobRequest{Job: own, WorkflowKind: bakta,
		Config: &protov2.JobConfig{DermType: protov2.DermType_DERM_TYPE_MONODERM, SkipPlot: true}}
	for range 2 {
		if _, err := s.v2.StartJob(ctx, request); err != nil {
			t.Fatal(err)
		}
	}
	// Both forms read one configuration.
	m := madeV2{Kind: "bakta"}
	m.Job.ID, m.Job.Secret = own.GetJobId(), own.GetSecret()
	s.startV2(t, m, `{"derm_type":"monoderm","skip_plot":true}`).must(t, `null`)
	s.until(t, "the job succeeds", func() bool {
		list, err := s.v2.JobsStatus(ctx, &protov2.JobsStatusRequest{Jobs: []*protov2.JobRef{own, wrong, unknown, nil}})
		if err != nil {
			t.Fatal(err)
		}
		want := []*protov2.FailedJob{
			{JobId: own.GetJobId(), Status: protov2.FailedStatus_FAILED_STATUS_UNAUTHORIZED},
			{JobId: unknownID, Status: protov2.FailedStatus_FAILED_STATUS_NOT_FOUND},
			{Status: protov2.FailedStatus_FAILED_STATUS_NOT_FOUND},
		}
		if diff := cmp.Diff(want, list.GetFailedJobs(), protocmp.Transform()); diff != "" {
			t.Fatal(diff)
		}
		j := list.GetJobs()[0]
		if j.GetJobId() != own.GetJobId() || j.GetName() != "by gRPC" || j.GetWorkflowKind() != bakta || !j.GetStarted().IsValid() ||
			!j.GetUpdated().IsValid() || j.GetStatus() == protov2.JobStatus_JOB_STATUS_ERROR {
			t.Fatalf("listed: %v", list)
		}
		return j.GetStatus() == protov2.JobStatus_JOB_STATUS_SUCCESSFUL
	})
	results, err := s.v2.JobResult(ctx, &protov2.JobResultRequest{JobId: own.GetJobId(), Secret: own.GetSecret()})
	if err != nil {
		t.Fatal(err)
	}
	if files := results.GetResult().GetFiles(); files.Gff3 == nil || files.CircularPlotPng != nil || results.Failure != nil ||
		s.download(t, files.GetJson()).length < 0 {
		t.Errorf("results: %v", results)
	}
	log, err := s.v2.Logs(ctx, &protov2.LogsRequest{JobId: own.GetJobId(), Secret: own.GetSecret()})
	if err != nil || len(log.GetStages()) != 1 || log.GetStages()[0].GetStatus() != protov2.StageStatus_STAGE_STATUS_SUCCEEDED {
		t.Fatalf("logs: %v, %v", log, err)
	}
	if diff := cmp.Diff([]string{"--gram=+", "--skip-plot"}, argv(t, log.GetStages()[0].GetContent())); diff != "" {
		t.Errorf("options: %s", diff)
	}
	version, err := s.v2.Version(ctx, &protov2.VersionRequest{})
	if err != nil || version.GetBaktaVersion() == "" || version.GetBackendVersion() == "" {
		t.Errorf("version: %v, %v", version, err)
	}
	for range 2 {
		if err := remove(own)(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := result(own)(ctx); status.Code(err) != codes.NotFound {
		t.Errorf("the result of a deleted job: %v", err)
	}
}
