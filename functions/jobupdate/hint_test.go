package jobupdate

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// slow is a lifecycle that settles jobs until the test lets it go on.
type slow struct {
	looks atomic.Int32
	begun chan string
	end   chan struct{}
}

func (s *slow) Get(_ context.Context, id string) (job.Job, error) {
	return job.Job{ID: id, State: job.Running}, nil
}

func (s *slow) Settle(ctx context.Context, j job.Job) error {
	s.looks.Add(1)
	s.begun <- j.ID
	<-s.end
	return ctx.Err()
}

// A hint that comes while the job is being settled makes the job be settled once more, even if the first caller has gone or
// the first attempt failed.
func TestHintOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	s := &slow{begun: make(chan string), end: make(chan struct{})}
	f, err := New(Deps{Jobs: s, Lifecycle: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const id = "00000000-0000-4000-8000-000000000000"
	first, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Hint(first, id) }()
	<-s.begun
	if err := f.Hint(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	leave()
	s.end <- struct{}{}
	select {
	case <-s.begun:
		s.end <- struct{}{}
	case err := <-done:
		t.Fatalf("the job was not settled for the second hint; the first returned %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A job is settled once at a time, however many hints come, and once more after that. The number of jobs that are settled at
// once is bounded.
func TestHints(t *testing.T) {
	t.Parallel()
	s := &slow{begun: make(chan string), end: make(chan struct{})}
	f, err := New(Deps{Jobs: s, Lifecycle: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	hint := func(id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := f.V1().UpdateStatus(ctx, &pb.UpdateStatusRequest{JobID: id})
		return err
	}
	id := func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
	done := make(chan error, 2*maxHints)
	go func() { done <- hint(id(0)) }()
	<-s.begun
	for range 100 {
		if err := hint(id(0)); err != nil {
			t.Fatal(err)
		}
	}
	s.end <- struct{}{}
	<-s.begun // once more, for all that came
	s.end <- struct{}{}
	if err := <-done; err != nil || s.looks.Load() != 2 {
		t.Errorf("%d looks, %v", s.looks.Load(), err)
	}
	for n := range maxHints {
		go func() { done <- hint(id(n)) }()
		<-s.begun
	}
	if err := hint(id(maxHints)); !job.Is(err, job.Exhausted) {
		t.Errorf("one too many: %v", err)
	}
	if err := hint("no id"); err != nil {
		t.Errorf("no id: %v", err)
	}
	close(s.end)
	for range maxHints {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(f.hints) != 0 {
		t.Errorf("%d jobs are still being settled", len(f.hints))
	}
}
