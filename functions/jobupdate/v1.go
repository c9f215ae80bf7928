package jobupdate

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// V1 implements the status update of the API's first version, which job containers call.
type V1 struct {
	pb.UnimplementedBaktaStatusUpdateServer
	f *Function
}

// V1 returns the method UpdateStatus.
func (f *Function) V1() V1 { return V1{f: f} }

// UpdateStatus settles a job. It needs no secret, so its answer is the same whether the job exists or not and whatever was
// found. Errors are logged; an event of the run's object, or the sweep, settles the job later.
func (v V1) UpdateStatus(ctx context.Context, r *pb.UpdateStatusRequest) (*pb.Empty, error) {
	if id, err := job.ParseID(r.GetJobID()); err == nil {
		err := v.f.Hint(ctx, id)
		if job.Is(err, job.Exhausted) {
			return nil, err
		}
		if err != nil {
			v.f.deps.Log.WarnContext(ctx, "a hint could not be followed", "job", id, "error", err)
		}
	}
	return &pb.Empty{}, nil
}
