package mongo_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
)

// Limits and turns are for deployments: local mode has one user and its own turns, so no other store has them.

// A century ahead: MongoDB removes documents of callers that are over by its own clock, once a minute.
var limitNoon = time.Date(2126, 3, 1, 12, 0, 0, 0, time.UTC)

// skewIgnored leaves out the time that the store took.
var skewIgnored = cmpopts.IgnoreFields(store.Used{}, "Skew")

func limitStore(t *testing.T) *mongo.Store {
	t.Helper()
	uri, database := teststores.Mongo(t)
	return open(t, mongo.Options{URI: uri, Database: database})
}

// use counts, and returns the name of the limit that refuses.
func use(t testing.TB, s store.Limits, caller string, u store.Use) store.Used {
	t.Helper()
	used, err := s.Use(t.Context(), caller, u)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// A window counts up to its limit, and counts again when what was counted is older than its length.
func TestWindow(t *testing.T) {
	s := limitStore(t)
	minute := store.Window{Name: "calls-per-minute", Length: time.Minute, Limit: 3, Calls: 1}
	at := func(after time.Duration) store.Use {
		return store.Use{At: limitNoon.Add(after), Until: limitNoon.Add(time.Hour), Windows: []store.Window{minute}}
	}
	for i, row := range []struct {
		after   time.Duration
		refused string
		counts  int
	}{
		{0, "", 1},
		{4 * time.Second, "", 2},
		{5 * time.Second, "", 3},
		{6 * time.Second, "calls-per-minute", 3},
		{64 * time.Second, "calls-per-minute", 3}, // the first bucket counts until all of it is older than a minute
		{65 * time.Second, "", 2},
		{65 * time.Second, "", 3},
		{65 * time.Second, "calls-per-minute", 3},
		{10 * time.Minute, "", 1},
	} {
		used := use(t, s, "a", at(row.after))
		sum := 0
		for _, b := range used.Windows["calls-per-minute"] {
			sum += b.Count
		}
		if used.Refused != row.refused || sum != row.counts {
			t.Errorf("call %d: refused by %q, counts %d; want %q, %d", i, used.Refused, sum, row.refused, row.counts)
		}
	}
	if used := use(t, s, "b", at(0)); used.Refused != "" {
		t.Errorf("another caller is refused by %q", used.Refused)
	}
	// A clock that is ahead does not block the caller for longer than the window.
	use(t, s, "ahead", at(time.Hour))
	if used := use(t, s, "ahead", at(0)); used.Refused != "" || len(used.Windows["calls-per-minute"]) != 1 {
		t.Errorf("a clock was ahead: %+v", used)
	}
}

// Processes whose clocks differ by minutes count in the same windows.
func TestWindowOfDifferentClocks(t *testing.T) {
	uri, database := teststores.Mongo(t)
	var calls []func() store.Used
	clocks := []time.Duration{0, 2 * time.Minute, -time.Minute}
	for _, ahead := range clocks {
		now := func() time.Time { return time.Now().Add(ahead) }
		s := open(t, mongo.Clocked(mongo.Options{URI: uri, Database: database}, now))
		calls = append(calls, func() store.Used {
			return use(t, s, "a", store.Use{At: now(), Windows: []store.Window{
				{Name: "calls-per-minute", Length: time.Minute, Limit: 7, Calls: 1},
			}})
		})
	}
	allowed := 0
	for i := range 12 {
		used := calls[i%len(calls)]()
		if used.Refused == "" {
			allowed++
		}
		if off := used.Skew + clocks[i%len(calls)]; off.Abs() > 30*time.Second {
			t.Errorf("the store's clock is said to be ahead by %s; that of the call is ahead by %s", used.Skew, clocks[i%len(calls)])
		}
	}
	if allowed != 7 {
		t.Errorf("%d of 12 calls are allowed, want 7", allowed)
	}
}

// Several calls can be counted at once, at most as many as are allowed.
func TestWindowOfSeveral(t *testing.T) {
	s := limitStore(t)
	u := store.Use{At: limitNoon, Windows: []store.Window{{Name: "calls-per-minute", Length: time.Minute, Limit: 10, Calls: 4}}}
	for _, want := range []int{4, 4, 2} {
		if got := use(t, s, "a", u); got.Refused != "" || got.Counted["calls-per-minute"] != want {
			t.Errorf("%+v, want %d", got, want)
		}
	}
	if got := use(t, s, "a", u); got.Refused != "calls-per-minute" {
		t.Errorf("%+v", got)
	}
}

// Whatever the times of calls are, no interval of the window's length has more calls than the limit.
func TestWindowNeverExceeds(t *testing.T) {
	s := limitStore(t)
	var caller atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(r, "limit")
		w := store.Window{Name: "starts-per-hour", Length: time.Hour, Limit: limit, Calls: 1}
		name, at := fmt.Sprint("caller ", caller.Add(1)), limitNoon
		var counted []time.Time
		for _, pause := range rapid.SliceOfN(rapid.IntRange(0, 25*60), 1, 25).Draw(r, "pauses in seconds") {
			at = at.Add(time.Duration(pause) * time.Second)
			used, err := s.Use(t.Context(), name, store.Use{At: at, Windows: []store.Window{w}})
			if err != nil {
				r.Fatal(err)
			}
			recent := func(length time.Duration) (n int) {
				for _, c := range counted {
					if at.Sub(c) < length {
						n++
					}
				}
				return n
			}
			if used.Refused == "" {
				if counted = append(counted, at); recent(time.Hour) > limit {
					r.Fatalf("%d calls in an hour, limit %d: %v", recent(time.Hour), limit, counted)
				}
			} else if recent(time.Hour+time.Hour/store.Buckets) < limit {
				r.Fatalf("refused after %d calls, limit %d", recent(time.Hour+time.Hour/store.Buckets), limit)
			}
		}
	})
}

// What is held is limited by number and by bytes, counted once for each job, and released.
func TestHold(t *testing.T) {
	s := limitStore(t)
	hour := store.Window{Name: "starts-per-hour", Length: time.Hour, Limit: 3, Calls: 1, PerJob: true}
	made := store.Hold{Name: "unstarted-jobs", Limit: 3, Bytes: 40, BytesName: "upload-bytes", BytesLimit: 100}
	makes := func(id string) store.Use { return store.Use{At: limitNoon, Job: id, Holds: []store.Hold{made}} }
	starts := func(id string) store.Use {
		return store.Use{At: limitNoon, Job: id, Windows: []store.Window{hour}, Ends: []string{"unstarted-jobs"}, Holds: []store.Hold{
			{Name: "active-jobs", Limit: 2}, {Name: "launched-runs", Limit: 1, Optional: true},
		}}
	}
	for i, row := range []struct {
		use     store.Use
		refused string
		full    []string
		held    map[string]int
	}{
		{makes("1"), "", nil, map[string]int{"unstarted-jobs": 1}},
		{makes("2"), "", nil, map[string]int{"unstarted-jobs": 2}},
		{makes("2"), "", nil, map[string]int{"unstarted-jobs": 2}},
		{makes("3"), "upload-bytes", nil, map[string]int{"unstarted-jobs": 2}},
		{starts("1"), "", nil, map[string]int{"active-jobs": 1, "launched-runs": 1}},
		{starts("1"), "", nil, map[string]int{"active-jobs": 1, "launched-runs": 1}},
		{makes("3"), "", nil, map[string]int{"unstarted-jobs": 2}},
		{starts("2"), "", []string{"launched-runs"}, map[string]int{"active-jobs": 2, "launched-runs": 1}},
		{starts("3"), "active-jobs", []string{"launched-runs"}, map[string]int{"active-jobs": 2, "launched-runs": 1}},
		{makes("$literal"), "", nil, map[string]int{"unstarted-jobs": 2}}, // "3" is held still: its start was refused
	} {
		used := use(t, s, "a", row.use)
		if used.Refused != row.refused || !slices.Equal(used.Full, row.full) || !cmp.Equal(used.Held, row.held) {
			t.Errorf("step %d: %+v, want %+v", i, used, row)
		}
		entries := 0
		for _, e := range used.Entries {
			if !e.At.Equal(limitNoon) || e.Job == "" {
				t.Errorf("step %d: entry %+v", i, e)
			}
			entries++
		}
		if (entries > 0) != (row.refused != "" || len(row.full) > 0) {
			t.Errorf("step %d: %d entries", i, entries)
		}
	}
	for _, id := range []string{"1", "1", "2"} {
		if err := s.Release(t.Context(), "a", id); err != nil {
			t.Errorf("release of %s: %v", id, err)
		}
	}
	if err := s.Release(t.Context(), "nobody", "1"); err != nil {
		t.Errorf("release for an unknown caller: %v", err)
	}
	// "1" and "2" are counted in the hour; "3" is the last one.
	for id, want := range map[string]string{"1": "", "2": "", "3": ""} {
		if used := use(t, s, "a", starts(id)); used.Refused != want {
			t.Errorf("%s is refused by %q", id, used.Refused)
		}
		if err := s.Release(t.Context(), "a", id); err != nil {
			t.Fatal(err)
		}
	}
	if used := use(t, s, "a", starts("4")); used.Refused != "starts-per-hour" {
		t.Errorf("the fourth start in an hour is refused by %q", used.Refused)
	}
}

// An entry is removed if it is as it was read, and stays if it was renewed since.
func TestGone(t *testing.T) {
	s := limitStore(t)
	holds := func(id string, at time.Time, gone ...store.Held) store.Use {
		return store.Use{At: at, Job: id, Holds: []store.Hold{{Name: "active-jobs", Limit: 1}}, Gone: gone}
	}
	entry := store.Held{Name: "active-jobs", Job: "1", At: limitNoon}
	use(t, s, "a", holds("1", limitNoon))
	use(t, s, "a", holds("1", limitNoon.Add(time.Second)))
	if used := use(t, s, "a", holds("2", limitNoon, entry)); used.Refused != "active-jobs" {
		t.Error("an entry that was renewed is removed")
	}
	entry.At = limitNoon.Add(time.Second)
	other := store.Held{Name: "launched-runs", Job: "1", At: entry.At}
	if used := use(t, s, "a", holds("2", limitNoon, other)); used.Refused != "active-jobs" {
		t.Error("an entry of another name is removed")
	}
	used := use(t, s, "a", holds("2", limitNoon, other, entry))
	if diff := cmp.Diff(store.Used{Held: map[string]int{"active-jobs": 1}}, used, cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(store.Used{}, "Bytes", "Counted", "Skew")); diff != "" {
		t.Error(diff)
	}
}

// Two hundred callers' calls at once, each with a job of its own, never exceed any limit, and reach it.
func TestUseAtOnce(t *testing.T) {
	s := limitStore(t)
	const calls = 200
	u := func(id string) store.Use {
		return store.Use{At: limitNoon, Job: id, Until: limitNoon.Add(time.Hour),
			Windows: []store.Window{{Name: "calls-per-minute", Length: time.Minute, Limit: 90, Calls: 1}},
			Holds:   []store.Hold{{Name: "active-jobs", Limit: 70}, {Name: "launched-runs", Limit: 30, Optional: true}}}
	}
	var allowed, launched atomic.Int32
	begin := make(chan struct{})
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			<-begin
			used, err := s.Use(t.Context(), "one", u(uuid.NewString()))
			switch {
			case err != nil:
				t.Error(err)
			case used.Refused == "":
				allowed.Add(1)
				if len(used.Full) == 0 {
					launched.Add(1)
				}
			}
		})
	}
	close(begin)
	all.Wait()
	if allowed.Load() != 70 || launched.Load() != 30 {
		t.Errorf("%d calls are allowed, %d of them launched", allowed.Load(), launched.Load())
	}
}

// A caller's document ends by itself, and its size is bounded.
func TestLimitDocuments(t *testing.T) {
	uri, database := teststores.Mongo(t)
	s := open(t, mongo.Options{URI: uri, Database: database})
	limits := connect(t, uri).Database(database).Collection("annotationLimits")
	u := store.Use{Windows: []store.Window{
		{Name: "calls-per-minute", Length: time.Minute, Limit: 1e9, Calls: 1},
		{Name: "starts-per-day", Length: 24 * time.Hour, Limit: 1e9, Calls: 1, PerJob: true},
	}}
	const days = 3
	for i := range 300 {
		u.At = limitNoon.Add(time.Duration(i) * days * 24 * time.Hour / 300)
		u.Until, u.Job = u.At.Add(48*time.Hour), uuid.NewString()
		use(t, s, "a", u)
	}
	raw, err := limits.FindOne(t.Context(), bson.D{{Key: "_id", Value: "a"}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if size := len(raw); size > 8000 {
		t.Errorf("the document has %d bytes: %s", size, raw)
	}
	if got := raw.Lookup("expires").Time(); !got.Equal(u.Until) {
		t.Errorf("it ends at %s, want %s", got, u.Until)
	}
	u.At, u.Until = limitNoon, limitNoon
	use(t, s, "a", u)
	if raw, err = limits.FindOne(t.Context(), bson.D{{Key: "_id", Value: "a"}}).Raw(); err != nil ||
		raw.Lookup("expires").Time().Equal(limitNoon) {
		t.Errorf("a later use shortens its life: %v", err)
	}
	var indexes []struct {
		Name  string `bson:"name"`
		After *int   `bson:"expireAfterSeconds"`
	}
	cursor, err := limits.Indexes().List(t.Context())
	if err == nil {
		err = cursor.All(t.Context(), &indexes)
	}
	if err != nil || !slices.ContainsFunc(indexes, func(i struct {
		Name  string `bson:"name"`
		After *int   `bson:"expireAfterSeconds"`
	},
	) bool {
		return i.Name == "expires" && i.After != nil && *i.After == 0
	}) {
		t.Errorf("no index removes documents: %+v, %v", indexes, err)
	}
}

// The jobs that wait for a turn are found in the order of their starts, by callers, until they have their turn or end.
func TestTurns(t *testing.T) {
	s := limitStore(t)
	ctx := t.Context()
	add := func(caller string, started time.Time, waits bool) string {
		t.Helper()
		j := job.Job{ID: uuid.NewString(), State: job.Created, Due: limitNoon, Expires: limitNoon}
		if err := s.Insert(ctx, j); err != nil {
			t.Fatal(err)
		}
		start := job.Start{Config: []byte("{}"), Caller: caller, Waits: waits}
		if ok, err := s.Submit(ctx, j.ID, start, nil, started, limitNoon, limitNoon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		return j.ID
	}
	second := add("b", limitNoon.Add(2*time.Second), true)
	first := add("b", limitNoon.Add(time.Second), true)
	add("b", limitNoon, false)
	other := add("d", limitNoon, true)
	add("", limitNoon, false)
	next := func(caller, want string) {
		t.Helper()
		j, err := s.NextTurn(ctx, caller)
		switch {
		case want == "" && !job.Is(err, job.NotFound):
			t.Errorf("next of %q: %v, %v", caller, j, err)
		case want != "" && (err != nil || j.ID != want || j.Start.Caller != caller || !j.Start.Waits):
			t.Errorf("next of %q: %+v, %v, want %s", caller, j, err, want)
		}
	}
	for after, want := range map[string]string{"": "b", "a": "b", "b": "d", "c": "d", "d": ""} {
		if got, err := s.NextCaller(ctx, after); got != want || err != nil {
			t.Errorf("after %q comes %q, %v, want %q", after, got, err, want)
		}
	}
	all := []job.WaitingTurn{
		{
			Caller:  "b",
			Started: limitNoon.Add(time.Second),
		}, {Caller: "b", Started: limitNoon.Add(2 * time.Second)}, {Caller: "d", Started: limitNoon},
	}
	for limit := range 5 {
		if got, err := s.WaitingTurns(ctx, limit); err != nil || !slices.Equal(got, all[:min(limit, len(all))]) {
			t.Errorf("at most %d that wait: %v, %v", limit, got, err)
		}
	}
	counts, err := s.ActiveTurns(ctx)
	if want := []mongo.Count{{State: job.Submitted, Waits: true, Jobs: 3}}; err != nil || !slices.Equal(counts, want) {
		t.Errorf("turns by workflow: %v, %v", counts, err)
	}
	if counts, err = s.Active(ctx, limitNoon.Add(time.Hour)); err != nil || len(counts) != 1 || counts[0].Jobs != 2 {
		t.Errorf("other jobs by workflow: %v, %v", counts, err)
	}
	next("b", first)
	next("c", "")
	for _, want := range []bool{true, false} {
		if got, err := s.Turn(ctx, first, limitNoon.Add(time.Hour), limitNoon.Add(2*time.Hour)); got != want || err != nil {
			t.Errorf("turn: %v, %v, want %v", got, err, want)
		}
	}
	j, err := s.Get(ctx, first)
	if err != nil || j.Start.Waits || j.State != job.Submitted || !j.Updated.Equal(limitNoon.Add(time.Hour)) ||
		!j.Due.Equal(limitNoon.Add(2*time.Hour)) {
		t.Errorf("it has its turn: %+v, %v", j, err)
	}
	next("b", second)
	// A version that knows no turns has launched it, and it runs.
	if ok, err := s.Running(ctx, second, 1, nil, limitNoon, limitNoon, limitNoon); !ok || err != nil {
		t.Fatal(ok, err)
	}
	next("b", second)
	if ok, err := s.Finish(ctx, second, 1, job.End{State: job.Succeeded}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	next("b", "")
	if ok, err := s.Delete(ctx, other, limitNoon); !ok || err != nil {
		t.Fatal(ok, err)
	}
	next("d", "")
	if ok, err := s.Turn(ctx, other, limitNoon, limitNoon); ok || err != nil {
		t.Errorf("a deleted job has its turn: %v, %v", ok, err)
	}
}

// Jobs are held in advance if they and the job need at most an eighth of the room, by number and by bytes; else the job alone is held. What
// an earlier use has held in advance makes no difference.
func TestAhead(t *testing.T) {
	s := limitStore(t)
	for i, row := range []struct {
		hold  store.Hold
		holds int // before
		ahead bool
	}{
		{store.Hold{Limit: 24}, 0, true},
		{store.Hold{Limit: 25}, 1, true},
		{store.Hold{Limit: 24}, 1, false},
		{store.Hold{BytesLimit: 240, Bytes: 10}, 0, true},
		{store.Hold{BytesLimit: 249, Bytes: 10}, 1, false},
		{store.Hold{BytesLimit: 239, Bytes: 10}, 0, false},
		{store.Hold{Limit: 24, BytesLimit: 239, Bytes: 10}, 0, false},
		{store.Hold{Limit: 23, BytesLimit: 240, Bytes: 10}, 0, false},
		{store.Hold{BytesLimit: math.MaxInt64, Bytes: 1 << 50}, 0, true},
		{store.Hold{BytesLimit: math.MaxInt64, Bytes: 1 << 60}, 0, false},
	} {
		name := fmt.Sprint("caller ", i)
		h := row.hold
		h.Name, h.BytesName = "unstarted-jobs", "upload-bytes"
		for n := range row.holds {
			use(t, s, name, store.Use{At: limitNoon, Job: fmt.Sprint("before ", n), Holds: []store.Hold{h}})
		}
		h.Ahead = []string{"2", "3"}
		got := use(t, s, name, store.Use{At: limitNoon, Job: "1", Holds: []store.Hold{h}})
		want := store.Used{Held: map[string]int{h.Name: row.holds + 1}, Bytes: map[string]int64{h.Name: int64(row.holds+1) * h.Bytes}}
		if row.ahead {
			want.Held[h.Name], want.Bytes[h.Name], want.Ahead = row.holds+3, int64(row.holds+3)*h.Bytes, []string{h.Name}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), skewIgnored); diff != "" {
			t.Errorf("%+v, %d held before: %s", row.hold, row.holds, diff)
		}
		h.Ahead = nil
		if got := use(t, s, name, store.Use{At: limitNoon, Job: "4", Holds: []store.Hold{h}}); got.Held[h.Name] != want.Held[h.Name]+1 {
			t.Errorf("%+v: %d are held after one more", row.hold, got.Held[h.Name])
		}
	}
	// In a list that refuses a job there is no room for others.
	h := store.Hold{Name: "unstarted-jobs", Limit: 1}
	use(t, s, "full", store.Use{At: limitNoon, Job: "1", Holds: []store.Hold{h}})
	h.Ahead = []string{"3"}
	if got := use(t, s, "full", store.Use{At: limitNoon, Job: "2", Holds: []store.Hold{h}}); got.Refused != h.Name || got.Held[h.Name] != 1 {
		t.Errorf("%+v", got)
	}
}

// TestCountedInTime: counting ends at the deadline of the caller, if the server accepts commands and does not answer. All other writes are
// carried through.
func TestCountedInTime(t *testing.T) {
	uri, database := teststores.Mongo(t)
	var hangs atomic.Bool
	released := make(chan struct{})
	proxy := proxyTo(t, uri, "annotationLimits", func() bool {
		if hangs.Load() {
			<-released
		}
		return false
	})
	t.Cleanup(func() { close(released) }) // before the proxy waits for its connections
	s := open(t, mongo.Options{URI: "mongodb://" + proxy + "/?directConnection=true", Database: database, Timeout: time.Minute})
	call := store.Use{At: limitNoon, Until: limitNoon.Add(time.Hour), Windows: []store.Window{
		{Name: "calls-per-minute", Length: time.Minute, Limit: 3, Calls: 1},
	}}
	use(t, s, "a", call) // it is connected
	hangs.Store(true)
	for name, count := range map[string]func(context.Context) error{
		"use":     func(ctx context.Context) error { _, err := s.Use(ctx, "a", call); return err },
		"release": func(ctx context.Context) error { return s.Release(ctx, "a", "1") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		if err := count(ctx); !job.Is(err, job.Unavailable) || time.Since(began) > 30*time.Second {
			t.Errorf("%s: %v, after %v", name, err, time.Since(began))
		}
		cancel()
	}
}
