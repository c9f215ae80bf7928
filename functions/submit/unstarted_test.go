package submit_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// kept is a store that keeps what it is given, counts it, and may refuse to count.
type kept struct {
	submit.Jobs
	mu      sync.Mutex
	jobs    []job.Job
	started int // of them
	counted int // how often
	err     error
}

func (k *kept) Insert(_ context.Context, j job.Job) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.jobs = append(k.jobs, j)
	return nil
}

func (k *kept) Unstarted(_ context.Context, by time.Time, limit int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counted++
	n := -k.started
	for _, j := range k.jobs {
		if !j.Due.After(by) {
			n++
		}
	}
	return min(n, limit), k.err
}

// links is a storage that gives links.
type links struct{ submit.Files }

func (links) Missing(context.Context) bool { return false }

func (links) PresignPut(context.Context, string, time.Duration) (string, error) { return "link", nil }

func TestUnstarted(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const limit, ttl = 10, 3 * time.Hour
	function := func(jobs *kept, keep time.Duration) *submit.Function {
		f, err := submit.New(submit.Deps{
			Jobs: jobs, Files: links{}, Launcher: launched{}, Offered: workflow.Catalogue(), Unstarted: limit,
			Retention: keep, UploadTTL: ttl, Now: func() time.Time { return clock }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	create := func(f *submit.Function) error {
		_, err := f.Init(t.Context(), submit.Init{API: 2, Name: "a", Workflow: workflow.Bakta})
		return err
	}

	// Its batch is stored with it.
	stored := &kept{}
	if _, err := function(stored, time.Hour).Init(t.Context(), submit.Init{API: 2, Batch: "plate-3", Workflow: workflow.Bakta}); err != nil ||
		stored.jobs[0].Batch != "plate-3" {
		t.Errorf("the batch is stored as %q, %v", stored.jobs[0].Batch, err)
	}

	// A job that is not started ends with its links, or sooner where jobs are not kept for so long.
	for keep, want := range map[time.Duration]time.Duration{30 * 24 * time.Hour: ttl + job.UploadGrace, time.Hour: time.Hour} {
		jobs := &kept{}
		if err := create(function(jobs, keep)); err != nil {
			t.Fatal(err)
		}
		if j := jobs.jobs[0]; !j.Expires.Equal(clock.Add(want)) || !j.Due.Equal(j.Expires) {
			t.Errorf("kept for %s, it expires at %s and is due at %s, want %s", keep, j.Expires, j.Due, clock.Add(want))
		}
	}

	jobs := &kept{}
	first, second := function(jobs, time.Hour), function(jobs, time.Hour)
	for i := range limit {
		if err := create(first); err != nil {
			t.Fatalf("job %d: %v", i+1, err)
		}
	}
	if jobs.counted != 1 {
		t.Errorf("the store was asked %d times for %d jobs", jobs.counted, limit)
	}
	for name, f := range map[string]*submit.Function{"the process that made them": first, "another": second} {
		if err := create(f); !job.Is(err, job.Exhausted) || len(jobs.jobs) != limit {
			t.Errorf("%s: one more: %v, %d jobs, want exhausted", name, err, len(jobs.jobs))
		}
	}
	jobs.started = 1
	clock = clock.Add(100 * time.Millisecond)
	if err := create(first); err != nil {
		t.Errorf("after one was started: %v", err)
	}
	if err := create(first); !job.Is(err, job.Exhausted) {
		t.Errorf("and one more: %v, want exhausted", err)
	}
	// What can't be counted keeps nobody waiting, and is asked for again only after a while.
	jobs.err = errors.New("away")
	clock, jobs.counted = clock.Add(time.Minute), 0
	for range 2 * limit {
		if err := create(first); err != nil {
			t.Fatalf("while the store can't count: %v", err)
		}
	}
	if jobs.counted != 1 {
		t.Errorf("the store that can't count was asked %d times", jobs.counted)
	}
	jobs.err = nil
	clock = clock.Add(time.Minute)
	if err := create(first); !job.Is(err, job.Exhausted) {
		t.Errorf("when it can count again: %v, want exhausted", err)
	}
}
