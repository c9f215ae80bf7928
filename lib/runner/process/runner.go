// Package process runs jobs as local processes. It does for local mode what Kubernetes Jobs do in a cluster: it stores what
// was launched, runs a limited number at the same time and the others in order, sends an event of each change in the form
// of a cluster's, and keeps the files of a run until its outcome is stored.
//
// Its state is small files below one directory, so it continues when its process is started again, however it ended:
//
//	records/<object>.json      a run that was launched; written before Launch returns
//	records/<object>.released  a run whose outcome is stored elsewhere; it keeps the run from being launched again
//	work/<object>/             the run's working directory, see lib/stage
//	trash/                     what is being removed
//
// A run whose record says waiting is executed. A run whose record says active, but which no process executes, was
// interrupted: its remaining processes are killed, and it has ended.
package process

import (
	"cmp"
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
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/gofrs/flock"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Options is what a Runner works with.
type Options struct {
	Dir     string        // holds all state; created if missing
	Jobs    int           // how many jobs run at a time, at least 1
	Stager  []string      // command line that starts a stager, in front of its arguments
	Environ []string      // programs get a part of it, see stage.Environment
	Files   stage.Files   // the store of the jobs' files
	Grace   time.Duration // from SIGTERM to SIGKILL; stage.DefaultGrace if zero
	Limit   time.Duration // a stage that takes longer fails; no limit if zero
	Log     *slog.Logger

	// Specs returns what a run of the job does in that working directory. Any error except job.Unavailable ends the job:
	// no later launch could run it.
	Specs func(j job.Job, dir string) (stage.Spec, error)
	// Notify delivers an event within a few seconds, or gives up. It is called for one event at a time, in order. If nil,
	// no events are sent.
	Notify func(ctx context.Context, e cloudevents.Event) error
	// Changed, if not nil, is called with the id of a job when a program of its run has written output, and with "" when the
	// queue has changed. It must return at once, and not call the runner.
	Changed func(id string)
}

var (
	_ runner.Runner = (*Runner)(nil)
	_ runner.Queue  = (*Runner)(nil)
)

// Runner runs jobs as local processes. It implements runner.Runner.
type Runner struct {
	o      Options
	lock   *flock.Flock
	events *events
	wait   sync.WaitGroup // runs that are executing

	mu        sync.Mutex
	closed    bool
	runs      map[string]*run // by object name
	queue     []*run          // the waiting runs, in order
	executing int
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
	// lockTimeout is how long New waits for a directory that another process uses.
	lockTimeout = 3 * time.Second
)

// New returns a Runner that continues with the runs recorded in the directory. It returns an error if another process
// uses the directory.
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
	if o.Changed == nil {
		o.Changed = func(string) {}
	}
	r := &Runner{o: o, runs: make(map[string]*run), reserved: make(map[string]bool)}
	for _, dir := range []string{r.records(), r.work(), r.trash()} {
		// Closed to other users, because the directories below it are open to all, see stage.In.
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("creating the runner's directory: %w", err)
		}
	}
	r.lock = flock.New(filepath.Join(o.Dir, "lock"))
	err = r.acquire()
	if err == nil {
		err = r.recover()
	}
	if err != nil {
		r.lock.Close()
		return nil, fmt.Errorf("the runner's directory %s: %w", o.Dir, err)
	}
	r.events = newEvents(o.Notify, o.Log)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.runs {
		if x.Phase == ended {
			r.events.send(updated, x.object()) // the process before may have ended before it sent this event
		}
	}
	r.dispatch()
	if jobs := slices.Collect(maps.Keys(r.reserved)); len(jobs) > 0 {
		time.AfterFunc(reservation, func() { r.free(jobs...) })
	}
	return r, nil
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
	x := &run{record: record{Job: j.ID, Run: j.Run, Phase: waiting, Since: now, Order: now.UnixNano()}, dir: filepath.Join(r.work(), object)}
	if !j.Started.IsZero() {
		x.Order = j.Started.UnixNano() // a job that is run again precedes the jobs that were started since
	}
	var err error
	if x.Spec, err = r.o.Specs(j, x.dir); err == nil {
		err = x.Spec.Validate()
	}
	if job.Is(err, job.Unavailable) {
		return "", err
	}
	if err != nil {
		// Recorded as the end of the run: a launch that returned an error would be repeated for ever.
		r.o.Log.ErrorContext(ctx, "a job can't be run", "job", j.ID, "error", err)
		x.Phase, x.Failure = ended, &job.Failure{Code: job.Internal,
			Message: "This server is not configured to run the job. This is not a fault of your data; please contact the operators."}
	}
	if err := r.save(x); err != nil {
		return "", job.Errorf(job.Unavailable, "the job can't be queued at the moment").Because(err)
	}
	r.runs[object] = x
	delete(r.reserved, j.ID)
	if x.Phase == waiting {
		at, _ := slices.BinarySearchFunc(r.queue, x, inOrder)
		r.queue = slices.Insert(r.queue, at, x)
		r.o.Changed("")
	}
	r.events.send(added, object)
	r.dispatch()
	return object, nil
}

// inOrder compares two runs by their places in the queue.
func inOrder(a, b *run) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.object(), b.object()))
}

// dispatch starts waiting runs while places are free. The caller holds the lock.
func (r *Runner) dispatch() {
	for !r.closed && r.executing < r.o.Jobs && len(r.queue) > 0 {
		x := r.queue[0]
		if x.Run == 1 && r.executing+len(r.reserved) >= r.o.Jobs {
			return // the free places are reserved for interrupted jobs
		}
		r.queue = r.queue[1:]
		r.o.Changed("")
		r.executing++
		x.Phase, x.Since = active, time.Now().UTC()
		x.done = make(chan struct{})
		var ctx context.Context
		ctx, x.cancel = context.WithCancelCause(context.Background())
		r.wait.Go(func() { r.execute(ctx, x) })
	}
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
		seen.Waiting = fmt.Sprintf("number %d of %d waiting jobs; %d run at a time", slices.Index(r.queue, x)+1, len(r.queue), r.o.Jobs)
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

// Queue returns the queue in the order of dispatch. A place that is reserved for an interrupted job does not count.
func (r *Runner) Queue(_ context.Context, jobs []job.Job) (job.Queue, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := job.Queue{Length: len(r.queue), Places: make(map[string]int, len(jobs)), Slots: r.o.Jobs, Running: []time.Time{}}
	asked := make(map[*run]bool, len(jobs))
	for _, j := range jobs {
		if x := r.runs[job.ObjectName(j.ID, j.Run)]; x != nil && x.Phase == waiting {
			asked[x] = true
		}
	}
	if len(asked) > 0 {
		for i, x := range r.queue {
			if asked[x] {
				q.Places[x.Job] = i + 1
			}
		}
	}
	for _, x := range r.runs {
		if x.Phase == active {
			q.Running = append(q.Running, x.Since)
		}
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
	r.mu.Unlock()
	missing := job.Errorf(job.NotFound, "there is no log of the stage %s", name)
	if x == nil || !slices.ContainsFunc(x.Spec.Stages, func(c stage.Command) bool { return c.Stage == name }) {
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
