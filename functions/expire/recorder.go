package expire

import (
	"context"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Recorder receives what metrics count. Its methods may query the stores until the context's deadline.
type Recorder interface {
	// Removed receives each job that was marked as deleting, once: because it expired, or because its owner deleted it.
	Removed(ctx context.Context, expired bool)
	// Looked receives each job that a sweep handled: the task, and the error because of which it was postponed. Several
	// goroutines call it at once.
	Looked(ctx context.Context, task string, err error)
	// Swept receives each sweep: its duration, whether it did nothing because another sweep was active, and its error.
	Swept(ctx context.Context, took time.Duration, busy bool, err error)
	// Unattempted receives after each sweep for how long the oldest delivery that the sweep found has been due without an attempt; 0 if it
	// found none.
	Unattempted(ctx context.Context, age time.Duration)
}

// noRecorder is the recorder of a function that has none.
type noRecorder struct{}

func (noRecorder) Removed(context.Context, bool)                     {}
func (noRecorder) Looked(context.Context, string, error)             {}
func (noRecorder) Swept(context.Context, time.Duration, bool, error) {}
func (noRecorder) Unattempted(context.Context, time.Duration)        {}

// task is what a sweep has to do with a job that is due.
func task(j job.Job, expired bool) string {
	switch {
	case expired:
		return "expire" // its retention has ended
	case j.State == job.Deleting:
		return "remove" // its removal is not complete
	case owesDeliveries(j):
		return "deliver" // messages about its end are owed
	case j.State.Ended():
		return "release" // the runner may still keep the run's object
	case j.State.Active() && j.RunName == "":
		return "launch" // a run is owed
	}
	return "observe" // its run had no news for a while
}

// owesDeliveries reports whether deliveries are all that an ended job owes.
func owesDeliveries(j job.Job) bool {
	return j.State.Ended() && len(j.Owed) == 1 && j.Owed[0].Kind == job.Deliver
}

// unattempted returns for how long deliveries of a job have been due without an attempt.
func unattempted(j job.Job, now time.Time) (age time.Duration) {
	for _, d := range j.Deliveries {
		if d.State == job.DeliveryPending && d.Attempts == 0 {
			age = max(age, now.Sub(d.Owed))
		}
	}
	return age
}
