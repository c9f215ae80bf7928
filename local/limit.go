package local

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/process"
	"github.com/ag-computational-bio/bakta-web-backend/local/control"
)

// limit is how many jobs run at the same time, and with how many threads each. It implements control.Backend.
type limit struct {
	fixed  int // threads of a job; 0: as many as each of the jobs can have
	jobs   atomic.Int64
	runner *process.Runner // set before the first command
}

func newLimit(o Options) *limit {
	l := &limit{fixed: o.Threads}
	l.jobs.Store(int64(o.Jobs))
	return l
}

// threads returns the threads of a job that begins now. Bakta refuses more threads than CPUs.
func (l *limit) threads() int {
	cpus := runtime.NumCPU()
	if l.fixed > 0 {
		return min(l.fixed, cpus)
	}
	return max(1, cpus/int(l.jobs.Load()))
}

// SetJobs changes how many jobs run at the same time. Those that run keep their threads.
func (l *limit) SetJobs(jobs int) {
	l.jobs.Store(int64(jobs)) // first: jobs that begin because of the change have its threads
	l.runner.SetJobs(jobs)
}

// Jobs returns how many jobs run and wait.
func (l *limit) Jobs() control.Jobs {
	q, _ := l.runner.Queue(context.Background(), nil) // it fails never: the queue is in memory
	return control.Jobs{Limit: q.Slots, Running: len(q.Running), Waiting: q.Length}
}
