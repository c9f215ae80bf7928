package process

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// backend is a process with a runner that can be killed. It launches the jobs that it reads from stdin, one per line, and
// answers each with a line.
func backend(args []string) int {
	var options s3.Options
	err := json.Unmarshal([]byte(args[1]), &options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	files, err := s3.New(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r, err := New(Options{
		Dir: args[0], Jobs: 2, Stager: testStager(), Environ: os.Environ(), Files: files, Specs: specs,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	in := json.NewDecoder(os.Stdin)
	for {
		var j job.Job
		if err := in.Decode(&j); err != nil {
			break
		}
		object, err := r.Launch(context.Background(), j)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(object)
	}
	if err := r.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a backend's process.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a backend on a runner's directory and a store.
func start(t *testing.T, dir string, files *store) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], "backend", dir, files.encode())}
	p.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	p.Stderr = t.Output()
	p.WaitDelay = 10 * time.Second
	var err error
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	if line, err := p.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the backend said %q, %v", line, err)
	}
	return p
}

// launch launches a job and reports whether that was acknowledged.
func (p *process) launch(j job.Job) bool {
	if json.NewEncoder(p.in).Encode(j) != nil {
		return false
	}
	line, _ := p.out.ReadString('\n')
	return line == job.ObjectName(j.ID, j.Run)+"\n"
}

// kill kills the process, and it alone.
func (p *process) kill() {
	p.Process.Kill()
	p.Wait()
}

func TestBackendKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range stubbornKinds {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, with its stager %v", kind, both), func(t *testing.T) {
				t.Parallel()
				f := set(t, nil)
				f.Close()
				dir := t.TempDir()
				note, other := filepath.Join(dir, "pid"), filepath.Join(dir, "other")
				j, second, waits := script(stubborn(kind, note)), script(stubborn("program", other)), script(fine)
				b := start(t, f.options.Dir, f.files)
				for _, j := range []job.Job{j, second, waits} {
					if !b.launch(j) {
						t.Fatal("not launched")
					}
				}
				processes := []int{pid(t, note), pid(t, other)}
				if both {
					for _, p := range append(processes, parents(t, slices.Clone(processes))...) {
						if args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p)); strings.Contains(string(args), "\x00serve\x00") {
							if err := syscall.Kill(p, syscall.SIGKILL); err != nil {
								t.Error(err)
							}
						}
					}
				}
				b.kill()
				if !both {
					// The stagers kill them; no other process is needed.
					for _, p := range processes {
						until(t, "the end of a process whose backend is gone", func() bool { return gone(p) })
					}
				}
				f.open()
				for _, p := range processes {
					until(t, "the end of a process of an interrupted run", func() bool { return gone(p) })
				}
				for _, j := range []job.Job{j, second} {
					seen := f.observe(j)
					if seen.Phase != job.Ended || !seen.Interrupted || seen.Failure == nil || seen.Failure.Code != job.Internal ||
						len(seen.Stages) != 1 || seen.Stages[0].Status == job.StageRunning || seen.Stages[0].Status == job.StageSucceeded {
						t.Errorf("observed: %+v", seen)
					}
					until(t, "a report", func() bool { return f.noted(j) })
					if err := f.Release(t.Context(), j); err != nil {
						t.Error(err)
					}
				}
				f.await(waits, job.Ended)
				if m := f.manifest(waits); m.Outcome != stage.Succeeded {
					t.Errorf("the run that waited: %+v", m)
				}
				j.Run = 2
				f.launch(j)
				f.await(j, job.Active)
				if err := f.Stop(t.Context(), j.ID); err != nil {
					t.Error(err)
				}
				f.empty(j.ID)
			})
		}
	}
}

// TestInterruptedRunsGoFirst checks that jobs that ran when a process was killed run again before jobs that waited then.
func TestInterruptedRunsGoFirst(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	f.Close()
	dir, began := t.TempDir(), time.Now()
	var jobs []job.Job
	for i, text := range []string{stubborn("program", filepath.Join(dir, "a")), stubborn("program", filepath.Join(dir, "b")), fine} {
		j := script(text)
		j.Started = began.Add(time.Duration(i) * time.Second)
		jobs = append(jobs, j)
	}
	first, second, waits := jobs[0], jobs[1], jobs[2]
	b := start(t, f.options.Dir, f.files) // it runs two at a time
	for _, j := range jobs {
		if !b.launch(j) {
			t.Fatal("not launched")
		}
	}
	pid(t, filepath.Join(dir, "a"))
	pid(t, filepath.Join(dir, "b"))
	b.kill()
	f.open() // it runs one at a time
	newer := script(fine)
	newer.Started = began.Add(time.Minute)
	f.launch(newer)
	again := func(j job.Job) job.Job {
		t.Helper()
		if err := f.Discard(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		for _, other := range []job.Job{waits, newer} {
			if seen := f.observe(other); seen.Phase != job.Waiting {
				t.Errorf("a run precedes one that was interrupted: %+v", seen)
			}
		}
		j.Run++
		f.launch(j)
		return j
	}
	second = again(second)
	f.await(second, job.Active)
	first = again(first)
	if seen := f.observe(first); !strings.HasPrefix(seen.Waiting, "number 1 of 3 ") {
		t.Errorf("the run that was first waits: %+v", seen)
	}
	if err := f.Stop(t.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	f.await(first, job.Active)
	if err := f.Stop(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	f.await(waits, job.Ended)
	f.await(newer, job.Ended)
}

// parents returns the parents of processes, their parents, and the parents of those.
func parents(t *testing.T, pids []int) []int {
	var all []int
	for range 3 {
		for i, p := range pids {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(b), ") ")
			pids[i], _ = strconv.Atoi(strings.Fields(rest)[1])
			if pids[i] <= 1 {
				pids[i] = p
			}
		}
		all = append(all, pids...)
	}
	return all
}

// TestBackendKilledAtAnyMoment kills a backend again and again while it runs jobs, and launches interrupted
// runs again, as the lifecycle does. Every job whose launch was acknowledged ends, and none ever runs twice at
// once.
func TestBackendKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := set(t, nil)
	f.Close()
	dir := t.TempDir()
	overlap := filepath.Join(dir, "overlap")
	var jobs []job.Job
	for i := range 4 {
		// The lock is held by whatever the program starts, too.
		jobs = append(
			jobs,
			script(fmt.Sprintf("exec 9> %s/lock%d; flock -n 9 || echo %d >> %s\n(sleep 0.05) & sleep 0.05; wait; %s", dir, i, i, overlap, fine)),
		)
	}
	launched := 0
	for round := 0; ; round++ {
		b := start(t, f.options.Dir, f.files)
		moment := time.NewTimer(time.Duration(random.IntN(150+10*round)) * time.Millisecond)
		if launched < len(jobs) && b.launch(jobs[launched]) {
			launched++
		}
		<-moment.C
		b.kill()
		f.open()
		open := 0
		for i := range jobs[:launched] {
			j := &jobs[i]
			seen := f.observe(*j)
			if seen.Phase == job.Absent {
				t.Errorf("the acknowledged run %d of job %d is lost", j.Run, i)
			}
			if seen.Phase != job.Ended {
				open++
				continue
			}
			if _, found := f.files.content(job.ManifestKey(j.ID, j.Run)); found {
				if m := f.manifest(*j); m.Outcome != stage.Succeeded {
					t.Errorf("job %d: %+v", i, m.Failure)
				}
				continue
			}
			if !seen.Interrupted {
				t.Errorf("job %d ended without a manifest: %+v", i, seen)
			}
			j.Run++
			f.launch(*j)
			open++
		}
		f.Close()
		if launched == len(jobs) && open == 0 {
			t.Logf("%d rounds", round+1)
			break
		}
		if t.Failed() || round > 500 {
			t.Fatalf("%d jobs are open after %d rounds", open, round)
		}
	}
	if b, err := os.ReadFile(overlap); err == nil {
		t.Errorf("jobs that ran twice at once: %q", b)
	}
}
