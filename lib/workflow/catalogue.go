// Package workflow is the catalogue of workflows: the uploads that a workflow takes, the stages that it runs and the files
// that result.
package workflow

import (
	"slices"
	"sync"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/baktfold"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// Workflow is one row of the catalogue.
type Workflow struct {
	Kind       string       // the name in the API and in stored jobs
	ResultKind string       // which viewer and which file keys its results have
	Uploads    []Upload     // what may be uploaded, the required first
	Stages     []Stage      // run one after the other, each reading what those before it wrote
	Results    []ResultFile // what may be downloaded afterwards
}

// Kinds of workflows.
const (
	Bakta         = "bakta"          // a genome by Bakta
	BaktaProteins = "bakta_proteins" // proteins by Bakta
	Baktfold      = "baktfold"       // what Bakta left without a function, by Baktfold
	BaktaBaktfold = "bakta_baktfold" // both, one after the other
)

// Upload is a file that a workflow takes.
type Upload struct {
	upload.Upload
	Required bool
}

// Stage is one program run of a workflow.
type Stage struct {
	Name    string // the name in the API, in logs and in the manifest
	Title   string // the name for people: its log begins with "<Title> Command: …"
	Program string // the program to run; a deployment says how it is reached (image, entry command, path)
	After   string // the stage before it whose results it goes on from; empty: it reads uploads alone
}

// ResultFile is a file of a workflow's outcome.
type ResultFile struct {
	Ending string // after the prefix and a dot; the name of the job.File
	Key    string // key in the API's second version
	KeyV1  string // key in the API's first version
	// Required says that each of its stages has to write it: without it the run has failed, whatever the exit code.
	Required bool
	Stages   []string // the stages that may write it, in the workflow's order; of those that did, the last counts
	File     string   // its name in those stages' output directories
}

// Catalogue returns all workflows. The caller may change what it gets.
func Catalogue() []Workflow {
	return []Workflow{ofGenome(), ofProteins(), ofGenomeFolded(), ofAnnotation()}
}

// lookups is the catalogue as Lookup reads it. A call looks up several rows; making them each time was half of the time of a short call.
var lookups = sync.OnceValue(Catalogue)

// Lookup returns the workflow of that kind. Its slices are shared by all callers, who only read them.
func Lookup(kind string) (Workflow, bool) {
	for _, w := range lookups() {
		if w.Kind == kind {
			return w, true
		}
	}
	return Workflow{}, false
}

// StagesOf returns the stages of a job's run: those that are stored, or else those of its workflow, all pending. None are stored from
// the moment when a run was given up to the first observation of the next one. A workflow that is not in the catalogue has none.
func StagesOf(j job.Job) []job.Stage {
	if len(j.Stages) > 0 {
		return j.Stages
	}
	w, _ := Lookup(j.Workflow)
	return w.Pending()
}

// Pending returns the stages as they are before a run.
func (w Workflow) Pending() []job.Stage {
	stages := make([]job.Stage, 0, len(w.Stages))
	for _, s := range w.Stages {
		stages = append(stages, job.Stage{Name: s.Name, Status: job.StagePending})
	}
	return stages
}

// Offered returns the workflows that a deployment can run: those all of whose stages' programs it has.
func Offered(has func(program string) bool) []Workflow {
	var offered []Workflow
	for _, w := range Catalogue() {
		all := true
		for _, s := range w.Stages {
			all = all && has(s.Program)
		}
		if all {
			offered = append(offered, w)
		}
	}
	return offered
}

// ofGenome is the annotation of a genome by Bakta.
func ofGenome() Workflow {
	return Workflow{
		Kind:       Bakta,
		ResultKind: "bakta",
		Uploads: takes(upload.GenomeFASTA, upload.ProdigalTrainingFile, upload.RepliconsTable, upload.RegionsFile, upload.TrustedProteinsFile,
			upload.HMMsFile),
		Stages: []Stage{{Name: stageBakta, Title: "Bakta", Program: bakta.Name}},
		Results: results([]string{stageBakta}, "embl", "faa", "hypotheticals.faa", "ffn", "fna", "gbff", "gff3", "json", "tsv",
			"hypotheticals.tsv", "inference.tsv", "txt", "png", "svg"),
	}
}

// ofProteins is the annotation of proteins by Bakta, without a genome.
func ofProteins() Workflow {
	return Workflow{
		Kind:       BaktaProteins,
		ResultKind: "bakta_proteins",
		Uploads:    takes(upload.ProteinFASTA),
		Stages:     []Stage{{Name: stageProteins, Title: "Bakta Proteins", Program: bakta.ProteinsName}},
		Results:    results([]string{stageProteins}, "faa", "json", "tsv", "hypotheticals.tsv"),
	}
}

// ofGenomeFolded is the annotation of a genome by Bakta, gone on with by Baktfold.
func ofGenomeFolded() Workflow {
	w := ofGenome()
	w.Kind = BaktaBaktfold
	w.Stages = append(w.Stages, Stage{Name: stageBaktfold, Title: "Baktfold", Program: baktfold.Name, After: stageBakta})
	for i := range w.Results {
		switch w.Results[i].Ending {
		case "hypotheticals.faa", "hypotheticals.tsv", "txt", "png", "svg": // Baktfold writes none of these
		default:
			w.Results[i].Stages = append(w.Results[i].Stages, stageBaktfold)
		}
	}
	return w
}

// ofAnnotation is what Baktfold makes of an annotation by Bakta.
func ofAnnotation() Workflow {
	w := Workflow{
		Kind:       Baktfold,
		ResultKind: "baktfold",
		Uploads:    takes(upload.BaktaJSON),
		Stages:     []Stage{{Name: stageBaktfold, Title: "Baktfold", Program: baktfold.Name}},
		Results: results([]string{stageBaktfold}, "embl", "faa", "hypotheticals.faa", "ffn", "fna", "gbff", "gff3", "json", "tsv",
			"hypotheticals.tsv", "inference.tsv", "txt"),
	}
	for i := range w.Results {
		if w.Results[i].Ending == "txt" {
			w.Results[i].File = program.ResultPrefix + ".summary.txt"
		}
	}
	return w
}

// Names of stages.
const (
	stageBakta    = "bakta"
	stageProteins = "bakta_proteins"
	stageBaktfold = "baktfold"
)

// takes returns the uploads of those kinds. The first one is required.
func takes(required string, optional ...string) []Upload {
	var uploads []Upload
	for _, kind := range append([]string{required}, optional...) {
		row, _ := upload.Lookup(kind) // a test holds that there is one
		uploads = append(uploads, Upload{Upload: row, Required: kind == required})
	}
	return uploads
}

// results returns the result files with those endings that stages write under the names that their prefix and
// the endings make. Only the JSON file is required: Bakta writes some files only if there is something to write,
// or if their step is not skipped, and the API's second version asks for no other.
func results(stages []string, endings ...string) []ResultFile {
	keys := map[string][2]string{ // in the API's second version and its first
		"embl":              {"embl", "EMBL"},
		"faa":               {"faa", "FAA"},
		"hypotheticals.faa": {"hypotheticals_faa", "FAAHypothetical"},
		"ffn":               {"ffn", "FFN"},
		"fna":               {"fna", "FNA"},
		"gbff":              {"gbff", "GBFF"},
		"gff3":              {"gff3", "GFF3"},
		"json":              {"json", "JSON"},
		"tsv":               {"tsv", "TSV"},
		"hypotheticals.tsv": {"hypotheticals_tsv", "TSVHypothetical"},
		"inference.tsv":     {"inference_tsv", "TSVInference"},
		"txt":               {"logs_txt", "TXTLogs"}, // a summary, whatever the keys say
		"png":               {"circular_plot_png", "PNGCircularPlot"},
		"svg":               {"circular_plot_svg", "SVGCircularPlot"},
	}
	files := make([]ResultFile, 0, len(endings))
	for _, e := range endings {
		files = append(files, ResultFile{Ending: e, Key: keys[e][0], KeyV1: keys[e][1], Required: e == "json",
			Stages: slices.Clone(stages), File: program.ResultPrefix + "." + e})
	}
	return files
}
