package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	if seen.Failure != nil || seen.Interrupted || len(seen.Stages) != 1 || seen.Stages[0] != (job.Stage{Name: "bakta", Status: job.StageSucceeded}) {
		t.Errorf("at the end: %+v", seen)
	}
	m := f.manifest(j)
	if m.Outcome != stage.Succeeded || len(m.Files) != 1 || len(m.Logs) != 1 {
		t.Errorf("manifest: %+v", m)
	}
	if got, _ := f.files.content(m.Files[0].Key); string(got) != "result\n" {
		t.Errorf("result: %q", got)
	}
	if got, _ := f.files.content(m.Logs[0].Key); !strings.HasPrefix(string(got), "Bakta Command: /bin/sh") || !strings.HasSuffix(string(got), "\nworking\n") {
		t.Errorf("log: %q", got)
	}
	if err := f.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	until(t, "the last event", func() bool { return len(f.noted(j)) == 6 })
	if got := f.noted(j); !slices.Equal(got, []string{"add", "update", "update", "update", "update", "delete"}) {
		t.Errorf("events: %q", got)
	}
	// Launched late, by somebody who read the job before it ended: it is not run again.
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

// TestOutcomes holds what becomes of runs that do not succeed: the manifest tells it, or, where there is none,
// the observation.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	missing := []job.Input{{Kind: "genome_fasta", Size: 1, ETag: "gone", Name: "genome.fna"}}
	tests := []struct {
		name     string
		job      job.Job
		change   func(o *Options)
		away     bool            // the storage
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
		{name: "the program takes too long", job: script("echo begun; trap '' TERM; while :; do sleep 0.05; done"), change: func(o *Options) { o.Limit = time.Second },
			outcome: stage.Failed, code: job.OutOfTime, message: "longer than the 1s"},
		{name: "no stager", job: script(fine), change: func(o *Options) { o.Stager = []string{"/no/such/stager"} },
			outcome: stage.Failed, code: job.Internal, message: "did not run to its end", noOutput: true},
		{name: "the stager is killed", job: script("kill -9 $PPID; sleep 1000"),
			outcome: stage.Failed, code: job.Internal, message: "did not run to its end"},
		{name: "the stager is killed and its record forged", job: script(`echo '{"name":"bakta","status":"succeeded"}' > ../state/bakta/record.json; echo 1 > ../out/bakta/result.gff3; kill -9 $PPID; sleep 1000`),
			outcome: stage.Failed, code: job.Internal, message: "did not run to its end"},
		{name: "the program removes what it should not", job: script("rm -rf ../state ../out"),
			outcome: stage.Failed, code: job.Internal, message: "did not leave what it should have", noOutput: true},
		{name: "no way to run it", job: script(fine), change: func(o *Options) {
			o.Specs = func(job.Job, string) (stage.Spec, error) { return stage.Spec{}, errors.New("unknown workflow") }
		}, code: job.Internal, message: "can't be run by this server"},
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

func TestSoManyRunAtATimeInOrder(t *testing.T) {
	t.Parallel()
	f := set(t, func(o *Options) { o.Jobs = 2 })
	gate := t.TempDir()
	var jobs []job.Job
	for i := range 6 {
		j := script(fmt.Sprintf("echo %d >> %[2]s/began; while [ ! -e %[2]s/go%[1]d ]; do sleep 0.01; done; %[3]s", i, gate, fine))
		jobs = append(jobs, j)
		f.launch(j)
	}
	began := func() []string {
		b, _ := os.ReadFile(gate + "/began")
		return strings.Fields(string(b))
	}
	for i, j := range jobs {
		until(t, "the beginning of the next", func() bool { return len(began()) >= min(i+2, len(jobs)) })
		if n := len(began()); n > i+2 {
			t.Errorf("%d of %d have begun while %d have ended", n, len(jobs), i)
		}
		for k, waits := range jobs[min(i+2, len(jobs)):] {
			seen := f.observe(waits)
			want := fmt.Sprintf("number %d of %d that wait for their turn; 2 at a time are run", k+1, len(jobs)-i-2)
			if seen.Phase != job.Waiting || seen.Waiting != want || seen.Blocked || time.Since(seen.Since) > time.Minute {
				t.Errorf("waiting: %+v, want %q", seen, want)
			}
		}
		if err := os.WriteFile(fmt.Sprintf("%s/go%d", gate, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		f.await(j, job.Ended)
	}
	got := began()
	for i := range got {
		// Two begin at once, so each may be noted one place off its own.
		if k := slices.Index(got, fmt.Sprint(i)); k < i-1 || k > i+1 {
			t.Errorf("order: %q", got)
		}
	}
}

func TestLaunchOnce(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	count := filepath.Join(t.TempDir(), "count")
	j := script("echo x >> " + count + "; " + fine)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { f.launch(j) })
	}
	group.Wait()
	f.await(j, job.Ended)
	f.launch(j)
	again := j
	again.Run = 3 // another run is another thing
	f.launch(again)
	f.await(again, job.Ended)
	for _, release := range []bool{false, true} {
		if release {
			if err := f.Release(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
		late := j
		late.Run = 2 // given up before the third was launched
		f.launch(late)
		if seen := f.observe(late); seen.Phase != job.Absent {
			t.Errorf("observed %+v", seen)
		}
	}
	if b, err := os.ReadFile(count); string(b) != "x\nx\n" {
		t.Errorf("ran: %q, %v", b, err)
	}
}

// stubborn is a script that notes down a process, which does not end by itself or by being told to.
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

// TestStopWhileStorageIsAway holds that a run which waits for storage can be stopped.
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

// TestProgramsSeeNothingOfTheBackend holds that a program gets neither the backend's secrets nor its open files.
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

// TestWhatIsLeftHalfDone has a directory as processes that were killed at bad moments leave it.
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
