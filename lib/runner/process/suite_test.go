package process

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/runnertest"
)

func TestRunner(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t *testing.T) runnertest.Fixture {
		const jobs = 4
		f := set(t, func(o *Options) { o.Jobs, o.Specs = jobs, runnertest.Specs })
		s := runnertest.Fixture{Runner: f.Runner, Files: f.files, Executes: executes, Timeout: time.Minute}
		launch := func(t *testing.T, p runnertest.Program) job.Job {
			j, err := s.NewJob(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			f.launch(j)
			return j
		}
		filled := false
		s.Wait = func(t *testing.T) job.Job {
			for range jobs {
				if !filled {
					f.await(launch(t, runnertest.Hang), job.Active)
				}
			}
			filled = true
			return launch(t, runnertest.Succeed)
		}
		return s
	})
}

// executes reports whether a process of the job is alive. The id of the job is in the environment of its programs and on the
// command lines of its stagers. A zombie has neither.
func executes(t *testing.T, id string) bool {
	var paths []string
	for _, name := range []string{"environ", "cmdline"} {
		found, err := filepath.Glob("/proc/[0-9]*/" + name)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		// A process may end here, and processes of other users cannot be read.
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(id)) {
			return true
		}
	}
	return false
}
