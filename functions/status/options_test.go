package status

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// TestOptions: a client learns every option and upload of the workflows that are offered, and the fields of its config are those of a
// start.
func TestOptions(t *testing.T) {
	t.Parallel()
	fields := (&pb.JobConfig{}).ProtoReflect().Descriptor().Fields()
	f := &Function{deps: Deps{Offered: workflow.Catalogue(), MaxSizes: upload.MaxSizes(1000), Log: slog.New(slog.DiscardHandler)}}
	got, err := f.V2().Options(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetOptions()) != len(option.Table()) || len(got.GetUploads()) != len(upload.Table()) {
		t.Errorf("%d options, %d uploads", len(got.GetOptions()), len(got.GetUploads()))
	}
	for _, o := range got.GetOptions() {
		if fields.ByTextName(o.GetName()) == nil {
			t.Errorf("%s is not a field of a start's config", o.GetName())
		}
		want := []pb.WorkflowKind{pb.WorkflowKind_WORKFLOW_KIND_BAKTA, pb.WorkflowKind_WORKFLOW_KIND_BAKTA_BAKTFOLD}
		if !slices.Equal(o.GetWorkflowKinds(), want) || o.GetKind() == 0 || o.GetHelp() == "" || strings.Contains(o.String(), "`") {
			t.Errorf("%s: %v", o.GetName(), o)
		}
	}
	for _, u := range got.GetUploads() {
		if u.GetUse() != "" && fields.ByTextName(u.GetUse()) == nil {
			t.Errorf("%s is not a field of a start's config", u.GetUse())
		}
		if u.GetUploadKind() == 0 || u.GetLabel() == "" || u.GetRule() == "" || u.GetMaxSize() <= 0 || strings.Contains(u.String(), "`") {
			t.Errorf("%v", u)
		}
		if u.GetUploadKind() == pb.UploadKind_UPLOAD_KIND_GENOME_FASTA && u.GetMaxSize() != 1000 {
			t.Errorf("the deployment's limit for genomes is not that of the answer: %v", u)
		}
	}

	proteins, _ := workflow.Lookup(workflow.BaktaProteins)
	f.deps.Offered = []workflow.Workflow{proteins}
	if got, err = f.V2().Options(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if len(got.GetUploads()) != 1 || got.GetUploads()[0].GetUploadKind() != pb.UploadKind_UPLOAD_KIND_PROTEIN_FASTA {
		t.Errorf("of proteins alone: %v", got.GetUploads())
	}
	for _, o := range got.GetOptions() {
		if len(o.GetWorkflowKinds()) > 0 {
			t.Errorf("proteins have the option %v", o)
		}
	}
}
