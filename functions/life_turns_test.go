package functions_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// The lives of several jobs of a few callers, each of whom may have a share of runs at once. The schedule is as that of one life: calls
// stop before and after everything that they ask of the stores or the runner, are killed there, and lose answers.

// crowd is one schedule.
type crowd struct {
	schedule
	share int

	jobs    map[string]*job.Job
	callers map[string]caller.Caller // of each job
	held    map[string]map[string][]store.Held
	objects map[string][]byte
	runs    map[string]*crowdRun // by object name

	acknowledged   map[string]bool
	waited, passed int // jobs that waited for a turn, and turns that were given by the end of a job
}

// crowdRun is a run in the runner.
type crowdRun struct {
	job    string
	number int
	phase  job.Phase
}

func TestTurnsOfCallers(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) *crowd {
		c := newCrowd(seed)
		c.play()
		return c
	}
	if *onlySeed != 0 {
		c := play(*onlySeed)
		t.Logf("schedule of seed %d:\n%s", *onlySeed, c.trace())
		if len(c.faults) > 0 {
			t.Error(strings.Join(c.faults, "\n"))
		}
		return
	}
	waited, passed := 0, 0
	for seed := uint64(1); seed <= uint64(*schedules); seed++ {
		c := play(seed)
		if len(c.faults) > 0 {
			t.Fatalf("seed %d (play it again with -life.seed=%d):\n%s\n\nschedule:\n%s", seed, seed, strings.Join(c.faults, "\n"), c.trace())
		}
		waited, passed = waited+c.waited, passed+c.passed
	}
	t.Logf("%d jobs waited for their turn, %d turns were passed on by the end of a job", waited, passed)
	if waited < *schedules/2 || passed < *schedules/10 {
		t.Error("the schedules no longer reach turns")
	}
}

func newCrowd(seed uint64) *crowd {
	c := &crowd{
		schedule: newSchedule(seed),

		jobs: make(map[string]*job.Job), callers: make(map[string]caller.Caller),
		held: make(map[string]map[string][]store.Held), objects: make(map[string][]byte),
		runs: make(map[string]*crowdRun), acknowledged: make(map[string]bool),
	}
	c.share = 1 + c.rand.IntN(2)
	callers := 1 + c.rand.IntN(2)
	for i := range 4 + c.rand.IntN(5) {
		id := fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", seed, i)
		c.jobs[id] = &job.Job{ID: id, SecretHash: job.HashSecret(secret), Name: "crowd", Workflow: workflow.Bakta, State: job.Created,
			Created: c.clock, Updated: c.clock, Expires: c.clock.Add(keep), Due: c.clock.Add(keep)}
		c.callers[id] = caller.Caller{Subject: fmt.Sprint("caller ", c.rand.IntN(callers))}
		c.objects[job.UploadKey(id, upload.GenomeFASTA)] = []byte(genome)
	}
	return c
}

func (c *crowd) functions(holder string) (*functions.Functions, func(ctx context.Context, who caller.Caller) context.Context) {
	set := settings.Default()
	set.Retention, set.UploadTTL = 10*keep, linkTTL
	set.ClockSkew = 0
	set.RecheckInterval, set.PendingTimeout, set.ImageTimeout, set.InFlight = look, patience, imagePatience, deadline+time.Second
	set.SweepJobs = 1 // the schedule decides what happens side by side
	set.Caller.Launched = c.share
	m := crowdStore{crowd: c}
	log := slog.New(slog.DiscardHandler)
	limiter := must(functions.NewLimiter(functions.LimitParts{Limits: m, Jobs: m, Secret: []byte("s"), Now: c.now, Log: log}, set))
	f := must(functions.New(functions.Parts{
		Jobs: m, Files: crowdFiles{crowd: c}, Runner: crowdRunner{c}, Offered: workflow.Catalogue(), Now: c.now, Log: log,
		Holder: fmt.Sprint(holder, len(c.steps)), Limiter: limiter, Turns: m,
	}, set))
	return f, func(ctx context.Context, who caller.Caller) context.Context {
		return must(limiter.Admit(ctx, who, "/"+protov1.BaktaJobs_ServiceDesc.ServiceName+"/StartJob"))
	}
}

// some returns one of the jobs, most of the time one in such a state if there is any.
func (c *crowd) some(in func(job.State) bool) string {
	ids := slices.Sorted(maps.Keys(c.callers))
	these := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return c.jobs[id] == nil || !in(c.jobs[id].State) })
	if len(these) > 0 && c.rand.IntN(4) > 0 {
		ids = these
	}
	return ids[c.rand.IntN(len(ids))]
}

func created(s job.State) bool { return s == job.Created }

func (c *crowd) start(id string) {
	c.call("start", func(ctx context.Context) {
		f, admit := c.functions("start")
		_, err := must(f.Submit()).Start(admit(ctx, c.callers[id]), submit.Start{API: 1, ID: id, Secret: secret, Workflow: workflow.Bakta})
		c.logf("start of %s answers %v", id[30:], err)
		switch {
		case err == nil:
			c.acknowledged[id] = true
		case job.Is(err, job.Unavailable), job.Is(err, job.NotFound):
		case !job.Is(err, job.Invalid) || c.jobs[id] != nil && c.jobs[id].State != job.Deleting: // its upload is removed with it
			c.faultf("start answers %v", err)
		}
	})
}

func (c *crowd) event(id string) {
	if c.rand.IntN(4) == 0 {
		c.searched(id)
		return
	}
	c.call("event", func(ctx context.Context) {
		f, _ := c.functions("event")
		e := cloudevents.NewEvent()
		e.SetID("1")
		e.SetSource("model")
		e.SetType("dev.knative.apiserver.resource.update")
		e.SetSubject("/apis/batch/v1/namespaces/model/jobs/" + job.ObjectName(id, 1))
		if err := must(f.JobUpdate()).Event(ctx, e); err != nil && !job.Is(err, job.Unavailable) {
			c.faultf("event answers %v", err)
		}
	})
}

// searched is the search of a process without a runner for the outcome of a job. Such a process passes on no turn.
func (c *crowd) searched(id string) {
	c.call("search", func(ctx context.Context) {
		ends := must(lifecycle.NewConcluder(crowdStore{crowd: c}, crowdFiles{crowd: c}, lifecycle.Options{
			Retention: 10 * keep, UploadTTL: linkTTL, RecheckInterval: look, PendingTimeout: patience, ImageTimeout: imagePatience,
			InFlight: deadline + time.Second, Now: c.now, Log: slog.New(slog.DiscardHandler),
		}))
		ended, err := ends.Conclude(ctx, id)
		c.logf("the search for the end of %s answers %t %v", id[30:], ended, err)
		if err != nil && !job.Is(err, job.Unavailable) {
			c.faultf("the search answers %v", err)
		}
	})
}

func (c *crowd) sweep() {
	c.call("sweep", func(ctx context.Context) {
		f, _ := c.functions("sweep")
		swept, err := must(f.Expire()).Sweep(ctx)
		c.logf("sweep answers %+v %v", swept, err)
		if err != nil && (c.calm || !job.Is(err, job.Unavailable)) {
			c.faultf("sweep answers %v", err)
		}
	})
}

func (c *crowd) remove(id string) {
	c.call("delete", func(ctx context.Context) {
		f, _ := c.functions("delete")
		err := must(f.Expire()).Delete(ctx, id, secret)
		c.logf("delete of %s answers %v", id[30:], err)
		if err != nil && !job.Is(err, job.NotFound) && !job.Is(err, job.Unavailable) {
			c.faultf("delete answers %v", err)
		}
	})
}

// advanceRun lets one of the runs begin, end with an outcome, or vanish.
func (c *crowd) advanceRun() {
	names := slices.Sorted(maps.Keys(c.runs))
	if len(names) == 0 {
		return
	}
	name := names[c.rand.IntN(len(names))]
	r := c.runs[name]
	luck := c.rand.IntN(20)
	switch {
	case r.phase == job.Ended:
	case luck == 0 && !c.calm:
		c.logf("%s vanishes", name)
		delete(c.runs, name)
	case r.phase == job.Waiting:
		r.phase = job.Active
		c.logf("%s begins", name)
	case luck < 10 || c.calm:
		key := job.RunPrefix(r.job, r.number) + "result.json"
		c.objects[key] = []byte("{}")
		c.objects[job.ManifestKey(r.job, r.number)] = must(json.Marshal(stage.Manifest{
			Version: stage.ManifestVersion, Job: r.job, Run: r.number, Outcome: stage.Succeeded,
			Stages: []stage.Result{{Name: "bakta", Status: job.StageSucceeded}},
			Files:  []job.File{{Name: "json", Key: key, Size: 2, ETag: etag([]byte("{}"))}},
		}))
		r.phase = job.Ended
		c.logf("%s ends", name)
	}
}

func (c *crowd) play() {
	for range 150 + c.rand.IntN(250) {
		switch n := c.rand.IntN(1000); {
		case n < 650 && len(c.actors) > 0:
			c.resume(c.foremost(), true)
		case n < 680 && len(c.actors) > 0:
			c.resume(c.actors[c.rand.IntN(len(c.actors))], false)
		case n < 730 && len(c.actors) < 6:
			c.start(c.some(created))
		case n < 734:
			c.remove(c.some(job.State.Active))
		case n < 790 && len(c.actors) < 6:
			c.event(c.some(job.State.Active))
		case n < 815 && len(c.actors) < 6:
			c.sweep()
		case n < 850:
			c.clock = c.clock.Add([]time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}[c.rand.IntN(4)])
		default:
			c.advanceRun()
		}
	}
	for len(c.actors) > 0 {
		c.resume(c.actors[0], false)
	}
	c.calm = true
	// One sweep after a turn is free, the next job of the caller is launched. What the storm has left may need a few.
	for range 40 {
		if !slices.ContainsFunc(slices.Collect(maps.Values(c.jobs)), func(d *job.Job) bool { return d.State.Active() }) {
			break
		}
		c.clock = c.clock.Add(time.Minute)
		for range 6 {
			c.advanceRun()
		}
		c.sweep()
		for len(c.actors) > 0 {
			c.resume(c.actors[0], true)
		}
	}
	c.judge()
}

// check holds what is true at any moment: no caller has more runs than its share.
func (c *crowd) check() {
	running := make(map[string]int)
	for _, r := range c.runs {
		if d := c.jobs[r.job]; d != nil && d.State.Active() && d.Run == r.number && r.phase != job.Ended {
			running[d.Start.Caller]++
		}
	}
	for caller, n := range running {
		if n > c.share {
			c.faultf("%s has %d runs, its share is %d", caller, n, c.share)
		}
	}
}

// judge holds what is true in the end: every job that was started has ended.
func (c *crowd) judge() {
	for id, d := range c.jobs {
		if d.State.Active() {
			c.faultf("job %s is stuck as %s, run %d launched as %q, waits: %t, due %s", id[30:], d.State, d.Run, d.RunName, d.Start.Waits, d.Due)
		}
		if c.acknowledged[id] && d.State == job.Created {
			c.faultf("the start of job %s was acknowledged and its effect is lost", id[30:])
		}
	}
}

// crowdStore is the store of jobs, and that of limits.
type crowdStore struct {
	*crowd
	store.Jobs // what is not part of these lives
}

func (m crowdStore) change(id, what string, to job.State, when func(d *job.Job) bool, set func(d *job.Job)) (bool, error) {
	changed := false
	err := m.act(func() {
		d := m.jobs[id]
		if d == nil || !when(d) {
			return
		}
		changed = true
		next := *d
		if to != "" {
			next.State = to
		}
		set(&next)
		m.jobs[id] = &next
	}, "%s %s", what, id[30:])
	m.check()
	return changed && err == nil, err
}

func (m crowdStore) Get(_ context.Context, id string) (j job.Job, err error) {
	away := m.act(func() {
		if m.jobs[id] == nil {
			err = missing("document")
			return
		}
		j = *m.jobs[id]
	}, "read %s", id[30:])
	if away != nil {
		return job.Job{}, away
	}
	return j, err
}

func (m crowdStore) GetStates(_ context.Context, ids []string) (jobs []job.Job, err error) {
	err = m.act(func() {
		for _, id := range ids {
			if m.jobs[id] != nil {
				jobs = append(jobs, *m.jobs[id])
			}
		}
	}, "read the states of %d jobs", len(ids))
	return jobs, err
}

func (m crowdStore) Submit(_ context.Context, id string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error) {
	return m.change(id, "submit", job.Submitted, func(d *job.Job) bool { return d.State == job.Created }, func(d *job.Job) {
		d.Start, d.Stages, d.Run, d.Started, d.Updated, d.Due, d.Expires = &start, stages, 1, at, at, due, expires
		if start.Waits {
			m.waited++
		}
	})
}

func (m crowdStore) Launched(_ context.Context, id string, run int, object string, due time.Time) (bool, error) {
	return m.change(id, "record the launch of", "", activeRun(run), func(d *job.Job) { d.RunName, d.Due = object, due })
}

func (m crowdStore) Running(_ context.Context, id string, run int, _ []job.Stage, _, at, due time.Time) (bool, error) {
	return m.change(id, "record that it runs", job.Running, activeRun(run), func(d *job.Job) { d.Updated, d.Due = at, due })
}

func (m crowdStore) Finish(_ context.Context, id string, run int, end job.End) (bool, error) {
	return m.change(id, "record the end of", end.State, activeRun(run), func(d *job.Job) {
		d.Owed, d.Failure, d.Results, d.Updated, d.Expires, d.Due = end.Owed, end.Failure, end.Results, end.At, end.Expires, end.Due
	})
}

func (m crowdStore) Done(_ context.Context, id string, _ []job.Effect, due time.Time) (bool, error) {
	return m.change(id, "record what was done for", "", func(d *job.Job) bool { return d.State.Ended() && len(d.Owed) > 0 },
		func(d *job.Job) { d.Owed, d.Due = nil, due })
}

func (m crowdStore) SetBlocked(_ context.Context, id string, b job.Blocked) (bool, error) {
	return m.change(id, "record what blocks", "", activeRun(b.Run), func(d *job.Job) {
		if d.Blocked = b; b.Since.IsZero() {
			d.Blocked = job.Blocked{}
		}
	})
}

func (m crowdStore) Relaunch(_ context.Context, id string, run int, _, due time.Time) (bool, error) {
	return m.change(id, "owe the next run of", "", activeRun(run), func(d *job.Job) {
		d.Run, d.RunName, d.Due, d.Blocked = run+1, "", due, job.Blocked{}
	})
}

func (m crowdStore) Delete(_ context.Context, id string, at time.Time) (bool, error) {
	return m.change(id, "mark as deleting", job.Deleting, func(d *job.Job) bool { return d.State != job.Deleting }, func(d *job.Job) {
		d.Start, d.Owed, d.Updated, d.Due = nil, nil, at, at
	})
}

func (m crowdStore) Expire(_ context.Context, id string, now time.Time) (bool, error) {
	return m.change(id, "expire", job.Deleting, func(d *job.Job) bool {
		return (d.State == job.Created || d.State.Ended()) && !d.Expires.After(now)
	}, func(d *job.Job) { d.Start, d.Owed, d.Updated, d.Due = nil, nil, now, now })
}

func (m crowdStore) ExpireUnstarted(context.Context, time.Time, time.Time) (int, error) {
	return 0, nil
}

func (m crowdStore) AddPastRun(context.Context, string, job.PastRun) error { return nil }

func (m crowdStore) Remove(_ context.Context, id string) error {
	return m.act(func() {
		if d := m.jobs[id]; d != nil && d.State == job.Deleting {
			delete(m.jobs, id)
		}
	}, "forget %s", id[30:])
}

func (m crowdStore) Postpone(_ context.Context, id string, was, due time.Time) error {
	_, err := m.change(id, "postpone", "", func(d *job.Job) bool { return d.Due.Equal(was) }, func(d *job.Job) { d.Due = due })
	return err
}

func (m crowdStore) Due(_ context.Context, now time.Time, limit int) (due []job.Job, err error) {
	err = m.act(func() {
		for _, d := range m.jobs {
			if !d.Due.After(now) {
				due = append(due, *d)
			}
		}
		slices.SortFunc(due, func(a, b job.Job) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
		due = due[:min(limit, len(due))]
	}, "read what is due")
	return due, err
}

func (m crowdStore) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return m.schedule.Acquire(ctx, name, holder, ttl)
}

func (m crowdStore) ReleaseLease(ctx context.Context, name, holder string) error {
	return m.schedule.ReleaseLease(ctx, name, holder)
}

// turns returns the jobs that wait, by callers and the times of their starts.
func (c *crowd) turns() (jobs []job.Job) {
	for _, d := range c.jobs {
		if d.Start != nil && d.Start.Waits && d.State.Active() {
			jobs = append(jobs, *d)
		}
	}
	slices.SortFunc(jobs, func(a, b job.Job) int {
		return cmp.Or(cmp.Compare(a.Start.Caller, b.Start.Caller), a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return jobs
}

func (m crowdStore) NextTurn(_ context.Context, caller string) (j job.Job, err error) {
	err = missing("turn")
	away := m.act(func() {
		for _, d := range slices.Backward(m.turns()) {
			if d.Start.Caller == caller {
				j, err = d, nil
			}
		}
	}, "read the next turn of %s", caller)
	if away != nil {
		return job.Job{}, away
	}
	return j, err
}

func (m crowdStore) NextCaller(_ context.Context, after string) (caller string, err error) {
	err = m.act(func() {
		for _, d := range slices.Backward(m.turns()) {
			if d.Start.Caller > after {
				caller = d.Start.Caller
			}
		}
	}, "read which caller has a turn after %q", after)
	return caller, err
}

func (m crowdStore) Turn(_ context.Context, id string, at, due time.Time) (bool, error) {
	by := m.current.name
	return m.change(id, "begin the turn of", "", func(d *job.Job) bool { return d.State.Active() && d.Start.Waits }, func(d *job.Job) {
		start := *d.Start
		start.Waits = false
		d.Start, d.Updated, d.Due = &start, at, due
		if by == "event" {
			m.passed++
		}
	})
}

func (m crowdStore) WaitingTurns(context.Context, int) ([]job.WaitingTurn, error) {
	panic("it is for answers")
}

func (m crowdStore) Use(_ context.Context, caller string, u store.Use) (used store.Used, err error) {
	err = m.act(func() {
		lists := m.held[caller]
		if lists == nil {
			lists = make(map[string][]store.Held)
			m.held[caller] = lists
		}
		for _, h := range u.Holds {
			entries := slices.DeleteFunc(slices.Clone(lists[h.Name]), func(e store.Held) bool { return slices.Contains(u.Gone, e) })
			others := slices.DeleteFunc(slices.Clone(entries), func(e store.Held) bool { return e.Job == u.Job })
			switch {
			case len(others) < len(entries) || len(entries) < h.Limit:
				entries = append(others, store.Held{Name: h.Name, Job: u.Job, At: u.At})
			case h.Optional:
				used.Full, used.Entries = append(used.Full, h.Name), entries
			default:
				used.Refused, used.Entries = h.Name, entries
			}
			lists[h.Name] = entries
		}
	}, "count for %s, with %d entries that are gone", u.Job[30:], len(u.Gone))
	return used, err
}

func (m crowdStore) Release(_ context.Context, caller, id string) error {
	return m.act(func() {
		for name, entries := range m.held[caller] {
			m.held[caller][name] = slices.DeleteFunc(slices.Clone(entries), func(e store.Held) bool { return e.Job == id })
		}
	}, "release the turn of %s", id[30:])
}

// crowdFiles is the bucket.
type crowdFiles struct {
	*crowd
	store.Files // what is not part of these lives
}

func (m crowdFiles) Get(_ context.Context, key string, _ int64) (content []byte, err error) {
	away := m.act(func() {
		var ok bool
		if content, ok = m.objects[key]; !ok {
			err = missing(key)
		}
	}, "read %s", key)
	if away != nil {
		return nil, away
	}
	return content, err
}

func (m crowdFiles) Open(ctx context.Context, key, _ string) (io.ReadCloser, job.File, error) {
	content, err := m.Get(ctx, key, 0)
	return io.NopCloser(bytes.NewReader(content)), job.File{Key: key, Size: int64(len(content)), ETag: etag(content)}, err
}

func (m crowdFiles) List(_ context.Context, prefix string) (files []job.File, err error) {
	err = m.act(func() {
		for key, content := range m.objects {
			if name, ok := strings.CutPrefix(key, prefix); ok {
				files = append(files, job.File{Name: name, Key: key, Size: int64(len(content)), ETag: etag(content)})
			}
		}
	}, "list %s", prefix)
	return files, err
}

func (m crowdFiles) Put(_ context.Context, key string, content io.Reader, _ int64) (job.File, error) {
	b := must(io.ReadAll(content))
	return job.File{Key: key, Size: int64(len(b)), ETag: etag(b)}, m.act(func() { m.objects[key] = b }, "store %s", key)
}

func (m crowdFiles) RemovePrefix(_ context.Context, prefix string) error {
	return m.act(func() {
		maps.DeleteFunc(m.objects, func(key string, _ []byte) bool { return strings.HasPrefix(key, prefix) })
	}, "remove %s", prefix)
}

// crowdRunner is where runs run.
type crowdRunner struct{ *crowd }

func (m crowdRunner) Launch(_ context.Context, j job.Job) (string, error) {
	name := job.ObjectName(j.ID, j.Run)
	err := m.act(func() {
		if m.runs[name] == nil {
			m.runs[name] = &crowdRun{job: j.ID, number: j.Run, phase: job.Waiting}
		}
	}, "launch %s", name)
	m.check()
	return name, err
}

func (m crowdRunner) Observe(_ context.Context, j job.Job) (seen job.Observation, err error) {
	err = m.act(func() {
		if r := m.runs[job.ObjectName(j.ID, j.Run)]; r != nil {
			seen = job.Observation{Phase: r.phase, Since: m.clock}
		}
	}, "observe run %d of %s", j.Run, j.ID[30:])
	return seen, err
}

func (m crowdRunner) Log(context.Context, job.Job, string) (io.ReadCloser, error) {
	return nil, missing("log")
}

func (m crowdRunner) Tail(context.Context, job.Job, string, int64) ([]byte, error) {
	return nil, missing("log")
}

func (m crowdRunner) Release(context.Context, job.Job) error { return nil }

func (m crowdRunner) Discard(_ context.Context, j job.Job) error {
	return m.act(func() { delete(m.runs, job.ObjectName(j.ID, j.Run)) }, "discard run %d of %s", j.Run, j.ID[30:])
}

func (m crowdRunner) Stop(_ context.Context, id string) error {
	return m.act(func() {
		maps.DeleteFunc(m.runs, func(_ string, r *crowdRun) bool { return r.job == id })
	}, "stop all runs of %s", id[30:])
}
