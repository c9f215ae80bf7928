package local

import (
	"runtime"
	"testing"
)

// TestThreads checks the threads of a job that begins while so many may run at the same time.
func TestThreads(t *testing.T) {
	cpus := runtime.NumCPU()
	for _, tt := range []struct{ fixed, jobs, want int }{
		{0, 1, cpus}, {0, cpus, 1}, {0, 10 * cpus, 1}, {1, 1, 1}, {cpus, 100, cpus}, {2 * cpus, 1, cpus},
	} {
		l := newLimit(Options{Threads: tt.fixed, Jobs: 1})
		l.jobs.Store(int64(tt.jobs))
		if got := l.threads(); got != tt.want {
			t.Errorf("--threads %d, %d jobs at the same time: %d threads, want %d", tt.fixed, tt.jobs, got, tt.want)
		}
	}
}
