package lifecycle

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Ends is the class of past runs that has the last ends of jobs, of all workflows and with any outcome. See Options.CountEnds.
const Ends = "ends"

// remember adds a run that succeeded to the past runs of its class. The call that recorded the outcome calls it, so each run counts
// once; if that call is killed in between, or the store does not answer, the run does not count, which does no harm.
func (l *Lifecycle) remember(ctx context.Context, j job.Job, end job.End) {
	add := func(class string, r job.PastRun) {
		if err := l.jobs.AddPastRun(ctx, class, r); err != nil {
			l.options.Log.WarnContext(ctx, "what a run took is not recorded", "job", j.ID, "run", j.Run, "error", err)
		}
	}
	took := min(end.Over.Sub(end.Began), end.At.Sub(j.Started)) // the former by one clock, the latter by another
	if class, ok := workflow.ClassOf(j); ok && end.State == job.Succeeded && !end.Began.IsZero() && took > 0 {
		add(class.String(), job.PastRun{Took: took, At: end.At})
	}
	if l.options.CountEnds {
		add(Ends, job.PastRun{At: end.At})
	}
}
