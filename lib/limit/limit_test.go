package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
)

const (
	counted = "/s/Get"
	later   = "/s/Start"
	other   = "/s/Other"
)

// A century ahead: MongoDB removes documents of callers that are over by its own clock, once a minute.
var noon = time.Date(2126, 3, 1, 12, 0, 0, 0, time.UTC)

// world is limiters on a real store, with a clock of the test.
type world struct {
	*mongo.Store
	clock atomic.Int64 // after noon, in nanoseconds
	uses  atomic.Int64
	keys  sync.Map
}

// Use and GetStates ignore deadlines: on a busy machine they may take longer than a call waits to be counted, and such a call passes.
func (w *world) Use(ctx context.Context, caller string, u store.Use) (store.Used, error) {
	w.uses.Add(1)
	w.keys.Store(caller, true)
	return w.Store.Use(context.WithoutCancel(ctx), caller, u)
}

func (w *world) GetStates(ctx context.Context, ids []string) ([]job.Job, error) {
	return w.Store.GetStates(context.WithoutCancel(ctx), ids)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	uri, database := teststores.Mongo(t)
	s, err := mongo.New(mongo.Options{URI: uri, Database: database})
	if err == nil {
		err = s.Setup(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return &world{Store: s}
}

// limiter returns a limiter, as another process has it.
func (w *world) limiter(t *testing.T, limits settings.Caller, secret string) *limit.Limiter {
	t.Helper()
	limits.IPv4Prefix, limits.IPv6Prefix = 32, 64
	l, err := limit.New(limit.Options{
		Limits: limits, Secret: []byte(secret), Store: w, Jobs: w, InFlight: time.Minute, Log: slog.New(slog.DiscardHandler),
		Now:    func() time.Time { return noon.Add(time.Duration(w.clock.Load())) },
		Counts: func(m string) bool { return m != other }, Later: func(m string) bool { return m == later },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func from(address string) caller.Caller { return caller.Caller{Address: netip.MustParseAddr(address)} }

// call makes a call, and reports whether it is allowed.
func call(t *testing.T, l *limit.Limiter, who caller.Caller, method string) bool {
	t.Helper()
	ctx, err := l.Admit(t.Context(), who, method)
	if err == nil {
		err = l.Finish(ctx, nil)
	}
	if err != nil && !job.Is(err, job.Exhausted) {
		t.Fatal(err)
	}
	return err == nil
}

// Most calls of a caller that makes many need no write. Several processes together never allow more than the limit, and one alone
// allows all of it.
func TestCountsAhead(t *testing.T) {
	const bound = 2400
	w := newWorld(t)
	limits := settings.Caller{CallsPerMinute: bound}
	alone := w.limiter(t, limits, "s")
	for n := range bound {
		if !call(t, alone, from("192.0.2.1"), counted) {
			t.Fatalf("call %d of %d is refused", n+1, bound)
		}
	}
	if uses := w.uses.Load(); uses > bound/8 {
		t.Errorf("%d calls cost %d writes", bound, uses)
	}
	w.uses.Store(0)
	for range 50 {
		if call(t, alone, from("192.0.2.1"), counted) || call(t, alone, from("192.0.2.1"), later) {
			t.Fatal("a call above the limit is allowed")
		}
	}
	if uses := w.uses.Load(); uses > 1 {
		t.Errorf("100 refusals cost %d writes", uses)
	}
	var allowed atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		l := w.limiter(t, limits, "s")
		for range 2 {
			group.Go(func() {
				for range bound / 6 { // more than the limit, together
					ctx, err := l.Admit(t.Context(), from("192.0.2.2"), counted)
					if err == nil && l.Finish(ctx, nil) == nil {
						allowed.Add(1)
					}
				}
			})
		}
	}
	group.Wait()
	if n := allowed.Load(); n > bound || n < bound*9/10 {
		t.Errorf("%d calls of four processes are allowed, the limit is %d", n, bound)
	}
}

// A caller of some calls costs few writes, the first one included.
func TestFirstCallsCountAhead(t *testing.T) {
	w := newWorld(t)
	l := w.limiter(t, settings.Caller{CallsPerMinute: 24_000}, "s")
	for calls, writes := range map[int]int64{1: 1, 4: 1, 5: 2, 20: 2, 21: 3} {
		w.uses.Store(0)
		who := from(fmt.Sprintf("192.0.2.%d", calls))
		for range calls {
			if !call(t, l, who, counted) {
				t.Fatal("a call is refused")
			}
		}
		if got := w.uses.Load(); got != writes {
			t.Errorf("%d calls cost %d writes, want %d", calls, got, writes)
		}
	}
}

// What is counted ahead counts only in its time, and a refusal is not remembered for longer than it holds.
func TestAheadEnds(t *testing.T) {
	w := newWorld(t)
	l := w.limiter(t, settings.Caller{CallsPerMinute: 480}, "s")
	for range 480 {
		call(t, l, from("192.0.2.1"), counted)
	}
	if call(t, l, from("192.0.2.1"), counted) {
		t.Error("a call above the limit is allowed")
	}
	w.clock.Store(int64(64 * time.Second))
	if call(t, l, from("192.0.2.1"), counted) {
		t.Error("a minute has not passed, and a call is allowed")
	}
	w.clock.Store(int64(65 * time.Second))
	if !call(t, l, from("192.0.2.1"), counted) || !call(t, l, from("192.0.2.1"), later) {
		t.Error("a minute has passed, and a call is refused")
	}
}

// A caller is stored by a hash that only the deployment can compute. Calls of unknown callers, and those that are not limited, pass.
func TestKeys(t *testing.T) {
	w := newWorld(t)
	limits := settings.Caller{CallsPerMinute: 1}
	for _, secret := range []string{"one", "two"} {
		l := w.limiter(t, limits, secret)
		for i, who := range []caller.Caller{
			from("192.0.2.1"), from("2001:db8::1"), {Subject: "someone", Address: netip.MustParseAddr("192.0.2.1")},
		} {
			if !call(t, l, who, counted) || call(t, l, who, counted) {
				t.Errorf("caller %d has another limit than one call", i)
			}
		}
		for range 3 {
			if !call(t, l, caller.Caller{}, counted) || !call(t, l, from("192.0.2.1"), other) {
				t.Error("a call without a limit is refused")
			}
		}
	}
	keys := 0
	w.keys.Range(func(key, _ any) bool {
		if text := key.(string); len(text) != 32 || strings.ContainsAny(text, ".:") {
			t.Errorf("a caller is stored as %q", text)
		}
		keys++
		return true
	})
	if keys != 6 {
		t.Errorf("three callers with two secrets have %d keys", keys)
	}
}

// A list that is full is compared with the jobs: those that are no longer what it says leave it, also if no call has said so.
func TestListsFollowJobs(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	l := w.limiter(t, settings.Caller{Unstarted: 1, Active: 1, Launched: 1}, "s")
	who := from("192.0.2.1")
	start := func(id string) (limit.Started, error) {
		t.Helper()
		ctx, err := l.Admit(ctx, who, later)
		if err != nil {
			t.Fatal(err)
		}
		return limit.FromContext(ctx).Start(ctx, id)
	}
	create := func() (string, error) {
		t.Helper()
		ctx, err := l.Admit(ctx, who, later)
		if err != nil {
			t.Fatal(err)
		}
		return limit.FromContext(ctx).Make(ctx, 1)
	}
	store := func(id string, state job.State, waits bool) {
		t.Helper()
		j := job.Job{ID: id, State: state, Run: 1, Due: noon, Expires: noon, Start: &job.Start{Config: []byte("{}"), Waits: waits}}
		if err := w.Insert(ctx, j); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(state job.State, waits bool) string {
		t.Helper()
		id := uuid.NewString()
		store(id, state, waits)
		return id
	}
	for _, state := range []job.State{job.Submitted, job.Succeeded, job.Deleting} { // an entry of a created job that moved on
		id, err := create()
		if err != nil {
			t.Errorf("a job is held as not started after it was %s: %v", state, err)
		}
		store(id, state, false)
	}
	id, err := create()
	if err != nil {
		t.Error(err)
	}
	store(id, job.Created, false)
	var refusal *job.Error
	if _, err := create(); !errors.As(err, &refusal) || refusal.Retry == nil || refusal.Retry.Limit != limit.UnstartedJobs {
		t.Errorf("a second job that is not started: %v", err)
	}

	for _, state := range []job.State{job.Failed, job.Succeeded, job.Deleting} {
		if _, err := start(insert(state, false)); err != nil {
			t.Errorf("a job is held as active after it was %s: %v", state, err)
		}
	}
	lost := uuid.NewString() // its call is killed before it stores anything
	if _, err := start(lost); err != nil {
		t.Error(err)
	}
	if _, err := start(uuid.NewString()); !job.Is(err, job.Exhausted) {
		t.Errorf("a call that may still store its job is not counted: %v", err)
	}
	w.clock.Add(int64(time.Minute))
	active := insert(job.Submitted, false)
	if got, err := start(active); err != nil || got.Waits || len(got.Caller) != 32 {
		t.Errorf("after a killed call: %+v, %v", got, err)
	}
	if _, err := start(uuid.NewString()); !job.Is(err, job.Exhausted) {
		t.Errorf("a second active job: %v", err)
	}

	// Turns: a job that has its turn keeps it; one that waits keeps it for as long as a call may take.
	got, err := start(active)
	if err != nil {
		t.Fatal(err)
	}
	take := func(id string, want bool) {
		t.Helper()
		if ok, err := l.Take(ctx, got.Caller, id); ok != want || err != nil {
			t.Errorf("turn: %v, %v, want %v", ok, err, want)
		}
	}
	w.clock.Add(int64(time.Hour))
	take(insert(job.Submitted, true), false)
	if err := l.Release(ctx, got.Caller, active); err != nil {
		t.Error(err)
	}
	waits := insert(job.Submitted, true)
	take(waits, true)
	take(waits, true)
	next := insert(job.Submitted, true)
	take(next, false)
	w.clock.Add(int64(time.Minute))
	take(next, true)
}

// create makes a call that creates a job, whose uploads are of so many bytes, and returns the job's id; empty if it is refused.
func create(t testing.TB, l *limit.Limiter, who caller.Caller, bytes int64) string {
	ctx, err := l.Admit(t.Context(), who, later)
	var id string
	if err == nil {
		id, err = limit.FromContext(ctx).Make(ctx, bytes)
	}
	if err = errors.Join(err, l.Finish(ctx, err)); err != nil {
		if !job.Is(err, job.Exhausted) {
			t.Error(err)
		}
		return ""
	}
	return id
}

func stored(t testing.TB, w *world, ids ...string) {
	for _, id := range ids {
		if err := w.Insert(t.Context(), job.Job{ID: id, State: job.Created, Due: noon, Expires: noon}); err != nil {
			t.Error(err)
		}
	}
}

// Most calls of a caller that creates many jobs need no write. One process allows all jobs of the limit, and no more.
func TestClaims(t *testing.T) {
	for name, limits := range map[string]settings.Caller{
		"jobs": {Unstarted: 200}, "bytes": {UploadBytes: 200 * 5}, "all": {Unstarted: 200, UploadBytes: 200 * 5, CallsPerMinute: 1_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			l, who := w.limiter(t, limits, "s"), from("192.0.2.1")
			made := make(map[string]bool)
			for n := range 200 {
				id := create(t, l, who, 5)
				if id == "" || made[id] {
					t.Fatalf("job %d of 200 is refused, or has the id of another: %q", n+1, id)
				}
				made[id] = true
				stored(t, w, id)
				if uses := w.uses.Load(); n+1 == 20 && uses > 3 {
					t.Errorf("20 jobs cost %d writes", uses)
				}
			}
			if id := create(t, l, who, 5); id != "" {
				t.Error("a job above the limit is allowed")
			}
		})
	}
}

// Several processes at once never allow more jobs than the limit. When those that a process has entered and not created are over, all
// of the limit is allowed again: at once by that process, and by others when no call can create them any more.
func TestClaimsEnd(t *testing.T) {
	const bound = 150
	w, who := newWorld(t), from("192.0.2.1")
	limits := settings.Caller{Unstarted: bound, CallsPerMinute: 1_000_000}
	processes := []*limit.Limiter{w.limiter(t, limits, "s"), w.limiter(t, limits, "s"), w.limiter(t, limits, "s"), w.limiter(t, limits, "s")}
	var made atomic.Int64
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			if id := create(t, processes[i%len(processes)], who, 1); id != "" {
				stored(t, w, id)
				made.Add(1)
			}
		})
	}
	group.Wait()
	if n := made.Load(); n > bound || n < bound*8/10 {
		t.Errorf("four processes allow %d jobs, the limit is %d", n, bound)
	}

	who = from("192.0.2.2")
	one, other := processes[0], processes[1]
	for range 3 { // the second call enters some in advance, of which one is created
		stored(t, w, create(t, one, who, 1))
	}
	w.clock.Add(int64(time.Minute))
	stored(t, w, create(t, one, who, 1))
	for n := 4; n < bound; n++ {
		id := create(t, other, who, 1)
		if id == "" {
			t.Fatalf("another process is refused job %d of %d, after the process has ended what it had entered", n+1, bound)
		}
		stored(t, w, id)
	}
	if create(t, one, who, 1)+create(t, other, who, 1) != "" {
		t.Error("a job above the limit is allowed")
	}

	who = from("192.0.2.3")
	killed := w.limiter(t, limits, "s")
	stored(t, w, create(t, killed, who, 1), create(t, killed, who, 1)) // and three are entered
	n := 2
	for id := "-"; id != ""; n++ {
		if id = create(t, other, who, 1); id != "" {
			stored(t, w, id)
		}
	}
	if n--; n != bound-3 {
		t.Errorf("%d jobs are allowed beside three of a killed process, the limit is %d", n, bound)
	}
	w.clock.Add(int64(2*time.Minute - time.Millisecond)) // the time in which they can be created, and that of a call
	if create(t, other, who, 1) != "" {
		t.Error("a job that a call may still create is not counted")
	}
	w.clock.Add(int64(time.Millisecond))
	for ; n < bound; n++ {
		id := create(t, other, who, 1)
		if id == "" {
			t.Fatalf("job %d of %d is refused", n+1, bound)
		}
		stored(t, w, id)
	}
	if create(t, other, who, 1) != "" {
		t.Error("a job above the limit is allowed")
	}
}

// Jobs with other bytes don't take what was entered for these.
func TestClaimsOfOtherBytes(t *testing.T) {
	w, who := newWorld(t), from("192.0.2.1")
	l := w.limiter(t, settings.Caller{UploadBytes: 1000}, "s")
	for range 3 {
		stored(t, w, create(t, l, who, 1))
	}
	stored(t, w, create(t, l, who, 990))
	for n := range 8 {
		if id := create(t, l, who, 1); (id == "") != (n == 7) {
			t.Errorf("job %d of one byte: %q", n+1, id)
		}
	}
}

// broken is a store that counts nothing.
type broken struct{ *world }

func (broken) Use(context.Context, string, store.Use) (store.Used, error) {
	return store.Used{}, errors.New("this store is broken")
}

// A job is created all the same if it can't be counted.
func TestUncountedJobs(t *testing.T) {
	w := newWorld(t)
	l, err := limit.New(limit.Options{
		Limits: settings.Caller{Unstarted: 1, IPv4Prefix: 32, IPv6Prefix: 64}, Secret: []byte("s"), Store: broken{w}, Jobs: w,
		InFlight: time.Minute, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
		Counts: func(string) bool { return true }, Later: func(m string) bool { return m == later },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if create(t, l, from("192.0.2.1"), 1) == "" {
			t.Error("a job that can't be counted is refused")
		}
	}
}

// A call that a list refuses before the jobs in it are compared with the stored ones is one call.
func TestComparedOnce(t *testing.T) {
	w, who := newWorld(t), from("192.0.2.1")
	l := w.limiter(t, settings.Caller{Unstarted: 1, CallsPerMinute: 10}, "s")
	for n := range 10 {
		id := create(t, l, who, 1)
		if id == "" {
			t.Fatalf("call %d of 10 is refused", n+1)
		}
		if err := w.Insert(t.Context(), job.Job{ID: id, State: job.Succeeded, Due: noon, Expires: noon}); err != nil {
			t.Fatal(err)
		}
	}
	if create(t, l, who, 1) != "" {
		t.Error("the eleventh call is allowed")
	}
}
