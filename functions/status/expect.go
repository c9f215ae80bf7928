package status

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Expected is when a job starts and ends, as past runs of its class suggest. Times that are not known are zero; none is in the
// past.
type Expected struct {
	Start     time.Time // of a job that waits
	End       time.Time // half of the past runs suggest an earlier one
	LatestEnd time.Time // nine of ten past runs suggest an earlier one
	Runs      int       // the number of past runs
}

const (
	// minRuns is how many past runs are needed: of the class or, with less of them, of it and its neighbours together.
	minRuns = 5
	// minLonger is how many of them must have taken longer than a run has taken by now.
	minLonger = 3
)

// past are the past runs that an expectation needs, by class.
type past map[string][]job.PastRun

// pastOf reads the past runs that the expectations of jobs need, with one query. It is empty if they can't be read.
func (f *Function) pastOf(ctx context.Context, jobs []job.Job, ends bool) past {
	var names []string
	for _, j := range jobs {
		if class, ok := workflow.ClassOf(j); ok && j.State.Active() {
			for _, c := range append(class.Near(), class) {
				names = append(names, c.String())
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	if ends {
		names = append(names, lifecycle.Ends)
	}
	slices.Sort(names)
	found, err := f.deps.Jobs.PastRuns(ctx, slices.Compact(names))
	if err != nil {
		f.deps.Log.WarnContext(ctx, "an answer has no expectations", "error", err)
	}
	return found
}

// durations returns what the past runs of the job's class took, the shortest first: those of its neighbours as well if they are few,
// and none if they are still few.
func (p past) durations(j job.Job) []time.Duration {
	class, ok := workflow.ClassOf(j)
	if !ok {
		return nil
	}
	var took []time.Duration
	add := func(c workflow.Class) {
		for _, r := range p[c.String()] {
			took = append(took, r.Took)
		}
	}
	if add(class); len(took) < minRuns {
		for _, c := range class.Near() {
			add(c)
		}
	}
	if len(took) < minRuns {
		return nil
	}
	slices.Sort(took)
	return took
}

// expect returns what a job may expect; nil if too little is known.
func (p past) expect(j job.Job, q job.Queue, now time.Time) *Expected {
	took := p.durations(j)
	if took == nil || !j.State.Active() {
		return nil
	}
	e := &Expected{Runs: len(took)}
	begin := j.Began
	place, waits := q.Places[j.ID]
	switch {
	case q.Lines[j.ID] > 0:
		return nil // it is not known how fast the caller's jobs end
	case waits:
		start, ok := p.start(place, q, took, now)
		if !ok {
			return nil
		}
		e.Start, begin = start, start
	case j.State != job.Running || begin.IsZero():
		return nil
	}
	// Of a run that has taken some time, what counts is how much longer those took that took longer.
	if took = longer(took, now.Sub(begin)); len(took) < minLonger {
		return nil
	}
	e.End, e.LatestEnd = begin.Add(quantile(took, 0.5)), begin.Add(quantile(took, 0.9))
	return e
}

// start returns when the run at a place of the queue starts, if the runs before it take as long as its own class did.
func (p past) start(place int, q job.Queue, took []time.Duration, now time.Time) (time.Time, bool) {
	if q.Slots > 0 {
		free := make([]time.Time, 0, q.Slots)
		for _, since := range q.Running {
			end := now // it is over any moment
			if rest := longer(took, now.Sub(since)); len(rest) > 0 {
				end = since.Add(mean(rest))
			}
			free = append(free, end)
		}
		for len(free) < q.Slots {
			free = append(free, now)
		}
		slices.SortFunc(free, time.Time.Compare)
		// There may be more than may run: the number can be lowered while they run.
		free = free[len(free)-q.Slots:]
		return free[(place-1)%q.Slots].Add(time.Duration((place-1)/q.Slots) * mean(took)), true
	}
	// How fast did jobs end lately? If there was no end for long, the time since then counts, too.
	ends := p[lifecycle.Ends]
	if len(ends) < minRuns {
		return time.Time{}, false
	}
	each := now.Sub(ends[0].At) / time.Duration(len(ends))
	if each <= 0 || time.Duration(place) > math.MaxInt64/each {
		return time.Time{}, false
	}
	return now.Add(time.Duration(place) * each), true
}

// longer returns the durations above one, of durations in their order.
func longer(took []time.Duration, than time.Duration) []time.Duration {
	at, _ := slices.BinarySearch(took, than+1)
	return took[at:]
}

// quantile returns the duration that this part of the durations, which are in their order, does not exceed.
func quantile(took []time.Duration, part float64) time.Duration {
	return took[max(0, int(math.Ceil(part*float64(len(took))))-1)]
}

func mean(took []time.Duration) time.Duration {
	var sum float64
	for _, d := range took {
		sum += float64(d)
	}
	return time.Duration(sum / float64(len(took)))
}
