// Package stage is what happens inside a job's run, wherever that is: inputs are brought (In), the stages'
// programs run one after the other with their output kept (Run), and results, logs and the manifest are
// stored (Out). A pod runs the three in containers of their own, local mode in one process.
package stage

import (
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Manifest is the commit point of a run: the last object that it writes, and the only one that is believed.
// What it names is complete.
type Manifest struct {
	Job     string       `json:"job"`
	Run     int          `json:"run"`
	Outcome Outcome      `json:"outcome"`
	Failure *job.Failure `json:"failure,omitempty"`
	Stages  []Result     `json:"stages"`
	Files   []job.File   `json:"files"` // result files
	Logs    []job.File   `json:"logs"`  // one for each stage that wrote one
}

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
)

// Result is how one stage ended.
type Result struct {
	Name     string          `json:"name"`
	Status   job.StageStatus `json:"status"`
	Started  time.Time       `json:"started,omitzero"`
	Ended    time.Time       `json:"ended,omitzero"`
	ExitCode int             `json:"exit_code"`        // -1 when it did not exit by itself
	Signal   string          `json:"signal,omitempty"` // what ended it, if a signal did
}
