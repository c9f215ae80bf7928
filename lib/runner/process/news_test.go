package process

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNewsAreCombined checks that a job is reported by one call at a time, and once more after what happened during it.
func TestNewsAreCombined(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan string), make(chan struct{})
	n := newNews(func(_ context.Context, id string) error {
		entered <- id
		<-leave
		return nil
	}, func(string) {}, slog.New(slog.DiscardHandler))
	defer n.close()
	n.send("a")
	if id := <-entered; id != "a" {
		t.Fatal(id)
	}
	for range 100 {
		n.send("a")
	}
	n.send("b")
	if id := <-entered; id != "b" {
		t.Errorf("%s is reported while it is being reported", id)
	}
	leave <- struct{}{}
	leave <- struct{}{}
	if id := <-entered; id != "a" {
		t.Errorf("%s", id)
	}
	leave <- struct{}{}
	until(t, "no more reports", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.jobs) == 0 && n.workers == 0
	})
}

// TestNewsAreRepeated checks that a report that fails is repeated, and that those of other jobs do not wait for it.
func TestNewsAreRepeated(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	away.Store(true)
	var mu sync.Mutex
	var reported, done []string
	n := newNews(func(_ context.Context, id string) error {
		if id == "a" && away.Load() {
			return errors.New("the store is away")
		}
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, id)
		return nil
	}, func(id string) {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, id)
	}, slog.New(slog.DiscardHandler))
	defer n.close()
	has := func(list *[]string, want ...string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Equal(*list, want)
		}
	}
	n.send("a")
	n.send("b")
	until(t, "the report of another job", has(&reported, "b"))
	away.Store(false)
	until(t, "the report that failed", has(&reported, "b", "a"))
	if mu.Lock(); len(done) < 3 {
		t.Errorf("done: %q", done)
	}
	mu.Unlock()
}

// TestNewsEnd checks that close ends a report that hangs, and that nothing is reported after it.
func TestNewsEnd(t *testing.T) {
	t.Parallel()
	begun := make(chan string, 10)
	n := newNews(func(ctx context.Context, id string) error {
		begun <- id
		<-ctx.Done()
		return ctx.Err()
	}, func(string) {}, slog.New(slog.DiscardHandler))
	n.send("a")
	<-begun
	n.close()
	n.send("b")
	if len(begun) != 0 {
		t.Errorf("%s was reported", <-begun)
	}
}

// TestNewsSoon checks that changes of a run that goes on are reported together, and at once with its end.
func TestNewsSoon(t *testing.T) {
	t.Parallel()
	reported := make(chan string, 100)
	n := newNews(func(_ context.Context, id string) error {
		reported <- id
		return nil
	}, func(string) {}, slog.New(slog.DiscardHandler))
	defer n.close()
	began := time.Now()
	for range 10 {
		n.soon("a")
	}
	n.soon("b")
	n.send("b")
	if id := <-reported; id != "b" {
		t.Errorf("%s is reported at once", id)
	}
	if id := <-reported; id != "a" || time.Since(began) < soonTime {
		t.Errorf("%s is reported after %s", id, time.Since(began))
	}
	n.soon("b")
	if id := <-reported; id != "b" || len(reported) > 0 {
		t.Errorf("%s is reported, and %d more", id, len(reported))
	}
}
