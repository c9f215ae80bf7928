package lifecycle

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Recorder is told what becomes of jobs. Its methods are called by many goroutines at once, and return at once.
type Recorder interface {
	// Launched is told of each try to launch the job's run: err is nil, or why it could not be launched.
	Launched(ctx context.Context, j job.Job, err error)
	// Ended is told of each job that got an outcome, once, by the call that recorded it. (One that is killed between
	// the two, or whose record's answer was lost, tells nobody.)
	Ended(ctx context.Context, j job.Job, end job.End)
}

// noRecorder is the recorder of a Lifecycle that has none.
type noRecorder struct{}

func (noRecorder) Launched(context.Context, job.Job, error) {}
func (noRecorder) Ended(context.Context, job.Job, job.End)  {}

// timed adds when the run's first stage began and its last one ended, as the manifest tells it.
func timed(end job.End, stages []stage.Result) job.End {
	for _, s := range stages {
		if !s.Started.IsZero() && (end.Began.IsZero() || s.Started.Before(end.Began)) {
			end.Began = s.Started
		}
		if s.Ended.After(end.Over) {
			end.Over = s.Ended
		}
	}
	return end
}
