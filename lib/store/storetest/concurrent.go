package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// concurrently calls f sixteen times at once and returns the indices for which it returned true.
func concurrently(t *testing.T, f func(i int) (bool, error)) []int {
	t.Helper()
	var (
		begin = make(chan struct{})
		all   sync.WaitGroup
		mu    sync.Mutex
		won   []int
		fails atomic.Int32
	)
	for i := range 16 {
		all.Go(func() {
			<-begin
			ok, err := f(i)
			if err != nil {
				t.Errorf("call %d: %v", i, err)
				fails.Add(1)
			}
			if ok {
				mu.Lock()
				won = append(won, i)
				mu.Unlock()
			}
		})
	}
	close(begin)
	all.Wait()
	if fails.Load() > 0 {
		t.FailNow()
	}
	return won
}

func concurrentSubmits(t *testing.T, s store.Jobs) {
	for range 10 {
		j := insert(t, s, sample(job.Created))
		won := concurrently(t, func(i int) (bool, error) {
			start := job.Start{Config: fmt.Appendf(nil, `{"by":%d}`, i)}
			return s.Submit(t.Context(), j.ID, start, nil, noon, noon, inAYear)
		})
		if len(won) != 1 {
			t.Fatalf("%d starts won: %v", len(won), won)
		}
		if got, want := get(t, s, j.ID).Start.Config, fmt.Appendf(nil, `{"by":%d}`, won[0]); !bytes.Equal(got, want) {
			t.Errorf("stored is %s, but %s was reported as the winner", got, want)
		}
	}
}

func concurrentEnds(t *testing.T, s store.Jobs) {
	for range 10 {
		j := insert(t, s, sample(job.Running))
		won := concurrently(t, func(i int) (bool, error) {
			switch i % 4 {
			case 0:
				return s.Relaunch(t.Context(), j.ID, j.Run, later, later)
			case 1:
				return s.Finish(t.Context(), j.ID, j.Run, job.End{State: job.Succeeded, At: later, Expires: inAYear})
			}
			return s.Finish(t.Context(), j.ID, j.Run, someEnd)
		})
		if len(won) != 1 {
			t.Errorf("%d ends of one run were recorded: %v", len(won), won)
		}
	}
}

func concurrentAttempts(t *testing.T, s store.Jobs) {
	for range 10 {
		j := insert(t, s, sample(job.Failed))
		won := concurrently(t, func(i int) (bool, error) {
			d := attempted
			d.Error = fmt.Sprint("attempt ", i)
			return s.SetDelivery(t.Context(), j.ID, muchAt, d)
		})
		if len(won) != 1 {
			t.Fatalf("%d attempts at one delivery have begun: %v", len(won), won)
		}
		if got, want := get(t, s, j.ID).Deliveries[0].Error, fmt.Sprint("attempt ", won[0]); got != want {
			t.Errorf("stored is %s, but %s was reported as begun", got, want)
		}
	}
}

func leases(t *testing.T, s store.Jobs) {
	steps := []struct {
		name string
		call func(ctx context.Context) (bool, error)
		want bool
	}{
		{"a takes it", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "a", time.Hour) }, true},
		{"a takes it again", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "a", time.Hour) }, true},
		{"b can't", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "b", time.Hour) }, false},
		{"b takes another", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "other", "b", time.Hour) }, true},
		{"b can't extend a's", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "b", time.Hour) }, false},
		{"b can't release a's", func(ctx context.Context) (bool, error) { return true, s.ReleaseLease(ctx, "sweep", "b") }, true},
		{"b still can't", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "b", time.Hour) }, false},
		{"a lets it expire", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "a", -time.Second) }, true},
		{"b takes it", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "b", time.Hour) }, true},
		{"a can't extend it any more", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "a", time.Hour) }, false},
		{"b releases it", func(ctx context.Context) (bool, error) { return true, s.ReleaseLease(ctx, "sweep", "b") }, true},
		{"b can't extend what it gave up", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "b", time.Hour) }, false},
		{"a takes it back", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "a", time.Hour) }, true},
	}
	for _, step := range steps {
		if got, err := step.call(t.Context()); got != step.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", step.name, got, err, step.want)
		}
	}
}

func concurrentLeases(t *testing.T, s store.Jobs) {
	for round := range 10 {
		name := fmt.Sprint("lease ", round%5) // taken the first time, expired the second
		won := concurrently(t, func(i int) (bool, error) {
			return s.Acquire(t.Context(), name, fmt.Sprint("holder ", round, " ", i), time.Hour)
		})
		if len(won) != 1 {
			t.Fatalf("%d holders of one lease: %v", len(won), won)
		}
		if _, err := s.Extend(t.Context(), name, fmt.Sprint("holder ", round, " ", won[0]), -time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// concurrentInserts: jobs that are stored at the same time do not affect each other. Of those with one id, one is stored. Lists that are
// read at the same time have the jobs that each of them asks for.
func concurrentInserts(t *testing.T, s store.Jobs) {
	for range 10 {
		mine, both := make([]job.Job, 16), sample(job.Created)
		won := concurrently(t, func(i int) (bool, error) {
			mine[i] = sample(job.Created)
			if i%4 == 0 { // with one id, and different secrets
				mine[i].ID = both.ID
			}
			mine[i].SecretHash = job.HashSecret(fmt.Sprint(i))
			err := s.Insert(t.Context(), mine[i])
			if job.Is(err, job.AlreadyExists) {
				return false, nil
			}
			return err == nil, err
		})
		stored := make(map[int]bool)
		for _, i := range won {
			stored[i] = true
			same(t, get(t, s, mine[i].ID), mine[i])
		}
		if len(won) != 13 {
			t.Fatalf("%d jobs were stored: %v; want 12, and one of those with the same id", len(won), won)
		}
		concurrently(t, func(i int) (bool, error) {
			ids := []string{mine[i].ID, both.ID}
			if mine[i].ID == both.ID {
				ids = ids[:1]
			}
			jobs, err := s.GetMany(t.Context(), append(ids, sample(job.Created).ID)) // one of them is missing
			if err == nil && len(jobs) != len(ids) {
				err = fmt.Errorf("listed %d jobs, want %d", len(jobs), len(ids))
			}
			for _, j := range jobs {
				if j.ID != mine[i].ID && j.ID != both.ID || j.ID == mine[i].ID && stored[i] && !bytes.Equal(j.SecretHash, mine[i].SecretHash) {
					err = fmt.Errorf("listed %s, which is not asked for or another job", j.ID)
				}
			}
			return true, err
		})
	}
}
