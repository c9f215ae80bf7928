package local_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/local/standin"
)

// manyJobs is larger by hand: go test -run ManyJobs -v -timeout 1h . -jobs 10000
var manyJobs = flag.Int("jobs", 300, "number of jobs of TestManyJobs")

const (
	manyAtATime = 2
	// serveBound is far above what a start takes, because the machine may be busy. The log has the figures.
	serveBound = 20 * time.Second
)

// TestManyJobs lets a backend run thousands of tiny jobs, which is stopped once and killed once while most of them wait. The trace of
// the programs shows what really ran: each job once, but for those that ran at the end of a backend. Small batches do not wait for
// large ones.
func TestManyJobs(t *testing.T) {
	count := *manyJobs
	if testing.Short() {
		count = min(count, 200)
	}
	m := &many{t: t, dir: t.TempDir(), jobs: make([]manyJob, count)}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Duration(count)*200*time.Millisecond)
	defer cancel()
	m.build(ctx)
	// The first backend's programs do not end while jobs are submitted, so that the number of waiting jobs is known.
	m.start("10m")
	began := time.Now()
	last := count / 100
	m.submit(ctx, 0, count-last, "collection")
	m.submit(ctx, count-last, count, "urgent")
	t.Logf("%d jobs are submitted after %s", count, time.Since(began).Round(time.Millisecond))
	m.check(ctx)
	m.measureIdle()

	m.interrupted(manyAtATime) // no program ends, so no other run can begin
	m.stop()
	m.start("0s")
	m.check(ctx)
	began = time.Now()
	m.await(ctx, count/3)
	// A run gives up its place when its programs have ended, so that the next one begins while its results are stored. As many may
	// store results as may run programs.
	m.interrupted(2 * manyAtATime)
	m.kill()
	m.start("0s")
	m.check(ctx)
	m.await(ctx, count)
	took := time.Since(began)
	m.successful(ctx)
	t.Logf(
		"%d jobs have ended after %s, %s for each",
		count,
		took.Round(time.Millisecond),
		(took / time.Duration(count)).Round(10*time.Microsecond),
	)
	m.checkTrace()
	m.checkResults(ctx)
	m.measureDisk()
	m.stop()
	m.start("0s")
	m.check(ctx)
}

// many are the jobs of TestManyJobs and the backend that runs them.
type many struct {
	t       *testing.T
	dir     string
	program string
	backend *backend
	jobs    []manyJob
	starts  int // of the backend
	ends    []end
}

// end is an end of the backend while jobs waited.
type end struct {
	at time.Time
	// unrecorded bounds the runs that had begun and whose end was not recorded. Their programs begin again.
	unrecorded int
}

type manyJob struct {
	client.Ref
	batch string
}

func (m *many) trace() string { return filepath.Join(m.dir, "trace") }

// sequence is the name of a job, and the id of the only sequence of its genome.
func sequence(n int) string { return fmt.Sprintf("isolate_%05d", n) }

// build builds the program as it is deployed: the tests' own binary with the race detector would start thousands of processes for
// minutes.
func (m *many) build(ctx context.Context) {
	m.program = filepath.Join(m.dir, "bakta-web")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", m.program, "./cmd/bakta-web")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		m.t.Fatalf("building the program: %v\n%s", err, out)
	}
}

// start starts the backend, whose programs take that time for each step.
func (m *many) start(delay string) {
	m.t.Helper()
	began := time.Now()
	by := []string{"/bin/sh", "-c", `shift; exec "$PROGRAM" "$@"`, "sh"} // in place of the test's binary
	b, err := tryBackendBy(m.t, by, filepath.Join(m.dir, "data"), []string{
		"PROGRAM=" + m.program, "BAKTA_STAND_IN_TRACE=" + m.trace(), "BAKTA_STAND_IN_STEP_DELAY=" + delay,
	}, "--bakta", "stand-in", "--jobs", strconv.Itoa(manyAtATime))
	if err != nil {
		m.t.Fatal(err)
	}
	took := time.Since(began)
	m.backend = b
	m.t.Logf("start %d: the backend serves after %s, with %s of processor time", m.starts+1, took.Round(time.Millisecond), m.processorTime())
	if took > serveBound {
		m.t.Errorf("the backend serves after %s, which is more than %s", took, serveBound)
	}
	m.starts++
}

func (m *many) stop() {
	began := time.Now()
	m.backend.stop()
	m.t.Logf("the backend has ended %s after SIGTERM", time.Since(began).Round(time.Millisecond))
}

func (m *many) kill() { m.backend.kill() }

// interrupted notes that the backend is about to end while as many runs are unrecorded.
func (m *many) interrupted(unrecorded int) {
	m.ends = append(m.ends, end{at: time.Now(), unrecorded: unrecorded})
}

// submit creates the jobs from one number to another, uploads their genomes and starts them, some at the same time.
func (m *many) submit(ctx context.Context, from, to int, batch string) {
	m.t.Helper()
	v2 := m.backend.client().V2()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for n := from; n < to; n++ {
		group.Go(func() error {
			made, err := v2.InitInBatch(ctx, "bakta", sequence(n), batch)
			if err != nil {
				return err
			}
			m.jobs[n] = manyJob{Ref: made.Job, batch: batch}
			fasta := strings.Replace(genome, "contig_1", sequence(n), 1)
			if err := v2.Upload(ctx, made.Uploads[0], client.BytesContent([]byte(fasta)), nil); err != nil {
				return err
			}
			_, err = v2.Start(ctx, made.Job, "bakta", client.Config{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		m.t.Fatalf("submitting: %v\n%s", err, m.backend.errors.String())
	}
}

// states returns the states of all jobs, in their order.
func (m *many) states(ctx context.Context) []client.Status {
	m.t.Helper()
	var refs []client.Ref
	for _, j := range m.jobs {
		refs = append(refs, j.Ref)
	}
	all, err := m.backend.client().V2().Status(ctx, refs...)
	if err != nil {
		m.t.Fatalf("listing: %v\n%s", err, m.backend.errors.String())
	}
	return all
}

// check lists all jobs. Each is there under its name, and none has failed.
func (m *many) check(ctx context.Context) {
	m.t.Helper()
	began := time.Now()
	states := make(map[client.State]int)
	for n, s := range m.states(ctx) {
		states[s.State]++
		if s.Name != sequence(n) || s.ID != m.jobs[n].ID {
			m.t.Errorf("job %d is listed as %+v", n, s)
		}
	}
	m.t.Logf("listed after %s: %v", time.Since(began).Round(time.Millisecond), states)
	if sum := states[client.Init] + states[client.Running] + states[client.Successful]; sum != len(m.jobs) {
		m.t.Errorf("%d jobs are lost or have failed", len(m.jobs)-sum)
	}
}

// await waits until the trace shows that many successful programs.
func (m *many) await(ctx context.Context, count int) {
	m.t.Helper()
	m.until(ctx, fmt.Sprint(count, " programs have succeeded"), func() bool {
		content, err := os.ReadFile(m.trace())
		if err != nil {
			m.t.Fatal(err)
		}
		return strings.Count(string(content), standin.Succeeded) >= count
	})
}

// successful waits until all jobs are successful.
func (m *many) successful(ctx context.Context) {
	m.t.Helper()
	m.until(ctx, "all jobs are successful", func() bool {
		all := true
		for _, s := range m.states(ctx) {
			if s.State != client.Successful && s.State.Ended() {
				m.t.Fatalf("the job %s has ended as %s: %s", s.Name, s.State, m.backend.errors.String())
			}
			all = all && s.State == client.Successful
		}
		return all
	})
}

func (m *many) until(ctx context.Context, what string, holds func() bool) {
	m.t.Helper()
	for !holds() {
		select {
		case <-ctx.Done():
			m.check(context.WithoutCancel(ctx))
			m.t.Fatalf("timeout while waiting until %s: %s", what, m.backend.errors.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var inDir = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// checkTrace checks which programs ran, and in which order.
func (m *many) checkTrace() {
	m.t.Helper()
	events, err := standin.ReadTrace(m.trace())
	if err != nil {
		m.t.Fatal(err)
	}
	numbers := make(map[string]int, len(m.jobs))
	for n, j := range m.jobs {
		numbers[j.ID] = n
	}
	began, succeeded := make([]int, len(m.jobs)), make([]int, len(m.jobs))
	again, twice := make([]int, len(m.ends)), make([]int, len(m.ends)) // after each end of the backend
	var order []int                                                    // jobs as they began for the first time
	for _, e := range events {
		n, known := numbers[inDir.FindString(e.Dir)]
		if !known {
			m.t.Fatalf("a program ran in %s, which belongs to none of the jobs", e.Dir)
		}
		count, repeated := began, again
		if e.Event == standin.Succeeded {
			count, repeated = succeeded, twice
		}
		switch count[n]++; {
		case count[n] > 1:
			after := 0 // index of the last end before the event
			for after+1 < len(m.ends) && m.ends[after+1].at.Before(e.At) {
				after++
			}
			repeated[after]++
		case e.Event == standin.Began:
			order = append(order, n)
		}
	}
	for n := range m.jobs {
		if succeeded[n] == 0 {
			m.t.Errorf("job %d is successful, but its program never was", n)
		}
		if began[n] > m.starts {
			m.t.Errorf("the program of job %d began %d times", n, began[n])
		}
	}
	for i, end := range m.ends {
		m.t.Logf("after end %d of the backend %d programs began again; %d succeeded twice", i+1, again[i], twice[i])
		if again[i] > end.unrecorded {
			m.t.Errorf("after end %d of the backend %d programs began again, but at most %d runs were unrecorded", i+1, again[i],
				end.unrecorded)
		}
	}
	// The second batch gets every second turn from its first moment on: all of it begins within twice as many jobs, and the few that
	// run or were chosen before.
	urgent := 0
	for at, n := range order {
		if m.jobs[n].batch == "urgent" {
			if urgent++; at > 2*urgent+2*manyAtATime {
				m.t.Errorf("job %d of the small batch began after %d others", urgent, at)
			}
		}
	}
}

// checkResults reads the results of some jobs: each is that of its own genome.
func (m *many) checkResults(ctx context.Context) {
	m.t.Helper()
	v2 := m.backend.client().V2()
	for range 20 {
		n := rand.IntN(len(m.jobs))
		result, err := v2.Result(ctx, m.jobs[n].Ref, false)
		if err != nil {
			m.t.Fatal(err)
		}
		path := filepath.Join(m.t.TempDir(), "result.json")
		if _, err := v2.Download(ctx, result.Files["json"], path, nil); err != nil {
			m.t.Fatal(err)
		}
		if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), sequence(n)) {
			m.t.Errorf("the results of job %d are not those of its genome: %v", n, err)
		}
	}
}

// measureIdle logs what the backend costs while jobs wait. It takes half a minute, so the processor time is left out if the number of jobs
// is the usual one.
func (m *many) measureIdle() {
	m.t.Logf("memory while %d jobs wait: %s", len(m.jobs), m.memory())
	if *manyJobs <= 2000 {
		return
	}
	const during = 30 * time.Second
	before := m.processorTime()
	time.Sleep(during) // what is measured
	m.t.Logf("in %s while %d jobs wait: %s of processor time, memory: %s", during, len(m.jobs), m.processorTime()-before, m.memory())
}

func (m *many) proc(name string) string {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.backend.process.Process.Pid), name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(content)
}

// processorTime returns the processor time of the backend, in steps of the kernel's ticks.
func (m *many) processorTime() time.Duration {
	_, after, _ := strings.Cut(m.proc("stat"), ") ")
	fields := strings.Fields(after)
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err != nil || err2 != nil {
		m.t.Fatal(err, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory returns the resident memory of the backend.
func (m *many) memory() string {
	_, after, _ := strings.Cut(m.proc("status"), "VmRSS:")
	value, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(value)
}

// measureDisk logs how large the data directory is.
func (m *many) measureDisk() {
	var files, bytes atomic.Int64
	err := filepath.WalkDir(filepath.Join(m.dir, "data"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files.Add(1)
			bytes.Add(info.Size())
		}
		return err
	})
	if err != nil {
		m.t.Log(err) // a file was removed meanwhile
	}
	jobs, _ := filepath.Glob(filepath.Join(m.dir, "data", "jobs", "*"))
	var database int64
	for _, path := range jobs {
		if info, err := os.Stat(path); err == nil {
			database += info.Size()
		}
	}
	m.t.Logf("the data directory has %d files with %.0f MB; the database of jobs has %.1f MB", files.Load(), float64(bytes.Load())/1e6,
		float64(database)/1e6)
}
