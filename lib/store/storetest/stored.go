package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

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
	j := sample(job.Submitted)
	j.Start.Waits = true
	insert(t, s, j)
	same(t, get(t, s, j.ID), j)
	// All zero but the id: nothing that is not set may come back as something.
	j = insert(t, s, job.Job{ID: uuid.NewString()})
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
		if ok, err := s.Running(t.Context(), j.ID, j.Run, stages, later, later, later); !ok || err != nil {
			t.Fatalf("running with %.40q: %v, %v", tt.text, ok, err)
		}
		end := job.End{
			State: job.Failed, Failure: &job.Failure{Code: job.Internal, Message: tt.text, Stage: tt.text},
			Logs: []job.File{{Name: tt.text, Key: tt.text, ETag: tt.text}}, At: muchAt, Due: later, Expires: inAYear,
		}
		if ok, err := s.Finish(t.Context(), j.ID, j.Run, end); !ok || err != nil {
			t.Fatalf("finish with %.40q: %v, %v", tt.text, ok, err)
		}
		j.State, j.Began, j.Updated, j.Due, j.Name, j.Blocked = job.Failed, later, muchAt, later, tt.stored, job.Blocked{}
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
			ID: j.ID, SecretHash: j.SecretHash, Name: j.Name, Owner: j.Owner, Workflow: j.Workflow, State: j.State,
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

	jobs, err := s.GetStates(t.Context(), append(ids, "unknown", ids[0]))
	if err != nil || len(jobs) != len(ids) {
		t.Fatalf("%d states of %d jobs, %v", len(jobs), len(ids), err)
	}
	for _, j := range jobs {
		whole := get(t, s, j.ID)
		for _, j := range []*job.Job{&j, &whole} { // what both may lack
			j.API, j.Due, j.Results, j.Logs, j.Owed, j.Blocked = 0, time.Time{}, nil, nil, nil, job.Blocked{}
			if j.Start != nil {
				j.Start = &job.Start{Config: j.Start.Config, Inputs: j.Start.Inputs}
			}
		}
		same(t, j, whole)
	}
}

// waiting lists when the jobs that wait for their run were started.
func waiting(t *testing.T, s store.Jobs) {
	for i, state := range append(job.States(), job.Submitted, job.Submitted) {
		j := sample(state)
		if state != job.Created {
			j.Started = noon.Add(time.Duration(10-i) * time.Second)
		}
		insert(t, s, j)
	}
	want := []time.Time{noon.Add(3 * time.Second), noon.Add(4 * time.Second), noon.Add(9 * time.Second)}
	for limit := range 5 {
		got, err := s.Waiting(t.Context(), limit)
		if err != nil || !slices.Equal(got, want[:min(limit, len(want))]) {
			t.Errorf("at most %d that wait: %v, %v", limit, got, err)
		}
	}
}

// pastRuns keeps the last runs of each class, also if many are added at once.
func pastRuns(t *testing.T, s store.Jobs) {
	read := func(classes ...string) map[string][]job.PastRun {
		t.Helper()
		past, err := s.PastRuns(t.Context(), classes)
		if err != nil {
			t.Fatal(err)
		}
		return past
	}
	if past := read(); len(past) != 0 {
		t.Errorf("of no class: %v", past)
	}
	add := func(class string, i int) {
		t.Helper()
		r := job.PastRun{Took: time.Duration(i) * time.Millisecond, At: noon.Add(time.Duration(i) * time.Second)}
		if err := s.AddPastRun(t.Context(), class, r); err != nil {
			t.Fatal(err)
		}
	}
	for i := range job.MaxPastRuns + 7 {
		add("many", i)
	}
	add("one", 5)
	add("$set.a b", 6)
	past := read("many", "none", "one", "$set.a b", "one")
	if len(past) != 3 || len(past["many"]) != job.MaxPastRuns || len(past["one"]) != 1 || past["$set.a b"][0].Took != 6*time.Millisecond {
		t.Fatalf("past runs: %v", past)
	}
	for i, r := range past["many"] {
		if want := time.Duration(i + 7); r.Took != want*time.Millisecond || !r.At.Equal(noon.Add(want*time.Second)) {
			t.Errorf("run %d of the class: %v", i, r)
		}
	}
	concurrently(t, func(i int) (bool, error) {
		return true, s.AddPastRun(t.Context(), "at once", job.PastRun{Took: time.Hour, At: noon})
	})
	if past := read("at once"); len(past["at once"]) != 16 {
		t.Errorf("of sixteen runs that were added at once, %d are kept", len(past["at once"]))
	}
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
