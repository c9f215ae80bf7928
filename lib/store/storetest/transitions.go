package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// attempted is a delivery of someEnd whose first attempt is made, made one whose attempt has succeeded.
var (
	attempted = job.Delivery{
		ID: "failed-webhook", Event: job.EventFailed, Channel: job.ChannelWebhook, State: job.DeliveryPending, Owed: muchAt,
		Next: muchAt.Add(time.Minute), Attempts: 1, Last: muchAt, Error: "a \"quoted\" error",
	}
	made = job.Delivery{
		ID: "expiring-webhook", Event: job.EventExpiring, Channel: job.ChannelWebhook, State: job.Delivered, Owed: inAYear,
		Next: inAYear, Attempts: 2, Last: inAYear,
	}
)

// transitions calls each write on a job in each state, with the right run, with another one, and on no job at all.
func transitions(t *testing.T, s store.Jobs) {
	tests := []struct {
		name  string
		from  []job.State // where it works
		byRun bool        // whether it names a run
		call  func(ctx context.Context, id string, run int) (bool, error)
		after func(j *job.Job)
	}{
		{
			name: "submit", from: []job.State{job.Created},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Submit(ctx, id, someStart, someStages, later, muchAt, inAYear)
			},
			after: func(j *job.Job) {
				j.State, j.Started, j.Updated, j.Due, j.Expires = job.Submitted, later, later, muchAt, inAYear
				j.Start, j.Run, j.Stages = &someStart, 1, someStages
			},
		}, {
			name: "launched", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.Launched(ctx, id, run, "another-object", muchAt)
			},
			after: func(j *job.Job) { j.RunName, j.Due = "another-object", muchAt },
		}, {
			name: "running", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.Running(ctx, id, run, someStages[:1], noon.Add(time.Hour), later, muchAt)
			},
			after: func(j *job.Job) {
				j.State, j.Stages, j.Updated, j.Due = job.Running, someStages[:1], later, muchAt
				j.Began = noon.Add(time.Hour)
			},
		}, {
			name: "finish with success", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.Finish(ctx, id, run, job.End{
					State: job.Succeeded, Stages: someEnd.Stages, Results: someEnd.Results, Logs: someEnd.Logs,
					At: later, Due: muchAt, Expires: inAYear.Add(time.Hour),
				})
			},
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due, j.Expires = job.Succeeded, later, muchAt, inAYear.Add(time.Hour)
				j.Stages, j.Results, j.Logs, j.Failure, j.Blocked = someEnd.Stages, someEnd.Results, someEnd.Logs, nil, job.Blocked{}
			},
		}, {
			name: "finish with failure", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) { return s.Finish(ctx, id, run, someEnd) },
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due, j.Expires, j.Began = job.Failed, muchAt, later, inAYear, someEnd.Began
				j.Stages, j.Results, j.Logs, j.Failure = someEnd.Stages, someEnd.Results, someEnd.Logs, someEnd.Failure
				j.Owed, j.Deliveries, j.Blocked = someEnd.Owed, someEnd.Deliveries, job.Blocked{}
			},
		}, {
			name: "record an attempt", from: []job.State{job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.SetDelivery(ctx, id, muchAt, attempted)
			},
			after: func(j *job.Job) {
				j.Deliveries = slices.Concat([]job.Delivery{attempted}, someEnd.Deliveries[1:])
				j.Due = attempted.Next // it was due later
			},
		}, {
			name: "record a delivery", from: []job.State{job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.SetDelivery(ctx, id, inAYear, made)
			},
			after: func(j *job.Job) { j.Deliveries = []job.Delivery{someEnd.Deliveries[0], made, someEnd.Deliveries[2]} },
		}, {
			name: "record an attempt that another process has begun",
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.SetDelivery(ctx, id, muchAt.Add(time.Millisecond), attempted)
			},
		}, {
			name: "record a delivery that was given up",
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				again := someEnd.Deliveries[2]
				again.State = job.DeliveryPending
				return s.SetDelivery(ctx, id, noon, again)
			},
		}, {
			name: "done with one effect", from: []job.State{job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Done(ctx, id, someEnd.Owed[:1], muchAt)
			},
			after: func(j *job.Job) { j.Owed, j.Due = someEnd.Owed[1:], muchAt },
		}, {
			name: "done with all effects", from: []job.State{job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Done(ctx, id, someEnd.Owed, inAYear)
			},
			after: func(j *job.Job) { j.Owed, j.Due = nil, inAYear },
		}, {
			name: "done with what is not owed",
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Done(ctx, id, []job.Effect{job.OwesRun(job.ReleaseRun, 7)}, muchAt)
			},
		}, {
			name: "blocked", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.SetBlocked(ctx, id, job.Blocked{Run: run, Since: muchAt})
			},
			after: func(j *job.Job) { j.Blocked = job.Blocked{Run: j.Run, Since: muchAt} },
		}, {
			name: "not blocked any more", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.SetBlocked(ctx, id, job.Blocked{Run: run})
			},
			after: func(j *job.Job) { j.Blocked = job.Blocked{} },
		}, {
			name: "relaunch", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.Relaunch(ctx, id, run, later, muchAt)
			},
			after: func(j *job.Job) {
				j.Run, j.RunName, j.Stages, j.Due, j.Began, j.Updated = j.Run+1, "", nil, muchAt, time.Time{}, later
				j.Blocked = job.Blocked{}
			},
		}, {
			name: "delete", from: []job.State{job.Created, job.Submitted, job.Running, job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) { return s.Delete(ctx, id, later) },
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due = job.Deleting, later, later
				j.Name, j.Batch, j.Owner, j.Start, j.Stages, j.Results, j.Logs, j.Failure, j.Owed = "", "", "", nil, nil, nil, nil, nil, nil
				j.Deliveries, j.RerunOf, j.Blocked = nil, "", job.Blocked{}
			},
		}, {
			name: "expire", from: []job.State{job.Created, job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Expire(ctx, id, inAYear.AddDate(1, 0, 0))
			},
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due = job.Deleting, inAYear.AddDate(1, 0, 0), inAYear.AddDate(1, 0, 0)
				j.Name, j.Batch, j.Owner, j.Start, j.Stages, j.Results, j.Logs, j.Failure, j.Owed = "", "", "", nil, nil, nil, nil, nil, nil
				j.Deliveries, j.RerunOf, j.Blocked = nil, "", job.Blocked{}
			},
		}, {
			name: "expire too early",
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Expire(ctx, id, noon.AddDate(-1, 0, 0))
			},
		},
	}
	for _, tt := range tests {
		check := func(what string, before job.Job, run int, want bool) {
			t.Helper()
			got, err := tt.call(t.Context(), before.ID, run)
			if got != want || err != nil {
				t.Errorf("%s, %s: %v, %v, want %v", tt.name, what, got, err, want)
			}
			after := before
			if want {
				tt.after(&after)
			}
			same(t, get(t, s, before.ID), after)
		}
		for _, state := range job.States() {
			before := insert(t, s, sample(state))
			check("from "+string(state), before, before.Run, slices.Contains(tt.from, state))
			if tt.byRun {
				before := insert(t, s, sample(state))
				check(fmt.Sprintf("of the run before, from %s", state), before, before.Run-1, false)
				check(fmt.Sprintf("of a run to come, from %s", state), before, before.Run+1, false)
			}
		}
		if ok, err := tt.call(t.Context(), uuid.NewString(), 1); ok || err != nil {
			t.Errorf("%s, of no job: %v, %v", tt.name, ok, err)
		}
	}
}

func specialCases(t *testing.T, s store.Jobs) {
	type step struct {
		name string
		call func(ctx context.Context, id string) (bool, error)
		want bool
	}
	running := func(name string, status job.StageStatus, at time.Time, want bool) step {
		return step{name, func(ctx context.Context, id string) (bool, error) {
			return s.Running(ctx, id, 2, []job.Stage{{Name: "bakta", Status: status}}, time.Time{}, at, at)
		}, want}
	}
	postpone := func(name string, was, due time.Time) step {
		return step{name, func(ctx context.Context, id string) (bool, error) {
			return true, s.Postpone(ctx, id, was, due)
		}, true}
	}
	finish := func(name string, end job.End, want bool) step {
		return step{name, func(ctx context.Context, id string) (bool, error) { return s.Finish(ctx, id, 2, end) }, want}
	}
	remove := step{"remove", func(ctx context.Context, id string) (bool, error) { return true, s.Remove(ctx, id) }, true}
	tests := []struct {
		name   string
		before job.Job
		steps  []step
		after  func(*job.Job) *job.Job
	}{
		{
			"an older look comes late", sample(job.Submitted),
			[]step{
				running("the newer look", job.StageSucceeded, muchAt, true),
				running("the older look", job.StageRunning, later, false),
				running("the newer look, doubled", job.StageSucceeded, muchAt, true),
			},
			func(j *job.Job) *job.Job {
				j.State, j.Updated, j.Due = job.Running, muchAt, muchAt
				j.Stages = []job.Stage{{Name: "bakta", Status: job.StageSucceeded}}
				return j
			},
		}, {
			"a clock behind the one that submitted", sample(job.Submitted),
			[]step{running("the first look", job.StageRunning, noon.Add(-time.Minute), true)},
			func(j *job.Job) *job.Job {
				j.State, j.Updated, j.Due = job.Running, noon, noon.Add(-time.Minute)
				j.Stages = []job.Stage{{Name: "bakta", Status: job.StageRunning}}
				return j
			},
		}, {
			"the first end stays", sample(job.Running),
			[]step{
				finish("failure", someEnd, true),
				finish("success", job.End{State: job.Succeeded, At: inAYear, Expires: inAYear}, false),
				running("a late look", job.StageRunning, inAYear, false),
			},
			func(j *job.Job) *job.Job {
				j.State, j.Began, j.Updated, j.Due, j.Failure = job.Failed, someEnd.Began, muchAt, later, someEnd.Failure
				j.Stages, j.Results, j.Logs = someEnd.Stages, someEnd.Results, someEnd.Logs
				j.Owed, j.Deliveries, j.Blocked = someEnd.Owed, someEnd.Deliveries, job.Blocked{}
				return j
			},
		}, {
			"an end that knows no stages", sample(job.Running),
			[]step{finish("failure", job.End{State: job.Failed, Failure: someEnd.Failure, At: later, Due: muchAt, Expires: inAYear}, true)},
			func(j *job.Job) *job.Job {
				j.State, j.Updated, j.Due, j.Failure, j.Blocked = job.Failed, later, muchAt, someEnd.Failure, job.Blocked{}
				return j
			},
		}, {
			"a look is postponed once", sample(job.Running),
			[]step{postpone("from when it was due", later, muchAt), postpone("again from there", later, inAYear)},
			func(j *job.Job) *job.Job { j.Due = muchAt; return j },
		}, {
			"a postponement is finer than what is stored", sample(job.Running),
			[]step{postpone("with nanoseconds", later.Add(999_999), muchAt.Add(1))},
			func(j *job.Job) *job.Job { j.Due = muchAt; return j },
		}, {
			"a job that is not deleting is not removed", sample(job.Failed), []step{remove},
			func(j *job.Job) *job.Job { return j },
		}, {
			"a job that is deleting is removed, twice", sample(job.Deleting), []step{remove, remove},
			func(j *job.Job) *job.Job { return nil },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			insert(t, s, tt.before)
			for _, step := range tt.steps {
				if got, err := step.call(t.Context(), tt.before.ID); got != step.want || err != nil {
					t.Errorf("%s: %v, %v, want %v", step.name, got, err, step.want)
				}
			}
			if want := tt.after(&tt.before); want != nil {
				same(t, get(t, s, want.ID), *want)
			} else if _, err := s.Get(t.Context(), tt.before.ID); !job.Is(err, job.NotFound) {
				t.Errorf("get: %v, want not found", err)
			}
		})
	}
	if ok, err := s.Finish(t.Context(), uuid.NewString(), 1, job.End{State: job.Running}); ok || err == nil {
		t.Error("a job may end as running")
	}
}
