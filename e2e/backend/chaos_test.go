//go:build e2e

package backend_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
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
	commit, load := s.commit(), loads() // the source may change in this hour
	c := chaos{suite: s, inbox: &inbox{came: make(map[string][]time.Time)}}
	c.inbox.url = s.receiver(c.inbox.receive) + "/hook"
	c.whole = s.whole(s.sample())

	few := max(10, many/20)
	inTurn := c.inTurn(few, only)
	atRandom := newTable("at random", "jobs", "slowest job", "median", "slowest message", "repeated", "refused calls")
	if only.MatchString("at random") {
		t.Run("at random", func(t *testing.T) { c.on(t).atRandom(many, rand.New(rand.NewPCG(seed, 0)), atRandom) })
	}
	verdict := "Every acknowledged job ended right, once, with whole results, and each message about its end came."
	if t.Failed() {
		verdict = "FAILED: not every acknowledged job ended right, once, with whole results, and with its message."
	}
	s.report("chaos", fmt.Sprintf(`# Chaos

This file is written by `+"`make e2e-chaos`"+`: each part fails while jobs are created, started, run and end on a cluster of
`+"`bin/cluster`"+`. A job's time is from the first call of its client to the first answer that it is SUCCESSFUL; clients repeat calls
that fail. A message's time is from that answer to the webhook's; half of the jobs have one, and a message may be repeated. Another
client creates and deletes jobs. "Killed" is SIGKILL, every %s for pods; "cut off" is that all packets are dropped. The functions'
clock moves while they run, by two minutes against all else.

On %s, commit %s, seed %d. %s

%d CPUs, on which all of the cluster, the stores and the clients run. The load averages of the machine over 1, 5 and 15 minutes were
%s before and %s after it. What else the machine does makes jobs later, with a fault and without.

In turn, %d jobs each:

`+"```\n%s```\n\nAt random, up to two faults at once, until the last start is acknowledged:\n\n```\n%s```\n",
		again, time.Now().UTC().Format(time.DateOnly), commit, seed, verdict, runtime.NumCPU(), load, loads(), few,
		inTurn.text(), atRandom.text()))
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
			w := s.under(few, func(ctx context.Context) { s.suffer(ctx, f, outage) })
			s.right(w)
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
func (s chaos) atRandom(many int, random *rand.Rand, out *table) {
	s.Helper()
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
}

// loads are the load averages of this machine.
func loads() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], ", ")
}

// suffer makes a fault, and mends it after a time. The fault may need a moment: a function may have no pod when it is to be killed. Each
// step is repeated until it succeeds, because another fault may be in its way.
func (s suite) suffer(ctx context.Context, f fault, lasting time.Duration) {
	ctx = context.WithoutCancel(ctx)
	step := func(what string, pause time.Duration, do func(context.Context) error) bool {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err := eventually(ctx, pause, do)
		if err != nil {
			s.Errorf("%s: %s: %v", f.name, what, err)
		}
		return err == nil
	}
	var mend func(context.Context) error
	if !step("making it", 200*time.Millisecond, func(context.Context) (err error) {
		mend, err = f.hit(ctx) // not with this step's time: what it begins goes on
		return err
	}) {
		return
	}
	<-time.After(lasting) // the fault is this time
	step("mending it", time.Second, mend)
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

// rage makes faults at random, one or two at once, for as long as jobs are started. It returns what it made.
func (s suite) rage(ctx context.Context, random *rand.Rand) (made []string) {
	began := time.Now()
	for ctx.Err() == nil {
		all := s.faults()
		random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		var group sync.WaitGroup
		for _, f := range all[:1+random.IntN(2)] {
			lasting := time.Duration(5+random.IntN(20)) * time.Second
			made = append(made, fmt.Sprintf("%s after %.0f s for %s", f.name, time.Since(began).Seconds(), lasting))
			group.Go(func() {
				s.prepare(f)
				s.suffer(ctx, f, lasting)
			})
		}
		group.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(10)) * time.Second):
		}
	}
	return made
}
