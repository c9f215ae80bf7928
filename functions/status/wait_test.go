package status

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// shelfOfJobs is a store of jobs, and runs whose logs end with a text.
type shelfOfJobs struct {
	single
	mu     *sync.Mutex
	jobs   map[string]job.Job
	reads  *int
	tail   string
	tails  *int
	failed *bool
}

func newShelf(ids ...string) shelfOfJobs {
	s := shelfOfJobs{mu: new(sync.Mutex), jobs: make(map[string]job.Job), reads: new(int), tails: new(int), failed: new(bool)}
	for _, id := range ids {
		s.jobs[id] = job.Job{ID: id, SecretHash: job.HashSecret(secret), State: job.Submitted, Workflow: workflow.Bakta, Run: 1}
	}
	return s
}

func (s shelfOfJobs) change(id string, change func(*job.Job)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	change(&j)
	s.jobs[id] = j
}

func (s shelfOfJobs) Get(_ context.Context, id string) (job.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j, ok := s.jobs[id]; ok {
		return j, nil
	}
	return job.Job{}, job.Errorf(job.NotFound, "no such job")
}

func (s shelfOfJobs) GetStates(ctx context.Context, ids []string) ([]job.Job, error) {
	s.mu.Lock()
	*s.reads++
	failed := *s.failed
	s.mu.Unlock()
	if failed {
		return nil, job.Errorf(job.Unavailable, "away")
	}
	var found []job.Job
	for _, id := range ids {
		if j, err := s.Get(ctx, id); err == nil {
			found = append(found, j)
		}
	}
	return found, nil
}

func (s shelfOfJobs) Tail(context.Context, job.Job, string, int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.tails++
	return []byte(s.tail), nil
}

// polled returns how often GetStates was called.
func (s shelfOfJobs) polled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.reads
}

func (s shelfOfJobs) serve(t *testing.T, waits int) *Function {
	t.Helper()
	f, err := New(Deps{Jobs: s, Files: s, Logs: s, Offered: workflow.Catalogue(), DownloadTTL: time.Hour, MaxList: 100, Waits: waits,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const otherID = "00000000-0000-4000-8000-000000000002"

func versionOfView(v View) string { return versionOf(stateV2(v)) }

// TestWaitInACluster lets calls wait where no change is reported: one read of the store a second serves all of them.
func TestWaitInACluster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(ownID, otherID)
		f := s.serve(t, 10)
		type outcome struct {
			v    View
			err  error
			took time.Duration
		}
		wait := func(ctx context.Context, id, after string, wait time.Duration) chan outcome {
			done := make(chan outcome, 1)
			began := time.Now()
			go func() {
				v, err := f.State(ctx, Ref{ID: id, Secret: secret}, wait, after, versionOfView)
				done <- outcome{v, err, time.Since(began)}
			}()
			return done
		}
		own, other := wait(t.Context(), ownID, "", time.Hour), wait(t.Context(), otherID, "", time.Hour)
		time.Sleep(5500 * time.Millisecond)
		s.change(ownID, func(j *job.Job) { j.State, j.Updated = job.Running, time.Now() })
		if o := <-own; o.err != nil || o.v.Job.State != job.Running || o.took > 7*time.Second {
			t.Errorf("a change: %+v", o)
		}
		if reads := s.polled(); reads != 6 {
			t.Errorf("%d reads in six seconds", reads)
		}
		if o := <-other; o.err != nil || o.v.Job.State != job.Submitted || o.took != MaxWait {
			t.Errorf("no change: %+v", o)
		}
		time.Sleep(10 * time.Second)
		if reads := s.polled(); reads > 27 {
			t.Errorf("%d reads, although no call waits any more", reads)
		}

		// A store that is away for a while delays the answer, and fails nothing.
		own = wait(t.Context(), ownID, "", 20*time.Second)
		s.mu.Lock()
		*s.failed = true
		s.mu.Unlock()
		time.Sleep(4 * time.Second)
		s.mu.Lock()
		*s.failed = false
		s.mu.Unlock()
		s.change(ownID, func(j *job.Job) { j.Run = 2 })
		if o := <-own; o.err != nil || o.v.Job.Run != 2 {
			t.Errorf("after the store was away: %+v", o)
		}

		// A job that is deleted or removed meanwhile.
		own, other = wait(t.Context(), ownID, "", time.Hour), wait(t.Context(), otherID, "", time.Hour)
		time.Sleep(time.Second)
		s.change(ownID, func(j *job.Job) { j.State, j.Updated = job.Deleting, time.Now() })
		s.mu.Lock()
		delete(s.jobs, otherID)
		s.mu.Unlock()
		for _, o := range []outcome{<-own, <-other} {
			if !job.Is(o.err, job.NotFound) || o.took > 3*time.Second {
				t.Errorf("of a job that is gone: %+v", o)
			}
		}

		// The caller's deadline, and the end of the caller.
		s.change(ownID, func(j *job.Job) { j.State = job.Submitted })
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if o := <-wait(short, ownID, "", time.Hour); o.err != nil || o.took >= 10*time.Second || o.took < 8*time.Second {
			t.Errorf("with a deadline: %+v", o)
		}
		gone, leave := context.WithCancel(t.Context())
		own = wait(gone, ownID, "", time.Hour)
		synctest.Wait()
		leave()
		if o := <-own; !errors.Is(o.err, context.Canceled) || o.took != 0 {
			t.Errorf("without its caller: %+v", o)
		}
		time.Sleep(2 * pollTime) // the poller ends
	})
}

// TestTooManyWait answers calls early when as many wait as may.
func TestTooManyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newShelf(ownID).serve(t, 2)
		ctx, cancel := context.WithCancel(t.Context())
		var waits sync.WaitGroup
		for range 2 {
			waits.Go(func() { _, _ = f.State(ctx, Ref{ID: ownID, Secret: secret}, time.Minute, "", versionOfView) })
		}
		synctest.Wait()
		began := time.Now()
		if v, err := f.State(ctx, Ref{ID: ownID, Secret: secret}, time.Minute, "", versionOfView); err != nil || v.Job.ID != ownID ||
			time.Since(began) > 0 {
			t.Errorf("the third: %+v, %v, after %v", v, err, time.Since(began))
		}
		cancel()
		waits.Wait()
		if len(f.waits) != 0 {
			t.Errorf("%d places are taken", len(f.waits))
		}
		time.Sleep(2 * pollTime)
	})
}

// TestSteps reads the step of a stage from the end of its log, rarely, and never goes back.
func TestSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		j := job.Job{ID: ownID, Workflow: workflow.BaktaBaktfold, Run: 1}
		now := func(tail string) shelfOfJobs { s.tail = tail; return s }
		k := newSteps(now("... of a line\npredict tRNAs...\n\tfound: 3\npredict tmRNAs..."), true)
		first := k.of(t.Context(), j, "bakta")
		if first == nil || first.Name != "predict tmRNAs" || first.Number < 2 || first.Of < 20 {
			t.Fatalf("the step: %+v", first)
		}
		k.logs = now("predict rRNAs...\n")
		if step := k.of(t.Context(), j, "bakta"); step != first || *s.tails != 1 {
			t.Errorf("within the time that a step counts as known: %+v, %d reads", step, *s.tails)
		}
		time.Sleep(stepTime)
		if step := k.of(t.Context(), j, "bakta"); step.Number != first.Number+1 {
			t.Errorf("the next step: %+v", step)
		}
		time.Sleep(stepTime)
		k.logs = now(strings.Repeat("nothing to see\n", 10))
		if step := k.of(t.Context(), j, "bakta"); step == nil || step.Number != first.Number+1 {
			t.Errorf("an end without a step: %+v", step)
		}
		if step := k.of(t.Context(), j, "baktfold"); step != nil && step.Number <= first.Number {
			t.Errorf("of the next stage: %+v", step)
		}
		j.Run = 2
		time.Sleep(stepTime)
		k.logs = now("Parse genome sequences...\n")
		if step := k.of(t.Context(), j, "bakta"); step == nil || step.Number != 1 {
			t.Errorf("of the next run: %+v", step)
		}
		// Many jobs at once: so many logs are read in a second, and no more.
		time.Sleep(time.Second)
		*s.tails = 0
		for range 100 {
			j.ID = job.NewSecret()
			k.of(t.Context(), j, "bakta")
		}
		if *s.tails != stepReads {
			t.Errorf("%d reads in a second", *s.tails)
		}
	})
}
