// Package workflow is the catalogue of workflows: which uploads a workflow takes, which stages it runs and
// with which command lines, which files result, what makes a configuration or an upload acceptable, and how a
// stage's output tells its progress and the reason of its failure. It is pure: bytes in, verdict out.
package workflow

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

// Upload is a file that a user may upload before the start.
type Upload struct {
	Kind     string
	Required bool
	MaxSize  int64 // bytes, as uploaded; a deployment may allow less
}

// Kinds of uploads.
const (
	GenomeFASTA          = "genome_fasta"
	ProdigalTrainingFile = "prodigal_training_file"
	RepliconsTable       = "replicons_table"
	RegionsFile          = "regions_file"
	TrustedProteinsFile  = "trusted_proteins_file"
	HMMsFile             = "hmms_file"
	ProteinFASTA         = "protein_fasta"
	BaktaJSON            = "bakta_json"
)

// Stage is one program run of a workflow.
type Stage struct {
	Name    string // the name in the API, in logs and in the manifest
	Title   string // the name for people: its log begins with "<Title> Command: …"
	Program string // the program to run; a deployment says how it is reached (image, entry command, path)
}

// Programs that stages run.
const (
	ProgramBakta         = "bakta"
	ProgramBaktaProteins = "bakta_proteins"
	ProgramBaktfold      = "baktfold"
)

// ResultFile is a file of a workflow's outcome.
type ResultFile struct {
	Ending   string // after the prefix and a dot; the name of the job.File
	Key      string // key in the API's second version
	KeyV1    string // key in the API's first version; empty where that has none
	Required bool   // without it the run has failed, whatever its exit code
	Stage    string // the stage that writes it; of several, the last
	File     string // its name in that stage's output directory
}

// The largest uploads, in bytes. The program holds a genome in memory several times over, so a deployment
// will want less than what is allowed here: the largest bacterial genome known has 16 million letters, and a
// gibibyte is what a metagenome may come to.
const (
	maxGenome   = 1 << 30
	maxTraining = 10 << 20 // the file has half a mebibyte
	maxReplicon = 10 << 20 // a hundred thousand sequences
)

// resultPrefix begins the names of all result files in the stages' output directories.
const resultPrefix = "result"

// Catalogue returns all workflows. The caller may change what it gets.
func Catalogue() []Workflow { return []Workflow{bakta()} }

// Lookup returns the workflow of that kind.
func Lookup(kind string) (Workflow, bool) {
	for _, w := range Catalogue() {
		if w.Kind == kind {
			return w, true
		}
	}
	return Workflow{}, false
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

// bakta is the annotation of a genome by Bakta.
func bakta() Workflow {
	return Workflow{
		Kind:       Bakta,
		ResultKind: "bakta",
		Uploads: []Upload{
			{Kind: GenomeFASTA, Required: true, MaxSize: maxGenome},
			{Kind: ProdigalTrainingFile, MaxSize: maxTraining},
			{Kind: RepliconsTable, MaxSize: maxReplicon},
		},
		Stages: []Stage{{Name: "bakta", Title: "Bakta", Program: ProgramBakta}},
		// Only the JSON file is required: Bakta writes some files only if there is something to write, or if
		// their step is not skipped, and the API's second version asks for no other.
		Results: writtenBy("bakta", []ResultFile{
			{Ending: "embl", Key: "embl", KeyV1: "EMBL"},
			{Ending: "faa", Key: "faa", KeyV1: "FAA"},
			{Ending: "hypotheticals.faa", Key: "hypotheticals_faa", KeyV1: "FAAHypothetical"},
			{Ending: "ffn", Key: "ffn", KeyV1: "FFN"},
			{Ending: "fna", Key: "fna", KeyV1: "FNA"},
			{Ending: "gbff", Key: "gbff", KeyV1: "GBFF"},
			{Ending: "gff3", Key: "gff3", KeyV1: "GFF3"},
			{Ending: "json", Key: "json", KeyV1: "JSON", Required: true},
			{Ending: "tsv", Key: "tsv", KeyV1: "TSV"},
			{Ending: "hypotheticals.tsv", Key: "hypotheticals_tsv", KeyV1: "TSVHypothetical"},
			{Ending: "inference.tsv", Key: "inference_tsv", KeyV1: "TSVInference"},
			{Ending: "txt", Key: "logs_txt", KeyV1: "TXTLogs"}, // a summary, whatever the keys say
			{Ending: "png", Key: "circular_plot_png", KeyV1: "PNGCircularPlot"},
			{Ending: "svg", Key: "circular_plot_svg", KeyV1: "SVGCircularPlot"},
		}),
	}
}

// writtenBy completes result files that a stage writes under the names that its prefix and their endings make.
func writtenBy(stage string, files []ResultFile) []ResultFile {
	for i := range files {
		files[i].Stage, files[i].File = stage, resultPrefix+"."+files[i].Ending
	}
	return files
}

// upload returns the upload of that kind that the workflow takes.
func (w Workflow) upload(kind string) (Upload, bool) {
	for _, u := range w.Uploads {
		if u.Kind == kind {
			return u, true
		}
	}
	return Upload{}, false
}
