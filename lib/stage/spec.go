package stage

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Spec describes a run completely. It contains no secret and no presigned link, because others can read it (in a Job's pod
// template, in local mode's directory).
type Spec struct {
	Job     string      `json:"job"`
	Run     int         `json:"run"`
	Dir     string      `json:"dir"`    // the run's working directory, absolute; empty at the start
	Inputs  []job.Input `json:"inputs"` // downloaded to Dir/in/<Name>
	Stages  []Command   `json:"stages"` // in order
	Results []Expected  `json:"results"`

	// MaxResults bounds the results together, in bytes; DefaultMaxResults if 0. A run whose results are larger has failed.
	MaxResults int64 `json:"max_results,omitempty"`
}

// DefaultMaxResults is ten times the size of Bakta's results for a metagenome of 80 million base pairs: about twelve bytes for
// each base pair.
const DefaultMaxResults = 10 << 30

// Command is one stage's command line.
type Command struct {
	Stage string   `json:"stage"`
	Title string   `json:"title"` // its log begins with "<Title> Command: …"
	Argv  []string `json:"argv"`  // program first, a path or a name on PATH; no shell interprets it
	Env   []string `json:"env"`   // NAME=value, in addition to Options.Environ
	// Warnings are those about the uploads at the start of the job. The log has them after its first line.
	Warnings []string `json:"warnings,omitempty"`
}

// Expected is a result file that the stages may write.
type Expected struct {
	Ending   string `json:"ending"`
	Path     string `json:"path"`     // relative to Dir, below the output directory of the stage that writes it last
	Required bool   `json:"required"` // if there is none at Path, the run has failed
	// Else are the paths where earlier stages may have written it, the latest first. If there is none at Path, the first one
	// that exists counts.
	Else []string `json:"else,omitempty"`
}

// Bounds of a spec, so that it fits into a pod template, and that a run uploads a limited number of files.
const (
	maxSpec   = 256 << 10 // bytes of JSON
	maxInputs = 64
	maxStages = 16
	maxFiles  = 256
)

var (
	stageName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	endingName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
)

// ReadSpec reads a spec from JSON and validates it.
func ReadSpec(b []byte) (Spec, error) {
	var s Spec
	if len(b) > maxSpec {
		return s, fmt.Errorf("the spec has %d bytes, at most %d are allowed", len(b), maxSpec)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("reading the spec: %w", err)
	}
	return s, s.Validate()
}

// Validate returns why a spec is unusable. Names become file names and object keys, so they must not lead out of their
// directory or prefix.
func (s Spec) Validate() error {
	if id, err := job.ParseID(s.Job); err != nil || id != s.Job {
		return fmt.Errorf("spec: %q is not a job id", s.Job)
	}
	if s.Run < 1 {
		return fmt.Errorf("spec: the run number %d is not valid; runs are numbered from 1", s.Run)
	}
	if !filepath.IsAbs(s.Dir) || filepath.Clean(s.Dir) == "/" {
		return fmt.Errorf("spec: %q is not the absolute path of a directory", s.Dir)
	}
	if len(s.Inputs) > maxInputs || len(s.Stages) > maxStages || len(s.Results) > maxFiles {
		return fmt.Errorf("spec: %d inputs, %d stages and %d results, at most %d, %d and %d are allowed",
			len(s.Inputs), len(s.Stages), len(s.Results), maxInputs, maxStages, maxFiles)
	}
	if s.MaxResults < 0 {
		return fmt.Errorf("spec: the limit of all results is negative: %d bytes", s.MaxResults)
	}
	seen := make(map[string]bool)
	once := func(what, name string) error {
		if seen[what+name] {
			return fmt.Errorf("spec: the %s %q occurs twice", what, name)
		}
		seen[what+name] = true
		return nil
	}
	for _, in := range s.Inputs {
		if !stageName.MatchString(in.Kind) || !endingName.MatchString(in.Name) || in.Size < 0 || in.ETag == "" {
			return fmt.Errorf("spec: the input %q with name %q, size %d and ETag %q is not valid", in.Kind, in.Name, in.Size, in.ETag)
		}
		if err := once("input", in.Name); err != nil {
			return err
		}
	}
	if len(s.Stages) == 0 {
		return fmt.Errorf("spec: at least one stage is required")
	}
	for _, c := range s.Stages {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("spec: %w", err)
		}
		if err := once("stage", c.Stage); err != nil {
			return err
		}
	}
	for _, r := range s.Results {
		if !endingName.MatchString(r.Ending) {
			return fmt.Errorf("spec: %q is not a valid ending of a result file", r.Ending)
		}
		for _, path := range r.places() {
			if !filepath.IsLocal(path) || !seen["stage"+writer(path)] {
				return fmt.Errorf("spec: the result %q at %q is not in a stage's output directory", r.Ending, path)
			}
		}
		if err := once("result", r.Ending); err != nil {
			return err
		}
	}
	return nil
}

// Validate returns why a command is unusable.
func (c Command) Validate() error {
	if !stageName.MatchString(c.Stage) {
		return fmt.Errorf("%q is not a valid stage name", c.Stage)
	}
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return fmt.Errorf("stage %s: the program is missing", c.Stage)
	}
	for _, list := range [][]string{c.Argv, c.Env, c.Warnings} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return fmt.Errorf("stage %s: %q contains a NUL", c.Stage, s)
			}
		}
	}
	for _, e := range c.Env {
		if strings.IndexByte(e, '=') < 1 {
			return fmt.Errorf("stage %s: %q is not of the form NAME=value", c.Stage, e)
		}
	}
	return nil
}

// places returns the paths where the result may be, in the order in which they count.
func (r Expected) places() []string { return append([]string{r.Path}, r.Else...) }

// writer returns the stage whose output directory holds the file.
func writer(path string) string {
	rest, ok := strings.CutPrefix(filepath.ToSlash(filepath.Clean(path)), outputs+"/")
	if !ok {
		return ""
	}
	name, _, ok := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	return name
}

// Dir is a run's working directory. It contains every file that a command line names.
type Dir string

// The directories in it.
const (
	inputs  = "in"
	outputs = "out"
	temps   = "tmp"
	states  = "state"
)

// Input is the path to which In downloads the input of that name.
func (d Dir) Input(name string) string { return filepath.Join(string(d), inputs, name) }

// Output is the directory to which a stage writes its results. Run creates it, empty, before it starts the stage.
func (d Dir) Output(stage string) string { return filepath.Join(string(d), outputs, stage) }

// Temp is the directory for temporary files, and the working directory of every program. Run empties it
// before it starts a stage.
func (d Dir) Temp() string { return filepath.Join(string(d), temps) }

// State is the directory in which stagers record a run: its inputs and, in a directory for each stage, the stage's record and
// log. In a cluster each stage's container can write only to its own.
func (d Dir) State() string { return filepath.Join(string(d), states) }

// StageState is the directory of a stage's record and log.
func (d Dir) StageState(stage string) string { return filepath.Join(d.State(), stage) }

// Log is the file with the output of a stage.
func (d Dir) Log(stage string) string { return filepath.Join(d.StageState(stage), logFile) }
