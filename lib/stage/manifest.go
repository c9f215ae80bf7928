// Package stage executes the parts of a job's run: In downloads the inputs, Run executes the program of one stage and keeps its
// output, Out stores results, logs and the manifest. A pod has a container for In, for each stage and for Out. Local mode calls
// In and Store in the backend's process, and starts a process for each stage.
//
// Every step may be interrupted anywhere and run again. Each records what it has completed in small files below the run's
// directory, which are written atomically. The next step, or the same step again, continues from them.
package stage

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// ManifestVersion is the version of the manifest's format that this package writes and reads.
const ManifestVersion = 1

// Manifest is the commit point of a run: the last object that it stores, and the only one that determines its outcome. The
// files that it names are complete.
type Manifest struct {
	Version int          `json:"version"` // ManifestVersion
	Job     string       `json:"job"`
	Run     int          `json:"run"`
	Outcome Outcome      `json:"outcome"`
	Failure *job.Failure `json:"failure,omitempty"` // set if and only if the outcome is Failed
	Stages  []Result     `json:"stages"`            // all of the run's stages, in order
	Files   []job.File   `json:"files"`             // result files
	Logs    []job.File   `json:"logs"`              // one for each stage that wrote one
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
	ExitCode int             `json:"exit_code"`        // -1 if a signal ended the program
	Signal   string          `json:"signal,omitempty"` // the signal that ended the program, if any
}

// MaxManifest is the largest manifest that is written or read, in bytes.
const MaxManifest = 1 << 20

// ReadManifest reads a manifest of the supported version. It does not verify the content; Check does that.
func ReadManifest(b []byte) (Manifest, error) {
	if len(b) > MaxManifest {
		return Manifest{}, fmt.Errorf("the manifest has %d bytes, at most %d are allowed", len(b), MaxManifest)
	}
	// The version first: in another version the fields may have another meaning.
	var form struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &form); err != nil {
		return Manifest{}, fmt.Errorf("reading the manifest: %w", err)
	}
	if form.Version != ManifestVersion {
		return Manifest{}, fmt.Errorf("the manifest has version %d, only %d is supported", form.Version, ManifestVersion)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Manifest{}, fmt.Errorf("reading the manifest: %w", err)
	}
	return m, nil
}

// Check returns why a manifest is not the outcome of that job's run, given all objects below the run's prefix: it is of another
// run, it contradicts itself, or a file that it names is missing or was replaced.
func Check(m Manifest, id string, run int, stored []job.File) error {
	if m.Version != ManifestVersion {
		return fmt.Errorf("manifest: version %d is not supported", m.Version)
	}
	if m.Job != id || m.Run != run {
		return fmt.Errorf("manifest: it is of run %d of job %q, not of run %d of job %q", m.Run, m.Job, run, id)
	}
	if err := m.consistent(); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	there := make(map[string]job.File, len(stored))
	for _, f := range stored {
		there[f.Key] = f
	}
	prefix := job.RunPrefix(id, run)
	for _, list := range [][]job.File{m.Files, m.Logs} {
		names := make(map[string]bool, len(list))
		for _, f := range list {
			is, found := there[f.Key]
			switch {
			case !endingName.MatchString(f.Name) || names[f.Name]:
				return fmt.Errorf("manifest: the file name %q is not valid, or occurs twice", f.Name)
			case !strings.HasPrefix(f.Key, prefix) || f.Key == job.ManifestKey(id, run):
				return fmt.Errorf("manifest: %q is not a file of this run", f.Key)
			case !found:
				return fmt.Errorf("manifest: %q is missing", f.Key)
			case is.Size != f.Size || is.ETag != f.ETag || f.ETag == "":
				return fmt.Errorf("manifest: %q has size %d and ETag %q, the object %d and %q", f.Key, f.Size, f.ETag, is.Size, is.ETag)
			}
			names[f.Name] = true
		}
	}
	return nil
}

// consistent returns a contradiction in a manifest, if any.
func (m Manifest) consistent() error {
	if len(m.Stages) == 0 {
		return fmt.Errorf("it names no stages")
	}
	stages := make(map[string]bool, len(m.Stages))
	succeeded := 0
	for _, s := range m.Stages {
		if !stageName.MatchString(s.Name) || stages[s.Name] {
			return fmt.Errorf("the stage name %q is not valid, or occurs twice", s.Name)
		}
		stages[s.Name] = true
		switch s.Status {
		case job.StageSucceeded:
			succeeded++
		case job.StagePending, job.StageFailed:
		default:
			return fmt.Errorf("stage %s ended as %q", s.Name, s.Status)
		}
	}
	for _, f := range m.Logs {
		if !stages[f.Name] {
			return fmt.Errorf("a log of %q, which is not a stage", f.Name)
		}
	}
	switch m.Outcome {
	case Succeeded:
		if m.Failure != nil || succeeded != len(m.Stages) {
			return fmt.Errorf("it succeeded, yet not all of its stages did")
		}
	case Failed:
		if m.Failure == nil || m.Failure.Code == "" || m.Failure.Message == "" {
			return fmt.Errorf("it failed without a reason")
		}
	default:
		return fmt.Errorf("the outcome %q is not known", m.Outcome)
	}
	return nil
}
