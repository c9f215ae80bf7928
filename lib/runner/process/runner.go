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
// A run whose record says that it waits is run. A run whose record says that it is active, but that no process runs, was
// interrupted: its remaining processes are killed, and it is over.
package process

import (
	"cmp"
	"context"
	"encoding/json"
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
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Options is what a Runner works with.
type Options struct {
	Dir     string        // all that it keeps; made if missing
	Jobs    int           // how many jobs run at a time, at least 1
	Stager  []string      // command line that starts a stager, in front of its arguments
	Environ []string      // environment of which programs get a part, see stage.Environment
	Files   stage.Files   // where jobs' files are
	Grace   time.Duration // from SIGTERM to SIGKILL; stage.DefaultGrace if zero
	Limit   time.Duration // a stage that takes longer has failed; none if zero
	Log     *slog.Logger

	// Specs says what a run of the job does in that working directory. An error that is not job.Unavailable
	// ends the job: it could never be run.
	Specs func(j job.Job, dir string) (stage.Spec, error)
	// Notify delivers an event, in a few seconds or never. It is called for one event at a time, in order. Nil
	// for nobody to tell.
	Notify func(ctx context.Context, e cloudevents.Event) error
}

// Runner runs jobs as local processes.
type Runner struct {
	o      Options
	lock   *flock.Flock
	events *events
	wait   sync.WaitGroup // runs that are executing

	mu        sync.Mutex
	closed    bool
	runs      map[string]*run // by object name
	queue     []*run          // those that wait, in order
	executing int
	// Jobs whose run was interrupted by the end of the process before, and whose next run is not launched yet. Each
	// has a place kept: it was before all that wait.
	owed map[string]bool
}

const (
	// killing is how long it may take until killed processes are gone.
	killing = 10 * time.Second
	// owing is how long places are kept for runs that are to be launched again: the outcome of an interrupted run is
	// looked at as soon as events are taken.
	owing = 30 * time.Second
	// lockPatience is how long the directory of another process is waited for.
	lockPatience = 3 * time.Second
)

// New returns a Runner that goes on with what the runner before it left in the directory. It is an error if
// another process uses the directory.
func New(o Options) (*Runner, error) {
	if o.Dir == "" || o.Jobs < 1 || len(o.Stager) == 0 || o.Files == nil || o.Specs == nil || o.Log == nil {
		return nil, errors.New("a runner needs a directory, at least one job at a time, a stager, files, specs and a log")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if o.Grace <= 0 {
		o.Grace = stage.DefaultGrace
	}
	r := &Runner{o: o, runs: make(map[string]*run), owed: make(map[string]bool)}
	for _, dir := range []string{r.records(), r.work(), r.trash()} {
		// Not for other users: inside, directories are open to all, see stage.In.
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the runner's directory: %w", err)
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
			r.events.send(updated, x.object()) // it may have been lost with the process before
		}
	}
	r.dispatch()
	if owed := slices.Collect(maps.Keys(r.owed)); len(owed) > 0 {
		time.AfterFunc(owing, func() { r.settle(owed...) })
	}
	return r, nil
}

// settle gives up the places that are kept for jobs.
func (r *Runner) settle(jobs ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range jobs {
		delete(r.owed, id)
	}
	r.dispatch()
}

// acquire takes the directory for this process alone. A process that was killed may leave the lock, for a
// moment, with a child that it was about to start.
func (r *Runner) acquire() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	mine, err := r.lock.TryLockContext(ctx, 20*time.Millisecond)
	if !mine && (err == nil || errors.Is(err, context.DeadlineExceeded)) {
		err = errors.New("another process uses it")
	}
	return err
}

func (r *Runner) records() string { return filepath.Join(r.o.Dir, "records") }
func (r *Runner) work() string    { return filepath.Join(r.o.Dir, "work") }
func (r *Runner) trash() string   { return filepath.Join(r.o.Dir, "trash") }

// Launch remembers the job's run and queues it.
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
			return object, nil // launched by somebody who read the job before this run was given up
		}
	}
	now := time.Now().UTC()
	x := &run{record: record{Job: j.ID, Run: j.Run, Phase: waiting, Since: now, Order: now.UnixNano()}, dir: filepath.Join(r.work(), object)}
	if !j.Started.IsZero() {
		x.Order = j.Started.UnixNano() // one that is run again was before those that were started since
	}
	var err error
	if x.Spec, err = r.o.Specs(j, x.dir); err == nil {
		err = x.Spec.Validate()
	}
	if job.Is(err, job.Unavailable) {
		return "", err
	}
	if err != nil {
		// Reported as the end of the run: a failed launch would be retried for ever.
		r.o.Log.ErrorContext(ctx, "a job can't be run", "job", j.ID, "error", err)
		x.Phase, x.Failure = ended, &job.Failure{Code: job.Internal,
			Message: "The job can't be run by this server as it is set up. This is not a fault of your data; please tell the operators."}
	}
	if err := r.save(x); err != nil {
		return "", job.Errorf(job.Unavailable, "the job can't be queued at the moment").Because(err)
	}
	r.runs[object] = x
	delete(r.owed, j.ID)
	if x.Phase == waiting {
		at, _ := slices.BinarySearchFunc(r.queue, x, inOrder)
		r.queue = slices.Insert(r.queue, at, x)
	}
	r.events.send(added, object)
	r.dispatch()
	return object, nil
}

// inOrder compares two runs by their places among those that wait.
func inOrder(a, b *run) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.object(), b.object()))
}

// dispatch begins runs as long as there are some that wait and there is room. The caller holds the lock.
func (r *Runner) dispatch() {
	for !r.closed && r.executing < r.o.Jobs && len(r.queue) > 0 {
		x := r.queue[0]
		if x.Run == 1 && r.executing+len(r.owed) >= r.o.Jobs {
			return // a place is kept for one that was before it
		}
		r.queue = r.queue[1:]
		r.executing++
		x.Phase, x.Since = active, time.Now().UTC()
		x.done = make(chan struct{})
		var ctx context.Context
		ctx, x.cancel = context.WithCancelCause(context.Background())
		r.wait.Go(func() { r.execute(ctx, x) })
	}
}

// Observe says how the job's run does.
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
		seen.Waiting = fmt.Sprintf("number %d of %d that wait for their turn; %d at a time are run", slices.Index(r.queue, x)+1, len(r.queue), r.o.Jobs)
	case active:
		seen.Phase = job.Active
		seen.Stages = x.stages()
	case ended:
		seen.Phase = job.Ended
		seen.Stages = x.stages()
	}
	return seen, nil
}

// stages returns how far the stages of a run have come. The caller holds the lock.
func (x *run) stages() []job.Stage {
	stages := slices.Clone(x.Stages)
	for i := range stages {
		if stages[i].Status == job.StageRunning && x.Phase == ended {
			stages[i].Status = job.StageFailed // cut off
		}
	}
	return stages
}

// Log returns what a stage of the run printed so far.
func (r *Runner) Log(_ context.Context, j job.Job, name string) (io.ReadCloser, error) {
	object := job.ObjectName(j.ID, j.Run)
	r.mu.Lock()
	x := r.runs[object]
	r.mu.Unlock()
	missing := job.Errorf(job.NotFound, "stage %s of the job has not printed anything here", name)
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

// Release removes what the run left. The run is not launched again, until Stop forgets the job.
func (r *Runner) Release(_ context.Context, j job.Job) error {
	left, err := r.releaseNow(job.ObjectName(j.ID, j.Run))
	if err != nil {
		return job.Errorf(job.Unavailable, "the run can't be released at the moment").Because(err)
	}
	r.settle(j.ID)
	r.burn(left)
	return nil
}

// releaseNow releases a run if it isn't executing, and returns what is left to burn. One that is executing is
// told to end, and released then: its outcome is stored, so it is about to end or has no reason to go on.
func (r *Runner) releaseNow(object string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.runs[object]
	if x == nil {
		return "", nil
	}
	if x.Phase == active {
		x.cancel(errReleased)
		return "", nil
	}
	return r.release(x)
}

// release does it for a run that isn't executing, and returns what is left to burn. The caller holds the lock.
func (r *Runner) release(x *run) (string, error) {
	object := x.object()
	path := filepath.Join(r.records(), object)
	if err := os.Rename(path+".json", path+".released"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	r.forget(x)
	r.events.send(deleted, object)
	return r.discard(x.dir), nil
}

// known reports whether the run was launched before.
func (r *Runner) known(object string) bool { return r.runs[object] != nil || r.released(object) }

// released reports whether the run was released.
func (r *Runner) released(object string) bool {
	_, err := os.Lstat(filepath.Join(r.records(), object+".released"))
	return err == nil
}

// forget takes a run out of what is known. The caller holds the lock.
func (r *Runner) forget(x *run) {
	delete(r.runs, x.object())
	r.queue = slices.DeleteFunc(r.queue, func(q *run) bool { return q == x })
}

// discard takes a directory out of the way, at once, and returns what burn is to remove of it; that may take
// its time. If this process ends before, the next New does it.
func (r *Runner) discard(dir string) (trash string) {
	to, err := os.MkdirTemp(r.trash(), filepath.Base(dir)+"-*")
	if err == nil {
		err = os.Rename(dir, filepath.Join(to, "work"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.o.Log.Error("a run's directory can't be removed", "dir", dir, "error", err)
	}
	return to
}

// burn removes what discard left.
func (r *Runner) burn(trash string) {
	if trash == "" {
		return
	}
	if err := stage.Remove(trash); err != nil {
		r.o.Log.Error("a run's directory can't be removed whole", "dir", trash, "error", err)
	}
}

// Stop ends all runs of the job, whatever they do, and forgets them.
func (r *Runner) Stop(ctx context.Context, id string) error {
	if err := r.end(ctx, func(x *run) bool { return x.Job == id }); err != nil {
		return err
	}
	r.settle(id)
	return r.forgetReleased(id)
}

// Discard ends the job's run, whatever it does, and forgets it. If it was released before, it stays so.
func (r *Runner) Discard(ctx context.Context, j job.Job) error {
	object := job.ObjectName(j.ID, j.Run)
	return r.end(ctx, func(x *run) bool { return x.object() == object })
}

// end ends some runs and forgets them.
func (r *Runner) end(ctx context.Context, these func(x *run) bool) error {
	r.mu.Lock()
	var runs []*run
	for _, x := range r.runs {
		if !these(x) {
			continue
		}
		runs = append(runs, x)
		if x.Phase == active {
			x.cancel(errStopped)
		}
	}
	// Those that wait must not begin while the others are waited for.
	r.queue = slices.DeleteFunc(r.queue, these)
	r.mu.Unlock()
	for _, x := range runs {
		if err := r.stop(ctx, x); err != nil {
			return job.Errorf(job.Unavailable, "the job can't be stopped at the moment").Because(err)
		}
	}
	return nil
}

// stop waits until nothing of the run executes any more, and forgets it.
func (r *Runner) stop(ctx context.Context, x *run) error {
	if x.done != nil {
		select {
		case <-x.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := stage.KillLeft(x.dir, killing, r.programs(x)...); err != nil {
		return err
	}
	left, err := r.remove(x)
	r.burn(left)
	return err
}

// remove forgets a run that isn't executing, for good, and returns what is left to burn.
func (r *Runner) remove(x *run) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs[x.object()] != x {
		return "", nil // somebody else was faster
	}
	if err := os.Remove(filepath.Join(r.records(), x.object()+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	r.forget(x)
	r.events.send(deleted, x.object())
	return r.discard(x.dir), nil
}

// forgetReleased removes what keeps the job's released runs from being launched again.
func (r *Runner) forgetReleased(id string) error {
	for n := 1; n <= job.MaxRuns; n++ {
		err := os.Remove(filepath.Join(r.records(), job.ObjectName(id, n)+".released"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return job.Errorf(job.Unavailable, "the job can't be forgotten at the moment").Because(err)
		}
	}
	return nil
}

// Close stops in order: nothing of any job runs when it returns. What ran runs again, from its beginning, when
// there is a Runner on the directory again.
func (r *Runner) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	for _, x := range r.runs {
		if x.Phase == active {
			x.cancel(errClosing)
		}
	}
	r.mu.Unlock()
	r.wait.Wait()
	r.events.close()
	return r.lock.Close()
}

// recover reads the records that the runner before left and cleans up behind it.
func (r *Runner) recover() error {
	entries, err := os.ReadDir(r.records())
	if err != nil {
		return err
	}
	for _, e := range entries {
		object, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(object, ".") {
			continue // released, or half of a record that was never launched
		}
		x := &run{dir: filepath.Join(r.work(), object)}
		content, err := os.ReadFile(filepath.Join(r.records(), e.Name()))
		if err == nil {
			err = json.Unmarshal(content, &x.record)
		}
		if err == nil && x.object() != object {
			err = fmt.Errorf("it is of the run %s", x.object())
		}
		if err != nil {
			// As if it had never been launched: then it is launched again.
			r.o.Log.Error("a run's record can't be read and is given up", "record", e.Name(), "error", err)
			if err := os.Rename(filepath.Join(r.records(), e.Name()), filepath.Join(r.trash(), e.Name())); err != nil {
				return err
			}
			continue
		}
		if x.Phase == active {
			r.interrupted(x)
		}
		r.runs[object] = x
		if x.Phase == waiting {
			r.queue = append(r.queue, x)
		}
	}
	slices.SortFunc(r.queue, inOrder)
	return r.tidy()
}

// interrupted ends a run that was active when the process before this one ended.
func (r *Runner) interrupted(x *run) {
	if err := stage.KillLeft(x.dir, killing, x.Programs...); err != nil {
		// The processes hold their own directory alone, so nothing of the next run is in danger.
		r.o.Log.Error("processes of an interrupted run go on", "job", x.Job, "error", err)
	}
	r.owed[x.Job] = true
	x.Phase, x.Since, x.Interrupted = ended, time.Now().UTC(), true
	x.Failure = &job.Failure{Code: job.Internal, Message: "The job was interrupted because the server was stopped. This is not a fault of your data."}
	r.put(x)
}

// tidy removes the directories that belong to no run: those of runs that were being removed.
func (r *Runner) tidy() error {
	entries, err := os.ReadDir(r.work())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if r.runs[e.Name()] == nil {
			dir := filepath.Join(r.work(), e.Name())
			if err := stage.KillLeft(dir, killing); err != nil {
				r.o.Log.Error("processes of a removed run go on", "dir", dir, "error", err)
			}
			r.discard(dir)
		}
	}
	left, err := os.ReadDir(r.trash())
	if err != nil {
		return err
	}
	for _, e := range left {
		if err := stage.Remove(filepath.Join(r.trash(), e.Name())); err != nil {
			r.o.Log.Error("a removed run's directory is still not removed whole", "dir", e.Name(), "error", err)
		}
	}
	halves, err := filepath.Glob(filepath.Join(r.records(), ".*"))
	for _, path := range halves {
		os.Remove(path)
	}
	return err
}
