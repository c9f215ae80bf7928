package process

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

func TestOneRun(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	j := script(fine)
	if seen := f.observe(j); seen.Phase != job.Absent {
		t.Errorf("before the launch: %+v", seen)
	}
	f.launch(j)
	seen := f.await(j, job.Ended)
	if seen.Failure != nil || seen.Interrupted || len(seen.Stages) != 1 ||
		seen.Stages[0] != (job.Stage{Name: "bakta", Status: job.StageSucceeded}) {
		t.Errorf("at the end: %+v", seen)
	}
	m := f.manifest(j)
	if m.Outcome != stage.Succeeded || len(m.Files) != 1 || len(m.Logs) != 1 {
		t.Errorf("manifest: %+v", m)
	}
	if got, _ := f.files.content(m.Files[0].Key); string(got) != "result\n" {
		t.Errorf("result: %q", got)
	}
	if got, _ := f.files.content(
		m.Logs[0].Key,
	); !strings.HasPrefix(string(got), "Bakta Command: /bin/sh") ||
		!strings.HasSuffix(string(got), "\nworking\n") {
		t.Errorf("log: %q", got)
	}
	if err := f.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	until(t, "a report", func() bool { return f.noted(j) })
	// The caller of this late launch read the job before it ended. The run is not executed again.
	f.launch(j)
	if seen := f.observe(j); seen.Phase != job.Ended || seen.Failure != nil || seen.Interrupted {
		t.Errorf("after the release: %+v", seen)
	}
	if err := f.Release(t.Context(), j); err != nil {
		t.Error(err)
	}
	f.Close()
	f.open()
	if seen := f.observe(j); seen.Phase != job.Ended {
		t.Errorf("after the release and a restart: %+v", seen)
	}
	if err := f.Stop(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if seen := f.observe(j); seen.Phase != job.Absent {
		t.Errorf("after the stop: %+v", seen)
	}
	f.empty(j.ID)
}

// TestOutcomes checks why runs failed: by the manifest or, if there is none, by the observation.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	missing := []job.Input{{Kind: "genome_fasta", Size: 1, ETag: "gone", Name: "genome.fna"}}
	tests := []struct {
		name   string
		job    job.Job
		change func(o *Options)

		outcome  stage.Outcome   // of the manifest; empty for none
		code     job.FailureCode // of the failure, there or in the observation
		message  string
		noOutput bool // no log is stored
	}{
		{name: "the program fails", job: script("echo ERROR: wrong genome file format >&2; exit 1"),
			outcome: stage.Failed, code: job.BadInput, message: "wrong genome file format"},
		{name: "the program is killed", job: script("kill -9 $$"),
			outcome: stage.Failed, code: job.Internal, message: "SIGKILL"},
		{name: "a result is missing", job: script("true"),
			outcome: stage.Failed, code: job.Internal, message: "result.gff3"},
		{name: "a result is a FIFO", job: script("mkfifo ../out/bakta/result.gff3"),
			outcome: stage.Failed, code: job.Internal, message: "result.gff3"},
		{name: "an upload is gone", job: job.Job{ID: script("").ID, Run: 1, Start: &job.Start{Config: []byte(fine), Inputs: missing}},
			outcome: stage.Failed, code: job.BadInput, message: "genome: the upload was changed or removed", noOutput: true},
		{name: "no program", job: script(fine), change: func(o *Options) {
			o.Specs = func(j job.Job, dir string) (stage.Spec, error) {
				s, err := specs(j, dir)
				s.Stages[0].Argv = []string{"/no/such/bakta"}
				return s, err
			}
		}, outcome: stage.Failed, code: job.BadImage, message: "could not be started"},
		{
			name:    "the program takes too long",
			job:     script("echo begun; trap '' TERM; while :; do sleep 0.05; done"),
			change:  func(o *Options) { o.Limit = time.Second },
			outcome: stage.Failed,
			code:    job.OutOfTime,
			message: "longer than its limit of 1s",
		},
		{name: "no stager", job: script(fine), change: func(o *Options) { o.Stager = []string{"/no/such/stager"} },
			outcome: stage.Failed, code: job.Internal, message: "did not run to its end", noOutput: true},
		{name: "the stager is killed", job: script("kill -9 $PPID; sleep 1000"),
			outcome: stage.Failed, code: job.Internal, message: "did not run to its end"},
		{
			name: "the stager is killed and its record forged",
			job: script(`echo '{"name":"bakta","status":"succeeded"}' > ../state/bakta/record.json; ` +
				`echo 1 > ../out/bakta/result.gff3; kill -9 $PPID; sleep 1000`),
			outcome: stage.Failed,
			code:    job.Internal,
			message: "did not run to its end",
		},
		{name: "the program removes what it should not", job: script("rm -rf ../state ../out"),
			outcome: stage.Failed, code: job.Internal, message: "did not write these results", noOutput: true},
		{name: "no way to run it", job: script(fine), change: func(o *Options) {
			o.Specs = func(job.Job, string) (stage.Spec, error) { return stage.Spec{}, errors.New("unknown workflow") }
		}, code: job.Internal, message: "not configured to run the job"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := set(t, tt.change)
			f.launch(tt.job)
			seen := f.await(tt.job, job.Ended)
			failure := seen.Failure
			if tt.outcome != "" {
				m := f.manifest(tt.job)
				if failure = m.Failure; m.Outcome != tt.outcome || seen.Failure != nil {
					t.Errorf("manifest: %+v; observed: %+v", m, seen)
				}
				if (len(m.Logs) == 0) != tt.noOutput {
					t.Errorf("logs: %v", m.Logs)
				}
			} else if _, found := f.files.content(job.ManifestKey(tt.job.ID, 1)); found {
				t.Error("there is a manifest")
			}
			if failure == nil || failure.Code != tt.code || !strings.Contains(failure.Message, tt.message) {
				t.Errorf("failure: %+v, want %s with %q", failure, tt.code, tt.message)
			}
			if seen.Interrupted {
				t.Errorf("interrupted: %v", seen.Interrupted)
			}
			// The next one runs all the same.
			if tt.change == nil {
				next := script(fine)
				f.launch(next)
				f.await(next, job.Ended)
				if m := f.manifest(next); m.Outcome != stage.Succeeded {
					t.Errorf("the next run: %+v", m)
				}
			}
		})
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	gate := filepath.Join(t.TempDir(), "go")
	j, waits := script("echo first; while [ ! -e "+gate+" ]; do sleep 0.01; done; echo second; "+fine), script(fine)
	read := func(j job.Job, stage string) (string, error) {
		log, err := f.Log(t.Context(), j, stage)
		if err != nil {
			return "", err
		}
		defer log.Close()
		b, err := io.ReadAll(log)
		return string(b), err
	}
	missing := func(j job.Job, stage string) {
		t.Helper()
		if text, err := read(j, stage); !job.Is(err, job.NotFound) {
			t.Errorf("log of %s: %q, %v", stage, text, err)
		}
	}
	missing(j, "bakta")
	f.launch(j)
	f.launch(waits)
	until(t, "the first line", func() bool {
		text, err := read(j, "bakta")
		return err == nil && strings.HasPrefix(text, "Bakta Command: ") && strings.HasSuffix(text, "\nfirst\n")
	})
	missing(j, "other")
	missing(j, "../records/x")
	missing(waits, "bakta")
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.await(j, job.Ended)
	if text, err := read(j, "bakta"); err != nil || !strings.HasSuffix(text, "\nfirst\nsecond\nworking\n") {
		t.Errorf("log: %q, %v", text, err)
	}
	if err := f.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	missing(j, "bakta")
}

func TestALogOfAGigabyte(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	j := script("yes 'a line of output that says nothing' | head -c 1000000000; " + fine)
	f.launch(j)
	f.await(j, job.Ended)
	m := f.manifest(j)
	if m.Outcome != stage.Succeeded || m.Logs[0].Size < stage.DefaultMaxLog || m.Logs[0].Size > stage.DefaultMaxLog+1000 {
		t.Errorf("manifest: %+v", m)
	}
}

// TestProgramsSeeNothingOfTheBackend checks that a program gets neither the backend's secrets nor its open files.
func TestProgramsSeeNothingOfTheBackend(t *testing.T) {
	t.Parallel()
	f := set(t, func(o *Options) {
		o.Environ = append(o.Environ, "AWS_SECRET_ACCESS_KEY=secret", "MongoPassword=secret")
	})
	j := script("env; ls -l /proc/self/fd; cat /proc/$PPID/environ | tr '\\0' '\\n'; " + fine)
	f.launch(j)
	f.await(j, job.Ended)
	log, _ := f.files.content(f.manifest(j).Logs[0].Key)
	if !strings.Contains(string(log), "\nOWN=1\n") || strings.Contains(string(log), "secret") {
		t.Errorf("environment: %s", log)
	}
	if strings.Contains(string(log), f.options.Dir+"/lock") || strings.Contains(string(log), "socket:") {
		t.Errorf("open files: %s", log)
	}
}
