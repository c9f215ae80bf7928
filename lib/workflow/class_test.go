package workflow

import (
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

func TestClassOf(t *testing.T) {
	t.Parallel()
	started := func(kind, upload, name string, size int64) job.Job {
		other := job.Input{Kind: "replicons_table", Name: "replicons.tsv", Size: 1 << 30}
		return job.Job{Workflow: kind, Start: &job.Start{Inputs: []job.Input{other, {Kind: upload, Name: name, Size: size}}}}
	}
	for _, tt := range []struct {
		name string
		j    job.Job
		want string // empty: none
	}{
		{"not started", job.Job{Workflow: Bakta}, ""},
		{"of an unknown workflow", started("other", upload.GenomeFASTA, "genome.fna", 1), ""},
		{"without its main input", started(Bakta, upload.ProteinFASTA, "proteins.faa", 1), ""},
		{"an empty file", started(Bakta, upload.GenomeFASTA, "genome.fna", 0), "bakta .fna 2^0"},
		{"one byte", started(Bakta, upload.GenomeFASTA, "genome.fna", 1), "bakta .fna 2^0"},
		{"at a border", started(Bakta, upload.GenomeFASTA, "genome.fna", 4<<20), "bakta .fna 2^22"},
		{"above a border", started(Bakta, upload.GenomeFASTA, "genome.fna", 4<<20+1), "bakta .fna 2^23"},
		{"compressed", started(Bakta, upload.GenomeFASTA, "genome.fna.gz", 1<<20), "bakta .gz 2^20"},
		{"proteins", started(BaktaProteins, upload.ProteinFASTA, "proteins.faa", 1000), "bakta_proteins .faa 2^10"},
		{"an annotation", started(Baktfold, upload.BaktaJSON, "annotation.json", 1000), "baktfold .json 2^10"},
	} {
		c, ok := ClassOf(tt.j)
		if ok != (tt.want != "") || ok && c.String() != tt.want {
			t.Errorf("%s: %s, %v, want %q", tt.name, c, ok, tt.want)
		}
	}
	near := Class{Workflow: Bakta, Format: ".fna", Size: 20}.Near()
	if len(near) != 2 || near[0].String() != "bakta .fna 2^19" || near[1].String() != "bakta .fna 2^21" {
		t.Errorf("near: %v", near)
	}
}
