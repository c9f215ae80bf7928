package mongo

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// together sends what several callers ask for at once as one request: while some requests are under way, further callers wait, and the next
// request is for all of them (group commit). A caller alone waits for nothing. The server then does most of the work of a request, to plan
// it, to acknowledge it and to wait for the journal, once for all of them.
//
// A request begins after each of its callers has asked, so a caller reads what was written before.
type together[Q, A any] struct {
	// send is one request for all that is asked. It returns an answer for each, in their order, or an error, which is that of all.
	send func(ctx context.Context, asked []Q) ([]A, error)

	mu      sync.Mutex
	flying  int // requests under way
	waiting []*waiter[Q, A]
}

type waiter[Q, A any] struct {
	ctx    context.Context
	asked  Q
	done   chan struct{} // closed when there is an answer
	answer A
	err    error
}

const (
	maxFlying   = 2  // more of them are smaller; one alone would make two callers wait for each other
	maxTogether = 64 // callers of one request
)

// ask returns the answer of one caller. A caller whose context ends is not waited for, and is not sent if it still waits.
func (t *together[Q, A]) ask(ctx context.Context, asked Q) (answer A, err error) {
	t.mu.Lock()
	if t.flying < maxFlying {
		t.flying++
		t.mu.Unlock()
		defer t.next()
		answers, err := t.send(ctx, []Q{asked})
		if err != nil {
			return answer, err
		}
		return answers[0], nil
	}
	w := &waiter[Q, A]{ctx: ctx, asked: asked, done: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.done:
		return w.answer, w.err
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

// next begins the next request, if any caller waits, in the place of one that has ended.
func (t *together[Q, A]) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var some []*waiter[Q, A]
	for len(t.waiting) > 0 && len(some) < maxTogether {
		if w := t.waiting[0]; w.ctx.Err() == nil {
			some = append(some, w)
		}
		t.waiting[0] = nil
		t.waiting = t.waiting[1:]
	}
	if len(some) == 0 {
		t.flying--
		return
	}
	go t.fly(some)
}

// fly sends a request for some callers. Its deadline is the latest of theirs, which all have. A panic is their error: it is in a goroutine
// that the server does not know.
func (t *together[Q, A]) fly(some []*waiter[Q, A]) {
	defer t.next()
	var answers []A
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("mongo: a request of several callers panicked: %v\n%s", p, debug.Stack())
		}
		for i, w := range some {
			if w.err = err; err == nil {
				w.answer = answers[i]
			}
			close(w.done)
		}
	}()
	var latest time.Time
	asked := make([]Q, 0, len(some))
	for _, w := range some {
		asked = append(asked, w.asked)
		if deadline, ok := w.ctx.Deadline(); ok && deadline.After(latest) {
			latest = deadline
		}
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(some[0].ctx), latest)
	defer cancel()
	answers, err = t.send(ctx, asked)
}
