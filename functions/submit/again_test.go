package submit_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// running is a store that has one job, which was started with a configuration.
type running struct {
	created
	config string
}

func (r *running) Get(ctx context.Context, id string) (job.Job, error) {
	j, err := r.created.Get(ctx, id)
	j.State, j.Start = job.Running, &job.Start{Config: []byte(r.config)}
	return j, err
}

// launched is a launcher with nothing to do.
type launched struct{}

func (launched) Launch(context.Context, job.Job) error { return nil }

// function is one over a store and uploads.
func function(t *testing.T, jobs submit.Jobs, content map[string]string) *submit.Function {
	t.Helper()
	f, err := submit.New(submit.Deps{
		Jobs: jobs, Files: uploads{content: content}, Launcher: launched{}, Offered: workflow.Catalogue(),
		Retention: time.Hour, UploadTTL: time.Hour, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A start is repeated by what earlier versions stored of it.
func TestStartAgain(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, tt := range []struct {
		name   string
		stored string
		config *pb.JobConfig
		code   job.Code
	}{
		{"nothing said", `{}`, nil, ""},
		{"nothing said of files", `{"translation_table":4}`, &pb.JobConfig{TranslationalTable: 4}, ""},
		{"a file promised, another declined", `{"use":{"prodigal_training_file":true,"replicons_table":false}}`,
			&pb.JobConfig{HasProdigal: &yes, HasReplicons: &no}, ""},
		{"a file declined of which nothing was said", `{}`, &pb.JobConfig{HasReplicons: &no}, job.AlreadyExists},
		{"acknowledged under other rules", `{"translation_table":7}`, &pb.JobConfig{TranslationalTable: 7}, ""},
		{"another configuration", `{"translation_table":7}`, &pb.JobConfig{TranslationalTable: 4}, job.AlreadyExists},
		{"another one that the rules forbid", `{"translation_table":4}`, &pb.JobConfig{TranslationalTable: 7}, job.Invalid},
	} {
		_, err := function(t, &running{config: tt.stored}, nil).V1().StartJob(t.Context(), &pb.StartJobRequest{
			Job: &pb.JobAuth{JobID: "123e4567-e89b-42d3-a456-426614174000", Secret: secret}, Config: tt.config,
		})
		if job.CodeOf(err) != tt.code || err != nil && tt.code == "" {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// What the first version has no words for is not used, and not stored.
func TestDeclinedV1(t *testing.T) {
	t.Parallel()
	jobs := &started{kind: workflow.Bakta}
	_, err := function(t, jobs, map[string]string{
		upload.GenomeFASTA:         ">c1\nATGAAACTGCTGGTGTAA\n",
		upload.RegionsFile:         "no regions",
		upload.HMMsFile:            "no profiles",
		upload.TrustedProteinsFile: "no proteins",
	}).V1().StartJob(t.Context(), &pb.StartJobRequest{Job: &pb.JobAuth{JobID: "123e4567-e89b-42d3-a456-426614174000", Secret: secret}})
	if !jobs.submitted {
		t.Fatal(err)
	}
	if got := string(jobs.start.Config); got != `{}` || len(jobs.start.Inputs) != 1 {
		t.Errorf("submitted with %s and %v", got, jobs.start.Inputs)
	}
}
