package process

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// TestStagerServesManyRuns checks that runs one after the other have the same stager, that no process of one is left when the next
// begins, and that a stager which was stopped, or killed while it was idle, is replaced.
func TestStagerServesManyRuns(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	note := filepath.Join(t.TempDir(), "parents")
	left := filepath.Join(t.TempDir(), "left")
	finish := func() int {
		t.Helper()
		j := script(
			"echo $PPID > " + note + "; (setsid sh -c 'echo $$ > " + left + "; sleep 1000' &) ; " +
				"while [ ! -s " + left + " ]; do sleep 0.01; done; " + fine,
		)
		f.launch(j)
		f.await(j, job.Ended)
		if m := f.manifest(j); m.Outcome != stage.Succeeded {
			t.Errorf("%+v, %+v", m, m.Failure)
		}
		if p := pid(t, left); !gone(p) {
			t.Errorf("process %d is left", p)
		}
		os.Remove(left)
		return pid(t, note)
	}
	first := finish()
	if again := finish(); again != first {
		t.Errorf("the second run had the stager %d, the first one %d", again, first)
	}

	// A run that is stopped ends its stager.
	own := filepath.Join(t.TempDir(), "pid")
	j := script(stubborn("program", own))
	f.launch(j)
	pid(t, own)
	if err := f.Stop(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	second := finish()
	if second == first || !gone(first) {
		t.Errorf("the stager %d serves on, after %d was stopped", second, first)
	}

	// An idle stager may be killed at any moment, also between the check that it is alive and its next order.
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the idle stager", func() bool { return gone(second) && !f.stagersAlive() })
	third := finish()
	if third == second {
		t.Errorf("the stager %d was killed", third)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !gone(third) {
		t.Errorf("the stager %d is alive after Close", third)
	}
}

// stagersAlive reports whether an idle stager is alive.
func (f *fixture) stagersAlive() bool {
	f.stagers.mu.Lock()
	defer f.stagers.mu.Unlock()
	for _, s := range f.stagers.idle {
		if s.alive() {
			return true
		}
	}
	return false
}

// TestStagerThatDies kills the stager of a program that runs: the stage fails, and nothing of it is left.
func TestStagerThatDies(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	note := filepath.Join(t.TempDir(), "pid")
	j := script("echo $PPID > " + note + ".stager; " + stubborn("daemon outside the group", note))
	f.launch(j)
	program, parent := pid(t, note), pid(t, note+".stager")
	if err := syscall.Kill(parent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.await(j, job.Ended)
	if m := f.manifest(j); m.Outcome != stage.Failed || m.Failure.Code != job.Internal ||
		!strings.Contains(m.Failure.Message, "did not run to its end") {
		t.Errorf("%+v, %+v", m, m.Failure)
	}
	if !gone(program) {
		t.Errorf("process %d is left", program)
	}
}

// TestStagerExpires ends a stager that has been idle for its time, but not one that was used since.
func TestStagerExpires(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	j := script(fine)
	f.launch(j)
	f.await(j, job.Ended)
	until(t, "an idle stager", f.stagersAlive)
	f.stagers.mu.Lock()
	s := f.stagers.idle[0]
	f.stagers.mu.Unlock()
	f.stagers.expire(s) // as a timer of an earlier use does
	if !f.stagersAlive() {
		t.Error("it ended too early")
	}
	f.stagers.mu.Lock()
	s.since = s.since.Add(-idleTime)
	f.stagers.mu.Unlock()
	f.stagers.expire(s)
	<-s.dead
	if s.err != nil {
		t.Error(s.err)
	}
	// Without one that is idle, it takes no order.
	if _, err := s.run(context.Background(), stage.Order{}, nil, nil); err == nil {
		t.Error("a stager that has ended took an order")
	}
}

// TestStagerThatDiedIdle lets a stager die after it was found alive: another one runs the program.
func TestStagerThatDiedIdle(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	s, err := f.newStager()
	if err != nil {
		t.Fatal(err)
	}
	ended, seems := s.dead, make(chan struct{})
	s.orders.Close()
	<-ended
	s.dead = seems // alive
	f.stagers.put(s)
	j := script(fine)
	f.launch(j)
	until(t, "the run has the stager", func() bool { return f.observe(j).Phase != job.Waiting })
	close(seems)
	f.await(j, job.Ended)
	if m := f.manifest(j); m.Outcome != stage.Succeeded {
		t.Errorf("%+v, %+v", m, m.Failure)
	}
}
