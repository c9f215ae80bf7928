package lifecycle_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Crashes and races are played by functions/life_test.go. Here is what an observation of one job changes.

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// one is a store with one job, a runner of it that says what the test wants, and a clock.
type one struct {
	lifecycle.Jobs
	lifecycle.Files
	runner.Runner

	job      job.Job
	clock    time.Time
	seen     job.Observation
	takes    time.Duration // an observation
	refused  error         // of a launch
	ends     error         // of what is stopped
	turns    *turns        // nil: runs are not limited
	log      string        // of the first stage; empty for none
	full     error         // of a log that is stored
	images   time.Duration // how long a run may wait for an image; 0: as for anything else
	owed     []job.Effect  // by the end of the job
	emptied  int           // how often its files were removed
	removed  bool          // its document
	observed time.Time     // the time of the last observation that was recorded
}

func (o *one) Get(context.Context, string, int64) ([]byte, error) {
	return nil, job.Errorf(job.NotFound, "there is no manifest")
}

func (o *one) Observe(context.Context, job.Job) (job.Observation, error) {
	o.clock = o.clock.Add(o.takes)
	return o.seen, nil
}

func (o *one) Log(_ context.Context, j job.Job, stage string) (io.ReadCloser, error) {
	if o.log == "" || stage != j.Stages[0].Name {
		return nil, job.Errorf(job.NotFound, "there is no log")
	}
	return io.NopCloser(strings.NewReader(o.log)), nil
}

func (o *one) Put(_ context.Context, key string, _ io.Reader, _ int64) (job.File, error) {
	return job.File{Key: key}, o.full
}

func (o *one) RemovePrefix(context.Context, string) error {
	o.emptied++
	return nil
}

func (o *one) Stop(context.Context, string) error     { return o.ends }
func (o *one) Discard(context.Context, job.Job) error { return nil }
func (o *one) Release(context.Context, job.Job) error { return nil }

func (o *one) Launch(_ context.Context, j job.Job) (string, error) {
	return job.ObjectName(j.ID, j.Run), o.refused
}

// store is the part of it that stores jobs.
type store struct{ *one }

func (s store) Get(context.Context, string) (job.Job, error) { return s.job, nil }

func (s store) Launched(_ context.Context, _ string, _ int, name string, due time.Time) (bool, error) {
	s.job.RunName, s.job.Due = name, due
	return true, nil
}

func (s store) Running(_ context.Context, _ string, _ int, stages []job.Stage, _, at, due time.Time) (bool, error) {
	s.job.State, s.job.Stages, s.job.Updated, s.job.Due = job.Running, stages, at, due
	s.observed = at
	return true, nil
}

func (s store) SetBlocked(_ context.Context, _ string, b job.Blocked) (bool, error) {
	if s.job.Blocked = b; b.Since.IsZero() {
		s.job.Blocked = job.Blocked{}
	}
	return true, nil
}

func (s store) Relaunch(_ context.Context, _ string, run int, at, due time.Time) (bool, error) {
	s.job.Run, s.job.RunName, s.job.Stages, s.job.Updated, s.job.Due = run+1, "", nil, at, due
	s.job.Blocked = job.Blocked{}
	return true, nil
}

func (s store) Finish(_ context.Context, _ string, _ int, end job.End) (bool, error) {
	if end.Stages != nil {
		s.job.Stages = end.Stages
	}
	s.job.State, s.job.Failure, s.owed = end.State, end.Failure, end.Owed
	return true, nil
}

func (s store) Postpone(_ context.Context, _ string, _, due time.Time) error {
	s.job.Due = due
	return nil
}

func (s store) Delete(_ context.Context, _ string, at time.Time) (bool, error) {
	s.job.State, s.job.Updated, s.job.Due = job.Deleting, at, at
	return true, nil
}

func (s store) Remove(context.Context, string) error {
	s.removed = true
	return nil
}

func (s store) Done(context.Context, string, []job.Effect, time.Time) (bool, error) { return true, nil }

const (
	pendingTimeout = 24 * time.Hour
	clockSkew      = 2 * time.Minute
)

func (o *one) lifecycle(t *testing.T) *lifecycle.Lifecycle {
	t.Helper()
	l, err := lifecycle.New(store{o}, o, o, lifecycle.Options{
		Retention: time.Hour, UploadTTL: time.Hour, RecheckInterval: time.Minute, PendingTimeout: pendingTimeout, InFlight: 2 * time.Minute,
		ImageTimeout: o.images, ClockSkew: clockSkew, Turns: o.limited(),
		Now: func() time.Time { return o.clock }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (o *one) settle(t *testing.T) error {
	t.Helper()
	return o.lifecycle(t).Settle(t.Context(), o.job)
}

// running is a job of two stages, of which the first one runs.
func running() job.Job {
	return job.Job{ID: "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d", Workflow: workflow.BaktaBaktfold, State: job.Running, Run: 1, RunName: "x",
		Start: &job.Start{}, Stages: stages(job.StageRunning, job.StagePending), Started: noon, Updated: noon, Due: noon}
}

func stages(first, second job.StageStatus) []job.Stage {
	return []job.Stage{{Name: "bakta", Status: first}, {Name: "baktfold", Status: second}}
}

// TestStagesOfARunThatWaits: the stages that have ended stay so while the next one waits for its image. If the pod is gone, all begin
// again.
func TestStagesOfARunThatWaits(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		seen job.Observation
		want []job.Stage
	}{
		"the second stage waits for its image": {
			job.Observation{Phase: job.Waiting, Since: noon, Blocked: true, Stages: stages(job.StageSucceeded, job.StagePending)},
			stages(job.StageSucceeded, job.StagePending),
		},
		"a queue has preempted it": {
			job.Observation{Phase: job.Waiting, Since: noon, Blocked: true},
			stages(job.StagePending, job.StagePending),
		},
	} {
		o := &one{job: running(), clock: noon, seen: row.seen}
		if err := o.settle(t); err != nil || o.job.State != job.Running || !slices.Equal(o.job.Stages, row.want) {
			t.Errorf("%s: %s %v, %v", name, o.job.State, o.job.Stages, err)
		}
	}
}

// TestTimeOfAnObservation is that before the runner is asked, which may take long: what another process observes meanwhile is newer.
func TestTimeOfAnObservation(t *testing.T) {
	t.Parallel()
	for name, seen := range map[string]job.Observation{
		"it runs":  {Phase: job.Active, Stages: stages(job.StageRunning, job.StagePending)},
		"it waits": {Phase: job.Waiting, Since: noon},
	} {
		o := &one{job: running(), clock: noon, seen: seen, takes: 15 * time.Second}
		if err := o.settle(t); err != nil || !o.observed.Equal(noon) {
			t.Errorf("%s: observed at %v, %v", name, o.observed, err)
		}
	}
}

// TestLaunchAfterALongWait: a run that has waited for longer than a launch may vanishes. That the next run can't be launched at once is no
// reason to give up the job; that it can't be launched for so long is one.
func TestLaunchAfterALongWait(t *testing.T) {
	t.Parallel()
	o := &one{job: running(), clock: noon.Add(pendingTimeout + time.Hour), seen: job.Observation{Phase: job.Absent}}
	if err := o.settle(t); err != nil || o.job.Run != 2 || o.job.RunName != "" {
		t.Fatalf("it is not launched again: %+v, %v", o.job, err)
	}
	o.refused = errors.New("a quota is exceeded")
	o.clock = o.job.Due
	if err := o.settle(t); !errors.Is(err, o.refused) || o.job.State != job.Running {
		t.Errorf("after the first refusal: %s %+v, %v", o.job.State, o.job.Failure, err)
	}
	o.clock = o.clock.Add(pendingTimeout)
	if err := o.settle(t); err != nil || o.job.State != job.Failed || o.job.Failure.Code != job.Unschedulable {
		t.Errorf("after a day of refusals: %s %+v, %v", o.job.State, o.job.Failure, err)
	}
}

// TestBlocked: a run is given up when it was blocked by one thing for too long without a break. Where the runner does not know since when,
// that counts from when it was seen so first.
func TestBlocked(t *testing.T) {
	t.Parallel()
	const imageTimeout = 30 * time.Minute
	type look struct {
		after time.Duration // the look before
		seen  job.Observation
	}
	var (
		noPod     = job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "its pod is not created yet"}
		noImage   = job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "no image", Failure: &job.Failure{Code: job.BadImage}}
		nextImage = job.Observation{Phase: job.Waiting, Blocked: true, Failure: &job.Failure{Code: job.BadImage, Stage: "bakta"}}
		noSecret  = job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "no secret", Failure: &job.Failure{Code: job.Unschedulable}}
		prepares  = job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "its node prepares it", Since: noon}
		runs      = job.Observation{Phase: job.Active, Stages: stages(job.StageRunning, job.StagePending)}
	)
	for name, row := range map[string]struct {
		looks []look
		want  job.State // job.Failed: by the last look, and not before
	}{
		"an image that fails after a long pull":  {[]look{{0, prepares}, {2 * time.Hour, noImage}}, job.Submitted},
		"an image that fails for as long as may": {[]look{{0, noImage}, {imageTimeout, noImage}}, job.Submitted},
		"an image that fails for too long":       {[]look{{time.Hour, noImage}, {imageTimeout, noImage}, {time.Minute, noImage}}, job.Failed},
		"an image that comes, and another fails": {[]look{{0, noImage}, {29 * time.Minute, runs}, {imageTimeout, noImage}}, job.Running},
		"an image that fails, then a secret": {[]look{{0, noImage}, {29 * time.Minute, noSecret}, {2 * time.Minute, noSecret}},
			job.Submitted},
		"one stage's image, then another's": {[]look{{0, noImage}, {29 * time.Minute, nextImage}, {2 * time.Minute, nextImage}},
			job.Submitted},
		"an image that is pulled again": {[]look{{0, noImage}, {time.Minute, prepares}, {imageTimeout, noImage}}, job.Submitted},
		"no pod after it ran for days": {[]look{{0, runs}, {3 * pendingTimeout, runs}, {time.Minute, noPod}, {pendingTimeout, noPod}},
			job.Running},
		"no pod for too long": {[]look{{0, runs}, {time.Minute, noPod}, {pendingTimeout, noPod}, {time.Minute, noPod}}, job.Failed},
		"known since when":    {[]look{{pendingTimeout, prepares}, {time.Minute, prepares}}, job.Failed},
	} {
		o := &one{job: running(), clock: noon, images: imageTimeout}
		o.job.State, o.job.Stages = job.Submitted, nil
		for i, l := range row.looks {
			if o.job.State == job.Failed {
				t.Errorf("%s: given up before look %d", name, i+1)
			}
			o.clock, o.seen = o.clock.Add(l.after), l.seen
			if err := o.settle(t); err != nil {
				t.Fatal(err)
			}
		}
		if o.job.State != row.want {
			t.Errorf("%s: %s, %+v; want %s", name, o.job.State, o.job.Failure, row.want)
		}
	}
}

// TestBlockedOfAnEarlierRun: what a version that does not know of it has left in the document counts for its run alone.
func TestBlockedOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	o := &one{job: running(), clock: noon.Add(2 * pendingTimeout), seen: job.Observation{Phase: job.Waiting, Blocked: true}}
	o.job.Run, o.job.Blocked = 2, job.Blocked{Run: 1, Since: noon}
	if err := o.settle(t); err != nil || o.job.State != job.Running || o.job.Blocked != (job.Blocked{Run: 2, Since: o.clock}) {
		t.Errorf("%s, blocked %+v, %v", o.job.State, o.job.Blocked, err)
	}
}

// TestEndOnAFullStorage: that a log can't be stored does not put off the outcome.
func TestEndOnAFullStorage(t *testing.T) {
	t.Parallel()
	why := job.Failure{Code: job.Internal, Message: "The object storage is full."}
	for _, full := range []error{job.Errorf(job.Exhausted, "full"), job.Errorf(job.Unavailable, "away")} {
		o := &one{job: running(), clock: noon, log: "x", full: full, seen: job.Observation{Phase: job.Ended, Failure: &why}}
		err := o.settle(t)
		if job.Is(full, job.Exhausted) && (err != nil || o.job.State != job.Failed || *o.job.Failure != why) {
			t.Errorf("full: %s %+v, %v", o.job.State, o.job.Failure, err)
		}
		if job.Is(full, job.Unavailable) && (!job.Is(err, job.Unavailable) || o.job.State != job.Running) {
			t.Errorf("away: %s, %v", o.job.State, err)
		}
	}
}

// TestEndWithoutThePod: no stage of a job that has ended is shown as running, also if nothing is left of what ran.
func TestEndWithoutThePod(t *testing.T) {
	t.Parallel()
	o := &one{job: running(), clock: noon, seen: job.Observation{Phase: job.Ended, Failure: &job.Failure{Code: job.OutOfMemory}}}
	if err := o.settle(t); err != nil || o.job.State != job.Failed ||
		!slices.Equal(o.job.Stages, stages(job.StageFailed, job.StagePending)) {
		t.Errorf("%s, %v, %v", o.job.State, o.job.Stages, err)
	}
}

// TestLastRunIsDiscarded: the object of a run that is given up, which its node may still have, must not begin again.
func TestLastRunIsDiscarded(t *testing.T) {
	t.Parallel()
	o := &one{job: running(), clock: noon, seen: job.Observation{Phase: job.Ended, Interrupted: true}}
	o.job.Run = job.MaxRuns
	if err := o.settle(t); err != nil || o.job.State != job.Failed || !slices.Contains(o.owed, job.OwesRun(job.DiscardRun, job.MaxRuns)) {
		t.Errorf("%s, it owes %v, %v", o.job.State, o.owed, err)
	}
}

// TestRemovalOutlivesUploads: a store checks a link when an upload begins, and the upload may end after that. So the last pass comes later.
func TestRemovalOutlivesUploads(t *testing.T) {
	t.Parallel()
	const uploadTTL = time.Hour // as lifecycle has it
	o := &one{job: running(), clock: noon.Add(time.Minute)}
	o.job.Created = noon
	end := noon.Add(uploadTTL + job.UploadGrace)
	for _, o.clock = range []time.Time{noon.Add(time.Minute), noon.Add(uploadTTL + time.Minute)} {
		if err := o.lifecycle(t).Remove(t.Context(), o.job); err != nil || o.removed || !o.job.Due.Equal(end) {
			t.Fatalf("at %s: removed %v, due %s, %v", o.clock, o.removed, o.job.Due, err)
		}
	}
	o.clock = end
	if err := o.lifecycle(t).Remove(t.Context(), o.job); err != nil || !o.removed || o.emptied != 3 {
		t.Errorf("removed %v, its files %d times, %v", o.removed, o.emptied, err)
	}
}

// TestRemovalIsTriedAgain while a pod ends, first soon and then, on a node that does not answer, less and less often. It is not given up.
func TestRemovalIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := &one{job: running(), clock: noon.Add(24 * time.Hour), ends: job.Errorf(job.NotReady, "a pod still ends")}
	var pauses []time.Duration
	for range 300 {
		if err := o.lifecycle(t).Remove(t.Context(), o.job); err != nil || o.removed {
			t.Fatalf("removed %v, %v", o.removed, err)
		}
		pauses = append(pauses, o.job.Due.Sub(o.clock))
		o.clock = o.job.Due
	}
	// The first pass marks the job; the next one comes when no call of that time is in flight, by any process's clock.
	if pauses[0] != 2*time.Minute+clockSkew || pauses[1] != 30*time.Second || !slices.IsSorted(pauses[1:]) || slices.Max(pauses) != time.Hour {
		t.Errorf("it is tried again after %v", pauses)
	}
	o.ends = nil
	if err := o.lifecycle(t).Remove(t.Context(), o.job); err != nil || !o.removed {
		t.Errorf("after the end: removed %v, %v", o.removed, err)
	}
}

// turns is a list of the jobs that wait. Some of them get their turns from other processes after they were found.
type turns struct {
	waiting  []job.Job
	lost     int // how many of the first
	released int
}

func (o *one) limited() lifecycle.Turns {
	if o.turns == nil {
		return nil
	}
	return o.turns
}

func (u *turns) NextTurn(context.Context, string) (job.Job, error) {
	if len(u.waiting) == 0 {
		return job.Job{}, job.Errorf(job.NotFound, "no job waits")
	}
	return u.waiting[0], nil
}

func (u *turns) Take(context.Context, string, string) (bool, error) { return true, nil }

func (u *turns) Turn(context.Context, string, time.Time, time.Time) (bool, error) {
	u.waiting = u.waiting[1:]
	u.lost--
	return u.lost < 0, nil
}

func (u *turns) Release(context.Context, string, string) error {
	u.released++
	return nil
}

// TestTwoEndsAtOnce: two processes, each with a job that has ended, find the same job that waits. The one that comes second looks again, so
// that no turn is idle.
func TestTwoEndsAtOnce(t *testing.T) {
	t.Parallel()
	waits := func(id string) job.Job {
		return job.Job{ID: id, State: job.Submitted, Run: 1, Start: &job.Start{Caller: "a", Waits: true}}
	}
	o := &one{job: running(), clock: noon, seen: job.Observation{Phase: job.Ended}}
	o.job.Start.Caller = "a"
	o.turns = &turns{waiting: []job.Job{waits("1"), waits("2"), waits("3")}, lost: 1}
	if err := o.settle(t); err != nil || o.turns.released != 1 || len(o.turns.waiting) != 1 || o.job.RunName != job.ObjectName("2", 1) {
		t.Errorf("released %d turns, %d jobs wait, launched %q, %v", o.turns.released, len(o.turns.waiting), o.job.RunName, err)
	}
}
