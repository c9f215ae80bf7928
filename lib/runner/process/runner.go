// Package process runs jobs as local processes. It does for local mode what Kubernetes Jobs do in a cluster: it stores what
// was launched, runs a limited number at the same time and the others in order, reports each change of a run, and keeps the
// files of a run until its outcome is stored.
//
// Its state is small files below one directory, so it continues when its process is started again, however it ended:
//
//	records/<object>.json      a run that was launched; written before Launch returns
//	turns.json                 whose turn it is, see queue
//	records/<object>.released  a run whose outcome is stored elsewhere; it keeps the run from being launched again
//	work/<object>/             the run's working directory, see lib/stage
//	trash/                     what is being removed
//
// A run whose record says waiting is executed. A run whose record says active, but which no process executes, was
// interrupted: its remaining processes are killed, and it has ended.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Options is what a Runner works with.
type Options struct {
	Dir     string        // holds all state; created if missing
	Jobs    int           // how many jobs run at a time, at least 1; see SetJobs
	Stager  []string      // command line that starts a stager, in front of its arguments
	Environ []string      // programs get a part of it, see stage.Environment
	Files   stage.Files   // the store of the jobs' files
	Grace   time.Duration // from SIGTERM to SIGKILL; stage.DefaultGrace if zero
	Limit   time.Duration // a stage that takes longer fails; no limit if zero
	Log     *slog.Logger

	// RoomTime bounds how long a run that begins waits for disk space, or for files that may be open, before it fails; an hour if zero.
	RoomTime time.Duration

	// Specs returns what a run of the job does in that working directory. It is called at the launch of the run, and again when the
	// run begins, with what the launch knew of ID, Run, Workflow and Start: programs and threads may have changed since. Any error
	// except job.Unavailable ends the job: no later launch could run it.
	Specs func(j job.Job, dir string) (stage.Spec, error)
	// Report records what became of the runs of a job. It is called soon after each change of a run, and again until it
	// succeeds, for one job by one call at a time. If nil, nothing is reported.
	Report func(ctx context.Context, id string) error
	// Changed, if not nil, is called with the id of a job when a program of its run has written output and when a change of the
	// run was reported, and with "" when the queue has changed. It must return at once, and not call the runner.
	Changed func(id string)
}

var (
	_ runner.Runner = (*Runner)(nil)
	_ runner.Queue  = (*Runner)(nil)
)

// Runner runs jobs as local processes. It implements runner.Runner and runner.Queue.
type Runner struct {
	o       Options
	lock    *flock.Flock
	news    *news
	stagers stagers
	wait    sync.WaitGroup // runs that are executing
	ending  chan struct{}  // closed by Ending
	endOnce sync.Once

	mu      sync.Mutex
	closed  bool
	jobs    int             // how many runs execute at a time
	runs    map[string]*run // by object name
	queue   queue           // the waiting runs
	active  map[*run]bool   // those that execute programs, or download inputs for them
	storing map[*run]bool   // those whose programs have ended; the next ones may have begun
	// reserved has the jobs whose run was interrupted by the end of the process before, and whose next run is not
	// launched yet. Each has a place reserved: it began before all runs that wait.
	reserved map[string]bool
}

const (
	// killTimeout is how long killed processes may take to disappear.
	killTimeout = 10 * time.Second
	// reservation is how long a place is reserved for the next run of an interrupted job. The lifecycle launches it
	// when it handles the first event.
	reservation = 30 * time.Second
	// askedTime is how long a run whose processes were asked to end waits for the same of this process. Whoever asks all processes of a
	// service at once reaches this one in milliseconds, before or after the others.
	askedTime = time.Second
	// roomStep is the time between two attempts of a run that waits for room.
	roomStep = 10 * time.Second
	// lockTimeout is how long New waits for a directory that another process uses.
	lockTimeout = 3 * time.Second
)

// New returns a Runner that continues with the runs recorded in the directory. Its calls wait until those are read. New returns an
// error if another process uses the directory.
func New(o Options) (*Runner, error) {
	if o.Dir == "" || o.Jobs < 1 || len(o.Stager) == 0 || o.Files == nil || o.Specs == nil || o.Log == nil {
		return nil, errors.New("runner: Dir, Stager, Files, Specs and Log are required, and Jobs must be at least 1")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if o.Grace <= 0 {
		o.Grace = stage.DefaultGrace
	}
	if o.RoomTime <= 0 {
		o.RoomTime = time.Hour
	}
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	r := &Runner{
		o:        o,
		runs:     make(map[string]*run),
		reserved: make(map[string]bool),
		active:   make(map[*run]bool),
		storing:  make(map[*run]bool),
		ending:   make(chan struct{}),
		jobs:     o.Jobs,
	}
	for _, dir := range []string{r.records(), r.work(), r.trash()} {
		// Closed to other users, because the directories below it are open to all, see stage.In.
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("creating the runner's directory: %w", err)
		}
	}
	r.lock = flock.New(filepath.Join(o.Dir, "lock"))
	var entries []os.DirEntry
	if err = r.acquire(); err == nil {
		entries, err = os.ReadDir(r.records())
	}
	if err != nil {
		r.lock.Close()
		return nil, fmt.Errorf("the runner's directory %s: %w", o.Dir, err)
	}
	r.news = newNews(o.Report, o.Changed, o.Log)
	// Thousands of runs may wait, and processes that were left may take seconds to end. So this goes on while the caller starts to
	// serve; calls wait for the lock.
	r.mu.Lock()
	r.wait.Go(func() {
		defer r.mu.Unlock()
		r.recover(entries)
		r.resume()
	})
	return r, nil
}

// resume reports and executes what the process before this one left. The caller holds the lock.
func (r *Runner) resume() {
	for _, x := range r.runs {
		if x.Phase == ended {
			r.news.send(x.Job) // the process before may have ended before it reported this
		}
	}
	r.dispatch()
	if len(r.reserved) > 0 {
		jobs := slices.Collect(maps.Keys(r.reserved))
		time.AfterFunc(reservation, func() { r.free(jobs...) })
	}
}

// free gives up the places that are reserved for jobs.
func (r *Runner) free(jobs ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range jobs {
		delete(r.reserved, id)
	}
	r.dispatch()
}

// acquire locks the directory for this process. It waits, because a child that a killed process was about to start may
// hold the lock for a moment.
func (r *Runner) acquire() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	locked, err := r.lock.TryLockContext(ctx, 20*time.Millisecond)
	if !locked && (err == nil || errors.Is(err, context.DeadlineExceeded)) {
		err = errors.New("another process uses it; stop that process first")
	}
	return err
}

func (r *Runner) records() string { return filepath.Join(r.o.Dir, "records") }
func (r *Runner) work() string    { return filepath.Join(r.o.Dir, "work") }
func (r *Runner) trash() string   { return filepath.Join(r.o.Dir, "trash") }
func (r *Runner) turns() string   { return filepath.Join(r.o.Dir, "turns.json") }

// Launch records the job's run and queues it.
func (r *Runner) Launch(ctx context.Context, j job.Job) (string, error) {
	object := job.ObjectName(j.ID, j.Run)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return "", job.Errorf(job.Unavailable, "the backend is shutting down")
	}
	if r.known(object) {
		return object, nil
	}
	for n := j.Run + 1; n <= job.MaxRuns; n++ {
		if r.known(job.ObjectName(j.ID, n)) {
			return object, nil // the caller read the job before this run was given up
		}
	}
	now := time.Now().UTC()
	x := &run{
		record: record{Job: j.ID, Run: j.Run, Batch: j.Batch, Workflow: j.Workflow, Start: j.Start,
			Phase: waiting, Since: now, Order: now.UnixNano()},
		dir: filepath.Join(r.work(), object),
	}
	if !j.Started.IsZero() {
		x.Order = j.Started.UnixNano()
	}
	failure, err := r.specify(x, j)
	if err != nil {
		return "", err
	}
	if failure != nil {
		// Recorded as the end of the run: a launch that returned an error would be repeated for ever.
		x.Phase, x.Failure = ended, failure
	}
	if err := r.save(x); err != nil {
		return "", job.Errorf(job.Unavailable, "the job can't be queued at the moment").Because(err)
	}
	x.shed()
	r.runs[object] = x
	delete(r.reserved, j.ID)
	if x.Phase == waiting {
		r.queue.add(x)
		r.o.Changed("")
	} else {
		r.news.send(x.Job)
	}
	r.dispatch()
	return object, nil
}

// specify sets what the run does. It returns a failure if the job can't be run, now or later.
func (r *Runner) specify(x *run, j job.Job) (*job.Failure, error) {
	spec, err := r.o.Specs(j, x.dir)
	if err == nil {
		err = spec.Validate()
	}
	if job.Is(err, job.Unavailable) {
		return nil, err
	}
	if err != nil {
		r.o.Log.Error("a job can't be run", "job", j.ID, "error", err)
		return &job.Failure{Code: job.Internal,
			Message: "This server is not configured to run the job. This is not a fault of your data; please contact the operators."}, nil
	}
	x.Spec = spec
	return nil, nil
}

// dispatch starts waiting runs while places are free. The caller holds the lock.
func (r *Runner) dispatch() {
	taken := false
	for !r.closed && len(r.active) < r.jobs && r.queue.length > 0 {
		if !r.queue.next().resumes() && len(r.active)+len(r.reserved) >= r.jobs {
			break // the free places are reserved for interrupted jobs
		}
		x := r.queue.take()
		taken = true
		r.active[x] = true
		x.Phase, x.Since, x.Begun = active, time.Now().UTC(), true
		x.done = make(chan struct{})
		var ctx context.Context
		ctx, x.cancel = context.WithCancelCause(context.Background())
		r.wait.Go(func() { r.execute(ctx, x) })
	}
	if taken {
		r.saveTurns()
		r.o.Changed("")
	}
}

// SetJobs sets how many jobs run at a time, at least 1. If they become more, waiting runs begin at once. If they become fewer, no
// run is ended: none begins until so many have ended that fewer run.
func (r *Runner) SetJobs(jobs int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = max(1, jobs)
	r.dispatch()
	r.o.Changed("")
}

// Observe returns the state of the job's run. A run that was released has ended.
func (r *Runner) Observe(_ context.Context, j job.Job) (job.Observation, error) {
	object := job.ObjectName(j.ID, j.Run)
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.runs[object]
	if x == nil {
		if r.released(object) {
			return job.Observation{Phase: job.Ended}, nil
		}
		return job.Observation{Phase: job.Absent}, nil
	}
	seen := job.Observation{Since: x.Since, Failure: x.Failure, Interrupted: x.Interrupted}
	switch x.Phase {
	case waiting:
		seen.Phase = job.Waiting
		seen.Waiting = fmt.Sprintf("number %d of %d waiting jobs; %d run at a time", r.queue.place(x), r.queue.length, r.jobs)
	case active:
		seen.Phase, seen.Began = job.Active, x.Since
		seen.Stages = x.stages()
	case ended:
		seen.Phase = job.Ended
		seen.Stages = x.stages()
	}
	return seen, nil
}

// stages returns the states of a run's stages. The caller holds the lock.
func (x *run) stages() []job.Stage {
	stages := slices.Clone(x.Stages)
	for i := range stages {
		if stages[i].Status == job.StageRunning && x.Phase == ended {
			stages[i].Status = job.StageFailed // it was interrupted
		}
	}
	return stages
}

// Queue returns the queue in the order of dispatch. A place that is reserved for an interrupted job does not count. The cost grows
// with the number of batches that wait, not with the number of runs.
func (r *Runner) Queue(_ context.Context, jobs []job.Job) (job.Queue, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := job.Queue{Length: r.queue.length, Places: make(map[string]int), Slots: r.jobs, Running: []time.Time{}}
	for _, j := range jobs {
		if x := r.runs[job.ObjectName(j.ID, j.Run)]; x != nil && x.Phase == waiting {
			q.Places[x.Job] = r.queue.place(x)
		}
	}
	for x := range r.active {
		q.Running = append(q.Running, x.Since)
	}
	return q, nil
}

// Log reads a stage's output from the run's directory, which Release and Discard remove.
func (r *Runner) Log(_ context.Context, j job.Job, name string) (io.ReadCloser, error) {
	f, err := r.openLog(j, name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Tail reads the end of the file that Log reads.
func (r *Runner) Tail(_ context.Context, j job.Job, name string, limit int64) ([]byte, error) {
	f, err := r.openLog(j, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(max(0, end-limit), io.SeekStart)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, limit))
	}
	if err != nil {
		return nil, job.Errorf(job.Unavailable, "the log can't be read at the moment").Because(err)
	}
	return text, nil
}

func (r *Runner) openLog(j job.Job, name string) (*os.File, error) {
	object := job.ObjectName(j.ID, j.Run)
	r.mu.Lock()
	x := r.runs[object]
	known := x != nil && slices.ContainsFunc(x.Stages, func(s job.Stage) bool { return s.Name == name })
	r.mu.Unlock()
	missing := job.Errorf(job.NotFound, "there is no log of the stage %s", name)
	if x == nil || !known {
		return nil, missing
	}
	f, err := stage.OpenLog(x.dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing
	}
	if err != nil {
		return nil, job.Errorf(job.Unavailable, "the log can't be read at the moment").Because(err)
	}
	return f, nil
}
