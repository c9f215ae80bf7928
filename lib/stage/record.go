package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// inputRecord is the result of In: the inputs are complete, or will never be available.
type inputRecord struct {
	Job     string       `json:"job"`
	Run     int          `json:"run"`
	Inputs  []job.Input  `json:"inputs"`
	Failure *job.Failure `json:"failure,omitempty"`
}

// Record is the state of a stage. If the status is running but the process is not alive, the stage was interrupted.
type Record struct {
	Result
	Failure *job.Failure `json:"failure,omitempty"`
	Process Process      `json:"process,omitzero"` // the program
}

// over reports whether the stage has run to its end.
func (r Record) over() bool {
	return r.Status == job.StageSucceeded || r.Status == job.StageFailed
}

// Records are the states of a run's inputs and stages.
type Records struct {
	Inputs *job.Failure      // why its inputs are not available; nil if they were downloaded
	Stages map[string]Record // of the stages that began
}

// Names of files below the directory of states: one for the inputs, the others in the directory of each stage.
const (
	inputState = "inputs.json"
	recordFile = "record.json"
	logFile    = "output.log"
	reserve    = "reserve" // disk space for a record
)

// maxRecord bounds a record, in bytes. The programs of a run may have replaced it.
const maxRecord = 64 << 10

// ReadRecords reads what the stagers of a run have recorded. It returns an error if In has not ended yet.
func ReadRecords(s Spec) (Records, error) {
	var in inputRecord
	begun, err := read(Dir(s.Dir), inputState, &in)
	if err == nil && (!begun || in.Job != s.Job || in.Run != s.Run) {
		err = errors.New("the inputs have not been downloaded")
	}
	if err != nil {
		return Records{}, fmt.Errorf("run %d of job %s: %w", s.Run, s.Job, err)
	}
	r := Records{Inputs: in.Failure, Stages: make(map[string]Record)}
	for _, c := range s.Stages {
		rec, found, err := readStage(Dir(s.Dir), c.Stage)
		if err != nil {
			return Records{}, err
		}
		if found {
			r.Stages[c.Stage] = rec
		}
	}
	return r, nil
}

// ReadRecord reads a record as "stager run --report" prints it.
func ReadRecord(b []byte) (Record, error) {
	var r Record
	if len(b) > maxRecord {
		return r, fmt.Errorf("a record of %d bytes, at most %d are allowed", len(b), maxRecord)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("reading a stage's record: %w", err)
	}
	return r, nil
}

// readStage returns a stage's record, and whether there is one. Without a record, the stage is pending.
func readStage(dir Dir, stage string) (Record, bool, error) {
	var rec Record
	found, err := read(dir, filepath.Join(stage, recordFile), &rec)
	if err != nil {
		return Record{}, false, err
	}
	if !found || rec.Name != stage {
		return Record{Result: Result{Name: stage, Status: job.StagePending}}, false, nil
	}
	return rec, true, nil
}

// read reads a file of the directory of states into v and reports whether there is one.
func read(dir Dir, name string, v any) (bool, error) {
	content, err := readRegular(dir, filepath.Join(states, name), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the run's %s: %w", name, err)
	}
	if err := json.Unmarshal(content, v); err != nil {
		return false, fmt.Errorf("reading the run's %s: %w", name, err)
	}
	return true, nil
}

// write writes v to a file of a directory.
func write(dir *os.Root, name string, v any) error {
	content, err := json.Marshal(v)
	if err == nil {
		err = writeFile(dir, name, content)
	}
	if err != nil {
		return fmt.Errorf("writing the run's %s: %w", name, err)
	}
	return nil
}

// writeFile writes a small file of an open directory atomically, even if that was renamed in between: every reader, also after a crash of
// the process or of the machine, finds either the old content or the new. It replaces whatever has the file's name.
func writeFile(dir *os.Root, name string, content []byte) (err error) {
	// The containers of a pod run as different users, so all may read it.
	f, err := renameio.NewPendingFile(name, renameio.WithRoot(dir), renameio.WithStaticPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Cleanup()
		}
	}()
	if _, err = f.Write(content); err != nil {
		return err
	}
	// A program may have created a directory of that name, and no file can be renamed onto it. Anything else keeps the name
	// until the rename, whatever fails.
	if info, err := dir.Lstat(name); err == nil && info.IsDir() {
		if err = remove(dir, name); err != nil {
			return err
		}
	}
	if err = f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
