package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// operation is a measurement of a method of store.Jobs.
type operation struct {
	method string // name of the method
	with   string // what distinguishes it from another measurement of the same method
	writes bool
	state  job.State                               // state of the jobs that are made for it; empty: none
	jobs   int                                     // number of jobs made for each measurement; 0 means 1
	shared bool                                    // the same jobs serve all measurements: do does not change them
	change func(j *job.Job)                        // changes those jobs before they are stored; may be nil
	before func(context.Context, store.Jobs) error // prepares a measurement, in place of jobs; may be nil
	do     func(context.Context, *site, []job.Job) error
}

func (o operation) name() string { return o.method + o.with }

// The names of the lease, of the class of past runs, and of the owner of jobs that are measured.
const (
	lease = "bench"
	class = "bench"
	owner = "bench"
)

// operations returns a measurement of each method of store.Jobs, but Setup and Ping.
func operations() []operation {
	reads := []operation{
		{method: "Get", do: func(ctx context.Context, s *site, _ []job.Job) error {
			// The results are most of a job, so only jobs that have some are compared.
			n := rand.IntN(s.count)
			for stateOf(n) != job.Succeeded {
				n = (n + 1) % s.count
			}
			_, err := s.Get(ctx, s.ref(n).ID)
			return err
		}},
		{method: "GetMany", with: " of 100", state: job.Succeeded, jobs: 100, shared: true,
			do: func(ctx context.Context, s *site, jobs []job.Job) error {
				jobs, err := s.GetMany(ctx, s.some(jobs))
				return count(len(jobs), 100, err)
			}},
		{method: "GetStates", with: " of 100", state: job.Succeeded, jobs: 100, shared: true,
			do: func(ctx context.Context, s *site, jobs []job.Job) error {
				jobs, err := s.GetStates(ctx, s.some(jobs))
				return count(len(jobs), 100, err)
			}},
		{method: "Due", with: ", none due", do: func(ctx context.Context, s *site, _ []job.Job) error {
			due, err := s.Due(ctx, time.Now(), 100)
			return count(len(due), 0, err)
		}},
		{method: "Due", with: ", 100 due", state: job.Submitted, jobs: 100, shared: true,
			change: func(j *job.Job) { j.Due = j.Created.Add(-time.Minute) },
			do: func(ctx context.Context, s *site, _ []job.Job) error {
				due, err := s.Due(ctx, time.Now(), 100)
				return count(len(due), 100, err)
			}},
		{method: "Unstarted", with: ", 100 unstarted", state: job.Created, jobs: 100, shared: true,
			do: func(ctx context.Context, s *site, _ []job.Job) error {
				n, err := s.Unstarted(ctx, time.Now().Add(2*keep), 1000)
				return count(n, 101, err)
			}},
		{method: "Waiting", with: ", the first 100", state: job.Submitted, jobs: 100, shared: true,
			do: func(ctx context.Context, s *site, _ []job.Job) error {
				waiting, err := s.Waiting(ctx, 100)
				return count(len(waiting), 100, err)
			}},
		{method: "Owned", with: ", 100 of an owner", state: job.Succeeded, jobs: 100, shared: true,
			change: func(j *job.Job) { j.Owner = owner },
			do: func(ctx context.Context, s *site, _ []job.Job) error {
				owned, err := s.Owned(ctx, job.Owned{Owner: owner}, 1000)
				return count(len(owned), 100, err)
			}},
		{method: "PastRuns", with: " of 2 classes", before: addPastRun, do: func(ctx context.Context, s *site, _ []job.Job) error {
			runs, err := s.PastRuns(ctx, []string{class, "another class"})
			return count(len(runs), 1, err)
		}},
	}
	ended := func(j *job.Job) {
		j.Expires, j.Owed = j.Created.Add(-time.Minute), []job.Effect{job.OwesRun(job.ReleaseRun, 1)}
	}
	notifies := func(j *job.Job) {
		j.Deliveries = []job.Delivery{job.OwesDelivery(job.EventSucceeded, job.ChannelWebhook, j.Created.Truncate(time.Millisecond))}
	}
	// changes is the measurement of a write of one job, which must report that it did it.
	changes := func(method string, state job.State, change func(*job.Job), do func(context.Context, *site, job.Job) (bool, error)) operation {
		return operation{method: method, writes: true, state: state, change: change,
			do: func(ctx context.Context, s *site, jobs []job.Job) error {
				did, err := do(ctx, s, jobs[0])
				if err == nil && !did {
					err = fmt.Errorf("%s changes nothing", method)
				}
				return err
			}}
	}
	unlaunched := func(j *job.Job) { j.RunName = "" }
	writes := []operation{
		{method: "Insert", writes: true, do: func(ctx context.Context, s *site, _ []job.Job) error {
			return s.Insert(ctx, newJob(s.reserve(), job.Created, time.Now()))
		}},
		changes("Submit", job.Created, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Submit(ctx, j.ID, someStart(), stages(job.StagePending), j.Created, j.Due, j.Expires)
		}),
		changes("Launched", job.Submitted, unlaunched, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Launched(ctx, j.ID, 1, job.ObjectName(j.ID, 1), j.Due)
		}),
		changes("Running", job.Submitted, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			at := j.Created.Add(time.Minute)
			return s.Running(ctx, j.ID, 1, stages(job.StageRunning), at, at, j.Due)
		}),
		changes("Finish", job.Running, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Finish(ctx, j.ID, 1, someEnd(j, job.Succeeded))
		}),
		changes("Relaunch", job.Running, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Relaunch(ctx, j.ID, 1, time.Now().Truncate(time.Millisecond), j.Due)
		}),
		changes("SetBlocked", job.Submitted, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.SetBlocked(ctx, j.ID, job.Blocked{Run: 1, By: job.BadImage, Since: j.Created})
		}),
		changes("Done", job.Succeeded, ended, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Done(ctx, j.ID, j.Owed, j.Due)
		}),
		changes("SetDelivery", job.Succeeded, notifies, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			d := j.Deliveries[0]
			d.State = job.Delivered
			return s.SetDelivery(ctx, j.ID, d.Next, d)
		}),
		changes("Postpone", job.Submitted, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return true, s.Postpone(ctx, j.ID, j.Due, j.Due.Add(time.Minute))
		}),
		changes("Delete", job.Succeeded, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Delete(ctx, j.ID, j.Created)
		}),
		changes("Expire", job.Succeeded, ended, func(ctx context.Context, s *site, j job.Job) (bool, error) {
			return s.Expire(ctx, j.ID, time.Now())
		}),
		changes("ExpireUnstarted", job.Created, func(j *job.Job) { j.Created = j.Created.Add(-2 * keep) },
			func(ctx context.Context, s *site, _ job.Job) (bool, error) {
				n, err := s.ExpireUnstarted(ctx, time.Now().Add(-3*keep/2), time.Now().Add(keep/2))
				return n >= 1, err
			}),
		changes("Remove", job.Deleting, nil, func(ctx context.Context, s *site, j job.Job) (bool, error) { return true, s.Remove(ctx, j.ID) }),
	}
	others := []operation{
		{method: "AddPastRun", writes: true, do: func(ctx context.Context, s *site, _ []job.Job) error { return addPastRun(ctx, s) }},
		{method: "Acquire", writes: true, do: func(ctx context.Context, s *site, _ []job.Job) error {
			did, err := s.Acquire(ctx, lease, "bench", time.Hour)
			return yes("Acquire", did, err)
		}},
		{method: "Extend", writes: true, before: acquire, do: func(ctx context.Context, s *site, _ []job.Job) error {
			did, err := s.Extend(ctx, lease, "bench", time.Hour)
			return yes("Extend", did, err)
		}},
		{method: "ReleaseLease", writes: true, before: acquire, do: func(ctx context.Context, s *site, _ []job.Job) error {
			return s.ReleaseLease(ctx, lease, "bench")
		}},
	}
	return append(append(reads, writes...), others...)
}

func acquire(ctx context.Context, s store.Jobs) error {
	did, err := s.Acquire(ctx, lease, "bench", time.Hour)
	return yes("Acquire", did, err)
}

func addPastRun(ctx context.Context, s store.Jobs) error {
	return s.AddPastRun(ctx, class, job.PastRun{Took: 10 * time.Minute, At: time.Now()})
}

func yes(method string, did bool, err error) error {
	if err == nil && !did {
		return fmt.Errorf("%s changes nothing", method)
	}
	return err
}

// count is an error if the store reports another number of jobs, or of classes.
func count(got, want int, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("the store reports %d, want %d", got, want)
	}
	return err
}
