package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// TestSetJobs changes how many jobs run at a time while some run.
func TestSetJobs(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	gate := t.TempDir()
	var jobs []job.Job
	for i := range 6 {
		j := script(fmt.Sprintf("while [ ! -e %s/%d ]; do sleep 0.01; done; %s", gate, i, fine))
		jobs = append(jobs, j)
		f.launch(j)
	}
	expect := func(when string, active ...int) {
		t.Helper()
		for _, i := range active {
			f.await(jobs[i], job.Active)
		}
		if q, err := f.Queue(t.Context(), nil); err != nil || len(q.Running) != len(active) {
			t.Errorf("%s: %+v, %v, want %d running", when, q, err, len(active))
		}
	}
	end := func(i int) {
		t.Helper()
		touch(t, fmt.Sprintf("%s/%d", gate, i))
		f.await(jobs[i], job.Ended)
		if m := f.manifest(jobs[i]); m.Outcome != stage.Succeeded {
			t.Errorf("job %d: %+v", i, m)
		}
	}
	expect("at first", 0)
	f.SetJobs(3)
	expect("more", 0, 1, 2)
	f.SetJobs(1)
	expect("fewer: none is ended", 0, 1, 2)
	end(0)
	expect("two are more than one", 1, 2)
	end(1)
	expect("one is no fewer than one", 2)
	end(2)
	expect("one is next", 3)
	f.SetJobs(2)
	expect("two at a time", 3, 4)
	for _, i := range []int{3, 4, 5} {
		end(i)
	}
}

// TestSpecsAtTheBegin checks that a run does what Specs returns when it begins, also after a restart, and that a record of an
// older version, which has only what the launch knew, is executed as it was launched.
func TestSpecsAtTheBegin(t *testing.T) {
	t.Parallel()
	var threads atomic.Int32
	threads.Store(1)
	f := set(t, func(o *Options) {
		o.Specs = func(j job.Job, dir string) (stage.Spec, error) {
			spec, err := specs(j, dir)
			spec.Stages[0].Argv[2] = fmt.Sprintf("THREADS=%d; ", threads.Load()) + spec.Stages[0].Argv[2]
			if j.Workflow == "gone" && threads.Load() > 1 {
				err = fmt.Errorf("the program is no longer installed")
			}
			return spec, err
		}
	})
	gate := t.TempDir()
	runs := script(fmt.Sprintf("while [ ! -e %s/go ]; do sleep 0.01; done; %s", gate, fine))
	f.launch(runs)
	f.await(runs, job.Active)
	note := func(name string) job.Job { return script(fmt.Sprintf("echo $THREADS > %s/%s; %s", gate, name, fine)) }
	waits, gone, old := note("waits"), note("gone"), note("old")
	gone.Workflow = "gone"
	for _, j := range []job.Job{waits, gone, old} {
		f.launch(j)
	}
	threads.Store(2)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.options.Dir, "records", job.ObjectName(old.ID, 1)+".json")
	stored, err := readRecord(path)
	if err != nil {
		t.Fatal(err)
	}
	stored.Start, stored.Workflow = nil, ""
	if err := writeJSON(path, stored); err != nil {
		t.Fatal(err)
	}
	touch(t, gate+"/go")
	f.open()
	for _, j := range []job.Job{runs, waits, old} {
		f.await(j, job.Ended)
		if m := f.manifest(j); m.Outcome != stage.Succeeded {
			t.Errorf("%+v", m)
		}
	}
	if seen := f.await(gone, job.Ended); seen.Failure == nil || !strings.Contains(seen.Failure.Message, "not configured") || seen.Interrupted {
		t.Errorf("of a program that is gone: %+v", seen)
	}
	for name, want := range map[string]string{"waits": "2\n", "old": "1\n"} {
		if got, err := os.ReadFile(filepath.Join(gate, name)); string(got) != want {
			t.Errorf("%s had %q threads, %v, want %q", name, got, err, want)
		}
	}
}
