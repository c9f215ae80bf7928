// Package storetest is the test suite that any store of jobs passes. The tests of lib/store/mongo run it on a real mongod, those
// of local mode on the embedded server.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// Run tests a store. Each call of open returns one that is set up and empty.
func Run(t *testing.T, open func(t *testing.T) store.Jobs) {
	for name, test := range map[string]func(*testing.T, store.Jobs){
		"a set-up can be repeated":          repeatedSetup,
		"what is stored comes back":         roundTrip,
		"any text can be stored":            anyText,
		"an id is nothing but text":         idsAreText,
		"an id is taken once":               takenIDs,
		"jobs are listed":                   list,
		"due jobs come oldest first":        due,
		"jobs that wait to be started":      unstarted,
		"states are left as the table says": transitions,
		"special cases of the table":        specialCases,
		"of sixteen starts one wins":        concurrentSubmits,
		"of sixteen ends one is recorded":   concurrentEnds,
		"a lease has one holder":            leases,
		"of sixteen takers one has a lease": concurrentLeases,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later   = noon.Add(time.Minute)
	muchAt  = noon.Add(time.Hour)
	inAYear = noon.AddDate(1, 0, 0)
)

var (
	someStart = job.Start{
		Config: []byte(`{"genus":"Escherichia","complete":true}`),
		Inputs: []job.Input{{Kind: "fasta", Size: 3362, ETag: "0123456789abcdef", Name: "genome.fna"}},
	}
	someStages = []job.Stage{{Name: "bakta", Status: job.StageRunning}, {Name: "plot", Status: job.StagePending}}
	someEnd    = job.End{
		State:   job.Failed,
		Failure: &job.Failure{Code: job.BadInput, Message: "ERROR: wrong genome file format", Stage: "bakta"},
		Stages:  []job.Stage{{Name: "bakta", Status: job.StageFailed}, {Name: "plot", Status: job.StagePending}},
		Results: []job.File{{Name: "tsv", Key: "jobs/x/runs/1/a.tsv", Size: 17, ETag: "aa"}},
		Logs:    []job.File{{Name: "bakta", Key: "jobs/x/runs/1/bakta.log", Size: 0, ETag: "bb"}},
		Owed:    []job.Effect{job.OwesRun(job.ReleaseRun, 2), job.OwesRun(job.DiscardRun, 1)},
		At:      muchAt, Due: later, Expires: inAYear,
	}
)

// sample returns a job that has reached a state by the usual transitions.
func sample(state job.State) job.Job {
	j := job.Job{
		ID: uuid.NewString(), SecretHash: job.HashSecret(job.NewSecret()), Name: "E. coli", Workflow: "bakta", API: 2,
		State: state, Created: noon, Updated: noon, Due: later, Expires: inAYear,
	}
	if state == job.Created {
		return j
	}
	start := someStart
	j.Start, j.Run, j.Started, j.RunName = &start, 2, noon, job.ObjectName(j.ID, 2)
	j.Stages = slices.Clone(someStages)
	if state.Ended() {
		j.Stages, j.Logs = someEnd.Stages, someEnd.Logs
		j.Results, j.Due, j.Owed = someEnd.Results, inAYear, someEnd.Owed
		if state == job.Failed {
			j.Failure = someEnd.Failure
		}
	}
	return j
}

func insert(t *testing.T, s store.Jobs, j job.Job) job.Job {
	t.Helper()
	if err := s.Insert(t.Context(), j); err != nil {
		t.Fatalf("insert: %v", err)
	}
	return j
}

func get(t *testing.T, s store.Jobs, id string) job.Job {
	t.Helper()
	j, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return j
}

func same(t *testing.T, got, want job.Job) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the stored job is not as expected (-want +got):\n%s", diff)
	}
}

func repeatedSetup(t *testing.T, s store.Jobs) {
	insert(t, s, sample(job.Created))
	for range 2 {
		if err := s.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func roundTrip(t *testing.T, s store.Jobs) {
	for _, state := range job.States() {
		j := insert(t, s, sample(state))
		got := get(t, s, j.ID)
		same(t, got, j)
		if got.Created.Location() != time.UTC {
			t.Errorf("times come back in %v", got.Created.Location())
		}
	}
	// All zero but the id: nothing that is not set may come back as something.
	j := insert(t, s, job.Job{ID: uuid.NewString()})
	same(t, get(t, s, j.ID), j)

	j = sample(job.Running)
	j.Updated = time.Date(2026, 3, 1, 14, 0, 0, 123_999_999, time.FixedZone("CET", 3600))
	insert(t, s, j)
	j.Updated = time.Date(2026, 3, 1, 13, 0, 0, 123_000_000, time.UTC)
	same(t, get(t, s, j.ID), j)
}

func anyText(t *testing.T, s store.Jobs) {
	tests := []struct{ text, stored string }{
		{"", ""},
		{`"quoted" and \back\slashed`, `"quoted" and \back\slashed`},
		{"two\nlines\r\nand a tab\t", "two\nlines\r\nand a tab\t"},
		{"Bäckerhefe 酵母 🧬", "Bäckerhefe 酵母 🧬"},
		{"with\x00a NUL", "with\x00a NUL"},
		{`{"$ne": null}`, `{"$ne": null}`},
		{"$set", "$set"},
		{"broken \xff\xfe UTF-8 \xc3", "broken \uFFFD UTF-8 \uFFFD"},
		{strings.Repeat("x", 10_000), strings.Repeat("x", 10_000)},
		{"\u202egnp.exe\u2028", "\u202egnp.exe\u2028"},
	}
	for _, tt := range tests {
		j := sample(job.Submitted)
		j.Name = tt.text
		insert(t, s, j)
		stages := []job.Stage{{Name: tt.text, Status: job.StageFailed}}
		if ok, err := s.Running(t.Context(), j.ID, j.Run, stages, later, later); !ok || err != nil {
			t.Fatalf("running with %.40q: %v, %v", tt.text, ok, err)
		}
		end := job.End{
			State: job.Failed, Failure: &job.Failure{Code: job.Internal, Message: tt.text, Stage: tt.text},
			Logs: []job.File{{Name: tt.text, Key: tt.text, ETag: tt.text}}, At: muchAt, Due: later, Expires: inAYear,
		}
		if ok, err := s.Finish(t.Context(), j.ID, j.Run, end); !ok || err != nil {
			t.Fatalf("finish with %.40q: %v, %v", tt.text, ok, err)
		}
		j.State, j.Updated, j.Due, j.Name = job.Failed, muchAt, later, tt.stored
		j.Stages = []job.Stage{{Name: tt.stored, Status: job.StageFailed}}
		j.Failure = &job.Failure{Code: job.Internal, Message: tt.stored, Stage: tt.stored}
		j.Logs = []job.File{{Name: tt.stored, Key: tt.stored, ETag: tt.stored}}
		same(t, get(t, s, j.ID), j)
	}
}

func idsAreText(t *testing.T, s store.Jobs) {
	j := insert(t, s, sample(job.Running))
	for _, id := range []string{
		"", "$where", `{"$ne": null}`, "with\x00a NUL", "\xff\xfe", strings.Repeat("x", 10_000), strings.ToUpper(j.ID),
		j.ID + "\x00", j.ID[:35], ".", "a.b",
	} {
		ctx := t.Context()
		if _, err := s.Get(ctx, id); !job.Is(err, job.NotFound) {
			t.Errorf("get %.40q: %v, want not found", id, err)
		}
		if jobs, err := s.GetMany(ctx, []string{id, "other"}); len(jobs) != 0 || err != nil {
			t.Errorf("get many %.40q: %v, %v", id, jobs, err)
		}
		if ok, err := s.Delete(ctx, id, later); ok || err != nil {
			t.Errorf("delete %.40q: %v, %v", id, ok, err)
		}
		if err := s.Remove(ctx, id); err != nil {
			t.Errorf("remove %.40q: %v", id, err)
		}
	}
	same(t, get(t, s, j.ID), j)
}

func takenIDs(t *testing.T, s store.Jobs) {
	j := insert(t, s, sample(job.Created))
	if err := s.Insert(t.Context(), j); err != nil {
		t.Errorf("the same insert again, its answer may have been lost: %v", err)
	}
	foreign := sample(job.Created)
	foreign.ID = j.ID
	if err := s.Insert(t.Context(), foreign); !job.Is(err, job.AlreadyExists) {
		t.Errorf("another job's id: %v, want already exists", err)
	}
	same(t, get(t, s, j.ID), j)
}

func list(t *testing.T, s store.Jobs) {
	var ids []string
	want := make(map[string]job.Job)
	for i := range 150 { // more than a server's first batch holds
		j := insert(t, s, sample(job.States()[i%len(job.States())]))
		ids = append(ids, j.ID)
		want[j.ID] = job.Job{
			ID: j.ID, SecretHash: j.SecretHash, Name: j.Name, Workflow: j.Workflow, State: j.State,
			Created: j.Created, Started: j.Started, Updated: j.Updated,
		}
	}
	insert(t, s, sample(job.Running)) // not in the list below
	check := func(asked []string) {
		t.Helper()
		jobs, err := s.GetMany(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]job.Job)
		for _, j := range jobs {
			if _, twice := got[j.ID]; twice {
				t.Errorf("job %s came twice", j.ID)
			}
			got[j.ID] = j
		}
		expected := make(map[string]job.Job)
		for _, id := range asked {
			if j, ok := want[id]; ok {
				expected[id] = j
			}
		}
		if diff := cmp.Diff(expected, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("list of %d (-want +got):\n%s", len(asked), diff)
		}
	}
	check(nil)
	check([]string{"unknown"})
	check(ids[:1])
	check(ids[:2])
	check(slices.Concat(ids[:3], []string{"unknown", "\xff"}, ids[:3])) // doubled, and with bad ones between
	check(ids)
}

func due(t *testing.T, s store.Jobs) {
	var want []string
	for i, state := range job.States() {
		j := sample(state)
		j.Due = noon.Add(time.Duration(len(job.States())-i) * time.Second)
		insert(t, s, j)
		want = append([]string{j.ID}, want...)
	}
	check := func(now time.Time, limit int, want []string) {
		t.Helper()
		jobs, err := s.Due(t.Context(), now, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, j := range jobs {
			got = append(got, j.ID)
			whole := get(t, s, j.ID)
			whole.Results, whole.Logs = nil, nil
			same(t, j, whole)
		}
		if !slices.Equal(got, want) {
			t.Errorf("due at %s, at most %d: %v, want %v", now.Format(time.TimeOnly), limit, got, want)
		}
	}
	check(noon, 10, nil)
	check(noon.Add(time.Second), 10, want[:1])
	check(noon.Add(3*time.Second), 10, want[:3])
	check(inAYear, 10, want)
	check(inAYear, 2, want[:2])
	check(inAYear, 0, nil)
}

// unstarted counts jobs that were not started, and shortens the life of those that an earlier version would keep for long.
func unstarted(t *testing.T, s store.Jobs) {
	const keep = 30 * 24 * time.Hour
	for _, state := range job.States() {
		j := sample(state)
		j.Created, j.Due, j.Expires = noon, noon.Add(keep), noon.Add(keep)
		insert(t, s, j)
	}
	old := sample(job.Created)
	old.Created, old.Due, old.Expires = noon, noon.Add(keep), noon.Add(keep)
	insert(t, s, old)
	young := sample(job.Created)
	young.Created, young.Due, young.Expires = muchAt, noon.Add(keep), noon.Add(keep)
	insert(t, s, young)
	short := sample(job.Created)
	short.Created, short.Due, short.Expires = noon, later, later
	insert(t, s, short)

	count := func(by time.Time, limit, want int) {
		t.Helper()
		if got, err := s.Unstarted(t.Context(), by, limit); got != want || err != nil {
			t.Errorf("not started and due by %s, at most %d: %d, %v, want %d", by, limit, got, err, want)
		}
	}
	count(noon, 10, 0)
	count(later, 10, 1)
	count(inAYear, 10, 4)
	count(inAYear, 3, 3)
	count(inAYear, 0, 0)

	for _, want := range []int{2, 0} { // the second time there is nothing left to do
		if got, err := s.ExpireUnstarted(t.Context(), later, muchAt); got != want || err != nil {
			t.Errorf("%d jobs were shortened, %v, want %d", got, err, want)
		}
	}
	count(muchAt, 10, 3)
	old.Due, old.Expires = muchAt, muchAt
	for _, want := range []job.Job{old, young, short} {
		same(t, get(t, s, want.ID), want)
	}
	jobs, err := s.Due(t.Context(), muchAt, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.State != job.Created {
			t.Errorf("a job that is %s is due at %s", j.State, j.Due)
		}
	}
}

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
				return s.Running(ctx, id, run, someStages[:1], later, muchAt)
			},
			after: func(j *job.Job) {
				j.State, j.Stages, j.Updated, j.Due = job.Running, someStages[:1], later, muchAt
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
				j.Stages, j.Results, j.Logs, j.Failure = someEnd.Stages, someEnd.Results, someEnd.Logs, nil
			},
		}, {
			name: "finish with failure", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) { return s.Finish(ctx, id, run, someEnd) },
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due, j.Expires = job.Failed, muchAt, later, inAYear
				j.Stages, j.Results, j.Logs, j.Failure = someEnd.Stages, someEnd.Results, someEnd.Logs, someEnd.Failure
				j.Owed = someEnd.Owed
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
			name: "relaunch", from: []job.State{job.Submitted, job.Running}, byRun: true,
			call: func(ctx context.Context, id string, run int) (bool, error) {
				return s.Relaunch(ctx, id, run, muchAt)
			},
			after: func(j *job.Job) { j.Run, j.RunName, j.Stages, j.Due = j.Run+1, "", nil, muchAt },
		}, {
			name: "delete", from: []job.State{job.Created, job.Submitted, job.Running, job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) { return s.Delete(ctx, id, later) },
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due = job.Deleting, later, later
				j.Name, j.Start, j.Stages, j.Results, j.Logs, j.Failure, j.Owed = "", nil, nil, nil, nil, nil, nil
			},
		}, {
			name: "expire", from: []job.State{job.Created, job.Succeeded, job.Failed},
			call: func(ctx context.Context, id string, _ int) (bool, error) {
				return s.Expire(ctx, id, inAYear.AddDate(1, 0, 0))
			},
			after: func(j *job.Job) {
				j.State, j.Updated, j.Due = job.Deleting, inAYear.AddDate(1, 0, 0), inAYear.AddDate(1, 0, 0)
				j.Name, j.Start, j.Stages, j.Results, j.Logs, j.Failure, j.Owed = "", nil, nil, nil, nil, nil, nil
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
			return s.Running(ctx, id, 2, []job.Stage{{Name: "bakta", Status: status}}, at, at)
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
				j.State, j.Updated, j.Due, j.Failure = job.Failed, muchAt, later, someEnd.Failure
				j.Stages, j.Results, j.Logs = someEnd.Stages, someEnd.Results, someEnd.Logs
				j.Owed = someEnd.Owed
				return j
			},
		}, {
			"an end that knows no stages", sample(job.Running),
			[]step{finish("failure", job.End{State: job.Failed, Failure: someEnd.Failure, At: later, Due: muchAt, Expires: inAYear}, true)},
			func(j *job.Job) *job.Job {
				j.State, j.Updated, j.Due, j.Failure = job.Failed, later, muchAt, someEnd.Failure
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

// concurrently calls f sixteen times at once and returns the indices for which it returned true.
func concurrently(t *testing.T, f func(i int) (bool, error)) []int {
	t.Helper()
	var (
		begin = make(chan struct{})
		all   sync.WaitGroup
		mu    sync.Mutex
		won   []int
		fails atomic.Int32
	)
	for i := range 16 {
		all.Go(func() {
			<-begin
			ok, err := f(i)
			if err != nil {
				t.Errorf("call %d: %v", i, err)
				fails.Add(1)
			}
			if ok {
				mu.Lock()
				won = append(won, i)
				mu.Unlock()
			}
		})
	}
	close(begin)
	all.Wait()
	if fails.Load() > 0 {
		t.FailNow()
	}
	return won
}

func concurrentSubmits(t *testing.T, s store.Jobs) {
	for range 10 {
		j := insert(t, s, sample(job.Created))
		won := concurrently(t, func(i int) (bool, error) {
			start := job.Start{Config: fmt.Appendf(nil, `{"by":%d}`, i)}
			return s.Submit(t.Context(), j.ID, start, nil, noon, noon, inAYear)
		})
		if len(won) != 1 {
			t.Fatalf("%d starts won: %v", len(won), won)
		}
		if got, want := get(t, s, j.ID).Start.Config, fmt.Appendf(nil, `{"by":%d}`, won[0]); !bytes.Equal(got, want) {
			t.Errorf("stored is %s, but %s was reported as the winner", got, want)
		}
	}
}

func concurrentEnds(t *testing.T, s store.Jobs) {
	for range 10 {
		j := insert(t, s, sample(job.Running))
		won := concurrently(t, func(i int) (bool, error) {
			switch i % 4 {
			case 0:
				return s.Relaunch(t.Context(), j.ID, j.Run, later)
			case 1:
				return s.Finish(t.Context(), j.ID, j.Run, job.End{State: job.Succeeded, At: later, Expires: inAYear})
			}
			return s.Finish(t.Context(), j.ID, j.Run, someEnd)
		})
		if len(won) != 1 {
			t.Errorf("%d ends of one run were recorded: %v", len(won), won)
		}
	}
}

func leases(t *testing.T, s store.Jobs) {
	steps := []struct {
		name string
		call func(ctx context.Context) (bool, error)
		want bool
	}{
		{"a takes it", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "a", time.Hour) }, true},
		{"a takes it again", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "a", time.Hour) }, true},
		{"b can't", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "b", time.Hour) }, false},
		{"b takes another", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "other", "b", time.Hour) }, true},
		{"b can't extend a's", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "b", time.Hour) }, false},
		{"b can't release a's", func(ctx context.Context) (bool, error) { return true, s.ReleaseLease(ctx, "sweep", "b") }, true},
		{"b still can't", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "b", time.Hour) }, false},
		{"a lets it expire", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "a", -time.Second) }, true},
		{"b takes it", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "b", time.Hour) }, true},
		{"a can't extend it any more", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "a", time.Hour) }, false},
		{"b releases it", func(ctx context.Context) (bool, error) { return true, s.ReleaseLease(ctx, "sweep", "b") }, true},
		{"b can't extend what it gave up", func(ctx context.Context) (bool, error) { return s.Extend(ctx, "sweep", "b", time.Hour) }, false},
		{"a takes it back", func(ctx context.Context) (bool, error) { return s.Acquire(ctx, "sweep", "a", time.Hour) }, true},
	}
	for _, step := range steps {
		if got, err := step.call(t.Context()); got != step.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", step.name, got, err, step.want)
		}
	}
}

func concurrentLeases(t *testing.T, s store.Jobs) {
	for round := range 10 {
		name := fmt.Sprint("lease ", round%5) // taken the first time, expired the second
		won := concurrently(t, func(i int) (bool, error) {
			return s.Acquire(t.Context(), name, fmt.Sprint("holder ", round, " ", i), time.Hour)
		})
		if len(won) != 1 {
			t.Fatalf("%d holders of one lease: %v", len(won), won)
		}
		if _, err := s.Extend(t.Context(), name, fmt.Sprint("holder ", round, " ", won[0]), -time.Second); err != nil {
			t.Fatal(err)
		}
	}
}
