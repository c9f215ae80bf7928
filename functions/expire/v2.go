package expire

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// V2 implements the API's second version.
type V2 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V2 returns the method Delete.
func (f *Function) V2() V2 { return V2{f: f} }

// Delete removes a job with all of its data. It succeeds for a job that does not exist: clients of this version, unlike
// those of the first, keep a job in their list after a "not found".
func (v V2) Delete(ctx context.Context, r *pb.DeleteRequest) (*pb.DeleteResponse, error) {
	err := v.f.Delete(ctx, r.GetJobId(), r.GetSecret())
	switch {
	case job.Is(err, job.NotFound) && r.GetSecret() == "" && caller.From(ctx).Subject == "":
		// As for a job that exists: a call that lost its secret must not look successful. An owner needs none.
		return nil, job.Errorf(job.WrongSecret, "the secret is missing")
	case err != nil && !job.Is(err, job.NotFound):
		return nil, err
	}
	return &pb.DeleteResponse{}, nil
}
