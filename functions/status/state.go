package status

import (
	"context"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
)

// MaxWait is the longest time that a call waits for a change. A call must end within 30 s in a deployment, and the proxies in
// front of it end those without an answer after 60 s by default (nginx, and the load balancers of the large clouds).
const MaxWait = 25 * time.Second

// View is all that is shown of one job.
type View struct {
	Job   job.Job
	Stage string        // the stage that runs; empty if none does
	Step  *program.Step // the step that its programs have reached; nil if not known
}

// view returns what is shown of a job.
func (f *Function) view(_ context.Context, j job.Job) View {
	v := View{Job: j}
	for _, s := range j.Stages {
		if s.Status == job.StageRunning && j.State == job.Running {
			v.Stage = s.Name
		}
	}
	return v
}

// State returns one job in full. It waits, at most that long, until the version of what it shows differs from after, or, if
// after is empty, from what it showed at first.
func (f *Function) State(ctx context.Context, r Ref, wait time.Duration, after string, version func(View) string) (View, error) {
	end := time.Now().Add(min(wait, MaxWait))
	for {
		j, err := f.get(ctx, r)
		if err != nil {
			return View{}, err
		}
		v := f.view(ctx, j)
		now := version(v)
		if after == "" && !j.State.Ended() {
			after = now
		}
		left := time.Until(end)
		if now != after || left <= 0 {
			return v, nil
		}
		pause := time.NewTimer(min(left, time.Second))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return View{}, context.Cause(ctx)
		}
	}
}
