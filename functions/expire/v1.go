package expire

import (
	"context"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// V1 implements the API's first version.
type V1 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V1 returns the method Delete.
func (f *Function) V1() V1 { return V1{f: f} }

// Delete removes a job with all of its data.
func (v V1) Delete(ctx context.Context, r *pb.JobAuth) (*pb.Empty, error) {
	if err := v.f.Delete(ctx, r.GetJobID(), r.GetSecret()); err != nil {
		return nil, err
	}
	return &pb.Empty{}, nil
}
