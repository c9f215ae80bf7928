package stores

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/sqlite"
)

// writerDir is the variable with the directory in which a process of this test writes until it is killed.
const writerDir = "STORES_TEST_WRITE_TO"

const objectSize = 100_000

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		fmt.Fprintln(os.Stderr, write(dir)) // returns only after an error
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// write writes to both stores without end, and prints a line after each acknowledged write.
func write(dir string) error {
	ctx := context.Background()
	jobs, err := sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(dir, "jobs")})
	if err != nil {
		return err
	}
	o, err := OpenObjects(ObjectsOptions{Dir: filepath.Join(dir, "objects"), Listen: "127.0.0.1:0", Log: slog.Default()})
	if err != nil {
		return err
	}
	files, err := s3.New(s3.Options{Endpoint: "http://" + o.Address, Bucket: "bakta", AccessKey: o.AccessKey, SecretKey: o.SecretKey})
	if err != nil {
		return err
	}
	if err := files.Setup(ctx); err != nil {
		return err
	}
	failed := make(chan error)
	repeat := func(once func() error) {
		for {
			if err := once(); err != nil {
				failed <- err
				return
			}
		}
	}
	for range 3 {
		go repeat(func() error { return writeJob(ctx, jobs) })
		go repeat(func() error {
			key := "jobs/" + uuid.NewString()
			f, err := files.Put(ctx, key, bytes.NewReader(make([]byte, objectSize)), objectSize)
			if err != nil {
				return err
			}
			say("object", key, f.ETag)
			return nil
		})
	}
	return <-failed
}

func writeJob(ctx context.Context, jobs *sqlite.Store) error {
	id, now := uuid.NewString(), time.Now()
	if err := jobs.Insert(ctx, job.Job{ID: id, SecretHash: job.HashSecret(id), State: job.Created, Due: now}); err != nil {
		return err
	}
	say("job", id, string(job.Created))
	steps := []struct {
		state job.State
		call  func() (bool, error)
	}{
		{job.Submitted, func() (bool, error) { return jobs.Submit(ctx, id, job.Start{}, nil, now, now, now) }},
		{job.Running, func() (bool, error) { return jobs.Running(ctx, id, 1, nil, now, now, now) }},
		{job.Succeeded, func() (bool, error) { return jobs.Finish(ctx, id, 1, job.End{State: job.Succeeded, At: now}) }},
	}
	for _, step := range steps {
		if ok, err := step.call(); err != nil || !ok {
			return fmt.Errorf("%s: %v, %w", step.state, ok, err)
		}
		say("job", id, string(step.state))
	}
	return nil
}

// say writes a line with one call of write, which a kill does not interrupt.
func say(words ...string) { _, _ = os.Stdout.WriteString(strings.Join(words, " ") + "\n") }

// TestKill repeatedly kills a process during its writes, and checks that all acknowledged writes are stored.
func TestKill(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	states := make(map[string]job.State) // the last acknowledged state of each job
	etags := make(map[string]string)     // by key
	for round := range 6 {
		killWriter(t, dir, 20+random.IntN(200), func(kind, id, value string) {
			if kind == "job" {
				states[id] = job.State(value)
			} else {
				etags[id] = value
			}
		})
		if t.Failed() {
			return
		}
		verify(t, dir, states, etags)
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
}

// killWriter starts a writer, kills it after a number of acknowledged writes, and reports all of them to acknowledged.
func killWriter(t *testing.T, dir string, after int, acknowledged func(kind, id, value string)) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // kills it, too
	defer cancel()
	writer := exec.CommandContext(ctx, program)
	writer.Env = append(os.Environ(), writerDir+"="+dir)
	var output bytes.Buffer
	writer.Stderr = &output
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 3 {
			t.Errorf("the writer printed %q", lines.Text())
			continue
		}
		acknowledged(words[0], words[1], words[2])
		if n++; n == after {
			if err := writer.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = writer.Wait() // killed
	if n < after {
		t.Errorf("the writer ended before the kill, after %d writes: %s", n, output.String())
	}
}

func verify(t *testing.T, dir string, states map[string]job.State, etags map[string]string) {
	t.Helper()
	jobs, err := sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(dir, "jobs")})
	if err != nil {
		t.Fatal(err)
	}
	order := job.States()
	for id, state := range states {
		j, err := jobs.Get(t.Context(), id)
		if err != nil || slices.Index(order, j.State) < slices.Index(order, state) {
			t.Errorf("job %s was acknowledged as %s and is %q, %v", id, state, j.State, err)
		}
	}
	if err := jobs.Close(); err != nil {
		t.Error(err)
	}

	o := openObjects(t, filepath.Join(dir, "objects"), "127.0.0.1:0")
	defer closeObjects(t, o)
	files := openFiles(t, o)
	all, err := files.List(t.Context(), "jobs/")
	if err != nil {
		t.Fatal(err)
	}
	stored := make(map[string]string)
	for _, f := range all {
		stored[f.Key] = f.ETag
		if f.Size != objectSize || f.ETag == "" {
			t.Errorf("%s is incomplete: %+v", f.Key, f)
		}
	}
	for key, tag := range etags {
		if stored[key] != tag {
			t.Errorf("%s was acknowledged with ETag %s and has %q", key, tag, stored[key])
		}
	}
	if len(states) == 0 || len(etags) == 0 {
		t.Errorf("%d jobs and %d objects were written, want some of each", len(states), len(etags))
	}
	t.Logf("%d jobs and %d objects are stored", len(states), len(etags))
}
