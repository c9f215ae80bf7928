package process

import (
	"context"
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// program runs a stage's program under the run's stager, and returns the stager's record of it when no process of it is alive.
func (r *Runner) program(ctx context.Context, x *run, c stage.Command) (stage.Record, error) {
	for again := true; ; again = false {
		began := false
		rec, err := stage.Record{}, errors.New("the run has no stager")
		if x.stager != nil {
			order := stage.Order{Dir: x.dir, Command: c, Grace: r.o.Grace, Limit: r.o.Limit}
			rec, err = x.stager.run(ctx, order, func() { r.o.Changed(x.Job) }, func(rec stage.Record) {
				began = true
				if rec.Status == job.StageRunning {
					r.report(x, c.Stage, rec.Status, rec.Process)
				} else {
					r.report(x, c.Stage, rec.Status)
				}
			})
		}
		if err == nil {
			return rec, nil
		}
		// Processes remain only if the stager was killed.
		if left := stage.KillLeft(x.dir, killTimeout, r.programs(x)...); left != nil {
			err, again = errors.Join(err, left), false
		}
		if ctx.Err() != nil || began || !again {
			r.report(x, c.Stage, job.StageFailed)
			return stage.Record{}, err
		}
		// The stager may have been killed while it was idle, since it was found alive.
		r.o.Log.Warn("a stager did not begin a program; another one does it", "job", x.Job, "run", x.Run, "error", err)
		r.mu.Lock()
		r.equip(x)
		r.put(x) // before the stager has an order, see begin
		r.mu.Unlock()
	}
}

// equip gives the run a stager. Without one, its first stage fails. The caller holds the lock.
func (r *Runner) equip(x *run) {
	x.stager, x.Stager = nil, nil
	s := r.stagers.get()
	if s == nil {
		var err error
		if s, err = r.newStager(); err != nil {
			r.o.Log.Error("a run has no stager", "job", x.Job, "run", x.Run, "error", err)
			return
		}
	}
	x.stager, x.Stager, x.Dir = s, &s.process, x.dir
}

// handBack lets other runs use the run's stager, if that is alive.
func (r *Runner) handBack(x *run) {
	r.mu.Lock()
	s := x.stager
	x.stager, x.Stager = nil, nil
	r.mu.Unlock()
	if s != nil && s.alive() {
		r.stagers.put(s)
	}
}
