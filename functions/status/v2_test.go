package status

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

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
		job.StagePending: "pending", job.StageRunning: "running", job.StageSucceeded: "succeeded", job.StageFailed: "failed", "": "unknown",
		"odd": "unknown",
	} {
		if got := pb.Word(stageStatusV2(state)); got != want {
			t.Errorf("a stage that is %q is shown as %q, not %q", state, got, want)
		}
	}
	for state, want := range map[job.State]string{
		job.Created: "init", job.Submitted: "init", job.Running: "running", job.Succeeded: "successful", job.Failed: "error",
	} {
		if got := pb.Word(statusV2(state)); got != want {
			t.Errorf("a job that is %s is shown as %q, not %q", state, got, want)
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
		{"no stage is named", job.Failed, "", []job.StageStatus{succeeded, failed}, 1},
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

const (
	ownID  = "123e4567-e89b-42d3-a456-426614174000"
	secret = "0123456789abcdefghijABCDEFGHIJ01"
)

// single is a store with one job, and a storage and runs that can't be asked for logs.
type single struct{ job job.Job }

func (s single) Get(context.Context, string) (job.Job, error) { return s.job, nil }

func (s single) GetMany(context.Context, []string) ([]job.Job, error) { return []job.Job{s.job}, nil }

func (s single) Owned(context.Context, job.Owned, int) ([]job.Job, error) { return nil, nil }

func (s single) GetStates(ctx context.Context, ids []string) ([]job.Job, error) {
	return s.GetMany(ctx, ids)
}

func (s single) Waiting(context.Context, int) ([]time.Time, error) { return nil, nil }

func (s single) PastRuns(context.Context, []string) (map[string][]job.PastRun, error) {
	return nil, nil
}

func (s single) PresignGet(_ context.Context, _, fileName string, _ time.Duration) (string, error) {
	return "https://storage.example.org/" + fileName, nil
}

func (s single) Open(context.Context, string, string) (io.ReadCloser, job.File, error) {
	return nil, job.File{}, job.Errorf(job.Unavailable, "the storage is away").Because(errors.New("the cause"))
}

func (s single) Log(context.Context, job.Job, string) (io.ReadCloser, error) {
	return nil, job.Errorf(job.Unavailable, "the cluster is away")
}

func (s single) Tail(context.Context, job.Job, string, int64) ([]byte, error) {
	return nil, job.Errorf(job.Unavailable, "the cluster is away")
}

// serving returns the function in front of a single job.
func serving(t *testing.T, j job.Job) V2 {
	t.Helper()
	j.ID, j.SecretHash = ownID, job.HashSecret(secret)
	s := single{j}
	f, err := New(
		Deps{
			Jobs:        s,
			Files:       s,
			Logs:        s,
			Offered:     workflow.Catalogue(),
			DownloadTTL: time.Hour,
			MaxList:     10,
			Log:         slog.New(slog.DiscardHandler),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return f.V2()
}

// The result lists the files that a job has. A success without its JSON file, which the viewer needs, is an error.
func TestResultV2(t *testing.T) {
	t.Parallel()
	files := func(names ...string) []job.File {
		var list []job.File
		for _, name := range names {
			list = append(list, job.File{Name: name, Key: "k/" + name})
		}
		return list
	}
	for _, tt := range []struct {
		name    string
		job     job.Job
		partial bool
		code    job.Code
		says    string // the error, or the links in the order of their fields
	}{
		{"succeeded", job.Job{State: job.Succeeded, Workflow: workflow.Bakta, Results: files("json", "gff3", "inference.tsv", "txt")}, false, "",
			"n.json n.gff3 n.inference.tsv n.txt"},
		{"files of no key", job.Job{State: job.Succeeded, Workflow: workflow.BaktaProteins, Results: files("json", "faa", "gff3", "odd")}, false,
			"", "n.json n.faa"},
		{"no JSON file", job.Job{State: job.Succeeded, Workflow: workflow.Bakta, Results: files("tsv")}, false, job.NotReady,
			"Missing required result file: result.json"},
		{"running", job.Job{State: job.Running, Workflow: workflow.Bakta}, true, job.NotReady, "Job not finished"},
		{"created", job.Job{State: job.Created, Workflow: workflow.Bakta}, false, job.NotReady, "Job not finished: it was not started yet"},
		{"failed", job.Job{State: job.Failed, Workflow: workflow.BaktaBaktfold, Failure: &job.Failure{Message: "It failed."},
			Results: files("json", "tsv")}, false, job.NotReady, "It failed."},
		{"failed, in part", job.Job{State: job.Failed, Workflow: workflow.BaktaBaktfold, Failure: &job.Failure{Message: "It failed."},
			Results: files("json", "tsv")}, true, "", "n.json n.tsv It failed."},
		{"failed, and left nothing", job.Job{State: job.Failed, Workflow: workflow.Bakta}, true, "", "The job failed."},
		{"of a workflow of tomorrow", job.Job{State: job.Succeeded, Workflow: "prokka", Results: files("json")}, false, job.NotReady, `"prokka"`},
	} {
		tt.job.Name = "n"
		answer, err := serving(t, tt.job).JobResult(t.Context(), &pb.JobResultRequest{JobId: ownID, Secret: secret, Partial: tt.partial})
		if job.CodeOf(err) != tt.code || err != nil != (tt.code != "") {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err != nil {
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var said []string
		files := answer.GetResult().GetFiles().ProtoReflect()
		for i := range files.Descriptor().Fields().Len() {
			if field := files.Descriptor().Fields().Get(i); files.Has(field) {
				said = append(said, strings.TrimPrefix(files.Get(field).String(), "https://storage.example.org/"))
			}
		}
		if answer.Failure != nil {
			said = append(said, answer.GetFailure())
		}
		if got := strings.Join(said, " "); got != tt.says {
			t.Errorf("%s: %s, not %s", tt.name, got, tt.says)
		}
	}
}

// A log that can't be read at the moment is an error, not an empty log.
func TestLogsAway(t *testing.T) {
	t.Parallel()
	for name, j := range map[string]job.Job{
		"running":   {State: job.Running, Workflow: workflow.Bakta},
		"succeeded": {State: job.Succeeded, Workflow: workflow.Bakta, Logs: []job.File{{Name: "bakta", Key: "k"}}},
	} {
		_, err := serving(t, j).Logs(t.Context(), &pb.LogsRequest{JobId: ownID, Secret: secret})
		if !job.Is(err, job.Unavailable) || !strings.HasPrefix(err.Error(), "Failed to retrieve workflow logs") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list contains only jobs whose workflow the version has a word for.
func TestListOfTomorrow(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{workflow.Baktfold: "baktfold", "prokka": ""} {
		list, err := serving(
			t,
			job.Job{State: job.Running, Workflow: kind},
		).JobsStatus(t.Context(), &pb.JobsStatusRequest{Jobs: []*pb.JobRef{{JobId: ownID, Secret: secret}}})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case want != "" && (len(list.GetJobs()) != 1 || pb.Word(list.GetJobs()[0].GetResultKind()) != want):
			t.Errorf("%s: %v", kind, list)
		case want == "" && (len(list.GetJobs()) != 0 || len(list.GetFailedJobs()) != 1):
			t.Errorf("%s: %v", kind, list)
		}
	}
}
