// Package functions assembles the functions. The programs in cmd serve one of them each, local mode, the tests and
// the benchmarks serve all: so it is here alone that a function gets its parts and its settings.
package functions

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/functions/jobupdate"
	notifier "github.com/ag-computational-bio/bakta-web-backend/functions/notify"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Parts are what the functions work with.
type Parts struct {
	Jobs    store.Jobs
	Files   store.Files
	Runner  runner.Runner       // not for Status alone
	Logs    runner.Logs         // nil: Runner
	Held    runner.Held         // nil where the objects of runs end with this process
	Queue   runner.Queue        // nil: Runner, if it has one; else the jobs that wait, by their age
	Changes *Changes            // nil where other processes change jobs, too: then calls that wait read the store
	Limiter *limit.Limiter      // of callers; nil without limits
	Turns   store.Turns         // nil without a Limiter
	Offered []workflow.Workflow // the workflows that this deployment can run

	Notify   notify.Offer // which notifications a start may ask for
	Notifier Notifier     // nil where none are made

	Access   status.Access             // how callers are identified
	Versions func() status.Versions    // called for each answer; nil: none is known
	Recorder Recorder                  // nil: nothing is recorded
	Trace    func(Lifecycle) Lifecycle // wraps the lifecycle; nil: nothing does
	Now      func() time.Time          // nil: time.Now
	Log      *slog.Logger
	Holder   string // names this process and no other, for leases
}

// Recorder receives what metrics count of jobs.
type Recorder interface {
	submit.Recorder
	expire.Recorder
	lifecycle.Recorder
	notifier.Recorder
}

// Lifecycle is what the functions do with a job together, see lib/lifecycle.
type Lifecycle interface {
	Launch(ctx context.Context, j job.Job) error
	Settle(ctx context.Context, j job.Job) error
	Remove(ctx context.Context, j job.Job) error
	Next(ctx context.Context, caller string) (bool, error)
}

// Notifier makes deliveries, or has another process make them. See lifecycle.Notifier.
type Notifier = lifecycle.Notifier

// Functions makes each function on the same parts and settings.
type Functions struct {
	parts     Parts
	settings  settings.Settings
	lifecycle Lifecycle
}

// fill sets what follows from other parts.
func (p *Parts) fill() {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Logs == nil && p.Runner != nil {
		p.Logs = p.Runner
	}
	if q, ok := p.Runner.(runner.Queue); ok && p.Queue == nil {
		p.Queue = q
	}
	if p.Changes != nil {
		p.Jobs = noticed{p.Jobs, p.Changes}
	}
}

// New returns the functions. It makes no network call.
func New(p Parts, s settings.Settings) (*Functions, error) {
	p.fill()
	if p.Runner == nil {
		return nil, errors.New("functions: a runner is required")
	}
	f := &Functions{parts: p, settings: s}
	o := lifecycleOptions(p, s)
	if p.Limiter != nil && p.Limiter.Turns() {
		o.Turns = turns{p.Limiter, p.Turns}
	}
	l, err := lifecycle.New(p.Jobs, p.Files, p.Runner, o)
	if err != nil {
		return nil, err
	}
	f.lifecycle = l
	if p.Trace != nil {
		f.lifecycle = p.Trace(l)
	}
	return f, nil
}

// lifecycleOptions returns the options of a lifecycle, without the turns of callers.
func lifecycleOptions(p Parts, s settings.Settings) lifecycle.Options {
	o := lifecycle.Options{
		Retention: s.Retention, UploadTTL: s.UploadTTL, RecheckInterval: s.RecheckInterval, WaitInterval: s.WaitInterval,
		PendingTimeout: s.PendingTimeout, ImageTimeout: s.ImageTimeout, InFlight: s.InFlight, ClockSkew: s.ClockSkew, CountEnds: p.Changes == nil,
		ExpiryNotice: s.ExpiryNotice, EndCommand: s.EndCommand,
		Now: p.Now, Log: p.Log,
	}
	if p.Recorder != nil {
		o.Recorder = p.Recorder
	}
	if p.Notifier != nil {
		o.Notifier = p.Notifier
	}
	return o
}

// turns are the two parts of lifecycle.Turns.
type turns struct {
	*limit.Limiter
	store.Turns
}

// Submit returns the submit function.
func (f *Functions) Submit() (*submit.Function, error) {
	p, s := f.parts, f.settings
	d := submit.Deps{
		Jobs: p.Jobs, Files: p.Files, Launcher: f.lifecycle, Offered: p.Offered, Now: p.Now, Log: p.Log, Holder: p.Holder,
		Retention: s.Retention, UploadTTL: s.UploadTTL, MaxSizes: s.MaxSizes, Unstarted: s.MaxUnstarted, Notify: p.Notify,
		OwnersOnly: p.Access.Required,
	}
	if p.Recorder != nil {
		d.Recorder = p.Recorder
	}
	return submit.New(d)
}

// Status returns the status function.
func (f *Functions) Status() (*status.Function, error) { return newStatus(f.parts, f.settings) }

// Status returns the status function alone, in a process that serves no other: it needs no runner, and its program has nothing of what
// starts and ends jobs.
func Status(p Parts, s settings.Settings) (*status.Function, error) {
	p.fill()
	return newStatus(p, s)
}

func newStatus(p Parts, s settings.Settings) (*status.Function, error) {
	d := status.Deps{
		Jobs: p.Jobs, Files: p.Files, Logs: p.Logs, Offered: p.Offered, Versions: p.Versions, Log: p.Log, Now: p.Now,
		DownloadTTL: s.DownloadTTL, MaxList: s.MaxList, MaxSizes: s.MaxSizes, Notify: p.Notify, Access: p.Access,
	}
	if p.Queue != nil {
		d.Queue = p.Queue
	}
	if p.Limiter != nil && p.Limiter.Turns() {
		d.Turns = p.Turns
	}
	if p.Changes != nil {
		d.Changes = p.Changes
	} else {
		ends, err := lifecycle.NewConcluder(p.Jobs, p.Files, lifecycleOptions(p, s))
		if err != nil {
			return nil, err
		}
		d.Ends = ends
	}
	return status.New(d)
}

// Expire returns the expire function.
func (f *Functions) Expire() (*expire.Function, error) {
	p, s := f.parts, f.settings
	d := expire.Deps{
		Jobs:      p.Jobs,
		Lifecycle: f.lifecycle,
		UploadTTL: s.UploadTTL,
		Now:       p.Now,
		Log:       p.Log,
		Holder:    p.Holder,
		Parallel:  s.SweepJobs,

		OwnersOnly: p.Access.Required,
	}
	if p.Held != nil {
		d.Runs = p.Held
	}
	if p.Limiter != nil && p.Limiter.Turns() {
		d.Callers = p.Turns
	}
	if p.Recorder != nil {
		d.Recorder = p.Recorder
	}
	return expire.New(d)
}

// JobUpdate returns the jobupdate function.
func (f *Functions) JobUpdate() (*jobupdate.Function, error) {
	d := jobupdate.Deps{Jobs: f.parts.Jobs, Lifecycle: f.lifecycle, Log: f.parts.Log}
	if f.parts.Held != nil {
		d.Runs = f.parts.Held
	}
	return jobupdate.New(d)
}

// Notifications returns the notify function on a store of jobs, with what sends messages. It is made before the other functions, because it
// may be their Parts.Notifier.
func Notifications(p Parts, source string, senders map[job.Channel]notifier.Sender) (*notifier.Function, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Changes != nil {
		p.Jobs = noticed{p.Jobs, p.Changes}
	}
	d := notifier.Deps{Jobs: p.Jobs, Senders: senders, Source: source, Now: p.Now, Log: p.Log}
	if p.Recorder != nil {
		d.Recorder = p.Recorder
	}
	return notifier.New(d)
}

// Register has a server serve the calls of all functions.
func (f *Functions) Register(s *server.Server) error {
	submitter, err := f.Submit()
	if err != nil {
		return err
	}
	reader, err := f.Status()
	if err != nil {
		return err
	}
	expirer, err := f.Expire()
	if err != nil {
		return err
	}
	updater, err := f.JobUpdate()
	if err != nil {
		return err
	}
	return errors.Join(submitter.Register(s), reader.Register(s), expirer.Register(s), updater.Register(s))
}

// RegisterEvents has a server serve the events that drive the functions, where other processes send them.
func (f *Functions) RegisterEvents(s *server.Server) error {
	expirer, err := f.Expire()
	if err != nil {
		return err
	}
	updater, err := f.JobUpdate()
	if err != nil {
		return err
	}
	return errors.Join(expirer.RegisterSweep(s), updater.RegisterEvents(s))
}
