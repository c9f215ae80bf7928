package status

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// ListJobs lists the caller's own jobs.
func (v V2) ListJobs(ctx context.Context, r *pb.ListJobsRequest) (*pb.ListJobsResponse, error) {
	own := Own{
		Workflow: pb.Word(r.GetWorkflow()), Prefix: r.GetName(), PageSize: int(r.GetPageSize()), PageToken: r.GetPageToken(),
	}
	if r.GetState() != pb.JobStatus_JOB_STATUS_UNSPECIFIED {
		for _, s := range []job.State{job.Created, job.Submitted, job.Running, job.Succeeded, job.Failed} {
			if statusV2(s) == r.GetState() {
				own.States = append(own.States, s)
			}
		}
		if own.States == nil {
			return nil, job.Errorf(job.Invalid, "state: it must be init, running, successful or error")
		}
	}
	page, next, err := v.f.Own(ctx, own)
	if err != nil {
		return nil, err
	}
	answer, kinds := &pb.ListJobsResponse{NextPageToken: next}, resultKinds()
	for _, j := range page {
		// A job whose workflow only a newer version knows is left out: clients can't read an answer with an unknown kind.
		if row := kinds.job(j.ID, j); row != nil {
			answer.Jobs = append(answer.Jobs, row)
		}
	}
	return answer, nil
}

// Access returns how callers are identified.
func (v V2) Access(context.Context, *pb.AccessRequest) (*pb.AccessResponse, error) {
	a := v.f.deps.Access
	return &pb.AccessResponse{Issuer: a.Issuer, Audience: a.Audience, ClientId: a.ClientID, Scopes: a.Scopes, Required: a.Required}, nil
}
