package submit

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// Which configuration a start of the second version means.
func TestConfigV2(t *testing.T) {
	t.Parallel()
	none := func() map[string]bool {
		use := make(map[string]bool)
		for _, u := range upload.Table() {
			if u.Use != "" {
				use[u.Kind] = false
			}
		}
		return use
	}
	using := func(kinds ...string) map[string]bool {
		use := none()
		for _, k := range kinds {
			use[k] = true
		}
		return use
	}
	for _, tt := range []struct {
		name string
		in   *pb.JobConfig
		want option.Config
	}{
		{"nothing", &pb.JobConfig{}, option.Config{Use: none()}},
		{"uploads", &pb.JobConfig{UseProdigalTrainingFile: true, UseReplicons: true, UseRegions: true, UseTrustedProteins: true, UseHmms: true},
			option.Config{Use: using(upload.ProdigalTrainingFile, upload.RepliconsTable, upload.RegionsFile, upload.TrustedProteinsFile,
				upload.HMMsFile)}},
		{"one upload", &pb.JobConfig{UseRegions: true}, option.Config{Use: using(upload.RegionsFile)}},
		{"numbers", &pb.JobConfig{TranslationTable: 4, MinContigLength: 1 << 40, LocusTagIncrement: 5},
			option.Config{Use: none(), TranslationTable: 4, MinContigLength: 1 << 40, LocusTagIncrement: 5}},
		{"flags", &pb.JobConfig{CompleteGenome: true, KeepContigHeaders: true, Compliant: true, Meta: true},
			option.Config{Use: none(), CompleteGenome: true, KeepContigHeaders: true, Compliant: true, Meta: true}},
		{"texts", &pb.JobConfig{Genus: "g", Species: "s", Strain: "t", Plasmid: "p", Locus: "l", LocusTag: "L"},
			option.Config{Use: none(), Genus: "g", Species: "s", Strain: "t", Plasmid: "p", Locus: "l", LocusTag: "L"}},
		{"one membrane", &pb.JobConfig{DermType: pb.DermType_DERM_TYPE_MONODERM}, option.Config{Use: none(), DermType: option.Monoderm}},
		{"two membranes", &pb.JobConfig{DermType: pb.DermType_DERM_TYPE_DIDERM}, option.Config{Use: none(), DermType: option.Diderm}},
		{"nothing is known of membranes", &pb.JobConfig{DermType: pb.DermType_DERM_TYPE_UNKNOWN}, option.Config{Use: none()}},
		{"steps, in Bakta's order", &pb.JobConfig{SkipPlot: true, SkipTrna: true, SkipNcrnaRegion: true},
			option.Config{Use: none(), Skip: []string{"trna", "ncrna_region", "plot"}}},
	} {
		if diff := cmp.Diff(tt.want, wireV2().config(tt.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Every field means something, and everything that can be said has a field.
func TestConfigV2IsWhole(t *testing.T) {
	t.Parallel()
	fields := (*pb.JobConfig)(nil).ProtoReflect().Descriptor().Fields()
	nothing := wireV2().config(&pb.JobConfig{})
	var steps []string
	for i := range fields.Len() {
		field := fields.Get(i)
		c := &pb.JobConfig{}
		var v protoreflect.Value
		switch field.Kind() {
		case protoreflect.BoolKind:
			v = protoreflect.ValueOfBool(true)
		case protoreflect.StringKind:
			v = protoreflect.ValueOfString("x")
		case protoreflect.Int32Kind:
			v = protoreflect.ValueOfInt32(5)
		case protoreflect.Int64Kind:
			v = protoreflect.ValueOfInt64(5)
		case protoreflect.EnumKind:
			v = protoreflect.ValueOfEnum(pb.DermType_DERM_TYPE_DIDERM.Number())
		default:
			t.Fatalf("%s is of another kind: %s", field.Name(), field.Kind())
		}
		c.ProtoReflect().Set(field, v)
		if cmp.Equal(nothing, wireV2().config(c)) {
			t.Errorf("%s means nothing", field.Name())
		}
		if step, ok := strings.CutPrefix(string(field.Name()), "skip_"); ok {
			steps = append(steps, step)
		}
	}
	if diff := cmp.Diff(option.Steps(), steps); diff != "" {
		t.Errorf("steps (-known +fields):\n%s", diff)
	}
	for _, w := range workflow.Catalogue() {
		for _, u := range w.Uploads {
			use, ok := u.Use, u.Use != ""
			if ok == u.Required || ok && fields.ByName(protoreflect.Name(use)) == nil {
				t.Errorf("%s of %s is required %t, and used by %q", u.Kind, w.Kind, u.Required, use)
			}
			if pb.Value[pb.UploadKind](u.Kind) == 0 {
				t.Errorf("this version has no word for %s", u.Kind)
			}
		}
		if pb.Value[pb.WorkflowKind](w.Kind) == 0 {
			t.Errorf("this version has no word for %s", w.Kind)
		}
	}
}

// Which jobs a start fits.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		made, asks int // versions
		is, taken  string
		code       job.Code
		says       string
	}{
		{"the first by the first", 1, 1, workflow.Bakta, workflow.Bakta, "", ""},
		{"an old document", 0, 1, workflow.Bakta, workflow.Bakta, "", ""},
		{"the second by the second", 2, 2, workflow.Baktfold, workflow.Baktfold, "", ""},
		{"the second by the first", 2, 1, workflow.Bakta, workflow.Bakta, "", ""},
		{"the second by the first, of another workflow", 2, 1, workflow.Baktfold, workflow.Bakta, job.Invalid, "Workflow kind mismatch: the " +
			"job is of the workflow baktfold"},
		{"the second, taken for another", 2, 2, workflow.BaktaProteins, workflow.Bakta, job.Invalid, "Workflow kind mismatch: the job is of " +
			"the workflow bakta_proteins"},
		{"the first by the second", 1, 2, workflow.Bakta, workflow.Bakta, job.NotReady, "Wrong API version: the job was made by version 1"},
		{"an old document by the second", 0, 2, workflow.Bakta, workflow.Bakta, job.NotReady, "Wrong API version: the job was made by version 1"},
		{"the first by the second, taken for another", 1, 2, workflow.Bakta, workflow.Baktfold, job.NotReady, "Wrong API version"},
	} {
		err := Start{API: tt.asks, Workflow: tt.taken}.fits(job.Job{API: tt.made, Workflow: tt.is})
		if job.CodeOf(err) != tt.code || err != nil && !strings.HasPrefix(err.Error(), tt.says) || err != nil != (tt.code != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Options are called as the second version calls them, after the word that its clients know.
func TestRefusalV2(t *testing.T) {
	t.Parallel()
	w, _ := workflow.Lookup(workflow.Bakta)
	for _, tt := range []struct {
		config *pb.JobConfig
		says   []string // how the parts of the message begin
	}{
		{&pb.JobConfig{TranslationTable: 7}, []string{"Invalid translation_table: 7"}},
		{&pb.JobConfig{LocusTagIncrement: 2}, []string{"Invalid locus_tag_increment: "}},
		{&pb.JobConfig{TranslationTable: 1, LocusTagIncrement: -1, Plasmid: "x"},
			[]string{"Invalid translation_table: ", "Invalid plasmid: ", "Invalid locus_tag_increment: "}},
	} {
		err := refusalV2(w.Validate(w.Normalise(wireV2().config(tt.config))), tt.config)
		var e *job.Error
		if !errors.As(err, &e) || e.Code != job.Invalid {
			t.Errorf("%v is refused with %v", tt.config, err)
			continue
		}
		var missing []string
		for _, begin := range tt.says {
			if !slices.ContainsFunc(strings.Split(e.Message, "; "), func(part string) bool { return strings.HasPrefix(part, begin) }) {
				missing = append(missing, begin)
			}
		}
		if missing != nil || !strings.HasPrefix(e.Message, "Invalid ") {
			t.Errorf("%v: %q lacks %q", tt.config, e.Message, missing)
		}
	}
	if err := job.Errorf(job.NotFound, "x"); !errors.Is(refusalV2(err, nil), err) {
		t.Error("another error is changed")
	}
}
