//go:build linux

package mongo_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/mongod"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/storetest"
)

// setTests is the environment variable that asks for this test, which takes minutes: make test-mongodb sets it.
const setTests = "TEST_MONGODB_SET"

// TestReplicaSet runs a replica set of three with authentication and TLS: the tests of any store of jobs; then its primary is killed,
// another one is cut off from the other members, and one from everything, while jobs are created and started. What was acknowledged is
// there afterwards.
func TestReplicaSet(t *testing.T) {
	if os.Getenv(setTests) == "" {
		t.Skip("ATTENTION: MongoDB with three members, authentication and TLS is not tested; make test-mongodb does it")
	}
	root, err := teststores.Root()
	if err != nil {
		t.Fatal(err)
	}
	set, err := mongod.StartSet(t.Context(), filepath.Join(root, ".cache"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Stop(); err != nil {
			t.Error(err)
		}
	})
	open := func(t *testing.T) *mongo.Store {
		t.Helper()
		s, err := mongo.New(mongo.Options{URI: set.URI, Database: "test-" + strings.ToLower(rand.Text())})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		if err := s.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("suite", func(t *testing.T) { storetest.Run(t, func(t *testing.T) store.Jobs { return open(t) }) })

	t.Run("another CA", func(t *testing.T) {
		without, _, _ := strings.Cut(set.URI, "&tlsCAFile")
		s, err := mongo.New(mongo.Options{URI: without, Database: "d"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); !job.Is(err, job.Unavailable) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a server with an unknown certificate: %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})

	t.Run("changes of the primary", func(t *testing.T) {
		load := newLoad(open(t))
		load.run(t)
		primary := func(except ...int) int {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
				i, err := set.Primary(t.Context(), except...)
				if err == nil {
					return i
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
			}
		}
		secondary := func(i int) {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); !set.Secondary(t.Context(), i); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("member %d is not a secondary again", i)
				}
			}
		}
		for _, fault := range []struct {
			name       string
			begin, end func(ctx context.Context, i int) error
		}{
			{"killed", set.Kill, set.Restart},
			{"cut off from the other members", set.Part, set.Join},
			{"cut off", set.Cut, set.Mend},
		} {
			load.until(t, load.acknowledged()+100)
			was := primary()
			before, began := load.acknowledged(), time.Now()
			if err := fault.begin(t.Context(), was); err != nil {
				t.Fatal(err)
			}
			primary(was)
			elected := time.Since(began)
			// Answers that were on their way are no sign of another primary.
			load.until(t, before+100)
			took := time.Since(began)
			t.Logf("%s: another primary is elected after %.1f s, jobs are stored again after %.1f s", fault.name, elected.Seconds(), took.Seconds())
			// A call on the old primary takes up to 10 s to fail, and one that does not find the new one 5 s.
			if limit := 15 * time.Second; took-elected > limit {
				t.Errorf("%s: that is more than %s after the election", fault.name, limit)
			}
			if err := fault.end(t.Context(), was); err != nil {
				t.Fatal(err)
			}
			secondary(was)
		}
		load.until(t, load.acknowledged()+100)
		load.check(t)
	})
}

// load creates jobs and starts them, by several callers, and remembers what was acknowledged.
type load struct {
	store    *mongo.Store
	mu       sync.Mutex
	created  []string
	started  []string
	failures atomic.Int64
	stop     func()
}

func newLoad(s *mongo.Store) *load { return &load{store: s} }

// run starts the callers. They end with the test.
func (l *load) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	l.stop = func() {
		cancel()
		callers.Wait()
	}
	t.Cleanup(l.stop)
	for range 8 {
		callers.Go(func() {
			for ctx.Err() == nil {
				id, now := uuid.NewString(), time.Now().UTC().Truncate(time.Millisecond)
				err := l.store.Insert(ctx, job.Job{
					ID: id, SecretHash: job.HashSecret(id), Workflow: "bakta", State: job.Created, Created: now, Updated: now, Due: now,
					Expires: now.Add(time.Hour),
				})
				if err != nil {
					l.failures.Add(1)
					continue
				}
				l.add(&l.created, id)
				ok, err := l.store.Submit(ctx, id, job.Start{Config: []byte("{}")}, nil, now, now, now.Add(time.Hour))
				if err != nil || !ok {
					l.failures.Add(1)
					continue
				}
				l.add(&l.started, id)
			}
		})
	}
}

func (l *load) add(to *[]string, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*to = append(*to, id)
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.started)
}

// until waits until so many starts were acknowledged.
func (l *load) until(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); l.acknowledged() < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d starts were acknowledged, want %d; %d calls failed", l.acknowledged(), n, l.failures.Load())
		}
	}
}

// check ends the load and compares the stored jobs with what was acknowledged.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.stop()
	lost := 0
	for _, list := range []struct {
		ids []string
		ok  func(job.State) bool
	}{
		{l.created, func(s job.State) bool { return s == job.Created || s == job.Submitted }},
		{l.started, func(s job.State) bool { return s == job.Submitted }},
	} {
		for _, id := range list.ids {
			if j, err := l.store.Get(t.Context(), id); err != nil || !list.ok(j.State) {
				lost++
				t.Logf("%s: %q, %v", id, j.State, err)
			}
		}
	}
	t.Logf("%d jobs and %d starts were acknowledged, %d calls failed", len(l.created), len(l.started), l.failures.Load())
	if lost > 0 {
		t.Errorf("%d acknowledged writes are lost", lost)
	}
}
