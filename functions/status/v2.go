package status

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// V2 implements the API's second version.
type V2 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V2 returns the methods Workflows, Options, JobsStatus, ListJobs, JobState, JobResult, Logs, Access and Version.
func (f *Function) V2() V2 { return V2{f: f} }

// Workflows lists the workflows that are offered.
func (v V2) Workflows(context.Context, *pb.WorkflowsRequest) (*pb.WorkflowsResponse, error) {
	answer := &pb.WorkflowsResponse{}
	for _, w := range v.f.deps.Offered {
		row := &pb.Workflow{WorkflowKind: pb.Value[pb.WorkflowKind](w.Kind), ResultKind: pb.Value[pb.ResultKind](w.ResultKind)}
		for _, u := range w.Uploads {
			row.Uploads = append(row.Uploads, &pb.Upload{UploadKind: pb.Value[pb.UploadKind](u.Kind), Required: u.Required})
		}
		for _, s := range w.Stages {
			row.Stages = append(row.Stages, s.Name)
		}
		answer.Workflows = append(answer.Workflows, row)
	}
	return answer, nil
}

// JobsStatus lists jobs. Ids are echoed as they came.
func (v V2) JobsStatus(ctx context.Context, r *pb.JobsStatusRequest) (*pb.JobsStatusResponse, error) {
	refs := make([]Ref, 0, len(r.GetJobs()))
	for _, ref := range r.GetJobs() {
		refs = append(refs, Ref{ID: ref.GetJobId(), Secret: ref.GetSecret()})
	}
	var list []Found
	var views []View // nil without details
	var err error
	if r.GetDetails() {
		list, views, err = v.f.ListViews(ctx, refs)
	} else {
		list, err = v.f.List(ctx, refs)
	}
	if err != nil {
		return nil, err
	}
	answer, kinds := &pb.JobsStatusResponse{}, resultKinds()
	for i, e := range list {
		var row *pb.Job
		if e.Err == nil {
			row = kinds.job(e.Ref.ID, e.Job)
		}
		switch {
		case row != nil:
			if views != nil {
				detail(row, views[i])
			}
			answer.Jobs = append(answer.Jobs, row)
		case job.Is(e.Err, job.WrongSecret):
			answer.FailedJobs = append(
				answer.FailedJobs,
				&pb.FailedJob{JobId: e.Ref.ID, Status: pb.FailedStatus_FAILED_STATUS_UNAUTHORIZED},
			)
		default:
			// So is a job whose workflow only a newer version knows: clients can't read an answer with an unknown kind.
			answer.FailedJobs = append(answer.FailedJobs, &pb.FailedJob{JobId: e.Ref.ID, Status: pb.FailedStatus_FAILED_STATUS_NOT_FOUND})
		}
	}
	return answer, nil
}

// kindsV2 are the kinds of the results of the workflows.
type kindsV2 map[string]pb.ResultKind

func resultKinds() kindsV2 {
	kinds := make(kindsV2)
	for _, w := range workflow.Catalogue() {
		kinds[w.Kind] = pb.Value[pb.ResultKind](w.ResultKind)
	}
	return kinds
}

// job is a job in a list, without details; nil if its workflow is not known to this version of the backend.
func (k kindsV2) job(id string, j job.Job) *pb.Job {
	result, known := k[j.Workflow]
	if !known {
		return nil
	}
	started, updated := times(j)
	return &pb.Job{
		JobId: id, Status: statusV2(j.State), WorkflowKind: pb.Value[pb.WorkflowKind](j.Workflow), ResultKind: result,
		Started: started, Updated: updated, Name: j.Name,
	}
}

// JobResult links to the result files that exist.
func (v V2) JobResult(ctx context.Context, r *pb.JobResultRequest) (*pb.JobResultResponse, error) {
	j, downloads, err := v.f.Result(ctx, Ref{ID: r.GetJobId(), Secret: r.GetSecret()}, r.GetPartial())
	var early *job.Error
	if errors.As(err, &early) && errors.As(err, new(unfinished)) {
		// Clients know these words.
		return nil, job.Errorf(job.NotReady, "%s", strings.Replace(early.Message, "the job is not finished", "Job not finished", 1))
	}
	if err != nil {
		return nil, err
	}
	w, _ := workflow.Lookup(j.Workflow) // else there were no downloads
	files := &pb.ResultFiles{}
	fields := files.ProtoReflect().Descriptor().Fields()
	for _, d := range downloads {
		field := fields.ByTextName(d.Key)
		if field == nil {
			continue // a test holds that there are none
		}
		files.ProtoReflect().Set(field, protoreflect.ValueOfString(d.URL))
	}
	if files.Json == nil && j.State == job.Succeeded {
		return nil, job.Errorf(job.NotReady, "Missing required result file: result.json")
	}
	started, updated := times(j)
	answer := &pb.JobResultResponse{
		JobId: r.GetJobId(), WorkflowKind: pb.Value[pb.WorkflowKind](j.Workflow), Started: started, Updated: updated, Name: j.Name,
		Result: &pb.Result{ResultKind: pb.Value[pb.ResultKind](w.ResultKind), Files: files},
	}
	if j.State == job.Failed {
		answer.Failure = proto.String(reason(j))
	}
	return answer, nil
}

// Logs returns the logs of all stages. The reason of a failure is at the end of the log of the stage that failed, unless the
// stage has logged it itself.
func (v V2) Logs(ctx context.Context, r *pb.LogsRequest) (*pb.LogsResponse, error) {
	j, logs, err := v.f.StageLogs(ctx, Ref{ID: r.GetJobId(), Secret: r.GetSecret()})
	if job.Is(err, job.Unavailable) {
		return nil, job.Errorf(job.Unavailable, "Failed to retrieve workflow logs; please try again later").Because(err)
	}
	if err != nil {
		return nil, err
	}
	answer := &pb.LogsResponse{WorkflowKind: pb.Value[pb.WorkflowKind](j.Workflow)}
	failed := failedStage(j, logs)
	for i, log := range logs {
		content := trimRight(log.Text)
		if i == failed {
			if !strings.Contains(content, reason(j)) {
				content = strings.TrimLeft(content+"\n\n"+reason(j), "\n")
			}
			if j.Failure != nil && j.Failure.Stage == log.Stage.Name {
				log.State = job.StageFailed // the program may have succeeded and left no results
			}
		}
		answer.Stages = append(answer.Stages, &pb.StageLog{Stage: log.Stage.Name, Status: stageStatusV2(log.State), Content: content})
	}
	return answer, nil
}

// trimRight cuts off white space at the end.
func trimRight(s string) string { return strings.TrimRight(s, " \t\r\n\v\f") }

// failedStage returns the index of the stage whose log gets the reason of a failure; -1 for a job that has not failed. A job
// may fail before any stage begins, or after the last one: then it is the first stage, or the last that ran.
func failedStage(j job.Job, logs []StageLog) int {
	if j.State != job.Failed {
		return -1
	}
	if f := j.Failure; f != nil {
		if i := slices.IndexFunc(logs, func(l StageLog) bool { return l.Stage.Name == f.Stage }); i >= 0 {
			return i
		}
	}
	last := 0
	for i, l := range logs {
		if l.State == job.StageFailed {
			return i
		}
		if l.State != job.StagePending {
			last = i
		}
	}
	return last
}

// Version returns the versions of the deployment. A program NAME has the fields NAME_version and NAME_db_version.
func (v V2) Version(context.Context, *pb.VersionRequest) (*pb.VersionResponse, error) {
	versions := v.f.deps.Versions()
	answer := &pb.VersionResponse{BackendVersion: versions.Backend}
	for _, p := range workflow.Programs() {
		set(answer, p.Name+"_version", versions.Programs[p.Name])
		set(answer, p.Name+"_db_version", versions.Databases[p.Name])
	}
	return answer, nil
}

// set sets a field of a message to a text, if the message has the field.
func set(message proto.Message, field, text string) {
	m := message.ProtoReflect()
	if f := m.Descriptor().Fields().ByName(protoreflect.Name(field)); f != nil && text != "" {
		m.Set(f, protoreflect.ValueOfString(text))
	}
}

// statusV2 is a state in the words of the second version: a job that waits for a node is init.
func statusV2(s job.State) pb.JobStatus {
	switch s {
	case job.Running:
		return pb.JobStatus_JOB_STATUS_RUNNING
	case job.Succeeded:
		return pb.JobStatus_JOB_STATUS_SUCCESSFUL
	case job.Failed:
		return pb.JobStatus_JOB_STATUS_ERROR
	default:
		return pb.JobStatus_JOB_STATUS_INIT
	}
}

// stageStatusV2 is the state of a stage in the words of the second version.
func stageStatusV2(s job.StageStatus) pb.StageStatus {
	if status := pb.Value[pb.StageStatus](string(s)); status != pb.StageStatus_STAGE_STATUS_UNSPECIFIED {
		return status
	}
	return pb.StageStatus_STAGE_STATUS_UNKNOWN
}
