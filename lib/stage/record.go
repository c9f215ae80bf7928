package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// inputRecord is what In has done: the inputs lie there whole, or can never be had.
type inputRecord struct {
	Job     string       `json:"job"`
	Run     int          `json:"run"`
	Inputs  []job.Input  `json:"inputs"`
	Failure *job.Failure `json:"failure,omitempty"`
}

// stageRecord is how far a stage has come. One whose status is running, without a process that runs, was cut
// off.
type stageRecord struct {
	Result
	Failure *job.Failure `json:"failure,omitempty"`
	Process identity     `json:"process,omitzero"`
}

// over reports whether the stage has run to its end.
func (r stageRecord) over() bool {
	return r.Status == job.StageSucceeded || r.Status == job.StageFailed
}

// Names of records. Stages' records have a prefix, so that no stage's name can be that of another record.
const (
	inputState  = "inputs"
	stagePrefix = "stage-"
	reserve     = "reserve" // no record, but the room for one
)

// maxRecord bounds a record. The programs of a run can write where the records lie, so their size is not
// taken on trust.
const maxRecord = 64 << 10

// Status returns how far the stages of a run have come, in the spec's order. It may be called while the run
// goes on.
func Status(s Spec) ([]Result, error) {
	results := make([]Result, 0, len(s.Stages))
	for _, c := range s.Stages {
		rec, _, err := readStage(Dir(s.Dir), c.Stage)
		if err != nil {
			return nil, err
		}
		results = append(results, rec.Result)
	}
	return results, nil
}

// readStage returns a stage's record. One that does not exist is of a pending stage.
func readStage(dir Dir, stage string) (stageRecord, bool, error) {
	var rec stageRecord
	found, err := read(dir, stagePrefix+stage, &rec)
	if err != nil {
		return stageRecord{}, false, err
	}
	if !found || rec.Name != stage {
		return stageRecord{Result: Result{Name: stage, Status: job.StagePending}}, false, nil
	}
	return rec, true, nil
}

// read reads the record of that name into v and reports whether there is one.
func read(dir Dir, name string, v any) (bool, error) {
	content, err := readRegular(dir, filepath.Join(states, name+".json"), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the run's record of %s: %w", name, err)
	}
	if err := json.Unmarshal(content, v); err != nil {
		return false, fmt.Errorf("reading the run's record of %s: %w", name, err)
	}
	return true, nil
}

// write writes the record of that name.
func write(dir Dir, name string, v any) error {
	content, err := json.Marshal(v)
	if err == nil {
		err = WriteFile(dir.state(name), content)
	}
	if err != nil {
		return fmt.Errorf("writing the run's record of %s: %w", name, err)
	}
	return nil
}

// WriteFile writes a small file so that every reader, also after a crash of the process or of the machine,
// meets the old content or the new and nothing between. The file is readable by all that reach its directory.
func WriteFile(path string, content []byte) (err error) {
	dir, base := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+base+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	// The containers of a pod run as different users.
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
