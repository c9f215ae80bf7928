package workflow

import (
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/google/go-cmp/cmp"
)

// A workflow keeps the options that it has, so that two starts that mean the same are the same.
func TestWorkflowNormalise(t *testing.T) {
	whole := option.Config{
		Use: map[string]bool{
			upload.RepliconsTable: true,
			upload.HMMsFile:       false,
			upload.ProteinFASTA:   true,
			upload.BaktaJSON:      false,
		}, Genus: " G ", TranslationTable: 7, Meta: true,
		Skip: []string{"plot", "cds"},
	}
	genome := option.Config{
		Use:              map[string]bool{upload.RepliconsTable: true, upload.HMMsFile: false},
		Genus:            "G",
		TranslationTable: 7,
		Meta:             true,
		Skip:             []string{"cds", "plot"},
	}
	for kind, want := range map[string]option.Config{Bakta: genome, BaktaBaktfold: genome, BaktaProteins: {}, Baktfold: {}} {
		w, _ := Lookup(kind)
		got := w.Normalise(whole)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", kind, diff)
		}
		if diff := cmp.Diff(got, w.Normalise(got)); diff != "" {
			t.Errorf("%s, again:\n%s", kind, diff)
		}
	}
	if len(whole.Use) != 4 {
		t.Error("the caller's map was changed")
	}
}
