package expire

import (
	"context"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Recorder is told of removals and sweeps. Its methods may ask the stores, within the context's time; nothing depends on
// what comes of that.
type Recorder interface {
	// Removed is told of a job that was marked for removal, once: because it expired, or because its owner asked for it.
	Removed(ctx context.Context, expired bool)
	// Looked is told of each job that a sweep looked at: what for, see task, and why it was postponed, if it was. Several
	// goroutines tell it at once.
	Looked(ctx context.Context, task string, err error)
	// Swept is told of each sweep: how long it took, whether it did nothing because there was another, and its error.
	Swept(ctx context.Context, took time.Duration, busy bool, err error)
}

// noRecorder is the recorder of a function that has none.
type noRecorder struct{}

func (noRecorder) Removed(context.Context, bool)                     {}
func (noRecorder) Looked(context.Context, string, error)             {}
func (noRecorder) Swept(context.Context, time.Duration, bool, error) {}

// task is what a job that is due is looked at for.
func task(j job.Job, expired bool) string {
	switch {
	case expired:
		return "expire" // its time is over
	case j.State == job.Deleting:
		return "remove" // its removal goes on, or was cut off
	case j.State.Ended():
		return "release" // its run's object may still be held
	case j.State.Active() && j.RunName == "":
		return "launch" // a run is owed
	}
	return "observe" // nobody has told of its run for a while
}
