package mongo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// slow is a send that waits until it is let go, and answers each question with itself.
type slow struct {
	sent chan []int
	let  chan error
}

func (h slow) send(ctx context.Context, asked []int) ([]int, error) {
	h.sent <- slices.Clone(asked)
	select {
	case err := <-h.let:
		return asked, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type asked struct {
	answer int
	err    error
}

// TestTogether: callers that ask while requests are under way are answered by one request, each with its own answer.
func TestTogether(t *testing.T) {
	t.Parallel()
	h := slow{sent: make(chan []int), let: make(chan error)}
	both := &together[int, int]{send: h.send}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answers := make(map[int]chan asked)
	ask := func(ctx context.Context, q int) {
		answers[q] = make(chan asked, 1)
		go func(to chan asked) {
			answer, err := both.ask(ctx, q)
			to <- asked{answer, err}
		}(answers[q])
	}
	wait := func(n int) { // until so many callers wait
		t.Helper()
		for ctx.Err() == nil {
			both.mu.Lock()
			waiting := len(both.waiting)
			both.mu.Unlock()
			if waiting == n {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("not %d callers wait", n)
	}
	for q := range maxFlying {
		ask(ctx, q)
		if got := <-h.sent; !slices.Equal(got, []int{q}) {
			t.Fatalf("the first requests ask for %v", got)
		}
	}
	gone, leave := context.WithCancel(ctx)
	ask(ctx, 10)
	wait(1)
	ask(gone, 11)
	wait(2)
	ask(ctx, 12)
	wait(3)
	leave()
	if got := <-answers[11]; !errors.Is(got.err, context.Canceled) {
		t.Errorf("a caller that goes away: %v", got)
	}

	broken := errors.New("broken")
	h.let <- broken // one of the first two
	if got := <-h.sent; !slices.Equal(got, []int{10, 12}) {
		t.Errorf("those who wait ask for %v", got)
	}
	h.let <- nil
	h.let <- nil
	failed := 0
	for _, q := range []int{0, 1, 10, 12} {
		got := <-answers[q]
		if errors.Is(got.err, broken) && q < maxFlying {
			failed++
		} else if got.err != nil || got.answer != q {
			t.Errorf("%d: %v", q, got)
		}
	}
	if failed != 1 {
		t.Errorf("%d callers get the error of one request", failed)
	}
	both.mu.Lock()
	defer both.mu.Unlock()
	if both.flying != 0 || len(both.waiting) != 0 {
		t.Errorf("at the end %d requests are under way and %d callers wait", both.flying, len(both.waiting))
	}
}

// TestTogetherFails: an error is that of all who asked together, and the next ones are sent.
func TestTogetherFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var sends sync.Map
	both := &together[int, int]{send: func(_ context.Context, asked []int) ([]int, error) {
		sends.Store(asked[0], true)
		if slices.Contains(asked, 13) {
			return nil, broken
		}
		return asked, nil
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for q := range 1000 {
		all.Go(func() {
			if answer, err := both.ask(ctx, q); answer != q && !errors.Is(err, broken) {
				t.Errorf("%d: %d, %v", q, answer, err)
			}
		})
	}
	all.Wait()
	if _, err := both.ask(ctx, 13); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if answer, err := both.ask(ctx, 14); answer != 14 || err != nil {
		t.Errorf("after an error: %d, %v", answer, err)
	}
}

// TestTogetherPanics: a panic of a request for several callers is their error, and others go on.
func TestTogetherPanics(t *testing.T) {
	t.Parallel()
	sent, let := make(chan struct{}), make(chan struct{})
	both := &together[int, int]{send: func(_ context.Context, asked []int) ([]int, error) {
		if slices.Contains(asked, 13) {
			panic("at the disco")
		}
		sent <- struct{}{}
		<-let
		return asked, nil
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var first sync.WaitGroup
	for q := range maxFlying {
		first.Go(func() {
			if _, err := both.ask(ctx, q); err != nil {
				t.Error(err)
			}
		})
		<-sent
	}
	panicked := make(chan error, 1)
	go func() {
		_, err := both.ask(ctx, 13)
		panicked <- err
	}()
	for waits := false; !waits && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		both.mu.Lock()
		waits = len(both.waiting) == 1
		both.mu.Unlock()
	}
	close(let)
	if err := <-panicked; err == nil || !strings.Contains(err.Error(), "at the disco") {
		t.Errorf("got %v", err)
	}
	first.Wait()
}
