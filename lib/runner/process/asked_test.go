package process

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// TestAskedToEnd has something outside ask a run's processes to end: that is no outcome of the job, unless no further run may begin.
func TestAskedToEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script string
		run          int
		failed       string // part of the failure in the manifest; empty for no manifest
	}{
		{name: "the program", script: "kill -TERM $$; sleep 1000", run: 1},
		{name: "its stager", script: "kill -TERM $PPID; sleep 1000", run: 1},
		{name: "both", script: "kill -TERM $PPID $$; sleep 1000", run: 1},
		{name: "both, by a terminal that is closed", script: "kill -HUP $PPID $$; sleep 1000", run: 1},
		{name: "the program of the last run", script: "kill -TERM $$; sleep 1000", run: job.MaxRuns, failed: "SIGTERM"},
		{name: "the stager of the last run", script: "kill -TERM $PPID; sleep 1000", run: job.MaxRuns, failed: "did not run to its end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(tt.script, "-HUP") && signal.Ignored(syscall.SIGHUP) {
				t.Skip("nohup started this test, so its processes do not get the signal")
			}
			f := set(t, nil)
			j := script(tt.script)
			j.Run = tt.run
			f.launch(j)
			seen := f.await(j, job.Ended)
			if _, found := f.files.content(job.ManifestKey(j.ID, j.Run)); found != (tt.failed != "") || seen.Interrupted == found {
				t.Fatalf("there is a manifest: %t; observed: %+v", found, seen)
			}
			if tt.failed != "" {
				if m := f.manifest(j); m.Failure == nil || !strings.Contains(m.Failure.Message, tt.failed) {
					t.Errorf("manifest: %+v", m)
				}
			}
		})
	}
}

// TestAskedToEndWithTheBackend has all processes asked to end, as an init system does: the next Runner executes the run.
func TestAskedToEndWithTheBackend(t *testing.T) {
	t.Parallel()
	const message = "trap 'echo a tool was killed >&2; exit 1' TERM; while :; do sleep 0.05; done"
	for _, tt := range []struct {
		name, script string
		last         bool // the backend is asked after the program
	}{
		{"the backend, then a program", "sleep 1000", false},
		{"a program, then the backend", "sleep 1000", true},
		{"the backend, then a program that ends with a message", message, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := set(t, nil)
			dir := t.TempDir()
			note, again := filepath.Join(dir, "pid"), filepath.Join(dir, "again")
			j := script("[ ! -e " + again + " ] || { " + fine + "; exit; }; touch " + again + "; " +
				"echo $$ > " + note + ".new; mv " + note + ".new " + note + "; " + tt.script)
			f.launch(j)
			until(t, "the program", func() bool { _, err := os.Stat(note); return err == nil })
			content, err := os.ReadFile(note)
			if err != nil {
				t.Fatal(err)
			}
			program, err := strconv.Atoi(strings.TrimSpace(string(content)))
			if err != nil {
				t.Fatal(err)
			}
			if !tt.last {
				f.Ending()
			}
			if err := syscall.Kill(-program, syscall.SIGTERM); err != nil { // its group
				t.Fatal(err)
			}
			until(t, "the program's end", func() bool { return syscall.Kill(program, 0) != nil })
			f.Ending()
			if seen := f.observe(j); seen.Phase != job.Active {
				t.Errorf("before the end of the backend: %+v", seen)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			f.open()
			f.await(j, job.Ended)
			if m := f.manifest(j); m.Outcome != stage.Succeeded || m.Run != 1 {
				t.Errorf("manifest: %+v", m)
			}
		})
	}
}
