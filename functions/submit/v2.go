package submit

import (
	"cmp"
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// V2 implements the API's second version.
type V2 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V2 returns the methods InitJob, StartJob, SubmitJob and RerunJob.
func (f *Function) V2() V2 { return V2{f: f} }

// InitJob makes a job of any workflow that is offered.
func (v V2) InitJob(ctx context.Context, r *pb.InitJobRequest) (*pb.InitJobResponse, error) {
	kind, err := kindV2(r.GetWorkflowKind())
	if err != nil {
		return nil, err
	}
	made, err := v.f.Init(ctx, Init{API: 2, Name: r.GetName(), Batch: r.GetBatch(), Workflow: kind})
	if err != nil {
		return nil, err
	}
	answer := &pb.InitJobResponse{Job: &pb.JobRef{JobId: made.ID, Secret: made.Secret}, WorkflowKind: r.GetWorkflowKind()}
	for _, u := range made.Uploads {
		answer.Uploads = append(answer.Uploads, &pb.UploadLink{UploadKind: pb.Value[pb.UploadKind](u.Kind), Required: u.Required, Url: u.URL})
	}
	return answer, nil
}

// StartJob starts a job that this version made.
func (v V2) StartJob(ctx context.Context, r *pb.StartJobRequest) (*pb.StartJobResponse, error) {
	start, err := v.start(ctx, r, true)
	if err != nil {
		return nil, err
	}
	return &pb.StartJobResponse{Warnings: warningsV2(start.Warnings)}, nil
}

// SubmitJob is StartJob with an answer by REST, too.
func (v V2) SubmitJob(ctx context.Context, r *pb.StartJobRequest) (*pb.SubmitJobResponse, error) {
	start, err := v.start(ctx, r, false)
	if err != nil {
		return nil, err
	}
	return &pb.SubmitJobResponse{Warnings: warningsV2(start.Warnings), NotifyKey: keyV2(start.Notify)}, nil
}

// start starts a job and returns the start as it is stored.
func (v V2) start(ctx context.Context, r *pb.StartJobRequest, keyless bool) (*job.Start, error) {
	kind, err := kindV2(r.GetWorkflowKind())
	if err != nil {
		return nil, err
	}
	if r.GetConfig() == nil {
		return nil, job.Errorf(job.Invalid, "config is missing")
	}
	start, err := v.f.Start(ctx, Start{
		API: 2, ID: r.GetJob().GetJobId(), Secret: r.GetJob().GetSecret(), Workflow: kind, Config: wireV2().config(r.GetConfig()),
		Notify: notifyV2(r.GetNotify()), Keyless: keyless,
	})
	if err != nil {
		return nil, refusalV2(err, r.GetConfig())
	}
	return start, nil
}

// notifyV2 is what a start asks to be notified.
func notifyV2(n *pb.Notify) job.Notify {
	return job.Notify{Webhook: n.GetWebhook(), Email: n.GetEmail()}
}

// keyV2 is the key of a start's webhook, if it has one.
func keyV2(n *job.Notify) *string {
	if n == nil || len(n.Key) == 0 {
		return nil
	}
	return proto.String(notify.KeyText(n.Key))
}

func warningsV2(found []job.Warning) []*pb.Warning {
	warnings := make([]*pb.Warning, 0, len(found))
	for _, w := range found {
		warnings = append(warnings, &pb.Warning{Code: w.Code, UploadKind: pb.Value[pb.UploadKind](w.Upload), Message: w.Message})
	}
	return warnings
}

// RerunJob starts a new job with the uploads of another one, which either version made.
func (v V2) RerunJob(ctx context.Context, r *pb.RerunJobRequest) (*pb.RerunJobResponse, error) {
	again := Rerun{ID: r.GetJob().GetJobId(), Secret: r.GetJob().GetSecret(), RequestKey: r.GetRequestKey(), Name: r.GetName(),
		Notify: notifyV2(r.GetNotify())}
	if r.GetConfig() != nil {
		config := wireV2().config(r.GetConfig())
		again.Config = &config
	}
	made, err := v.f.Rerun(ctx, again)
	if err != nil {
		return nil, refusalV2(err, r.GetConfig())
	}
	return &pb.RerunJobResponse{
		Job:          &pb.JobRef{JobId: made.ID, Secret: made.Secret},
		WorkflowKind: pb.Value[pb.WorkflowKind](made.Workflow),
		Warnings:     warningsV2(made.Start.Warnings),
		NotifyKey:    keyV2(made.Start.Notify),
	}, nil
}

// kindV2 reads which workflow a caller means.
func kindV2(k pb.WorkflowKind) (string, error) {
	if kind := pb.Word(k); kind != "" {
		return kind, nil
	}
	return "", job.Errorf(job.Invalid, "workflow_kind is missing, or is not a known workflow")
}

// refusalV2 names each option that a start is refused for as clients of this version know it: "Invalid <option>".
func refusalV2(err error, config *pb.JobConfig) error {
	spelling := wireV2().spelling(config, false)
	var violations option.Violations
	if errors.As(err, &violations) {
		for _, v := range violations {
			spelling[v.Field] = "Invalid " + cmp.Or(spelling[v.Field], v.Field)
		}
	}
	return option.Respell(err, spelling)
}
