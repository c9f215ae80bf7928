package submit_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// uploads is a storage with files by upload kind.
type uploads struct {
	submit.Files
	content map[string]string
}

func (u uploads) Open(_ context.Context, key, _ string) (io.ReadCloser, job.File, error) {
	content, ok := u.content[key[strings.LastIndexByte(key, '/')+1:]]
	if !ok {
		return nil, job.File{}, job.Errorf(job.NotFound, "there is no such file")
	}
	return io.NopCloser(strings.NewReader(content)), job.File{Key: key, Size: int64(len(content)), ETag: "e"}, nil
}

// started is a store that has one job, and keeps with what it was submitted.
type started struct {
	created
	kind  string
	start job.Start
}

func (s *started) Get(ctx context.Context, id string) (job.Job, error) {
	j, err := s.created.Get(ctx, id)
	j.Workflow, j.API = s.kind, 2
	return j, err
}

func (s *started) Submit(_ context.Context, _ string, start job.Start, _ []job.Stage, _, _, _ time.Time) (bool, error) {
	s.submitted, s.start = true, start
	return false, job.Errorf(job.Unavailable, "this is far enough")
}

func TestOptionalUploads(t *testing.T) {
	const (
		genome  = ">c1\nATGAAACTGCTGGTGTAA\n"
		regions = "c1\tx\tCDS\t1\t18\t.\t+\t0\t.\n"
		trusted = ">p gen~~~product~~~\nMKLL\n"
	)
	all := map[string]string{upload.GenomeFASTA: genome, upload.RegionsFile: regions, upload.TrustedProteinsFile: trusted}
	with := func(kind, content string) map[string]string {
		changed := map[string]string{upload.GenomeFASTA: genome}
		changed[kind] = content
		return changed
	}
	use := func(kind string, promised bool) option.Config {
		return option.Config{Use: map[string]bool{kind: promised}}
	}
	for _, tt := range []struct {
		name    string
		kind    string
		content map[string]string
		config  option.Config
		inputs  []string // names, in the catalogue's order
		refused string   // words of the refusal; none: the job is submitted
	}{
		{"the uploads decide", workflow.Bakta, all, option.Config{}, []string{"genome.fna", "regions.gff3", "proteins.faa"}, ""},
		{"declined", workflow.Bakta, all, use(upload.RegionsFile, false), []string{"genome.fna", "proteins.faa"}, ""},
		{"of another genome", workflow.Bakta, with(upload.RegionsFile, strings.Replace(regions, "c1", "c2", 1)), option.Config{}, nil, `"c2"`},
		{"of another genome, declined", workflow.Bakta, with(upload.RegionsFile, "c2\tx"), use(upload.RegionsFile, false), []string{"genome.fna"},
			""},
		{"blank", workflow.Bakta, with(upload.HMMsFile, "\n"), option.Config{}, []string{"genome.fna"}, ""},
		{"blank and promised", workflow.Bakta, with(upload.HMMsFile, "\n"), use(upload.HMMsFile, true), nil, "profile HMMs: the uploaded " +
			"file is empty"},
		{"a blank table is no promise", workflow.Bakta, with(upload.RepliconsTable, "\n"), use(upload.RepliconsTable, true),
			[]string{"genome.fna"}, ""},
		{"promised and not there", workflow.BaktaBaktfold, with("x", ""), use(upload.TrustedProteinsFile, true), nil, "trusted proteins: the " +
			"file was not uploaded"},
		{"useless", workflow.Bakta, with(upload.TrustedProteinsFile, trusted), option.Config{Skip: []string{"cds"}},
			[]string{"genome.fna", "proteins.faa"}, ""},
		{"both stages", workflow.BaktaBaktfold, all, option.Config{}, []string{"genome.fna", "regions.gff3", "proteins.faa"}, ""},
		{"proteins, with options for genomes", workflow.BaktaProteins, map[string]string{upload.ProteinFASTA: ">a\nMKLL\n"},
			option.Config{TranslationTable: 7, Use: map[string]bool{upload.RepliconsTable: true}}, []string{"proteins.faa"}, ""},
		{"no proteins", workflow.BaktaProteins, map[string]string{upload.GenomeFASTA: genome}, option.Config{}, nil,
			"protein FASTA: the file was not uploaded"},
		{"an annotation of proteins", workflow.Baktfold, map[string]string{upload.BaktaJSON: `{"features": []}`}, option.Config{}, nil,
			"proteins without a genome"},
	} {
		jobs := &started{kind: tt.kind}
		f, err := submit.New(submit.Deps{
			Jobs: jobs, Files: uploads{content: tt.content}, Launcher: launcher{}, Offered: workflow.Catalogue(),
			Retention: time.Hour, UploadTTL: time.Hour, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Start(
			t.Context(),
			submit.Start{API: 2, ID: "123e4567-e89b-42d3-a456-426614174000", Secret: secret, Workflow: tt.kind, Config: tt.config},
		)
		if tt.refused != "" {
			if jobs.submitted || !job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s: submitted %t, %v", tt.name, jobs.submitted, err)
			}
			continue
		}
		var names []string
		for _, in := range jobs.start.Inputs {
			names = append(names, in.Name)
		}
		if !slices.Equal(names, tt.inputs) {
			t.Errorf("%s: inputs %v, %v", tt.name, names, err)
		}
	}
}
