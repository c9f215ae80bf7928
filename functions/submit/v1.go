package submit

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// V1 implements the API's first version.
type V1 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V1 returns the methods InitJob and StartJob.
func (f *Function) V1() V1 { return V1{f: f} }

// InitJob makes a job of the workflow "bakta", the only one that this version knows. The type of the replicon
// table is not kept: Bakta goes by the content, and so does the start.
func (v V1) InitJob(ctx context.Context, r *pb.InitJobRequest) (*pb.InitJobResponse, error) {
	made, err := v.f.Init(ctx, Init{API: 1, Name: r.GetName(), Workflow: workflow.Bakta})
	if err != nil {
		return nil, err
	}
	answer := &pb.InitJobResponse{Job: &pb.JobAuth{JobID: made.ID, Secret: made.Secret}}
	for _, u := range made.Uploads {
		if field := answer.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(u.LinkV1)); field != nil {
			answer.ProtoReflect().Set(field, protoreflect.ValueOfString(u.URL))
		}
	}
	return answer, nil
}

// StartJob starts a job of the workflow "bakta", whichever version made it. Without a configuration, Bakta's defaults hold.
func (v V1) StartJob(ctx context.Context, r *pb.StartJobRequest) (*pb.Empty, error) {
	_, err := v.f.Start(ctx, Start{
		API: 1, ID: r.GetJob().GetJobID(), Secret: r.GetJob().GetSecret(), Workflow: workflow.Bakta, Config: wireV1().config(r.GetConfig()),
	})
	if err != nil {
		return nil, option.Respell(err, wireV1().spelling(r.GetConfig(), true))
	}
	return &pb.Empty{}, nil
}
