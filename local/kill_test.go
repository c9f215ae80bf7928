package local_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestKilledAtAnyMoment kills the backend with SIGKILL at random moments of jobs' lives and starts it again. Every
// acknowledged start ends with results, and no process of a killed backend continues to run.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	rounds := 6
	if testing.Short() {
		rounds = 3
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	data := t.TempDir()
	run := func() *backend {
		b, err := tryBackend(t, data, []string{"BAKTA_STAND_IN_STEP_DELAY=30ms"}, "--bakta", "stand-in", "--jobs", "2")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var acknowledged []client.Ref
	for round := range rounds {
		// A job that is interrupted three times fails, by design. So each job is interrupted at most twice.
		for range 2 {
			b := run()
			c := b.client()
			killed := make(chan struct{})
			after := time.Duration(random.IntN(1500)) * time.Millisecond
			go func() {
				defer close(killed)
				time.Sleep(after) // the random moment, not a wait for a condition
				b.kill()
			}()
			for i := 0; ; i++ {
				ref, started, err := submit(ctx, c, "round "+strconv.Itoa(round), genome)
				if started {
					acknowledged = append(acknowledged, ref)
				}
				if err != nil || i == 2 {
					break
				}
			}
			<-killed
			if left := processesIn(t, data); len(left) > 0 {
				t.Fatalf("after the kill these processes still run: %v", left)
			}
		}
		b := run()
		c := b.client()
		// The jobs end in time: no client waits for a lease of the killed process, or for an event that it missed.
		soon, cancelSoon := context.WithTimeout(ctx, 100*time.Second)
		for _, ref := range acknowledged {
			status, err := c.Wait(soon, ref, 50*time.Millisecond, nil)
			if err != nil {
				t.Fatalf("waiting for %v: %v\n%s", ref, err, b.errors.String())
			}
			if status.State != client.Successful {
				_, err := c.Result(ctx, ref)
				t.Fatalf("round %d: job %v ended %s: %v", round, ref, status.State, err)
			}
			result, err := c.Result(ctx, ref)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "result.json")
			if _, err := c.Download(ctx, result.Files["JSON"], path, nil); err != nil {
				t.Fatalf("job %v: %v", ref, err)
			}
			if content, err := os.ReadFile(path); err != nil || !bytes.Contains(content, []byte(`"features"`)) {
				t.Fatalf("job %v: the JSON is incomplete: %v", ref, err)
			}
		}
		cancelSoon()
		t.Logf("round %d: %d acknowledged jobs have results", round, len(acknowledged))
		acknowledged = nil
		b.stop()
	}
}

// TestRerunKilled kills the backend with SIGKILL at random moments of a call that runs a job again, and starts it again. The
// repeated call, which waits for no lease of the killed process, completes the job that the killed one has begun: there is one.
func TestRerunKilled(t *testing.T) {
	t.Parallel()
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	data := t.TempDir()
	run := func() *backend {
		b, err := tryBackend(t, data, []string{"BAKTA_STAND_IN_STEP_DELAY=0ms"}, "--bakta", "stand-in", "--jobs", "2")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := run()
	old, _, err := submit(ctx, b.client(), "old", genome)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := b.client().Wait(ctx, old, 20*time.Millisecond, nil); err != nil || s.State != client.Successful {
		t.Fatal(s, err)
	}
	cut := 0
	for range rounds {
		request := client.Rerun{Job: old, RequestKey: uuid.NewString()}
		id, secret, err := job.Rerun(old.ID, old.Secret, request.RequestKey)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Duration(random.IntN(40)) * time.Millisecond
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			time.Sleep(after) // the random moment, not a wait for a condition
			b.kill()
		}()
		if _, _, err := b.client().V2().WithPatience(-1).Rerun(ctx, request); err != nil {
			cut++
		}
		<-killed
		b = run()
		began := time.Now()
		made, _, err := b.client().V2().Rerun(ctx, request)
		if err != nil || made.Job != (client.Ref{ID: id, Secret: secret}) {
			t.Fatalf("repeated: %v, %v\n%s", made, err, b.errors.String())
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the repeated call took %s", took)
		}
		// A job that is interrupted three times fails, by design.
		if s, err := b.client().Wait(ctx, made.Job, 20*time.Millisecond, nil); err != nil || s.State != client.Successful {
			t.Errorf("the new job ended %v: %v", s, err)
		}
	}
	there, err := filepath.Glob(filepath.Join(data, "objects/buckets/*/jobs/*"))
	if err != nil || len(there) != rounds+1 {
		t.Errorf("there are files of %d jobs, want %d: %v", len(there), rounds+1, err)
	}
	t.Logf("%d of %d calls were cut off", cut, rounds)
}

// TestSecondRunShows: a job whose run was interrupted shows its second run as it showed the first: the stage, its steps, and the states
// of all stages when it has ended. If that run fails, the job has its log, and says which stage failed.
func TestSecondRunShows(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		play, failedStage string
		want              client.State
		stage             string // its state at the end
	}{
		{"", "", client.Successful, client.StageSucceeded},
		{"error", "bakta", client.Failed, client.StageFailed},
	} {
		t.Run("play "+row.play, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			data := t.TempDir()
			run := func(env ...string) *backend {
				b, err := tryBackend(t, data, append(env, "BAKTA_STAND_IN_STEP_DELAY=60ms"), "--bakta", "stand-in")
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			b := run()
			ref, _, err := submit(ctx, b.client(), "interrupted", genome)
			if err != nil {
				t.Fatal(err)
			}
			for after := ""; ; {
				s, err := b.client().V2().State(ctx, ref, 20*time.Second, after)
				if err != nil {
					t.Fatal(err)
				}
				if s.Progress != nil {
					break
				}
				after = s.Version
			}
			b.kill()

			b = run("BAKTA_STAND_IN_FAIL=" + row.play)
			steps := false
			var s client.JobState
			for s.State != client.Successful && s.State != client.Failed {
				if s, err = b.client().V2().State(ctx, ref, 20*time.Second, s.Version); err != nil {
					t.Fatal(err)
				}
				if len(s.Stages) != 1 || s.Stages[0].Stage != "bakta" {
					t.Errorf("run %d, %s: the stages are %v", s.Run, s.State, s.Stages)
				}
				steps = steps || s.Run == 2 && s.Stage == "bakta" && s.Progress != nil
			}
			if s.State != row.want || s.Run != 2 || len(s.Stages) != 1 || s.Stages[0].Status != row.stage || !steps {
				t.Errorf("the job ended %s with run %d, stages %v; its second run showed steps: %v", s.State, s.Run, s.Stages, steps)
			}
			if f := s.Failure; (f != nil) != (row.want == client.Failed) || f != nil && f.Stage != row.failedStage {
				t.Errorf("the failure is %+v", f)
			}
			if log, err := b.client().Logs(ctx, ref, 0); err != nil || !bytes.Contains(log, []byte("Bakta")) {
				t.Errorf("the log is %q, %v", log, err)
			}
		})
	}
}

// TestAllAreAskedToEnd sends SIGTERM to the program of a job, its stager and the backend, as an init system does that stops a service.
// The job is interrupted, and has results after the next start.
func TestAllAreAskedToEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	data := t.TempDir()
	run := func(delay string) *backend {
		b, err := tryBackend(t, data, []string{"BAKTA_STAND_IN_STEP_DELAY=" + delay}, "--bakta", "stand-in")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := run("1m")
	ref, _, err := submit(ctx, b.client(), "", genome)
	if err != nil {
		t.Fatal(err)
	}
	var program int
	wait(t, "its program", func() bool {
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if content, err := os.ReadFile(line); err == nil && bytes.Contains(content, []byte("--output="+data)) {
				program, err = strconv.Atoi(filepath.Base(filepath.Dir(line)))
				return err == nil
			}
		}
		return false
	})
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", program))
	if err != nil {
		t.Fatal(err)
	}
	var stager int
	_, parent, _ := bytes.Cut(stat, []byte("PPid:"))
	if _, err := fmt.Sscan(string(parent), &stager); err != nil || stager == b.process.Process.Pid {
		t.Fatalf("the parent of the program is %d, %v", stager, err)
	}
	for _, pid := range []int{program, stager, b.process.Process.Pid} {
		if pid == b.process.Process.Pid {
			time.Sleep(300 * time.Millisecond) // the job's processes have ended when the backend gets the signal
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(pid, err)
		}
	}
	<-b.ended
	if left := processesIn(t, data); len(left) > 0 {
		t.Errorf("these processes still run: %v", left)
	}
	b = run("0ms")
	if s, err := b.client().Wait(ctx, ref, 20*time.Millisecond, nil); err != nil || s.State != client.Successful {
		t.Errorf("the job: %v, %v\n%s", s, err, b.errors.String())
	}
}

// processesIn returns the command lines of processes that contain the directory, after at most ten seconds for them to end.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var left []string
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			content, err := os.ReadFile(line)
			if err == nil && bytes.Contains(content, []byte(dir)) {
				left = append(left, strings.ReplaceAll(string(content), "\x00", " "))
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(20 * time.Millisecond)
	}
}
