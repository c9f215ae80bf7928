package status

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// The second version has a word for all that the catalogue, a job and its stages can be.
func TestWordsV2(t *testing.T) {
	t.Parallel()
	files := (*pb.ResultFiles)(nil).ProtoReflect().Descriptor().Fields()
	for _, w := range workflow.Catalogue() {
		if pb.Value[pb.WorkflowKind](w.Kind) == 0 || pb.Value[pb.ResultKind](w.ResultKind) == 0 {
			t.Errorf("there is no word for %s, whose results are %s", w.Kind, w.ResultKind)
		}
		for _, u := range w.Uploads {
			if pb.Value[pb.UploadKind](u.Kind) == 0 {
				t.Errorf("%s: there is no word for %s", w.Kind, u.Kind)
			}
		}
		for _, r := range w.Results {
			if files.ByName(protoreflect.Name(r.Key)) == nil {
				t.Errorf("%s: there is no key %q for .%s", w.Kind, r.Key, r.Ending)
			}
		}
	}
	for state, want := range map[job.StageStatus]string{
		job.StagePending: "pending", job.StageRunning: "running", job.StageSucceeded: "succeeded", job.StageFailed: "failed", "": "unknown", "odd": "unknown",
	} {
		if got := pb.Word(stageV2(state)); got != want {
			t.Errorf("a stage that is %q is told to be %q, not %q", state, got, want)
		}
	}
	for state, want := range map[job.State]string{
		job.Created: "init", job.Submitted: "init", job.Running: "running", job.Succeeded: "successful", job.Failed: "error",
	} {
		if got := pb.Word(statusV2(state)); got != want {
			t.Errorf("a job that is %s is told to be %q, not %q", state, got, want)
		}
	}
}

// In which stage's log the reason of a failure stands.
func TestFailedStage(t *testing.T) {
	t.Parallel()
	const pending, running, succeeded, failed = job.StagePending, job.StageRunning, job.StageSucceeded, job.StageFailed
	for _, tt := range []struct {
		name   string
		state  job.State
		blamed string // the stage that the failure names
		stages []job.StageStatus
		want   int
	}{
		{"not failed", job.Succeeded, "", []job.StageStatus{succeeded, succeeded}, -1},
		{"running", job.Running, "", []job.StageStatus{succeeded, failed}, -1},
		{"the second failed", job.Failed, "b", []job.StageStatus{succeeded, failed}, 1},
		{"the first failed", job.Failed, "a", []job.StageStatus{failed, pending}, 0},
		{"nobody is blamed", job.Failed, "", []job.StageStatus{succeeded, failed}, 1},
		{"a stage is blamed that is not there", job.Failed, "x", []job.StageStatus{succeeded, failed}, 1},
		{"before any began", job.Failed, "", []job.StageStatus{pending, pending}, 0},
		{"while the second ran", job.Failed, "", []job.StageStatus{succeeded, running}, 1},
		{"after the last", job.Failed, "", []job.StageStatus{succeeded, succeeded}, 1},
		{"between two", job.Failed, "", []job.StageStatus{succeeded, pending}, 0},
	} {
		var logs []StageLog
		for i, s := range tt.stages {
			logs = append(logs, StageLog{Stage: workflow.Stage{Name: string(rune('a' + i))}, State: s})
		}
		j := job.Job{State: tt.state, Failure: &job.Failure{Stage: tt.blamed}}
		if got := failedStage(j, logs); got != tt.want {
			t.Errorf("%s: %d, not %d", tt.name, got, tt.want)
		}
	}
	if got := failedStage(job.Job{State: job.Failed}, []StageLog{{}}); got != 0 {
		t.Errorf("without a recorded failure: %d", got)
	}
}
