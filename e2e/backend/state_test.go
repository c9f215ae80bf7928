//go:build e2e

package backend_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// The state of one job in full, learnt by waiting calls alone, and the job run again: on the cluster, the state comes from the document
// and the pod, the copies from the object storage.
func TestStateAndRerun(t *testing.T) {
	s := newSuite(t)
	api := pb.NewBaktaJobsClient(s.rpc)
	first := s.begun(
		api,
		pb.WorkflowKind_WORKFLOW_KIND_BAKTA,
		pb.UploadKind_UPLOAD_KIND_GENOME_FASTA,
		genome,
		&pb.JobConfig{Strain: "after-5"},
	)
	states, last := s.watch(api, first)
	if !strings.HasSuffix(states, "running bakta, successful") || last.GetRun() != 1 || last.GetBegan() == nil || last.GetEnded() == nil ||
		last.GetConfig().GetStrain() != "after-5" || last.GetFailure() != nil {
		t.Errorf("the states were %q, the last one %v", states, last)
	}

	again := &pb.RerunJobRequest{
		Job: &pb.JobRef{JobId: first.ID, Secret: first.Secret}, RequestKey: "a-key-of-this-test-alone",
		Config: &pb.JobConfig{Strain: "fail-error"},
	}
	made, err := api.RerunJob(t.Context(), again)
	s.must(err)
	repeated, err := api.RerunJob(t.Context(), again) // as if the first answer had been lost
	s.must(err)
	if made.GetJob().GetJobId() == first.ID || repeated.GetJob().GetJobId() != made.GetJob().GetJobId() ||
		repeated.GetJob().GetSecret() != made.GetJob().GetSecret() {
		t.Errorf("the job is run again as %v, by a repeated call as %v", made.GetJob(), repeated.GetJob())
	}
	failed := ref{ID: made.GetJob().GetJobId(), Secret: made.GetJob().GetSecret()}
	states, last = s.watch(api, failed)
	if !strings.HasSuffix(states, "error") || last.GetFailure().GetStage() != "bakta" ||
		!strings.Contains(last.GetFailure().GetMessage(), "played failure") {
		t.Errorf("the states were %q, the last one %v", states, last)
	}

	_, err = api.Delete(t.Context(), &pb.DeleteRequest{JobId: first.ID, Secret: first.Secret})
	s.must(err)
	s.gone(first)
	// The failed job has its own copies, so it runs again without the first one.
	made, err = api.RerunJob(t.Context(), &pb.RerunJobRequest{
		Job: &pb.JobRef{JobId: failed.ID, Secret: failed.Secret}, RequestKey: "another-key-of-this-test", Config: &pb.JobConfig{Strain: "fine"},
	})
	s.must(err)
	s.becomes(ref{ID: made.GetJob().GetJobId(), Secret: made.GetJob().GetSecret()}, "SUCCESSFUL")
}

// watch waits until a job has ended, by calls that answer when something changes. It returns the states that they showed, each with its
// stage, and the last answer.
func (s suite) watch(api pb.BaktaJobsClient, r ref) (string, *pb.JobStateResponse) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	var seen []string
	version, answers := "", 0
	for {
		answer, err := api.JobState(ctx, &pb.JobStateRequest{JobId: r.ID, Secret: r.Secret, Wait: 20, After: version})
		s.must(err)
		if answers++; answers > 60 { // at most 30 steps, and some early answers of functions that stop
			s.Fatalf("waiting calls are answered without waiting; the last answer is %v", answer)
		}
		version = answer.GetVersion()
		state := strings.TrimSpace(pb.Word(answer.GetStatus()) + " " + answer.GetStage())
		if len(seen) == 0 || seen[len(seen)-1] != state {
			seen = append(seen, state)
		}
		if s := answer.GetStatus(); s == pb.JobStatus_JOB_STATUS_SUCCESSFUL || s == pb.JobStatus_JOB_STATUS_ERROR {
			return strings.Join(seen, ", "), answer
		}
	}
}

// The web page is a service of its own behind the same host, and starts from zero.
func TestPage(t *testing.T) {
	s := newSuite(t)
	code, text, err := request{at: s.target.ingress, host: s.target.host, method: http.MethodGet, path: "/"}.do(t.Context())
	s.must(err)
	if code != http.StatusOK || !strings.Contains(text, `<script type="module"`) {
		t.Errorf("/ is answered %d: %s", code, trimmed(text))
	}
	_, script, _ := strings.Cut(text, `src="`)
	script, _, _ = strings.Cut(script, `"`)
	code, text, err = request{
		at:     s.target.ingress,
		host:   s.target.host,
		method: http.MethodGet,
		path:   "/" + strings.TrimLeft(script, "./"),
	}.do(
		t.Context(),
	)
	s.must(err)
	if code != http.StatusOK || len(text) < 1000 {
		t.Errorf("its script %q is answered %d with %d bytes", script, code, len(text))
	}
	code, text, err = request{at: s.target.ingress, host: s.target.host, method: http.MethodGet, path: "/api/v2/workflows"}.do(t.Context())
	s.must(err)
	if code != http.StatusOK || !strings.Contains(text, "bakta") {
		t.Errorf("behind the page, the API is answered %d: %s", code, trimmed(text))
	}
}
