package stage

import "github.com/ag-computational-bio/bakta-web-backend/lib/job"

// Spec is all that a run needs to know. It is written where others can read it (a Job's pod template, a
// directory of local mode), so it holds no secret and no presigned link.
type Spec struct {
	Job     string      `json:"job"`
	Run     int         `json:"run"`
	Dir     string      `json:"dir"`    // the run's working directory; empty at the start
	Inputs  []job.Input `json:"inputs"` // brought to Dir/in/<Name>
	Stages  []Command   `json:"stages"` // in order
	Results []Expected  `json:"results"`
}

// Command is one stage's command line.
type Command struct {
	Stage string   `json:"stage"`
	Title string   `json:"title"` // its log begins with "<Title> Command: …"
	Argv  []string `json:"argv"`  // program first; no shell reads it
	Env   []string `json:"env"`   // NAME=value, on top of what the process has
}

// Expected is a file that the stages may leave behind.
type Expected struct {
	Ending   string `json:"ending"`
	Path     string `json:"path"`     // where it lies under Dir
	Required bool   `json:"required"` // without it the run has failed
}
