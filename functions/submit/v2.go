package submit

import (
	"context"
	"errors"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// V2 speaks the API's second version.
type V2 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V2 returns the methods InitJob, StartJob and SubmitJob.
func (f *Function) V2() V2 { return V2{f: f} }

// InitJob makes a job of any workflow that is offered.
func (v V2) InitJob(ctx context.Context, r *pb.InitJobRequest) (*pb.InitJobResponse, error) {
	kind, err := kindV2(r.GetWorkflowKind())
	if err != nil {
		return nil, err
	}
	made, err := v.f.Init(ctx, 2, r.GetName(), kind)
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
	warnings, err := v.start(ctx, r)
	if err != nil {
		return nil, err
	}
	return &pb.StartJobResponse{Warnings: warnings}, nil
}

// SubmitJob is StartJob with an answer by REST, too.
func (v V2) SubmitJob(ctx context.Context, r *pb.StartJobRequest) (*pb.SubmitJobResponse, error) {
	warnings, err := v.start(ctx, r)
	if err != nil {
		return nil, err
	}
	return &pb.SubmitJobResponse{Warnings: warnings}, nil
}

// start starts a job and returns what is to be known before it has run.
func (v V2) start(ctx context.Context, r *pb.StartJobRequest) ([]*pb.Warning, error) {
	kind, err := kindV2(r.GetWorkflowKind())
	if err != nil {
		return nil, err
	}
	if r.GetConfig() == nil {
		return nil, job.Errorf(job.Invalid, "config is missing")
	}
	found, err := v.f.Start(ctx, Start{API: 2, ID: r.GetJob().GetJobId(), Secret: r.GetJob().GetSecret(), Workflow: kind, Config: configV2(r.GetConfig())})
	if err != nil {
		return nil, refusalV2(err)
	}
	warnings := make([]*pb.Warning, 0, len(found))
	for _, w := range found {
		warnings = append(warnings, &pb.Warning{Code: w.Code, UploadKind: pb.Value[pb.UploadKind](w.Upload), Message: w.Message})
	}
	return warnings, nil
}

// kindV2 reads which workflow a caller means.
func kindV2(k pb.WorkflowKind) (string, error) {
	if kind := pb.Word(k); kind != "" {
		return kind, nil
	}
	return "", job.Errorf(job.Invalid, "workflow_kind is missing, or no workflow that is known")
}

// refusalV2 names each option that a start is refused for as clients of this version know it: "Invalid <option>".
func refusalV2(err error) error {
	var violations option.Violations
	if !errors.As(err, &violations) {
		return err
	}
	spelling := make(map[string]string, len(violations))
	for _, v := range violations {
		name := v.Field
		if use, ok := usesV2()[v.Field]; ok {
			name = use
		}
		spelling[v.Field] = "Invalid " + name
	}
	return option.Respell(err, spelling)
}

// usesV2 holds, by kind of upload, the option that says whether the upload is used.
func usesV2() map[string]string {
	return map[string]string{
		upload.ProdigalTrainingFile: "use_prodigal_training_file",
		upload.RepliconsTable:       "use_replicons",
		upload.RegionsFile:          "use_regions",
		upload.TrustedProteinsFile:  "use_trusted_proteins",
		upload.HMMsFile:             "use_hmms",
	}
}

// configV2 reads the second version's configuration.
func configV2(c *pb.JobConfig) option.Config {
	config := option.Config{
		// Unlike in the first version, an upload that is not asked for is not used, whatever it holds.
		Use: map[string]bool{
			upload.ProdigalTrainingFile: c.GetUseProdigalTrainingFile(),
			upload.RepliconsTable:       c.GetUseReplicons(),
			upload.RegionsFile:          c.GetUseRegions(),
			upload.TrustedProteinsFile:  c.GetUseTrustedProteins(),
			upload.HMMsFile:             c.GetUseHmms(),
		},
		TranslationTable:  int(c.GetTranslationTable()),
		CompleteGenome:    c.GetCompleteGenome(),
		KeepContigHeaders: c.GetKeepContigHeaders(),
		MinContigLength:   c.GetMinContigLength(),
		Genus:             c.GetGenus(),
		Species:           c.GetSpecies(),
		Strain:            c.GetStrain(),
		Plasmid:           c.GetPlasmid(),
		Locus:             c.GetLocus(),
		LocusTag:          c.GetLocusTag(),
		LocusTagIncrement: int(c.GetLocusTagIncrement()),
		Compliant:         c.GetCompliant(),
		Meta:              c.GetMeta(),
		Skip:              skippedV2(c),
	}
	// As in the first version, unknown is what it is if nothing is said.
	if derm := pb.Word(c.GetDermType()); derm != option.DermUnknown {
		config.DermType = derm
	}
	return config
}

// skippedV2 lists the steps that a configuration leaves out. Each has a field of its name.
func skippedV2(c *pb.JobConfig) []string {
	m := c.ProtoReflect()
	fields := m.Descriptor().Fields()
	left := make(map[string]bool)
	for i := range fields.Len() {
		if step, ok := strings.CutPrefix(string(fields.Get(i).Name()), "skip_"); ok {
			left[step] = m.Get(fields.Get(i)).Bool()
		}
	}
	var skipped []string
	for _, step := range option.Steps() {
		if left[step] {
			skipped = append(skipped, step)
		}
	}
	return skipped
}
