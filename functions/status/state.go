package status

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// MaxWait is the longest time that a call waits for a change. A call of a deployment must end within 30 s, and the server ends
// reading from a connection of HTTP/1.1 after 60 s. The proxies in front of a server end calls without an answer later: nginx and
// the load balancers of large clouds after 60 s by default, Knative after the function's timeoutSeconds.
const MaxWait = 25 * time.Second

// View is all that is shown of one job.
type View struct {
	Job      job.Job
	Stage    string        // the stage that runs; empty if none does
	Step     *program.Step // the step that its programs have reached; nil if not known
	Place    int           // in the queue, of a job that waits, from 1; 0 if not known
	Length   int           // of the queue
	Expected *Expected     // nil if not known

	Hindrance string // what prevents the start of a job that waits until something is changed, for people; empty if nothing is known
}

// views returns what is shown of jobs. Apart from ends of logs, it costs at most two queries, however many jobs there are.
func (f *Function) views(ctx context.Context, jobs []job.Job) []View {
	views, q := f.changing(ctx, jobs)
	f.expect(ctx, views, q)
	return views
}

// changing returns what is shown of jobs, without what is expected, and the queue.
func (f *Function) changing(ctx context.Context, jobs []job.Job) ([]View, job.Queue) {
	q := f.line.of(ctx, active(jobs))
	views := make([]View, len(jobs))
	var reads sync.WaitGroup
	for i, j := range jobs {
		v := &views[i]
		v.Job = j
		if !j.State.Active() {
			continue
		}
		v.Job.Stages = workflow.StagesOf(j)
		v.Hindrance = q.Hindrances[j.ID]
		if v.Place = q.Places[j.ID]; v.Place > 0 {
			v.Length = cmp.Or(q.Lines[j.ID], q.Length)
			continue // nothing of it runs, whatever is stored: it was running when this process was started again
		}
		for _, s := range j.Stages {
			if s.Status == job.StageRunning {
				v.Stage = s.Name
			}
		}
		if v.Stage != "" {
			reads.Go(func() {
				guarded(f.deps.Log, "reading the step of a job", func() { v.Step = f.steps.of(ctx, v.Job, v.Stage) })
			})
		}
	}
	reads.Wait()
	return views, q
}

// active returns those of the jobs that wait or run.
func active(jobs []job.Job) []job.Job {
	return slices.DeleteFunc(slices.Clone(jobs), func(j job.Job) bool { return !j.State.Active() })
}

// expect adds what is expected.
func (f *Function) expect(ctx context.Context, views []View, q job.Queue) {
	jobs := make([]job.Job, 0, len(views))
	for _, v := range views {
		jobs = append(jobs, v.Job)
	}
	past := f.pastOf(ctx, jobs, q.Slots == 0)
	now := f.deps.Now()
	for i := range views {
		views[i].Expected = past.expect(views[i].Job, q, now)
	}
}

// State returns one job in full. It waits, at most that long, until the version of what it shows differs from after, or, if
// after is empty, from what it showed at first. It returns early if the server stops, if too many calls wait, and if a job that
// has ended is asked for without after.
func (f *Function) State(ctx context.Context, r Ref, wait time.Duration, after string, version func(View) string) (View, error) {
	b := newBell()
	if wait > 0 {
		if id, err := job.ParseID(r.ID); err == nil {
			defer f.watch(id, b)() // before the job is read, so that no change is missed
		}
	}
	j, err := f.get(ctx, r)
	if err != nil {
		return View{}, err
	}
	views, q := f.changing(ctx, []job.Job{j})
	now := version(views[0])
	if after == "" {
		after = now
		if j.State.Ended() {
			wait = 0 // it changes no more
		}
	}
	if now == after && wait > 0 {
		if views, q, err = f.await(ctx, views, q, r, wait, after, version, b); err != nil {
			return View{}, err
		}
	}
	f.expect(ctx, views, q)
	return views[0], nil
}

// await waits until the version of what is shown of a job differs from after.
func (f *Function) await(
	ctx context.Context, views []View, q job.Queue, r Ref, wait time.Duration, after string, version func(View) string, b *bell,
) ([]View, job.Queue, error) {
	select {
	case f.waits <- struct{}{}:
		defer func() { <-f.waits }()
	default:
		return views, q, nil
	}
	wait = min(wait, MaxWait)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		wait = min(wait, left-min(time.Second, left/5)) // time for the answer
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	stops := server.Draining(ctx)
	for {
		select {
		case <-b.ring:
		case <-over.C:
			return views, q, nil
		case <-stops:
			return views, q, nil
		case <-ctx.Done():
			return nil, q, context.Cause(ctx)
		}
		j, err := views[0].Job, error(nil)
		switch read, stored := b.news(); {
		case stored:
			j, err = f.get(ctx, r)
		case read != nil && !read.Updated.Before(j.Updated) && read.Run >= j.Run: // it may have been read before this call read the job
			j, err = *read, read.Authorise(f.key(ctx, r.Secret))
		}
		if err != nil {
			return nil, q, err
		}
		if views, q = f.changing(ctx, []job.Job{j}); version(views[0]) != after {
			return views, q, nil
		}
	}
}
