// Package lifecycle is what several functions do with a job: launch a run that is owed, settle what became of it, carry out what its
// outcome owes, launch the next job that waits for its turn, and remove a job. Several processes may call all of it at once, be killed
// between any two lines, and call it again.
package lifecycle

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Get(ctx context.Context, id string) (job.Job, error)
	Launched(ctx context.Context, id string, run int, name string, due time.Time) (bool, error)
	Running(ctx context.Context, id string, run int, stages []job.Stage, began, at, due time.Time) (bool, error)
	Finish(ctx context.Context, id string, run int, end job.End) (bool, error)
	Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error)
	SetBlocked(ctx context.Context, id string, b job.Blocked) (bool, error)
	Relaunch(ctx context.Context, id string, run int, at, due time.Time) (bool, error)
	Delete(ctx context.Context, id string, at time.Time) (bool, error)
	Remove(ctx context.Context, id string) error
	Postpone(ctx context.Context, id string, was, due time.Time) error
	AddPastRun(ctx context.Context, class string, r job.PastRun) error
}

// Files is what is used of the store of files, see lib/store.
type Files interface {
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error)
	List(ctx context.Context, prefix string) ([]job.File, error)
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
	RemovePrefix(ctx context.Context, prefix string) error
}

// Options are the times of a Lifecycle, see lib/settings, and what it reports to.
type Options struct {
	Retention       time.Duration
	UploadTTL       time.Duration
	RecheckInterval time.Duration
	WaitInterval    time.Duration // 0: RecheckInterval
	PendingTimeout  time.Duration
	ImageTimeout    time.Duration
	InFlight        time.Duration
	ClockSkew       time.Duration
	Now             func() time.Time
	Log             *slog.Logger

	// CountEnds has each end of a job recorded as a past run of the class Ends: where no runner knows how many jobs run at once,
	// the times of the last ends say how soon a job that waits may begin.
	CountEnds bool

	ExpiryNotice time.Duration // how long before a job expires a message is due; 0: never
	EndCommand   bool          // each job that ends owes the operators' command

	Turns Turns // of the runs of each caller; nil where they are not limited

	Recorder Recorder // nil: nothing is recorded
	Notifier Notifier // nil: deliveries stay owed
}

// Lifecycle moves jobs from their start to their removal.
type Lifecycle struct {
	jobs    Jobs
	files   Files
	runner  runner.Runner // nil in a Concluder
	options Options
}

// New returns a Lifecycle on those parts.
func New(jobs Jobs, files Files, runs runner.Runner, o Options) (*Lifecycle, error) {
	if jobs == nil || files == nil || runs == nil {
		return nil, errors.New("lifecycle: jobs, files and a runner are required")
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	return &Lifecycle{jobs: jobs, files: files, runner: runs, options: o}, nil
}

// fill checks the options and sets defaults.
func (o *Options) fill() error {
	if o.Now == nil || o.Log == nil {
		return errors.New("lifecycle: a clock and a log are required")
	}
	if o.Retention <= 0 || o.UploadTTL <= 0 || o.RecheckInterval <= 0 || o.PendingTimeout <= 0 || o.ImageTimeout < 0 || o.InFlight < 0 ||
		o.ClockSkew < 0 || o.ExpiryNotice < 0 {
		return errors.New("lifecycle: a time is missing or negative")
	}
	if o.WaitInterval <= 0 {
		o.WaitInterval = o.RecheckInterval
	}
	if o.Recorder == nil {
		o.Recorder = noRecorder{}
	}
	return nil
}

// now is the time with the precision of the store. A time that is written, and compared with what is read later, must not
// have digits that the store drops.
func (l *Lifecycle) now() time.Time { return l.options.Now().UTC().Truncate(time.Millisecond) }

// recheck is when the sweep observes a run next if no event comes.
func (l *Lifecycle) recheck() time.Time { return l.now().Add(l.options.RecheckInterval) }

// recheckWaiting is recheck for a run that waits.
func (l *Lifecycle) recheckWaiting() time.Time { return l.now().Add(l.options.WaitInterval) }
