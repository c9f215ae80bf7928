// Package runner is the contract of runners of jobs. kube runs a job as a Kubernetes Job, process as processes of this machine.
// runnertest is the test suite that any runner passes.
package runner

import (
	"context"
	"io"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Runner runs jobs. A run has an object, named by job.ObjectName, that no other run ever has. Errors are job.Unavailable
// when the runner cannot be reached; such a call may have happened or not.
type Runner interface {
	// Launch creates the object of the job's run and returns its name. It is idempotent: the object of a run that was
	// launched before is left alone.
	Launch(ctx context.Context, j job.Job) (name string, err error)
	// Observe returns the state of the job's run.
	Observe(ctx context.Context, j job.Job) (job.Observation, error)
	// Release allows the runner to delete what it keeps of a run until its outcome and logs are stored. It is idempotent. A
	// launch that comes late does not execute the run again.
	Release(ctx context.Context, j job.Job) error
	// Discard ends the job's run and removes its object, whatever its state. It succeeds when there is none.
	Discard(ctx context.Context, j job.Job) error
	// Stop ends all runs of the job and removes their objects. After nil, nothing of the job writes any more; while
	// something still ends, the error may be job.NotReady. It succeeds when there are none.
	Stop(ctx context.Context, id string) error

	Logs
}

// Logs reads the output of stages where they run.
type Logs interface {
	// Log returns the output of a stage so far, while it exists where the run ran; else job.NotFound.
	Log(ctx context.Context, j job.Job, stage string) (io.ReadCloser, error)
	// Tail returns the end of what Log would return, at most limit bytes of it, which may begin inside a line.
	Tail(ctx context.Context, j job.Job, stage string, limit int64) ([]byte, error)
}

// Queue knows the order in which waiting runs begin. Only runners that decide it, or can ask what does, have it.
type Queue interface {
	// Queue returns the queue, with the places of those of the jobs whose current run waits.
	Queue(ctx context.Context, jobs []job.Job) (job.Queue, error)
}

// Held finds the objects that a runner keeps until the outcome of their runs is recorded. Only runners that keep objects
// outside this process have it: there they can outlive the documents of their jobs.
type Held interface {
	// Held calls visit with the job of every run that ended, or was deleted, before that time, and whose object is still kept.
	// A job may be visited more than once. Held returns the first error of visit.
	Held(ctx context.Context, before time.Time, visit func(id string) error) error
	// Forget releases the runs of a job that have ended or were deleted. It does not change an active run.
	Forget(ctx context.Context, id string) error
}
