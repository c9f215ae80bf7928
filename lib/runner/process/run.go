package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

// record is the stored state of a run.
type record struct {
	Job         string          `json:"job"`
	Run         int             `json:"run"`
	Batch       string          `json:"batch,omitempty"`
	Phase       phase           `json:"phase"`
	Since       time.Time       `json:"since"`
	Order       int64           `json:"order"`                 // when its job was started, or else it was launched, in nanoseconds since 1970
	Begun       bool            `json:"begun,omitempty"`       // it was taken from the queue before
	Failure     *job.Failure    `json:"failure,omitempty"`     // of a run that ended without a manifest
	Stages      []job.Stage     `json:"stages,omitempty"`      // their states
	Programs    []stage.Process `json:"programs,omitempty"`    // those that were started; they are killed if their stager is dead
	Stager      *stage.Process  `json:"stager,omitempty"`      // of an active run; killed with them, because it may start one more
	Dir         string          `json:"dir,omitempty"`         // of the run, when it got its stager; see copied
	Interrupted bool            `json:"interrupted,omitempty"` // it ended for a reason outside of the run

	// What only an execution needs. It comes last in the file, so that readHead need not read it.
	Spec     stage.Spec `json:"spec"`
	Workflow string     `json:"workflow,omitempty"`
	Start    *job.Start `json:"start,omitempty"` // missing in records of older versions, which rely on Spec alone
}

// phase is the phase of a run. It only advances, with one exception: Close makes an active run wait again.
type phase string

const (
	waiting phase = "waiting"
	active  phase = "active"
	ended   phase = "ended"
)

func (r record) object() string { return job.ObjectName(r.Job, r.Run) }

// key returns the line of the queue in which the run waits, see queue.
func (r record) key() string { return r.Batch }

// resumes reports whether the run precedes all others in the queue: the job has had its turn, and was interrupted.
func (r record) resumes() bool { return r.Begun || r.Run > 1 }

// shed forgets what only an execution needs: thousands of runs may wait. The file of the record keeps it.
func (r *record) shed() {
	if r.Phase != active {
		r.Spec, r.Workflow, r.Start = stage.Spec{}, "", nil
	}
}

// run is a run in memory. The runner's lock guards its record, except the fields that never change: Job, Run, Batch, Order.
// Spec, Workflow and Start belong to the execution.
type run struct {
	record
	dir    string
	loaded bool           // this execution has read Spec, Workflow and Start
	stager *stagerProcess // of an active run; nil if none could be started
	done   chan struct{}  // closed when the execution has ended; nil before it begins
	cancel context.CancelCauseFunc
}

// Why an execution is cancelled.
var (
	errStopped  = errors.New("the run is stopped")
	errReleased = errors.New("the run's outcome is stored")
	errClosing  = errors.New("the backend is shutting down")
)

// errAsked is the error of a run that another one of its job may do better.
var errAsked = errors.New("its processes were asked to end, by a signal that is not of this backend")

// save writes the run's record.
func (r *Runner) save(x *run) error {
	return writeJSON(filepath.Join(r.records(), x.object()+".json"), x.record)
}

// saveTurns stores whose turn it is. A failure only logs: after the end of this process, lines might then have a turn twice.
func (r *Runner) saveTurns() {
	if err := writeJSON(r.turns(), r.queue.turns()); err != nil {
		r.o.Log.Warn("the order of the queue is not stored", "error", err)
	}
}

// writeJSON writes a small file, completely or not at all, whenever this process ends. It does not wait for the disk, because that
// would take longer than all else that is done for a small job. So the end of the machine may lose the file, or its content. That
// of a run that waited is launched again, as is that of a run that was active: none of its processes is left.
func writeJSON(path string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		os.Remove(temp)
		return err
	}
	return os.Rename(temp, path)
}

// execute executes an active run from its beginning to its end, and sends an event of both.
func (r *Runner) execute(ctx context.Context, x *run) {
	failure, err := r.load(x)
	var refused *job.Failure
	if err == nil && failure == nil {
		r.begin(x)
		refused, err = r.prepare(ctx, x)
		failure, err = r.full(ctx, x, err)
	}
	if err == nil && failure == nil {
		failure, err = r.perform(ctx, x, refused)
	}
	r.handBack(x) // unless perform did
	r.empty(r.conclude(context.Cause(ctx), x, failure, err))
}

// conclude records the end of an execution and starts the next. It returns a directory for empty.
func (r *Runner) conclude(cause error, x *run, failure *job.Failure, err error) (trash string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.dispatch()
	delete(r.storing, x)
	r.vacate(x)
	defer close(x.done)
	switch {
	case errors.Is(cause, errReleased):
		x.Phase = ended
		if trash, err = r.release(x); err != nil {
			r.o.Log.Error("a run is not released", "job", x.Job, "run", x.Run, "error", err)
		}
		return trash
	case errors.Is(cause, errStopped):
		// Stop removes the record. Until then it says active: if this process ends now, the run is interrupted.
		return ""
	case err != nil && errors.Is(cause, errClosing):
		x.Phase, x.Since = waiting, time.Now().UTC()
		if x.loaded { // otherwise its record still waits, and has what this process could not read
			r.put(x)
		}
		return "" // the next process executes it
	case err != nil:
		// The job itself has no outcome: the store was unavailable, for example.
		r.o.Log.Error("a run ended without an outcome", "job", x.Job, "run", x.Run, "error", err)
		x.Interrupted = true
		failure = &job.Failure{Code: job.Internal,
			Message: "The job could not be completed. This is not a fault of your data; please contact the operators."}
	}
	x.Phase, x.Since, x.Failure = ended, time.Now().UTC(), failure
	r.put(x)
	r.news.send(x.Job)
	return ""
}

// put saves a run's record, and logs a failure to do so. Then the record still says active. If this process ends before
// the run is released, the run counts as interrupted and is executed once more than needed, but never not at all.
func (r *Runner) put(x *run) {
	if err := r.save(x); err != nil {
		r.o.Log.Error("a run's record is not up to date", "job", x.Job, "run", x.Run, "error", err)
	}
}

// load reads from the run's file what it does. The programs and their threads are those of this process, not of the launch.
func (r *Runner) load(x *run) (*job.Failure, error) {
	stored, err := readRecord(filepath.Join(r.records(), x.object()+".json"))
	if err != nil {
		return nil, err
	}
	x.Spec, x.Workflow, x.Start, x.loaded = stored.Spec, stored.Workflow, stored.Start, true
	if x.Start == nil {
		return nil, nil
	}
	return r.specify(x, job.Job{ID: x.Job, Run: x.Run, Batch: x.Batch, Workflow: x.Workflow, State: job.Submitted, Start: x.Start})
}

// maxHead is how many bytes of a record readHead reads.
const maxHead = 1 << 10

// readHead reads the record of a run that waits without what only an execution needs. It reports false if the run does not wait,
// or the record has another form; readRecord then reads it.
func readHead(path string) (record, bool) {
	f, err := os.Open(path)
	if err != nil {
		return record{}, false
	}
	defer f.Close()
	content := make([]byte, maxHead)
	n, err := io.ReadFull(f, content)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return record{}, false
	}
	// Older versions write the same fields before this one, and no others of a run that waits behind it.
	head, _, found := bytes.Cut(content[:n], []byte(`,"spec":`))
	if !found {
		return record{}, false
	}
	var r record
	if err := json.Unmarshal(append(slices.Clip(head), '}'), &r); err != nil || r.Phase != waiting {
		return record{}, false
	}
	return r, true
}

// readRecord reads a run's record.
func readRecord(path string) (record, error) {
	var r record
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	return r, err
}

// begin gives the run a stager, and stages of which none has begun.
func (r *Runner) begin(x *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.equip(x)
	x.Programs, x.Stages = nil, nil
	for _, c := range x.Spec.Stages {
		x.Stages = append(x.Stages, job.Stage{Name: c.Stage, Status: job.StagePending})
	}
}

// prepare records that the run is active, before any program of it exists, removes the directory of an earlier execution, and downloads
// the inputs. It returns why an input is refused. While this machine lacks disk space, or files that may be open, it tries again: otherwise
// each of thousands of jobs that wait would begin, and fail, within seconds. The run keeps its place meanwhile, so no other one begins.
func (r *Runner) prepare(ctx context.Context, x *run) (refused *job.Failure, err error) {
	for began, waited := time.Now(), false; ; waited = true {
		r.mu.Lock()
		err := r.save(x)
		r.mu.Unlock()
		if err == nil {
			r.news.soon(x.Job)
			err = stage.Remove(x.dir)
		}
		if err == nil {
			refused, err = stage.Fetch(ctx, r.o.Files, x.Spec)
		}
		if !scarce(err) || ctx.Err() != nil || time.Since(began) > r.o.RoomTime {
			return refused, err
		}
		if !waited {
			r.o.Log.Error("a run can't begin, and waits for room", "job", x.Job, "run", x.Run, "error", err, "for at most", r.o.RoomTime)
		}
		if err := stage.Remove(x.dir); err != nil { // what was downloaded takes room, too
			r.o.Log.Warn("the inputs of a run can't be removed", "dir", x.dir, "error", err)
		}
		wait := time.NewTimer(roomStep)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil, context.Cause(ctx)
		case <-wait.C:
		}
	}
}

// scarce reports whether the machine lacked what others may give back: disk space, or files that may be open.
func scarce(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// perform executes the stages, unless an input was refused, and stores the results and the manifest. It returns a failure if
// there is no manifest and never will be, and an error if another run of the job may succeed.
func (r *Runner) perform(ctx context.Context, x *run, refused *job.Failure) (*job.Failure, error) {
	// The records of the stages are those that their stagers send to this process. A program may have written the files in
	// the run's directory, because all of them run as the same user.
	known := stage.Records{Inputs: refused, Stages: make(map[string]stage.Record)}
	for _, c := range x.Spec.Stages {
		if refused != nil {
			break
		}
		rec, err := r.program(ctx, x, c)
		if (err != nil || rec.Status == job.StageFailed) && r.cutOff(ctx, x, rec, err) {
			return nil, errAsked
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			// Store records a failure for a stage that has no record, and stores its log.
			r.o.Log.Error("a stage did not run to its end", "job", x.Job, "run", x.Run, "stage", c.Stage, "error", err)
			break
		}
		known.Stages[c.Stage] = rec
		if rec.Status != job.StageSucceeded {
			break
		}
	}
	r.handBack(x)
	r.programsEnded(x)
	if err := stage.MakeRoom(x.dir); err != nil {
		r.o.Log.Warn("the inputs of a run can't be removed", "dir", x.dir, "error", err)
	}
	if _, err := stage.Store(ctx, r.o.Files, x.Spec, known); err != nil {
		return r.full(ctx, x, err)
	}
	return nil, nil
}

// cutOff reports whether a stage failed because something outside asked its processes to end, which says nothing of the job. Init
// systems and batch systems ask all processes of a service or a job at once: the programs, their stager and this process. Then it
// returns when this process closes the runner, so that the next one executes the run. If this process is not asked, another run of the
// job begins, as long as there may be one.
func (r *Runner) cutOff(ctx context.Context, x *run, rec stage.Record, err error) bool {
	if askedToEnd(rec, err) {
		wait := time.NewTimer(askedTime)
		defer wait.Stop()
		select {
		case <-ctx.Done():
		case <-r.ending:
		case <-wait.C:
			return x.Run < job.MaxRuns
		}
	}
	select {
	case <-ctx.Done():
		return true
	case <-r.ending:
		<-ctx.Done() // Close follows
		return true
	default:
		return false
	}
}

// askedToEnd reports whether a program was ended by a signal that asks a process to end, or its stager got one.
func askedToEnd(rec stage.Record, err error) bool {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, ok := exit.Sys().(syscall.WaitStatus)
		return exit.ExitCode() == stager.Stopped || ok && status.Signaled() &&
			slices.Contains([]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}, status.Signal())
	}
	late := rec.Failure != nil && rec.Failure.Code == job.OutOfTime // the stager's own signal
	return !late && slices.Contains([]string{"SIGTERM", "SIGINT", "SIGHUP"}, rec.Signal)
}

// programsEnded lets the next run begin while the results of this one are stored. As many runs may store results as may execute:
// while the store is slow, or away, the others keep their places.
func (r *Runner) programsEnded(x *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.storing) < r.jobs {
		r.storing[x] = true
		r.vacate(x)
		r.dispatch()
	}
}

// vacate gives up the place of a run, if it still has one. The caller holds the lock.
func (r *Runner) vacate(x *run) {
	if r.active[x] {
		delete(r.active, x)
		r.queue.end(x)
	}
}

// report records the progress of a stage, and sends an event.
func (r *Runner) report(x *run, stage string, status job.StageStatus, programs ...stage.Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range x.Stages {
		if x.Stages[i].Name == stage {
			x.Stages[i].Status = status
		}
	}
	if len(programs) > 0 {
		x.Programs = append(x.Programs, programs...)
		r.put(x) // the next process kills them if this one is killed
	}
	r.news.soon(x.Job)
}

// programs returns the processes of the run's programs that were started.
func (r *Runner) programs(x *run) []stage.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(x.Programs)
}

// full returns the failure of a run whose error comes from this machine's disk or from a full store, and so will happen
// again. Any other error is returned.
func (r *Runner) full(ctx context.Context, x *run, err error) (*job.Failure, error) {
	if job.Is(err, job.Exhausted) {
		r.o.Log.Error("the object storage is full; a run's results are not stored", "job", x.Job, "run", x.Run, "error", err)
		return &job.Failure{Code: job.Internal, Message: stage.StorageFull}, nil
	}
	var local *fs.PathError
	if err == nil || ctx.Err() != nil || !errors.As(err, &local) {
		return nil, err
	}
	r.o.Log.Error("a run can't use the disk", "job", x.Job, "run", x.Run, "error", err)
	message := "The server can't write to its disk."
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		message = "The server's disk is full."
	}
	return &job.Failure{Code: job.Internal, Message: message + " This is not a fault of your data; please contact the operators."}, nil
}
