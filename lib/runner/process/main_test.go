package process

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

func TestMain(m *testing.M) {
	// The test binary also serves as the stager, and as a backend that can be killed.
	if len(os.Args) > 1 && os.Args[1] == "stager" {
		ctx, stop := stager.Signals(context.Background())
		defer stop()
		s := stager.Stager{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		os.Exit(s.Main(ctx, os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "backend" {
		os.Exit(backend(os.Args[2:]))
	}
	// The clients that clean up behind the tests keep their connections for a while.
	known := []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	}
	if ownStore() {
		// Its output is read until the end.
		known = append(known, goleak.IgnoreAnyFunction("os/exec.(*Cmd).writerDescriptor.func1"))
	}
	goleak.VerifyTestMain(m, known...)
}

// fixture is a runner under test, with its store and its events.
type fixture struct {
	*Runner
	t       *testing.T
	options Options
	files   *store

	mu       sync.Mutex
	reported []string // the jobs that were reported
}

func set(t *testing.T, change func(o *Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, files: newStore(t)}
	f.options = Options{
		Dir: filepath.Join(t.TempDir(), "runner"), Jobs: 1, Stager: testStager(),
		Environ: os.Environ(), Files: f.files, Specs: specs, Grace: 500 * time.Millisecond,
		Log:    slog.New(slog.NewTextHandler(t.Output(), nil)),
		Report: f.note,
	}
	if change != nil {
		change(&f.options)
	}
	f.open()
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// testStager is the command line of this binary as a stager. The race detector would delay the end of each process by a
// second, and there are many stagers.
func testStager() []string {
	return []string{"/usr/bin/env", "GORACE=atexit_sleep_ms=0", os.Args[0], "stager"}
}

// open starts the runner, again if it was closed.
func (f *fixture) open() {
	f.t.Helper()
	r, err := New(f.options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Runner = r
}

func (f *fixture) note(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reported = append(f.reported, id)
	return nil
}

// noted reports whether a change of the job was reported.
func (f *fixture) noted(j job.Job) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.reported, j.ID)
}

// script returns a job whose one stage is a shell script.
func script(text string) job.Job {
	return job.Job{ID: uuid.NewString(), Run: 1, State: job.Submitted, Start: &job.Start{Config: []byte(text)}}
}

// specs makes a job's configuration its program.
func specs(j job.Job, dir string) (stage.Spec, error) {
	return stage.Spec{
		Job:    j.ID,
		Run:    j.Run,
		Dir:    dir,
		Inputs: j.Start.Inputs,
		Stages: []stage.Command{
			{Stage: "bakta", Title: "Bakta", Argv: []string{"/bin/sh", "-c", string(j.Start.Config)}, Env: []string{"OWN=1"}},
		},
		Results: []stage.Expected{{Ending: "gff3", Path: "out/bakta/result.gff3", Required: true}},
	}, nil
}

// fine is a script that succeeds.
const fine = "echo working; echo result > ../out/bakta/result.gff3"

func (f *fixture) launch(j job.Job) {
	f.t.Helper()
	object, err := f.Launch(f.t.Context(), j)
	if err != nil || object != job.ObjectName(j.ID, j.Run) {
		f.t.Fatalf("Launch: %q, %v", object, err)
	}
}

func (f *fixture) observe(j job.Job) job.Observation {
	f.t.Helper()
	seen, err := f.Observe(f.t.Context(), j)
	if err != nil {
		f.t.Fatal(err)
	}
	return seen
}

// await waits until the run is in a phase and returns what is observed then.
func (f *fixture) await(j job.Job, phase job.Phase) job.Observation {
	f.t.Helper()
	var seen job.Observation
	until(f.t, "phase "+strconv.Itoa(int(phase))+" of "+j.ID, func() bool {
		seen = f.observe(j)
		return seen.Phase == phase
	})
	return seen
}

// manifest returns the run's manifest, which must be valid.
func (f *fixture) manifest(j job.Job) stage.Manifest {
	f.t.Helper()
	content, found := f.files.content(job.ManifestKey(j.ID, j.Run))
	if !found {
		f.t.Fatal("there is no manifest")
	}
	m, err := stage.ReadManifest(content)
	if err == nil {
		err = stage.Check(m, j.ID, j.Run, f.files.list(job.RunPrefix(j.ID, j.Run)))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// left returns the job's files in the runner's directory.
func (f *fixture) left(id string) []string {
	var left []string
	filepath.WalkDir(f.options.Dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.Contains(path, id) {
			left = append(left, path)
		}
		return nil
	})
	return left
}

// empty checks that the runner's directory has no file of the job.
func (f *fixture) empty(id string) {
	f.t.Helper()
	if left := f.left(id); len(left) > 0 {
		f.t.Errorf("left: %q", left)
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited for: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// pid waits until a program has written its process id, and a line end, to a file.
func pid(t *testing.T, path string) int {
	t.Helper()
	var id int
	until(t, "a process id in "+path, func() bool {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		id, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return id
}

// gone reports whether a process is dead. A zombie is dead.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ") || strings.Contains(string(b), ") X ")
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
