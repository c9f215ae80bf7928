package stage

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Spec is all that a run needs to know. It is written where others can read it (a Job's pod template, a
// directory of local mode), so it holds no secret and no presigned link.
type Spec struct {
	Job     string      `json:"job"`
	Run     int         `json:"run"`
	Dir     string      `json:"dir"`    // the run's working directory, absolute; empty at the start
	Inputs  []job.Input `json:"inputs"` // brought to Dir/in/<Name>
	Stages  []Command   `json:"stages"` // in order
	Results []Expected  `json:"results"`

	// MaxResults bounds the results together, in bytes; DefaultMaxResults if 0. A run whose results are larger has failed.
	MaxResults int64 `json:"max_results,omitempty"`
}

// DefaultMaxResults is ten times what Bakta leaves of a metagenome of 80 million base pairs: about twelve bytes for each.
const DefaultMaxResults = 10 << 30

// Command is one stage's command line.
type Command struct {
	Stage string   `json:"stage"`
	Title string   `json:"title"` // its log begins with "<Title> Command: …"
	Argv  []string `json:"argv"`  // program first, a path or a name on PATH; no shell reads it
	Env   []string `json:"env"`   // NAME=value, on top of what the process has
	// Warnings are what was seen of the uploads when the job was started. They stand in the log behind its first line.
	Warnings []string `json:"warnings,omitempty"`
}

// Expected is a file that the stages may leave behind.
type Expected struct {
	Ending   string `json:"ending"`
	Path     string `json:"path"`     // where it lies under Dir, below the output directory of the stage that writes it last
	Required bool   `json:"required"` // without it at Path the run has failed
	// Else are the places where earlier stages may have left it, the latest first. The first that is there counts
	// when there is none at Path.
	Else []string `json:"else,omitempty"`
}

// Bounds of a spec. They keep a spec from growing past what a pod template takes, and a run from uploading
// without end.
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

// Validate reports what makes a spec unusable. Names become file names and object keys, so they must not
// reach out of the directory or the prefix that they belong to.
func (s Spec) Validate() error {
	if id, err := job.ParseID(s.Job); err != nil || id != s.Job {
		return fmt.Errorf("spec: %q is not a job id", s.Job)
	}
	if s.Run < 1 {
		return fmt.Errorf("spec: run %d; runs are numbered from 1", s.Run)
	}
	if !filepath.IsAbs(s.Dir) || filepath.Clean(s.Dir) == "/" {
		return fmt.Errorf("spec: %q is not the absolute path of a directory", s.Dir)
	}
	if len(s.Inputs) > maxInputs || len(s.Stages) > maxStages || len(s.Results) > maxFiles {
		return fmt.Errorf("spec: too many inputs, stages or results (%d, %d, %d)", len(s.Inputs), len(s.Stages), len(s.Results))
	}
	if s.MaxResults < 0 {
		return fmt.Errorf("spec: %d bytes for all results", s.MaxResults)
	}
	seen := make(map[string]bool)
	once := func(what, name string) error {
		if seen[what+name] {
			return fmt.Errorf("spec: %s %q stands there twice", what, name)
		}
		seen[what+name] = true
		return nil
	}
	for _, in := range s.Inputs {
		if !stageName.MatchString(in.Kind) || !endingName.MatchString(in.Name) || in.Size < 0 || in.ETag == "" {
			return fmt.Errorf("spec: input %q with name %q, size %d and ETag %q", in.Kind, in.Name, in.Size, in.ETag)
		}
		if err := once("input", in.Name); err != nil {
			return err
		}
	}
	if len(s.Stages) == 0 {
		return fmt.Errorf("spec: no stages")
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
			return fmt.Errorf("spec: result %q; that can't be a file's ending", r.Ending)
		}
		for _, path := range r.places() {
			if !filepath.IsLocal(path) || !seen["stage"+writer(path)] {
				return fmt.Errorf("spec: result %q at %q, which is not a file of a stage's output directory", r.Ending, path)
			}
		}
		if err := once("result", r.Ending); err != nil {
			return err
		}
	}
	return nil
}

// Validate reports what makes a command unusable.
func (c Command) Validate() error {
	if !stageName.MatchString(c.Stage) {
		return fmt.Errorf("%q is not a valid stage name", c.Stage)
	}
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return fmt.Errorf("stage %s: no program", c.Stage)
	}
	for _, list := range [][]string{c.Argv, c.Env, c.Warnings} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return fmt.Errorf("stage %s: %q holds a NUL", c.Stage, s)
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

// places returns where the result may lie, the place that counts first.
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

// Dir is a run's working directory. Everything that a command line names lies in it at a place of its own.
type Dir string

// The directories in it.
const (
	inputs  = "in"
	outputs = "out"
	temps   = "tmp"
	states  = "state"
)

// Input is where In puts the input of that name.
func (d Dir) Input(name string) string { return filepath.Join(string(d), inputs, name) }

// Output is the directory that a stage writes its results to. Run makes it, empty, before it starts the stage.
func (d Dir) Output(stage string) string { return filepath.Join(string(d), outputs, stage) }

// Temp is the directory for temporary files, and the working directory of every program. Run empties it
// before it starts a stage.
func (d Dir) Temp() string { return filepath.Join(string(d), temps) }

// State is the directory of all that stagers keep of a run: what became of its inputs and, in a directory for each
// stage, the stage's record and log. In a cluster each stage's container can write into its own alone.
func (d Dir) State() string { return filepath.Join(string(d), states) }

// StageState is the directory of what a stage's stager keeps.
func (d Dir) StageState(stage string) string { return filepath.Join(d.State(), stage) }

// Log is the file with what a stage printed.
func (d Dir) Log(stage string) string { return filepath.Join(d.StageState(stage), logFile) }
