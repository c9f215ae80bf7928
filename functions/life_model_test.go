package functions_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// The models of the stores and the runner. Each operation is one atomic change of the life's state with a step
// before it and one after, and in the storm it may fail: before it acted, or after, so that the caller doesn't
// know whether it did.

var errAway = job.Errorf(job.Unavailable, "away")

// act is one operation. It reports whether the operation fails.
func (l *schedule) act(do func(), format string, args ...any) error {
	l.step()
	fails := !l.calm && l.rand.IntN(50) == 0
	if fails && l.rand.IntN(2) == 0 {
		l.logf(format+": away", args...)
		return errAway
	}
	l.logf(format, args...)
	do()
	l.step()
	if fails {
		l.logf("  and the answer is lost")
		return errAway
	}
	return nil
}

func missing(what string) error { return job.Errorf(job.NotFound, "no %s", what) }

// etag returns the ETag of an object. Each copy has a new one, as in stores that encrypt.
func (l *life) etag(key string) string {
	if l.again != nil && l.again.copies[key] > 0 {
		return fmt.Sprintf("etag-of-copy-%d", l.again.copies[key])
	}
	return etag(l.objects[key])
}

func etag(b []byte) string { return fmt.Sprintf("etag-%d", len(b)) }

// jobsModel is the store of jobs.
type jobsModel struct {
	*life
	store.Jobs // what is not part of a life
}

// change is a compare-and-set of the document: to may be empty for the same state.
func (m jobsModel) change(what string, to job.State, when func(d *job.Job) bool, set func(d *job.Job)) (bool, error) {
	changed := false
	err := m.act(func() {
		if m.doc == nil || !when(m.doc) {
			return
		}
		changed = true
		next := *m.doc
		if to != "" {
			next.State = to
		}
		set(&next)
		m.doc = &next
	}, "%s", what)
	if changed && m.doc != nil {
		m.logf("  now %s, run %d launched as %q, due %s", m.doc.State, m.doc.Run, m.doc.RunName, m.doc.Due.Format("01-02 15:04:05"))
	}
	return changed && err == nil, err
}

func activeRun(run int) func(d *job.Job) bool {
	return func(d *job.Job) bool { return d.State.Active() && d.Run == run }
}

func (m jobsModel) AddPastRun(_ context.Context, class string, _ job.PastRun) error {
	return m.act(func() {
		m.past[class]++
		if m.past[class] > 1 {
			m.faultf("one job counts %d times as a past run of %q", m.past[class], class)
		}
	}, "record a past run of %q", class)
}

func (m jobsModel) ExpireUnstarted(_ context.Context, made, by time.Time) (int, error) {
	changed, err := m.change("expire what was not started", "", func(d *job.Job) bool {
		return d.State == job.Created && d.Due.After(by) && d.Created.Before(made)
	}, func(d *job.Job) { d.Due, d.Expires = by, by })
	if changed {
		return 1, err
	}
	return 0, err
}

func (m jobsModel) Get(_ context.Context, id string) (j job.Job, err error) {
	if m.again != nil && id == m.again.old.ID {
		return m.getOld()
	}
	away := m.act(func() {
		if m.doc == nil || m.doc.ID != id {
			err = missing("document")
			return
		}
		j = *m.doc
	}, "read the document")
	if away != nil {
		return job.Job{}, away
	}
	return j, err
}

func (m jobsModel) Submit(_ context.Context, _ string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error) {
	return m.change("submit", job.Submitted, func(d *job.Job) bool { return d.State == job.Created }, func(d *job.Job) {
		d.Start, d.Stages, d.Run, d.Started, d.Updated, d.Due, d.Expires = &start, stages, 1, at, at, due, expires
	})
}

func (m jobsModel) Launched(_ context.Context, _ string, run int, object string, due time.Time) (bool, error) {
	return m.change("record the launch of "+object, "", activeRun(run), func(d *job.Job) { d.RunName, d.Due = object, due })
}

func (m jobsModel) Running(_ context.Context, _ string, run int, _ []job.Stage, _, at, due time.Time) (bool, error) {
	return m.change("record that it runs", job.Running, func(d *job.Job) bool {
		return activeRun(run)(d) && (d.State == job.Submitted || !d.Updated.After(at))
	}, func(d *job.Job) { d.Updated, d.Due = at, due })
}

func (m jobsModel) Finish(_ context.Context, _ string, run int, end job.End) (bool, error) {
	return m.change("record the end, "+string(end.State), end.State, activeRun(run), func(d *job.Job) {
		if f := end.Failure; f != nil && (*f != f.Fit(d.Stages) || f.Message == foreign && f.Code != job.Internal) {
			m.faultf("recorded as it came: %+v", f)
		}
		if end.State == job.Failed && end.Failure.Code != job.BadInput && !m.strange[run] {
			// Not the failure of a manifest: then there must be no manifest. (One with a code that is none of ours is as
			// internal, and what the runner knows counts for more.)
			content := m.objects[job.ManifestKey(d.ID, run)]
			if stated, err := stage.ReadManifest(content); err == nil && m.objects[stated.Files[0].Key] != nil {
				m.faultf("the run committed %s, and the job is recorded as failed with %q", stated.Outcome, end.Failure.Message)
			}
		}
		if r := m.runs[job.ObjectName(d.ID, run)]; r != nil && r.stuck == stuckImage && end.State == job.Failed &&
			end.Failure.Code == job.BadImage {
			switch waited := m.clock.Sub(r.fails); {
			case waited <= imagePatience:
				m.faultf("given up for its image after %s", waited)
			case m.calm && min(waited, m.clock.Sub(m.calmed)) > imagePatience+3*look+10*time.Minute:
				m.faultf("waited %s for its image", waited)
			}
			if r.begun && len(end.Logs) == 0 {
				m.faultf("given up for its image, and the log of what ran before is lost")
			}
			m.images++
		}
		m.finished = true
		d.Owed, d.Deliveries = end.Owed, end.Deliveries
		d.Failure, d.Results, d.Updated, d.Expires, d.Due = end.Failure, end.Results, end.At, end.Expires, end.Due
	})
}

func (m jobsModel) Done(_ context.Context, _ string, effects []job.Effect, due time.Time) (bool, error) {
	owes := func(d *job.Job) bool {
		return slices.ContainsFunc(d.Owed, func(e job.Effect) bool { return slices.Contains(effects, e) })
	}
	return m.change(
		fmt.Sprintf("record as done %v", effects),
		"",
		func(d *job.Job) bool { return d.State.Ended() && owes(d) },
		func(d *job.Job) {
			for _, e := range effects {
				if e.Kind != job.Deliver && !m.carriedOut[e.ID] {
					m.faultf("%s is recorded as done and never was", e.ID)
				}
			}
			d.Owed = slices.DeleteFunc(slices.Clone(d.Owed), func(e job.Effect) bool { return slices.Contains(effects, e) })
			d.Due = due
		},
	)
}

// carry notes that an effect on a run is carried out, which must not be before the run's outcome is stored.
func (m runnerModel) carry(kind job.EffectKind, run int) {
	m.carriedOut[job.OwesRun(kind, run).ID] = true
	if m.doc != nil && m.doc.Run == run && m.doc.State.Active() {
		m.faultf("%s comes before the outcome of run %d", kind, run)
	}
}

func (m jobsModel) SetBlocked(_ context.Context, _ string, b job.Blocked) (bool, error) {
	return m.change(fmt.Sprintf("record that it is blocked by %q since %s", b.By, b.Since.Format("15:04:05")), "", activeRun(b.Run),
		func(d *job.Job) {
			if d.Blocked = b; b.Since.IsZero() {
				d.Blocked = job.Blocked{}
			}
		})
}

func (m jobsModel) Relaunch(_ context.Context, _ string, run int, at, due time.Time) (bool, error) {
	return m.change(fmt.Sprintf("owe run %d", run+1), "", activeRun(run), func(d *job.Job) {
		d.Run, d.RunName, d.Blocked, d.Updated, d.Due = run+1, "", job.Blocked{}, at, due
	})
}

func (m jobsModel) Delete(_ context.Context, _ string, at time.Time) (bool, error) {
	return m.change("mark as deleting", job.Deleting, func(d *job.Job) bool { return d.State != job.Deleting }, func(d *job.Job) {
		m.unwanted = true
		d.Name, d.Start, d.Results, d.Failure, d.Owed, d.Deliveries, d.Updated, d.Due = "", nil, nil, nil, nil, nil, at, at
	})
}

func (m jobsModel) Expire(_ context.Context, _ string, now time.Time) (bool, error) {
	return m.change("expire", job.Deleting, func(d *job.Job) bool {
		return (d.State == job.Created || d.State.Ended()) && !d.Expires.After(now)
	}, func(d *job.Job) {
		d.Name, d.Start, d.Results, d.Failure, d.Owed, d.Deliveries, d.Updated, d.Due = "", nil, nil, nil, nil, nil, now, now
	})
}

func (m jobsModel) Remove(context.Context, string) error {
	return m.act(func() {
		if m.doc != nil && m.doc.State == job.Deleting {
			m.doc = nil
		}
	}, "forget the document")
}

func (m jobsModel) Postpone(_ context.Context, _ string, was, due time.Time) error {
	_, err := m.change("postpone", "", func(d *job.Job) bool { return d.Due.Equal(was) }, func(d *job.Job) { d.Due = due })
	return err
}

func (m jobsModel) Due(_ context.Context, now time.Time, _ int) (due []job.Job, err error) {
	err = m.act(func() {
		if m.doc != nil && !m.doc.Due.After(now) {
			due = []job.Job{*m.doc}
		}
	}, "read what is due")
	return due, err
}

func (m jobsModel) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	got, err := m.schedule.Acquire(ctx, name, holder, ttl)
	if !got && err == nil && m.again != nil && name == "rerun-"+m.id {
		m.again.waited = true
		return false, errAway // instead of waiting, which takes real time
	}
	return got, err
}

func (m jobsModel) ReleaseLease(ctx context.Context, name, holder string) error {
	return m.schedule.ReleaseLease(ctx, name, holder)
}

// filesModel is the bucket.
type filesModel struct {
	*life
	store.Files // what is not part of a life
}

func (m filesModel) read(key string) (content []byte, err error) {
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

func (m filesModel) Get(_ context.Context, key string, _ int64) ([]byte, error) { return m.read(key) }

func (m filesModel) Stat(_ context.Context, key string) (job.File, error) {
	content, err := m.read(key)
	return job.File{Key: key, Size: int64(len(content)), ETag: m.etag(key)}, err
}

func (m filesModel) Open(_ context.Context, key, _ string) (io.ReadCloser, job.File, error) {
	content, err := m.read(key)
	return io.NopCloser(bytes.NewReader(content)), job.File{Key: key, Size: int64(len(content)), ETag: m.etag(key)}, err
}

func (m filesModel) List(_ context.Context, prefix string) (files []job.File, err error) {
	err = m.act(func() {
		for key, content := range m.objects {
			if name, ok := strings.CutPrefix(key, prefix); ok {
				files = append(files, job.File{Name: name, Key: key, Size: int64(len(content)), ETag: m.etag(key)})
			}
		}
	}, "list %s", prefix)
	return files, err
}

func (m filesModel) Put(_ context.Context, key string, content io.Reader, _ int64) (file job.File, err error) {
	b, err := io.ReadAll(content)
	if err != nil {
		return job.File{}, err
	}
	err = m.act(func() { m.objects[key] = b }, "store %s", key)
	return job.File{Key: key, Size: int64(len(b)), ETag: etag(b)}, err
}

func (m filesModel) RemovePrefix(_ context.Context, prefix string) error {
	return m.act(func() {
		for key := range m.objects {
			if strings.HasPrefix(key, prefix) {
				delete(m.objects, key)
			}
		}
	}, "remove %s", prefix)
}

// runnerModel is where runs run.
type runnerModel struct{ *life }

func (m runnerModel) Launch(_ context.Context, j job.Job) (string, error) {
	name := job.ObjectName(j.ID, j.Run)
	err := m.act(func() {
		if m.runs[name] == nil {
			m.runs[name] = &run{number: j.Run, phase: job.Waiting, finalize: true, since: m.clock}
			if n := m.rand.IntN(30); n < 4 {
				m.runs[name].stuck = []stuck{stuckMachine, stuckImage}[n%2]
				m.runs[name].begun = n == 3
				if m.runs[name].fails = m.clock; m.rand.IntN(2) == 0 {
					m.runs[name].fails = m.clock.Add(time.Duration(m.rand.Int64N(int64(patience / 2))))
				}
				m.logf("  which is stuck for want of a %s", m.runs[name].stuck)
			}
		}
	}, "launch %s", name)
	m.check()
	return name, err
}

func (m runnerModel) Observe(_ context.Context, j job.Job) (seen job.Observation, err error) {
	err = m.act(func() {
		if r := m.runs[job.ObjectName(j.ID, j.Run)]; r != nil {
			seen = job.Observation{Phase: r.phase, Since: m.clock, Failure: r.failure, Interrupted: r.cut}
			if r.phase == job.Waiting && r.stuck != "" {
				seen.Since, seen.Blocked, seen.Waiting = r.since, true, "no "+string(r.stuck)
			}
			if r.phase == job.Waiting && r.stuck == stuckImage && !m.clock.Before(r.fails) {
				seen.Since = time.Time{} // as Kubernetes, it does not say since when
				seen.Failure = &job.Failure{Code: job.BadImage, Message: "no image"}
			}
		}
	}, "observe run %d", j.Run)
	return seen, err
}

func (m runnerModel) Log(_ context.Context, j job.Job, _ string) (log io.ReadCloser, err error) {
	err = missing("log")
	if away := m.act(func() {
		if r := m.runs[job.ObjectName(j.ID, j.Run)]; r != nil && r.begun {
			log, err = io.NopCloser(strings.NewReader("log")), nil
		}
	}, "read a log of run %d", j.Run); away != nil {
		return nil, away
	}
	return log, err
}

func (m runnerModel) Tail(ctx context.Context, j job.Job, stage string, limit int64) ([]byte, error) {
	log, err := m.Log(ctx, j, stage)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(log, limit))
}

func (m runnerModel) Release(_ context.Context, j job.Job) error {
	return m.act(func() {
		m.carry(job.ReleaseRun, j.Run)
		name := job.ObjectName(j.ID, j.Run)
		if r := m.runs[name]; r != nil {
			r.finalize = false
			if r.gone {
				delete(m.runs, name)
			}
		}
	}, "release run %d", j.Run)
}

func (m runnerModel) Held(_ context.Context, before time.Time, visit func(string) error) error {
	held := 0
	err := m.act(func() {
		for _, r := range m.runs {
			if r.finalize && r.over() && !r.overSince.After(before) {
				held++
			}
		}
	}, "look for runs that are held")
	for range held {
		if err == nil {
			err = visit(m.id)
		}
	}
	return err
}

func (m runnerModel) Forget(context.Context, string) error {
	return m.act(func() {
		for name, r := range m.runs {
			if m.doc != nil && m.doc.Run == r.number && m.doc.State.Active() {
				m.faultf("the run %d is forgotten, whose outcome is waited for", r.number)
			}
			if r.finalize && r.over() {
				r.finalize, m.forgot = false, m.forgot+1
				if r.gone {
					delete(m.runs, name)
				}
			}
		}
	}, "forget the job's runs")
}

func (m runnerModel) Discard(_ context.Context, j job.Job) error {
	return m.act(func() {
		m.carry(job.DiscardRun, j.Run)
		delete(m.runs, job.ObjectName(j.ID, j.Run))
	}, "discard run %d", j.Run)
}

func (m runnerModel) Stop(context.Context, string) error {
	ending := false
	err := m.act(func() {
		for name, r := range m.runs {
			if r.ending = r.ending || r.phase == job.Active && len(name)%2 == len(m.steps)%2; r.ending {
				ending, r.finalize = true, false
				continue
			}
			delete(m.runs, name)
		}
	}, "stop all runs")
	if err == nil && ending {
		err = job.Errorf(job.NotReady, "something still ends")
	}
	return err
}

// stillModel reads without taking turns.
type stillModel struct{ *life }

func (m stillModel) Get(context.Context, string) (job.Job, error) {
	if m.doc == nil {
		return job.Job{}, missing("document")
	}
	return *m.doc, nil
}

func (m stillModel) GetStates(ctx context.Context, ids []string) ([]job.Job, error) {
	return m.GetMany(ctx, ids)
}

func (stillModel) Owned(context.Context, job.Owned, int) ([]job.Job, error) {
	panic("nothing lists by owner")
}

func (m stillModel) Waiting(context.Context, int) ([]time.Time, error) {
	return []time.Time{m.doc.Started}, nil
}

func (stillModel) PastRuns(context.Context, []string) (map[string][]job.PastRun, error) {
	return nil, nil
}

func (m stillModel) GetMany(ctx context.Context, _ []string) ([]job.Job, error) {
	j, err := m.Get(ctx, "")
	if err != nil {
		return nil, nil
	}
	return []job.Job{j}, nil
}

func (stillModel) PresignGet(context.Context, string, string, time.Duration) (string, error) {
	panic("not part of a list")
}

func (stillModel) Open(context.Context, string, string) (io.ReadCloser, job.File, error) {
	panic("not part of a list")
}

func (stillModel) Log(context.Context, job.Job, string) (io.ReadCloser, error) {
	panic("not part of a list")
}

func (stillModel) Tail(context.Context, job.Job, string, int64) ([]byte, error) {
	return nil, missing("log")
}
