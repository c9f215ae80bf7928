package process

import (
	"path/filepath"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// stubborn is a script that writes the id of a process to a file. The process ignores SIGTERM and never ends.
func stubborn(kind, note string) string {
	switch kind {
	case "program":
		return `trap '' TERM; echo $$ > ` + note + `; while :; do sleep 0.05; done`
	case "daemon in the group":
		return `(trap '' TERM; while :; do sleep 0.05; done) & echo $! > ` + note + `; wait`
	case "daemon outside the group":
		return `trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ > ` + note + `; while :; do sleep 0.05; done' & while :; do sleep 0.05; done`
	}
	panic(kind)
}

var stubbornKinds = []string{"program", "daemon in the group", "daemon outside the group"}

func TestStop(t *testing.T) {
	t.Parallel()
	for _, kind := range stubbornKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := set(t, nil)
			note := filepath.Join(t.TempDir(), "pid")
			j, next, waits := script(stubborn(kind, note)), script(fine), script(fine)
			f.launch(j)
			process := pid(t, note)
			f.launch(waits)
			f.launch(next)
			if err := f.Stop(t.Context(), waits.ID); err != nil {
				t.Fatal(err)
			}
			if err := f.Stop(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
			if !gone(process) {
				t.Errorf("process %d still runs", process)
			}
			for _, j := range []job.Job{j, waits} {
				if seen := f.observe(j); seen.Phase != job.Absent {
					t.Errorf("observed %+v", seen)
				}
				f.empty(j.ID)
				if got := f.files.list(job.Prefix(j.ID)); len(got) != 0 {
					t.Errorf("stored: %v", got)
				}
			}
			f.await(next, job.Ended)
			if m := f.manifest(next); m.Outcome != stage.Succeeded {
				t.Errorf("the next run: %+v", m)
			}
			if err := f.Stop(t.Context(), j.ID); err != nil {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

// TestDiscardOfAReleasedRun checks that a late launch does not run a released run again, even if it was discarded since.
func TestDiscardOfAReleasedRun(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	released := script(fine)
	f.launch(released)
	f.await(released, job.Ended)
	if err := f.Release(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	f.launch(released)
	if seen := f.observe(released); seen.Phase != job.Ended {
		t.Errorf("observed %+v", seen)
	}
}

// TestStopWhileStorageIsAway checks that a run that waits for the store can be stopped.
func TestStopWhileStorageIsAway(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	f.files.fail(errAway)
	j := script(fine)
	f.launch(j)
	until(t, "the program's end", func() bool {
		seen := f.observe(j)
		return len(seen.Stages) == 1 && seen.Stages[0].Status == job.StageSucceeded
	})
	if seen := f.observe(j); seen.Phase != job.Active {
		t.Errorf("observed %+v", seen)
	}
	if err := f.Stop(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	f.empty(j.ID)
}

func TestReleaseOfARunThatStillGoesOn(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	note := filepath.Join(t.TempDir(), "pid")
	runs, waits := script(stubborn("program", note)), script(fine)
	f.launch(runs)
	f.launch(waits)
	process := pid(t, note)
	for _, j := range []job.Job{waits, runs} {
		if err := f.Release(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	f.await(runs, job.Ended)
	f.await(waits, job.Ended)
	if !gone(process) {
		t.Errorf("process %d still runs", process)
	}
	for _, j := range []job.Job{runs, waits} {
		if err := f.Stop(t.Context(), j.ID); err != nil {
			t.Error(err)
		}
		until(t, "an empty directory", func() bool { return len(f.left(j.ID)) == 0 })
	}
}
