package submit

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// V1 speaks the API's first version.
type V1 struct {
	pb.UnimplementedBaktaJobsServer
	f *Function
}

// V1 returns the methods InitJob and StartJob.
func (f *Function) V1() V1 { return V1{f: f} }

// InitJob makes a job of the workflow "bakta", the only one that this version knows. The type of the replicon
// table is not kept: Bakta goes by the content, and so does the start.
func (v V1) InitJob(ctx context.Context, r *pb.InitJobRequest) (*pb.InitJobResponse, error) {
	made, err := v.f.Init(ctx, 1, r.GetName(), workflow.Bakta)
	if err != nil {
		return nil, err
	}
	links := make(map[string]string, len(made.Uploads))
	for _, u := range made.Uploads {
		links[u.Kind] = u.URL
	}
	return &pb.InitJobResponse{
		UploadLinkFasta:     links[upload.GenomeFASTA],
		UploadLinkProdigal:  links[upload.ProdigalTrainingFile],
		UploadLinkReplicons: links[upload.RepliconsTable],
		Job:                 &pb.JobAuth{JobID: made.ID, Secret: made.Secret},
	}, nil
}

// StartJob starts a job of the workflow "bakta", whichever version made it. Without a configuration, Bakta's defaults hold.
func (v V1) StartJob(ctx context.Context, r *pb.StartJobRequest) (*pb.Empty, error) {
	_, err := v.f.Start(ctx, Start{
		API: 1, ID: r.GetJob().GetJobID(), Secret: r.GetJob().GetSecret(), Workflow: workflow.Bakta, Config: configV1(r.GetConfig()),
		// This version has no words for these, and no links to upload them to.
		Declined: []string{upload.RegionsFile, upload.TrustedProteinsFile, upload.HMMsFile},
	})
	if err != nil {
		return nil, option.Respell(err, spellingV1)
	}
	return &pb.Empty{}, nil
}

// spellingV1 is how the first version calls what a configuration calls otherwise.
var spellingV1 = map[string]string{
	"translation_table":   "translationTable",
	"complete_genome":     "completeGenome",
	"keep_contig_headers": "keepContigHeaders",
	"min_contig_length":   "minContigLength",
	"derm_type":           "dermType",
	"locus_tag":           "locusTag",
}

// configV1 reads the first version's configuration.
func configV1(c *pb.JobConfig) option.Config {
	config := option.Config{
		TranslationTable:  int(c.GetTranslationalTable()),
		CompleteGenome:    c.GetCompleteGenome(),
		KeepContigHeaders: c.GetKeepContigHeaders(),
		MinContigLength:   c.GetMinContigLength(),
		Genus:             c.GetGenus(),
		Species:           c.GetSpecies(),
		Strain:            c.GetStrain(),
		Plasmid:           c.GetPlasmid(),
		Locus:             c.GetLocus(),
		LocusTag:          c.GetLocusTag(),
		Compliant:         c.GetCompliant(),
	}
	switch c.GetDermType() {
	case pb.DermType_MONODERM:
		config.DermType = option.Monoderm
	case pb.DermType_DIDERM:
		config.DermType = option.Diderm
	}
	use := make(map[string]bool)
	if c != nil && c.HasProdigal != nil {
		use[upload.ProdigalTrainingFile] = c.GetHasProdigal()
	}
	if c != nil && c.HasReplicons != nil {
		use[upload.RepliconsTable] = c.GetHasReplicons()
	}
	config.Use = use
	return config
}
