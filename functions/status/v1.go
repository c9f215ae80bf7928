package status

import (
	"context"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// V1 implements the API's first version.
type V1 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V1 returns the methods JobsStatus, JobResult, Logs and Version.
func (f *Function) V1() V1 { return V1{f: f} }

// JobsStatus lists jobs. Ids are echoed as they came.
func (v V1) JobsStatus(ctx context.Context, r *pb.JobStatusRequestList) (*pb.JobStatusReponseList, error) {
	refs := make([]Ref, 0, len(r.GetJobs()))
	for _, a := range r.GetJobs() {
		refs = append(refs, Ref{ID: a.GetJobID(), Secret: a.GetSecret()})
	}
	list, err := v.f.List(ctx, refs)
	if err != nil {
		return nil, err
	}
	answer := &pb.JobStatusReponseList{}
	for _, e := range list {
		switch {
		case e.Err == nil:
			started, updated := times(e.Job)
			answer.Jobs = append(answer.Jobs, &pb.JobStatusResponse{
				JobID: e.Ref.ID, JobStatus: statusV1(e.Job.State), Started: started, Updated: updated, Name: e.Job.Name,
			})
		case job.Is(e.Err, job.WrongSecret):
			answer.FailedJobs = append(answer.FailedJobs, &pb.FailedJob{JobID: e.Ref.ID, JobStatus: pb.JobFailedStatus_UNAUTHORIZED})
		default:
			answer.FailedJobs = append(answer.FailedJobs, &pb.FailedJob{JobID: e.Ref.ID, JobStatus: pb.JobFailedStatus_NOT_FOUND})
		}
	}
	return answer, nil
}

// JobResult links to the result files that exist.
func (v V1) JobResult(ctx context.Context, r *pb.JobAuth) (*pb.JobResultResponse, error) {
	j, downloads, err := v.f.Result(ctx, Ref{ID: r.GetJobID(), Secret: r.GetSecret()}, false)
	if err != nil {
		return nil, err
	}
	files := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(downloads))}
	for _, d := range downloads {
		if d.KeyV1 != "" {
			files.Fields[d.KeyV1] = structpb.NewStringValue(d.URL)
		}
	}
	started, updated := times(j)
	return &pb.JobResultResponse{JobID: r.GetJobID(), ResultFiles: files, Started: started, Updated: updated, Name: j.Name}, nil
}

// Logs returns the job's log from a byte offset on, so that a client that follows the log gets only what is new.
func (v V1) Logs(ctx context.Context, r *pb.LogsRequest) (*httpbody.HttpBody, error) {
	if r.GetOffset() < 0 {
		return nil, job.Errorf(job.Invalid, "offset: it must not be negative")
	}
	text, err := v.f.PlainLog(ctx, Ref{ID: r.GetJobID(), Secret: r.GetSecret()})
	if err != nil {
		return nil, err
	}
	text = text[min(r.GetOffset(), int64(len(text))):]
	return &httpbody.HttpBody{ContentType: "text/plain; charset=utf-8", Data: []byte(text)}, nil
}

// Version returns the versions of the deployment, of which this version of the API knows Bakta's.
func (v V1) Version(context.Context, *pb.Empty) (*pb.VersionResponse, error) {
	versions := v.f.deps.Versions()
	return &pb.VersionResponse{
		ToolVersion:    versions.Programs[bakta.Name],
		DbVersion:      versions.Databases[bakta.Name],
		BackendVersion: versions.Backend,
	}, nil
}

// statusV1 is a state in the words of the first version: a job that waits for a node is INIT.
func statusV1(s job.State) pb.JobStatusEnum {
	switch s {
	case job.Running:
		return pb.JobStatusEnum_RUNNING
	case job.Succeeded:
		return pb.JobStatusEnum_SUCCESSFUL
	case job.Failed:
		return pb.JobStatusEnum_ERROR
	default:
		return pb.JobStatusEnum_INIT
	}
}

// times returns when a job was started and when it changed last. Clients don't accept null: for a job that was not started,
// the first is the time of its creation.
func times(j job.Job) (started, updated *timestamppb.Timestamp) {
	s := j.Started
	if s.IsZero() {
		s = j.Created
	}
	return timestamppb.New(s), timestamppb.New(j.Updated)
}
