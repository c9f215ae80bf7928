// Package runnertest is the test suite that any runner passes, whatever executes its runs. The tests of lib/runner/process run
// it on real processes, those of lib/runner/kube on a real cluster.
package runnertest

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
)

// Fixture is a runner under test and what it works with.
type Fixture struct {
	// Runner takes what its runs do from Specs, and can run four jobs at a time. It keeps the object of a run for the whole
	// test, if the run is not discarded or stopped.
	Runner runner.Runner
	// Held finds objects that are kept. It is nil if the runner keeps none outside its process.
	Held runner.Held
	// Files is the store from which runs read uploads and in which they store results.
	Files Files
	// Wait launches a job whose run cannot begin, and returns it.
	Wait func(t *testing.T) job.Job
	// Executes reports whether any process of the job is alive. It does not ask the runner.
	Executes func(t *testing.T, id string) bool
	// Timeout is how long the slowest step of a run may take, such as the start of a pod or its end after a signal.
	Timeout time.Duration
}

// Files are the methods of store.Files that the suite calls.
type Files interface {
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	List(ctx context.Context, prefix string) ([]job.File, error)
}

// Run tests a runner. Each call of open returns a fixture of its own. The tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*suite){
		"a run that was never launched":            neverLaunched,
		"a run that succeeds":                      succeeds,
		"a run that fails":                         fails,
		"a run that waits":                         waits,
		"a run that executes":                      executes,
		"a launch that is repeated":                launchedByMany,
		"a discarded run":                          discards,
		"a discarded run that is over":             discardsEnded,
		"a stopped job":                            stops,
		"a stopped job that is over":               stopsEnded,
		"an object that is kept until the outcome": holds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&suite{T: t, Fixture: open(t)})
		})
	}
}

// neverLaunched calls everything on a run that does not exist.
func neverLaunched(s *suite) {
	j := s.newJob(Succeed)
	s.absent(j)
	s.noLog(j, FirstStage)
	s.ok("Release", s.Runner.Release(s.Context(), j))
	s.ok("Discard", s.Runner.Discard(s.Context(), j))
	s.ok("Stop", s.Runner.Stop(s.Context(), j.ID))
	s.absent(j)
}

// succeeds follows a run from its launch to its release.
func succeeds(s *suite) {
	j := s.newJob(Succeed)
	s.launch(j)
	s.finished(j)
	// The end is final: neither time nor a late launch changes it.
	s.launch(j)
	if o := s.observe(j); o.Phase != job.Ended {
		s.Errorf("after a launch of a run that has ended: %+v", o)
	}
	for range 2 {
		s.ok("Release", s.Runner.Release(s.Context(), j))
		if o := s.observe(j); o.Phase != job.Ended && o.Phase != job.Absent || o.Failure != nil || o.Interrupted {
			s.Errorf("after the release: %+v", o)
		}
		// A log that is released may exist for a while.
		if text, err := s.log(j, FirstStage); err != nil && !job.Is(err, job.NotFound) {
			s.Errorf("the log after the release: %q, %v", text, err)
		}
	}
	// This launch was decided before the run ended, and comes after its release.
	s.launch(j)
	if o := s.observe(j); o.Phase != job.Ended || s.Executes(s.T, j.ID) {
		s.Errorf("after a launch of a run that was released: %+v", o)
	}
}

// fails runs a program that refuses its input. Why a run failed is in its manifest or, if it left none, in what is observed.
func fails(s *suite) {
	j := s.newJob(Fail)
	s.launch(j)
	o := s.await(j, job.Ended)
	failure := o.Failure
	if m, found := s.manifest(j); found {
		failure = m.Failure
		if len(m.Files) > 0 {
			s.Errorf("a run that failed has results: %+v", m.Files)
		}
		s.stored(m.Logs, FirstStage, refusal+"\n")
	}
	if failure == nil || failure.Code != job.BadInput || failure.Stage != FirstStage || failure.Message == "" {
		s.Errorf("failure %+v, observed %+v", failure, o)
	}
	if o.Interrupted {
		s.Errorf("a run that failed counts as interrupted: %+v", o)
	}
}

// waits calls everything on a run that waits.
func waits(s *suite) {
	j := s.Wait(s.T)
	o := s.await(j, job.Waiting)
	for _, stage := range o.Stages {
		if stage.Status != job.StagePending {
			s.Errorf("a stage of a run that waits: %+v", stage)
		}
	}
	s.until("a reason for the wait", func() bool { return s.observe(j).Waiting != "" })
	s.noLog(j, FirstStage)
	s.launch(j)
	if o := s.observe(j); o.Phase != job.Waiting {
		s.Errorf("launched again: %+v", o)
	}
	s.discard(j)

	j = s.Wait(s.T)
	s.await(j, job.Waiting)
	s.stop(j.ID)
	s.absent(j)
}

// executes observes a run while its first stage executes, and reads its log.
func executes(s *suite) {
	j := s.newJob(Hang)
	s.launch(j)
	s.begun(j)
	o := s.observe(j)
	want := []job.Stage{{Name: FirstStage, Status: job.StageRunning}, {Name: SecondStage, Status: job.StagePending}}
	if o.Phase != job.Active || !slices.Equal(o.Stages, want) || o.Failure != nil || o.Interrupted || o.Blocked {
		s.Errorf("observed %+v", o)
	}
	if o.Since.IsZero() || time.Since(o.Since) > 2*s.Timeout {
		s.Errorf("active since %v", o.Since)
	}
	if !s.Executes(s.T, j.ID) {
		s.Error("no process of an active run is alive")
	}
	s.tails(j)
	s.noLog(j, SecondStage)
	s.noLog(j, "no_such_stage")
	other := j
	other.Run = 2
	s.noLog(other, FirstStage)
	s.absent(other)
	s.stop(j.ID)
}

// launchedByMany launches one run from many goroutines at once, and again while it executes.
func launchedByMany(s *suite) {
	j := s.newJob(Hang)
	s.together(16, func() error { return s.tryLaunch(j) })
	s.begun(j)
	before := s.observe(j)
	s.launch(j)
	if o := s.observe(j); o.Phase != job.Active || !o.Since.Equal(before.Since) {
		s.Errorf("after another launch: %+v, before it: %+v", o, before)
	}
	s.stop(j.ID)
}

// discards discards one of two runs of a job that execute, and then launches a third.
func discards(s *suite) {
	first := s.newJob(Hang)
	second := first
	second.Run = 2
	s.launch(first)
	s.launch(second)
	s.begun(first)
	s.begun(second)
	s.discard(first)
	s.until("the end of the discarded run's log", func() bool { return s.hasNoLog(first, FirstStage) })
	if o := s.observe(second); o.Phase != job.Active {
		s.Errorf("another run of the job: %+v", o)
	}
	s.discard(second)
	s.until("the end of all processes", func() bool { return !s.Executes(s.T, first.ID) })
	s.nothingStored(first)
	s.nothingStored(second)
	third := s.as(first, Succeed)
	third.Run = 3
	s.launch(third)
	s.finished(third)
}

// discardsEnded discards a run that has ended, before and after its release.
func discardsEnded(s *suite) {
	j := s.newJob(Succeed)
	s.launch(j)
	s.finished(j)
	s.discard(j)
	s.discard(j)
	j = s.as(j, Fail)
	j.Run = 2
	s.launch(j)
	s.await(j, job.Ended)
	s.ok("Release", s.Runner.Release(s.Context(), j))
	for range 2 {
		s.ok("Discard", s.Runner.Discard(s.Context(), j))
	}
	if m, found := s.manifest(j); !found || m.Failure == nil {
		s.Errorf("a discarded run's manifest: %+v", m)
	}
}

// stops stops a job with two runs, of which none ends on SIGTERM.
func stops(s *suite) {
	first, other := s.newJob(Hang), s.newJob(Hang)
	second := first
	second.Run = 2
	for _, j := range []job.Job{first, second, other} {
		s.launch(j)
	}
	for _, j := range []job.Job{first, second, other} {
		s.begun(j)
	}
	s.stop(first.ID)
	// Each program has written a result, which no process may store now.
	for _, j := range []job.Job{first, second} {
		s.absent(j)
		s.nothingStored(j)
		s.until("the end of a stopped run's log", func() bool { return s.hasNoLog(j, FirstStage) })
	}
	s.ok("Stop of a job that was stopped", s.Runner.Stop(s.Context(), first.ID))
	if o := s.observe(other); o.Phase != job.Active {
		s.Errorf("another job: %+v", o)
	}
	s.stop(other.ID)
	third := s.as(first, Succeed)
	third.Run = 3
	s.launch(third)
	s.finished(third)
}

// stopsEnded stops a job with runs that have ended, one of them released.
func stopsEnded(s *suite) {
	first := s.newJob(Fail)
	s.launch(first)
	s.await(first, job.Ended)
	s.ok("Release", s.Runner.Release(s.Context(), first))
	second := s.as(first, Succeed)
	second.Run = 2
	s.launch(second)
	s.finished(second)
	s.stop(first.ID)
	for _, j := range []job.Job{first, second} {
		s.until("the end of a run's object", func() bool { return s.observe(j).Phase == job.Absent })
		s.until("the end of a stopped run's log", func() bool { return s.hasNoLog(j, FirstStage) })
	}
}

// holds finds the objects of runs that are over, and forgets them.
func holds(s *suite) {
	if s.Held == nil {
		s.Skip("this runner keeps no objects outside its process")
	}
	succeeded, failed, released, running := s.newJob(Succeed), s.newJob(Fail), s.newJob(Succeed), s.newJob(Hang)
	for _, j := range []job.Job{succeeded, failed, released, running} {
		s.launch(j)
	}
	s.begun(running)
	future := time.Now().Add(24 * time.Hour)
	for _, j := range []job.Job{succeeded, failed, released} {
		s.await(j, job.Ended)
	}
	s.ok("Release", s.Runner.Release(s.Context(), released))
	// A run may have ended a while before its object says so.
	s.until("the objects of runs that are over", func() bool {
		held := s.held(future)
		return held[succeeded.ID] && held[failed.ID]
	})
	if held := s.held(future); len(held) != 2 {
		s.Errorf("held: %v", held)
	}
	if held := s.held(time.Now().Add(-24 * time.Hour)); len(held) != 0 {
		s.Errorf("held for a day: %v", held)
	}
	visits := 0
	if err := s.Held.Held(s.Context(), future, func(string) error { visits++; return errEnough }); !errors.Is(err, errEnough) || visits != 1 {
		s.Errorf("after an error of the visit: %d visits, %v", visits, err)
	}
	for _, id := range []string{succeeded.ID, failed.ID, running.ID, s.newJob(Succeed).ID} {
		s.ok("Forget", s.Held.Forget(s.Context(), id))
	}
	if held := s.held(future); len(held) != 0 {
		s.Errorf("held after all are forgotten: %v", held)
	}
	if o := s.observe(running); o.Phase != job.Active {
		s.Errorf("an active run after Forget: %+v", o)
	}
	s.stop(running.ID)
}
