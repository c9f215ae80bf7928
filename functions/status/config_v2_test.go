package status

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

func TestConfigV2(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		config option.Config
		inputs []string
		want   *pb.JobConfig
	}{
		{"nothing", option.Config{}, nil, &pb.JobConfig{}},
		{"promised, and declined", option.Config{Use: map[string]bool{upload.RegionsFile: true, upload.HMMsFile: false}},
			[]string{upload.GenomeFASTA, upload.RegionsFile}, &pb.JobConfig{UseRegions: true}},
		{"a blank table", option.Config{Use: map[string]bool{upload.RepliconsTable: true}}, []string{upload.GenomeFASTA},
			&pb.JobConfig{UseReplicons: true}},
		{"found by the first version", option.Config{}, []string{upload.GenomeFASTA, upload.ProdigalTrainingFile},
			&pb.JobConfig{UseProdigalTrainingFile: true}},
		{"options", option.Config{TranslationTable: 4, MinContigLength: 1 << 40, LocusTagIncrement: 5, DermType: option.Diderm,
			Genus: "g", Meta: true, Skip: []string{"trna", "ncrna_region"}}, nil, &pb.JobConfig{TranslationTable: 4, MinContigLength: 1 << 40,
			LocusTagIncrement: 5, DermType: pb.DermType_DERM_TYPE_DIDERM, Genus: "g", Meta: true, SkipTrna: true, SkipNcrnaRegion: true}},
	} {
		encoded, err := option.Encode(row.config)
		if err != nil {
			t.Fatal(err)
		}
		j := job.Job{Start: &job.Start{Config: encoded}}
		for _, kind := range row.inputs {
			j.Start.Inputs = append(j.Start.Inputs, job.Input{Kind: kind})
		}
		if got := configV2(j); !proto.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
	if got := configV2(job.Job{}); got != nil {
		t.Errorf("before the start it is %v", got)
	}
}
