//go:build e2e

package backend_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// outage is how long a fault lasts: longer than any function waits for an answer of what it depends on.
const outage = 20 * time.Second

// chaosJobs is how many jobs run while faults are drawn at random: E2E_CHAOS_JOBS, or 200 at full size. A twentieth of them, but at least
// ten, run under each fault in turn.
func chaosJobs() int {
	if n, err := strconv.Atoi(os.Getenv("E2E_CHAOS_JOBS")); err == nil {
		return n
	}
	if full {
		return 200
	}
	return 0
}

// Every part that the backend depends on, and every part of itself, fails while jobs are created, started, run and end: one after the
// other, and at random. Afterwards every acknowledged job has ended right, once, with whole results, and its message has come.
func TestChaos(t *testing.T) {
	s := newSuite(t)
	s.needsGates()
	many := chaosJobs()
	if many == 0 {
		t.Skip("NOT TESTED: it takes more than half an hour; make e2e-chaos runs it")
	}
	if s.target.cluster == "" || s.target.clockRegistry == "" {
		t.Skip("NOT TESTED: the processes of the cluster are not those of this machine (E2E_CLUSTER, E2E_CLOCK_REGISTRY)")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("E2E_CHAOS_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		s.must(err)
	}
	fmt.Printf("E2E_CHAOS_SEED=%d\n", seed)
	only, err := regexp.Compile(os.Getenv("E2E_CHAOS_ONLY"))
	s.must(err)
	commit := s.commit() // the source may change in this hour
	c := chaos{suite: s, inbox: &inbox{came: make(map[string][]time.Time)}}
	c.inbox.url = s.receiver(c.inbox.receive) + "/hook"
	c.whole = s.whole(s.sample())

	few := max(10, many/20)
	if slices.ContainsFunc(s.faults(), func(f fault) bool { return only.MatchString(f.name) }) {
		t.Run("in turn", func(t *testing.T) {
			load := loads()
			out := c.on(t).inTurn(few, only)
			c.on(t).write("chaos", "Chaos: one fault after the other", fmt.Sprintf("commit %s, %d jobs under each fault", commit, few), load, out)
		})
	}
	if only.MatchString("at random") {
		t.Run("at random", func(t *testing.T) {
			load := loads()
			out := c.on(t).atRandom(many, rand.New(rand.NewPCG(seed, 0)))
			c.on(t).write("chaos-at-random", "Chaos: faults at random, up to two at once",
				fmt.Sprintf("commit %s, E2E_CHAOS_JOBS=%d, E2E_CHAOS_SEED=%d", commit, many, seed), load, out)
		})
	}
}

// write writes the report of a part of the test.
func (s chaos) write(name, title, what, load string, out *table) {
	s.Helper()
	verdict := "Every acknowledged job ended right, once, with whole results, and each message about its end came."
	if s.Failed() {
		verdict = "FAILED: not every fault was made, or not every acknowledged job ended right, once, with whole results and its message."
	}
	s.report(name, fmt.Sprintf(`# %s

This file is written by `+"`make e2e-chaos`"+`: parts fail while jobs are created, started, run and end on a cluster of `+"`bin/cluster`"+`.
A job's time is from the first call of its client to the first answer that it is SUCCESSFUL; clients repeat calls that fail. A message's
time is from that answer to the webhook's; half of the jobs have one, and a message may be repeated. Another client creates and deletes
jobs. "Killed" is SIGKILL, every %s for pods, which the kubelet starts again after longer and longer pauses; "cut off" is that all packets
are dropped. The functions' clock moves while they run, by two minutes against all else. The node's clock is that of the kubelet and of what
its jobs begin and end with; the container runtime's stays.

On %s, %s. %s

%d CPUs, on which all of the cluster, the stores and the clients run. The load averages of the machine over 1, 5 and 15 minutes were
%s before and %s after it. What else the machine does makes jobs later, with a fault and without.

`+"```\n%s```\n", title, again, time.Now().UTC().Format(time.DateOnly), what, verdict, runtime.NumCPU(), load, loads(), out.text()))
}

// chaos is a test's view of the world in which parts fail.
type chaos struct {
	suite
	inbox *inbox
	whole []string // the names of the files of whole results
}

// on is the view of a part of the test.
func (s chaos) on(t *testing.T) chaos {
	s.suite = suite{t, s.world}
	return s
}

// inTurn makes each fault under a wave of jobs of its own. The last wave is without any, as the first, because a machine may have become
// busier.
func (s chaos) inTurn(few int, only *regexp.Regexp) *table {
	s.Helper()
	out := newTable("fault", "slowest job", "later than without", "median", "slowest message", "repeated", "refused calls", "lasted")
	calm := s.under(few, nil)
	s.right(calm)
	out.row(append([]string{"none", seconds(calm.slowest()), ""}, calm.rest()...)...)
	later := func(w *wave) string { return seconds(w.slowest() - calm.slowest()) }
	for _, f := range s.faults() {
		if !only.MatchString(f.name) {
			continue
		}
		s.Run(f.name, func(t *testing.T) {
			s := s.on(t)
			s.prepare(f)
			if f.prepare != nil { // what it has started is not what is tested
				s.atZero("submit", "status", "jobupdate", "notify")
			}
			w := s.under(few, func(ctx context.Context) {
				if err := s.suffer(ctx, f, patience, outage); err != nil {
					t.Errorf("%s: it could not be made: %v", f.name, err)
				}
			})
			s.right(w)
			for _, j := range w.jobs {
				if off := s.commits.clockOf(j.ID) - f.signs; off.Abs() > 30*time.Second {
					t.Errorf("job %s signed by a clock that was %s ahead", j.ID, s.commits.clockOf(j.ID))
				}
			}
			out.row(append(append([]string{f.name, seconds(w.slowest()), later(w)}, w.rest()...), seconds(w.fault))...)
			fmt.Printf("%s: slowest %s, later by %s\n", f.name, seconds(w.slowest()), later(w))
		})
	}
	last := s.under(few, nil)
	s.right(last)
	out.row(append([]string{"none, after all", seconds(last.slowest()), later(last)}, last.rest()...)...)
	return out
}

// atRandom makes faults that it draws under a wave of jobs, after a wave without any.
func (s chaos) atRandom(many int, random *rand.Rand) *table {
	s.Helper()
	out := newTable("at random", "jobs", "slowest job", "median", "slowest message", "repeated", "refused calls")
	quiet := s.under(max(10, many/4), nil)
	s.right(quiet)
	out.row(append([]string{"no fault", strconv.Itoa(len(quiet.jobs)), seconds(quiet.slowest())}, quiet.rest()...)...)
	var hits []string
	w := s.under(many, func(ctx context.Context) { hits = s.rage(ctx, random) })
	s.right(w)
	out.row(append([]string{"faults", strconv.Itoa(many), seconds(w.slowest())}, w.rest()...)...)
	out.row(fmt.Sprintf("later by %s; %d faults:", seconds(w.slowest()-quiet.slowest()), len(hits)))
	for _, h := range hits {
		out.row("  " + h)
	}
	return out
}

// loads are the load averages of this machine.
func loads() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], ", ")
}

// suffer makes a fault, and mends it after a time. An error says why it could not be made within a time: a function may have no pod that
// could be killed. Steps are repeated, because another fault may be in their way.
func (s suite) suffer(ctx context.Context, f fault, within, lasting time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	making, made := context.WithTimeout(ctx, within)
	defer made()
	var mend func(context.Context) error
	err := eventually(making, 200*time.Millisecond, func(context.Context) (err error) {
		mend, err = f.hit(ctx) // which begins what goes on after this step
		return err
	})
	if err != nil {
		return err
	}
	<-time.After(lasting) // the fault is this time
	mending, mended := context.WithTimeout(ctx, patience)
	defer mended()
	if err := eventually(mending, time.Second, mend); err != nil {
		s.Errorf("%s: mending it: %v", f.name, err)
	}
	return nil
}

// prepare does what must be so before a fault is made.
func (s suite) prepare(f fault) {
	if f.prepare == nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	if err := eventually(ctx, time.Second, f.prepare); err != nil {
		s.Errorf("%s: preparing it: %v", f.name, err)
	}
}

// waits is how long a fault that is drawn waits for what it is to hit.
const waits = 30 * time.Second

// rage makes faults at random, one or two at once, for as long as jobs are started. It returns what it made.
func (s suite) rage(ctx context.Context, random *rand.Rand) (made []string) {
	began := time.Now()
	for ctx.Err() == nil {
		all := s.faults()
		random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		drawn := make([]string, 1+random.IntN(2))
		var group sync.WaitGroup
		for i, f := range all[:len(drawn)] {
			lasting := time.Duration(5+random.IntN(20)) * time.Second
			drawn[i] = fmt.Sprintf("%s after %.0f s for %s", f.name, time.Since(began).Seconds(), lasting)
			group.Go(func() {
				s.prepare(f)
				if err := s.suffer(ctx, f, waits, lasting); err != nil {
					drawn[i] += fmt.Sprintf(": not made within %s, %v", waits, err)
				}
			})
		}
		group.Wait()
		made = append(made, drawn...)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(10)) * time.Second):
		}
	}
	return made
}
