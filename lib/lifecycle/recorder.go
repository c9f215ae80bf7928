package lifecycle

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Recorder receives what metrics count. Its methods are called by many goroutines at once, and must return at once.
type Recorder interface {
	// Launched receives each attempt to launch the job's run, and its error.
	Launched(ctx context.Context, j job.Job, err error)
	// Ended receives each job that got an outcome, at most once, from the call that recorded the outcome. A call that is killed
	// in between, or did not get the store's answer, does not report it.
	Ended(ctx context.Context, j job.Job, end job.End)
}

// noRecorder is the recorder of a Lifecycle that has none.
type noRecorder struct{}

func (noRecorder) Launched(context.Context, job.Job, error) {}
func (noRecorder) Ended(context.Context, job.Job, job.End)  {}

// timed adds when the first stage began and the last one ended, according to the manifest.
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
