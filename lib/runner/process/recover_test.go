package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

func TestCloseRunsItAgain(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	dir := t.TempDir()
	note, count, gate := filepath.Join(dir, "pid"), filepath.Join(dir, "count"), filepath.Join(dir, "go")
	j := script(fmt.Sprintf("echo first >> %s; if [ ! -e %s ]; then %s; fi; %s", count, gate, stubborn("program", note), fine))
	next := script("echo second >> " + count + "; " + fine)
	f.launch(j)
	f.launch(next)
	process := pid(t, note)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !gone(process) {
		t.Errorf("process %d still runs", process)
	}
	if _, err := f.Launch(t.Context(), script(fine)); !job.Is(err, job.Unavailable) {
		t.Errorf("Launch after Close: %v", err)
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.open()
	for _, j := range []job.Job{j, next} {
		if seen := f.await(j, job.Ended); seen.Interrupted {
			t.Errorf("observed %+v", seen)
		}
		if m := f.manifest(j); m.Outcome != stage.Succeeded {
			t.Errorf("manifest: %+v", m)
		}
	}
	if b, err := os.ReadFile(count); string(b) != "first\nfirst\nsecond\n" {
		t.Errorf("ran: %q, %v", b, err)
	}
}

// A copy of a directory, such as a backup, has the processes of the original in its records.
func TestACopySparesTheOriginal(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	dir := t.TempDir()
	note, gate := filepath.Join(dir, "pid"), filepath.Join(dir, "go")
	j := script(fmt.Sprintf("echo $$ > %s.new; mv %[1]s.new %[1]s; until [ -e %s ]; do sleep 0.01; done; %s", note, gate, fine))
	f.launch(j)
	program := pid(t, note)
	copied := f.options
	copied.Dir = filepath.Join(dir, "copy")
	if err := os.CopyFS(copied.Dir, os.DirFS(f.options.Dir)); err != nil {
		t.Fatal(err)
	}
	copied.Stager = []string{"/no/such/stager"} // it must not run the job again
	r, err := New(copied)
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.Observe(t.Context(), j) // it has read its records
	if err != nil || o.Phase != job.Ended || !o.Interrupted {
		t.Errorf("in the copy, the run is %+v, %v", o, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if gone(program) {
		t.Error("the program of the original was killed")
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.await(j, job.Ended)
	if m := f.manifest(j); m.Outcome != stage.Succeeded {
		t.Errorf("the original's manifest: %+v", m)
	}
}

func TestTwoRunnersOnOneDirectory(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	if r, err := New(f.options); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("New: %v, %v", r, err)
	}
}

func TestADirectoryThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	j := script(fine)
	records := filepath.Join(f.options.Dir, "records")
	if err := os.Rename(records, records+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Launch(t.Context(), j); !job.Is(err, job.Unavailable) {
		t.Errorf("Launch: %v", err)
	}
	if seen := f.observe(j); seen.Phase != job.Absent {
		t.Errorf("observed: %+v", seen)
	}
	if err := os.Rename(records+"-away", records); err != nil {
		t.Fatal(err)
	}
	f.launch(j)
	f.await(j, job.Ended)

	o := f.options
	o.Dir = filepath.Join(t.TempDir(), "file", "runner")
	if err := os.WriteFile(filepath.Dir(o.Dir), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil {
		t.Error("New on a path below a file: no error")
	}
}

// TestWhatIsLeftHalfDone opens a directory in the state in which killed processes can leave it.
func TestWhatIsLeftHalfDone(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	done, torn := script(fine), script(fine)
	f.launch(done)
	f.await(done, job.Ended)
	f.Close()
	for path, content := range map[string]string{
		"records/.x.json.123":                                  "{",
		"records/" + job.ObjectName(torn.ID, 1) + ".json":      "{",
		"work/" + job.ObjectName(torn.ID, 1) + "/in/x":         "x",
		"work/" + job.ObjectName(script("").ID, 1) + "/in/x":   "x",
		"trash/" + job.ObjectName(script("").ID, 1) + "-1/w/x": "x",
	} {
		path = filepath.Join(f.options.Dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.open()
	if seen := f.observe(done); seen.Phase != job.Ended {
		t.Errorf("observed %+v", seen)
	}
	if seen := f.observe(torn); seen.Phase != job.Absent {
		t.Errorf("observed %+v", seen)
	}
	for dir, want := range map[string]int{"records": 1, "work": 1, "trash": 0} {
		entries, err := os.ReadDir(filepath.Join(f.options.Dir, dir))
		if err != nil || len(entries) != want {
			t.Errorf("%s: %v, %v", dir, entries, err)
		}
	}
	f.launch(torn)
	f.await(torn, job.Ended)
}

// TestCloseWhileARecordCannotBeRead: the runner closes when a run has been taken from the queue and its record can't be read. The record
// keeps what the next runner needs to execute the run.
func TestCloseWhileARecordCannotBeRead(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	first, j := script("while :; do sleep 1; done"), script(fine)
	f.launch(first)
	f.launch(j)
	f.await(first, job.Active)
	path := filepath.Join(f.records(), job.ObjectName(j.ID, j.Run)+".json")
	before, err := readRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Runner.mu.Lock()
	x := f.runs[job.ObjectName(j.ID, j.Run)]
	f.queue.remove(x)
	x.Phase, x.done = active, make(chan struct{})
	f.Runner.mu.Unlock()
	f.conclude(errClosing, x, nil, errors.New("the disk does not answer"))
	after, err := readRecord(path)
	if err != nil || after.Phase != waiting || !reflect.DeepEqual(after.Start, before.Start) || !reflect.DeepEqual(after.Spec, before.Spec) {
		t.Errorf("recorded is %+v, %v; before: %+v", after, err, before)
	}
}
