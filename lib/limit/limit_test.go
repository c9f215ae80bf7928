package limit_test

import (
	"context"
	"errors"
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

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is limiters on a real store, with a clock of the test.
type world struct {
	*mongo.Store
	clock atomic.Int64 // after noon, in nanoseconds
	uses  atomic.Int64
	keys  sync.Map
}

func (w *world) Use(ctx context.Context, caller string, u store.Use) (store.Used, error) {
	w.uses.Add(1)
	w.keys.Store(caller, true)
	return w.Store.Use(ctx, caller, u)
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
	create := func(id string) error {
		t.Helper()
		ctx, err := l.Admit(ctx, who, later)
		if err != nil {
			t.Fatal(err)
		}
		return limit.FromContext(ctx).Make(ctx, id, 1)
	}
	insert := func(state job.State, waits bool) string {
		t.Helper()
		j := job.Job{ID: uuid.NewString(), State: state, Run: 1, Due: noon, Expires: noon, Start: &job.Start{Config: []byte("{}"), Waits: waits}}
		if err := w.Insert(ctx, j); err != nil {
			t.Fatal(err)
		}
		return j.ID
	}
	for _, state := range []job.State{job.Submitted, job.Succeeded, job.Deleting} { // an entry of a created job that moved on
		if err := create(insert(state, false)); err != nil {
			t.Errorf("a job is held as not started after it was %s: %v", state, err)
		}
	}
	if err := create(insert(job.Created, false)); err != nil {
		t.Error(err)
	}
	var refusal *job.Error
	if err := create(uuid.NewString()); !errors.As(err, &refusal) || refusal.Retry == nil || refusal.Retry.Limit != limit.UnstartedJobs {
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
	if waiting, err := l.Release(ctx, got.Caller, active); !waiting || err != nil {
		t.Errorf("release: %v, %v", waiting, err)
	}
	waits := insert(job.Submitted, true)
	take(waits, true)
	take(waits, true)
	next := insert(job.Submitted, true)
	take(next, false)
	w.clock.Add(int64(time.Minute))
	take(next, true)
}
