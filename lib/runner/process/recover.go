package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// recover reads the records of the runner before this one, and removes what that was about to remove. The caller holds the lock.
func (r *Runner) recover(entries []os.DirEntry) {
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool {
		object, ok := strings.CutSuffix(e.Name(), ".json")
		return !ok || strings.HasPrefix(object, ".") // of a released run, or an incomplete record, whose launch never returned
	})
	records, failures := r.readRecords(entries)
	var waits []*run
	for i, e := range entries {
		object := strings.TrimSuffix(e.Name(), ".json")
		x := &run{dir: filepath.Join(r.work(), object), record: records[i]}
		err := failures[i]
		if err == nil && x.object() != object {
			err = fmt.Errorf("the record is of the run %s", x.object())
		}
		if err != nil {
			// The run counts as never launched, so the lifecycle launches it again.
			r.o.Log.Error("a run's record can't be read and is removed", "record", e.Name(), "error", err)
			if err := os.Rename(filepath.Join(r.records(), e.Name()), filepath.Join(r.trash(), e.Name())); err != nil {
				r.o.Log.Error("a run's record can't be removed", "record", e.Name(), "error", err)
			}
			continue
		}
		if x.Phase == active {
			r.interrupted(x)
		}
		x.shed()
		r.runs[object] = x
		if x.Phase == waiting {
			waits = append(waits, x)
		}
	}
	r.queue.restore(r.readTurns(), waits)
	if err := r.tidy(); err != nil {
		r.o.Log.Error("what the process before left can't be removed", "error", err)
	}
}

// readRecords reads many records at once: thousands of runs may wait.
func (r *Runner) readRecords(entries []os.DirEntry) (records []record, failures []error) {
	records, failures = make([]record, len(entries)), make([]error, len(entries))
	var readers sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(entries); i = int(next.Add(1)) - 1 {
				path, waits := filepath.Join(r.records(), entries[i].Name()), false
				if records[i], waits = readHead(path); !waits {
					records[i], failures[i] = readRecord(path)
				}
			}
		})
	}
	readers.Wait()
	return records, failures
}

// readTurns returns what the process before this one stored, or nothing: then the line whose first run was started first is next.
func (r *Runner) readTurns() turns {
	var t turns
	content, err := os.ReadFile(r.turns())
	if err == nil {
		err = json.Unmarshal(content, &t)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.o.Log.Warn("the order of the queue can't be read; it begins with the jobs that were started first", "error", err)
		t = turns{}
	}
	return t
}

// interrupted ends a run that was active when the process before this one ended.
func (r *Runner) interrupted(x *run) {
	if x.Stager != nil {
		x.Programs = append([]stage.Process{*x.Stager}, x.Programs...)
		x.Stager = nil
	}
	if copied(x) {
		x.Programs = nil
	}
	if err := stage.KillLeft(x.dir, killTimeout, x.Programs...); err != nil {
		// The processes write to their own directory only, so they cannot harm the next run.
		r.o.Log.Error("processes of an interrupted run still run", "job", x.Job, "error", err)
	}
	r.reserved[x.Job] = true
	x.Phase, x.Since, x.Interrupted = ended, time.Now().UTC(), true
	x.Failure = &job.Failure{
		Code:    job.Internal,
		Message: "The job was interrupted because the server was stopped. This is not a fault of your data.",
	}
	r.put(x)
}

// copied reports whether the record is a copy, made with its whole directory: then the processes in it are those of another runner, which
// may be alive. A directory that was moved is no copy.
func copied(x *run) bool {
	if x.Dir == "" || x.Dir == x.dir {
		return false
	}
	origin, err := os.Stat(x.Dir)
	if err != nil {
		return false
	}
	own, err := os.Stat(x.dir)
	return err != nil || !os.SameFile(origin, own)
}

// tidy removes the directories of runs whose removal was not completed.
func (r *Runner) tidy() error {
	entries, err := os.ReadDir(r.work())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if r.runs[e.Name()] == nil {
			dir := filepath.Join(r.work(), e.Name())
			if err := stage.KillLeft(dir, killTimeout); err != nil {
				r.o.Log.Error("processes of a removed run still run", "dir", dir, "error", err)
			}
			r.discard(dir)
		}
	}
	left, err := os.ReadDir(r.trash())
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := stage.Remove(filepath.Join(r.trash(), e.Name())); err != nil {
			r.o.Log.Error("a run's directory can't be removed completely", "dir", e.Name(), "error", err)
		}
	}
	incomplete, err := filepath.Glob(filepath.Join(r.records(), ".*"))
	for _, path := range incomplete {
		os.Remove(path)
	}
	return err
}
