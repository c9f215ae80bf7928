package notify

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// queue does tasks in the background, some at once. Each task has a name; one that waits already is not added again.
type queue struct {
	log   *slog.Logger
	names map[string]bool // that wait
	tasks chan named
	stop  context.CancelFunc
	works sync.WaitGroup
	mu    sync.Mutex
}

type named struct {
	name string
	do   func(ctx context.Context) error
}

// maxWaiting bounds the tasks that wait. What is not added is owed, and the sweep finds it.
const maxWaiting = 10_000

func newQueue(workers int, log *slog.Logger) *queue {
	ctx, stop := context.WithCancel(context.Background())
	q := &queue{log: log, names: make(map[string]bool), tasks: make(chan named, maxWaiting), stop: stop}
	for range workers {
		q.works.Go(func() { q.work(ctx) })
	}
	return q
}

// add adds a task and returns at once.
func (q *queue) add(name string, do func(context.Context) error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.names[name] {
		return
	}
	select {
	case q.tasks <- named{name, do}:
		q.names[name] = true
	default:
		q.log.Warn("too many notifications wait; the sweep will find this one", "task", name)
	}
}

func (q *queue) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-q.tasks:
			q.mu.Lock()
			delete(q.names, t.name)
			q.mu.Unlock()
			q.do(ctx, t)
		}
	}
}

func (q *queue) do(ctx context.Context, t named) {
	defer func() {
		if v := recover(); v != nil {
			q.log.ErrorContext(ctx, "a notification panicked", "task", t.name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	// What the end of the queue ended is owed. A post that went on (see Publisher) may have failed after it.
	if err := t.do(ctx); err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
		q.log.WarnContext(ctx, "a notification failed; the sweep repeats what is owed", "task", t.name, "error", err)
	}
}

// close ends the queue. It waits for the tasks that were begun until ctx ends; those that wait are owed.
func (q *queue) close(ctx context.Context) error {
	q.stop()
	over := make(chan struct{})
	go func() { q.works.Wait(); close(over) }()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// InProcess is a lifecycle.Notifier that makes deliveries in the background of this process.
type InProcess struct {
	f     *Function
	queue *queue
}

// InProcess returns a notifier that makes some deliveries at once. Close must be called.
func (f *Function) InProcess(atOnce int) *InProcess {
	return &InProcess{f, newQueue(atOnce, f.deps.Log)}
}

// Ended implements lifecycle.Notifier.
func (p *InProcess) Ended(ctx context.Context, j job.Job) {
	if len(j.Deliveries) > 0 {
		p.Deliver(ctx, j.ID)
	}
}

// Deliver implements lifecycle.Notifier.
func (p *InProcess) Deliver(_ context.Context, id string) {
	p.queue.add(id, func(ctx context.Context) error { return p.f.Deliver(ctx, id) })
}

// Close waits for the attempts that were begun.
func (p *InProcess) Close(ctx context.Context) error { return p.queue.close(ctx) }
