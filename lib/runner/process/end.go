package process

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Release removes the run's files. The run cannot be launched again until Stop forgets the job.
func (r *Runner) Release(_ context.Context, j job.Job) error {
	left, err := r.releaseNow(job.ObjectName(j.ID, j.Run))
	if err != nil {
		return job.Errorf(job.Unavailable, "the run can't be released at the moment").Because(err)
	}
	r.free(j.ID)
	r.empty(left)
	return nil
}

// releaseNow releases a run unless it is executing, and returns a directory for empty. A run that is executing is ended,
// and released then: its outcome is stored, so it is about to end or has no reason to continue.
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

// release releases a run that is not executing, and returns a directory for empty. The caller holds the lock.
func (r *Runner) release(x *run) (string, error) {
	object := x.object()
	path := filepath.Join(r.records(), object)
	if err := os.Rename(path+".json", path+".released"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	r.forget(x)
	return r.discard(x.dir), nil
}

// known reports whether the run was launched before.
func (r *Runner) known(object string) bool { return r.runs[object] != nil || r.released(object) }

// released reports whether the run was released.
func (r *Runner) released(object string) bool {
	_, err := os.Lstat(filepath.Join(r.records(), object+".released"))
	return err == nil
}

// forget removes a run from memory. The caller holds the lock.
func (r *Runner) forget(x *run) {
	delete(r.runs, x.object())
	r.unqueue(x)
}

// unqueue takes a run that does not begin out of the queue. The caller holds the lock.
func (r *Runner) unqueue(x *run) {
	if x.Phase == waiting && r.queue.remove(x) {
		r.o.Changed("")
	}
}

// discard moves a directory to the trash, which is quick, and returns the path there for empty, which may be slow. If this
// process ends in between, the next New empties the trash.
func (r *Runner) discard(dir string) (trash string) {
	to := filepath.Join(r.trash(), filepath.Base(dir)+"-"+rand.Text())
	err := os.Rename(dir, to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.o.Log.Error("a run's directory can't be removed", "dir", dir, "error", err)
	}
	if err != nil {
		return ""
	}
	return to
}

// empty removes a directory that discard moved to the trash.
func (r *Runner) empty(trash string) {
	if trash == "" {
		return
	}
	if err := stage.Remove(trash); err != nil {
		r.o.Log.Error("a run's directory can't be removed completely", "dir", trash, "error", err)
	}
}

// Stop ends all runs of the job and waits until no process of them is alive. It also forgets the job's released runs, so
// that they may be launched again.
func (r *Runner) Stop(ctx context.Context, id string) error {
	if err := r.end(ctx, id, 0); err != nil {
		return err
	}
	r.free(id)
	return r.forgetReleased(id)
}

// Discard ends the job's run and waits until no process of it is alive. A run that was released stays released.
func (r *Runner) Discard(ctx context.Context, j job.Job) error {
	return r.end(ctx, j.ID, j.Run)
}

// end ends the run of the job with that number, or all of them if it is 0, and forgets them.
func (r *Runner) end(ctx context.Context, id string, number int) error {
	r.mu.Lock()
	var runs []*run
	for n := 1; n <= job.MaxRuns; n++ {
		x := r.runs[job.ObjectName(id, n)]
		if x == nil || number != 0 && number != n {
			continue
		}
		runs = append(runs, x)
		if x.Phase == active {
			x.cancel(errStopped)
		}
	}
	// Runs that wait must not begin during the wait for the others.
	for _, x := range runs {
		r.unqueue(x)
	}
	r.mu.Unlock()
	for _, x := range runs {
		if err := r.stop(ctx, x); err != nil {
			return job.Errorf(job.Unavailable, "the job can't be stopped at the moment").Because(err)
		}
	}
	return nil
}

// stop waits until no process of the run is alive, and forgets the run.
func (r *Runner) stop(ctx context.Context, x *run) error {
	if x.done != nil {
		select {
		case <-x.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := stage.KillLeft(x.dir, killTimeout, r.programs(x)...); err != nil {
		return err
	}
	left, err := r.remove(x)
	r.empty(left)
	return err
}

// remove deletes the record of a run that is not executing, forgets the run, and returns a directory for empty.
func (r *Runner) remove(x *run) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs[x.object()] != x {
		return "", nil // a concurrent call removed it
	}
	if err := os.Remove(filepath.Join(r.records(), x.object()+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	r.forget(x)
	return r.discard(x.dir), nil
}

// forgetReleased removes the records of the job's released runs, so that these may be launched again.
func (r *Runner) forgetReleased(id string) error {
	for n := 1; n <= job.MaxRuns; n++ {
		err := os.Remove(filepath.Join(r.records(), job.ObjectName(id, n)+".released"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return job.Errorf(job.Unavailable, "the job can't be forgotten at the moment").Because(err)
		}
	}
	return nil
}

// Ending says that this process was asked to end, and that Close follows, after calls that are under way. A program that fails from now on
// may have been asked to end as well. Its run ends with Close, and the next Runner executes it.
func (r *Runner) Ending() { r.endOnce.Do(func() { close(r.ending) }) }

// Close ends all runs: when it returns, no process of any job is alive. The next Runner on the directory executes those
// runs again, from their beginning.
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
	r.stagers.close()
	r.news.close()
	return r.lock.Close()
}
