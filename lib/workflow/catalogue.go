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
	Bakta = "bakta"
)

// Upload is a file that a user may upload before the start.
type Upload struct {
	Kind     string
	Required bool
	MaxSize  int64 // bytes
}

// Kinds of uploads.
const (
	GenomeFASTA          = "genome_fasta"
	ProdigalTrainingFile = "prodigal_training_file"
	RepliconsTable       = "replicons_table"
)

// Stage is one program run of a workflow.
type Stage struct {
	Name    string // the name in the API, in logs and in the manifest
	Title   string // the name for people: its log begins with "<Title> Command: …"
	Program string // the program to run; a deployment says how it is reached (image, entry command, path)
}

// ResultFile is a file of a workflow's outcome.
type ResultFile struct {
	Ending   string // after the prefix and a dot; the name of the job.File
	Key      string // key in the API's second version
	KeyV1    string // key in the API's first version; empty where that has none
	Required bool   // without it the run has failed, whatever its exit code
}

// Lookup returns the workflow of that kind.
func Lookup(kind string) (Workflow, bool) {
	for _, w := range catalogue {
		if w.Kind == kind {
			return w, true
		}
	}
	return Workflow{}, false
}
