//go:build e2e

package backend_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// outage is how long a fault lasts: longer than any function waits for an answer of what it depends on.
const outage = 20 * time.Second

// chaosJobs is how many jobs run while faults are drawn at random: E2E_CHAOS_JOBS, or 200 at full size. A tenth of them, but at least ten,
// run under each fault in turn.
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
// other, and at random. Afterwards every acknowledged job has ended right, once, with whole results.
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
	random := rand.New(rand.NewPCG(seed, 0))
	whole := s.whole(s.sample())
	few := max(10, many/10)

	inTurn := newTable("fault", "slowest job", "later than without", "median", "refused calls", "lasted")
	calm := s.under(few, nil)
	s.right(calm, whole)
	inTurn.row("none", seconds(calm.slowest()), "", seconds(calm.took().median()), strconv.Itoa(calm.refusals), "")
	only, err := regexp.Compile(os.Getenv("E2E_CHAOS_ONLY"))
	s.must(err)
	for _, f := range s.faults() {
		if !only.MatchString(f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			s := suite{t, s.world}
			w := s.under(few, func(ctx context.Context) { s.suffer(ctx, f, outage) })
			s.right(w, whole)
			inTurn.row(f.name, seconds(w.slowest()), seconds(w.slowest()-calm.slowest()), seconds(w.took().median()),
				strconv.Itoa(w.refusals), seconds(w.fault))
			fmt.Printf("%s: slowest %s, later by %s\n", f.name, seconds(w.slowest()), seconds(w.slowest()-calm.slowest()))
		})
	}
	atRandom := newTable(fmt.Sprintf("%d jobs", many), "slowest job", "median", "refused calls")
	if only.MatchString("at random") {
		t.Run("at random", func(t *testing.T) {
			s := suite{t, s.world}
			quiet := s.under(many, nil)
			s.right(quiet, whole)
			atRandom.row("no fault", seconds(quiet.slowest()), seconds(quiet.took().median()), strconv.Itoa(quiet.refusals))
			var hits []string
			w := s.under(many, func(ctx context.Context) { hits = s.rage(ctx, random) })
			s.right(w, whole)
			atRandom.row("faults at random", seconds(w.slowest()), seconds(w.took().median()), strconv.Itoa(w.refusals))
			atRandom.row(fmt.Sprintf("later by %s; %d faults:", seconds(w.slowest()-quiet.slowest()), len(hits)))
			for _, h := range hits {
				atRandom.row("  " + h)
			}
		})
	}
	verdict := "Every acknowledged job ended right, once, with whole results."
	if t.Failed() {
		verdict = "FAILED: not every acknowledged job ended right, once, with whole results."
	}
	s.report("chaos", fmt.Sprintf(`# Chaos

This file is written by `+"`make e2e-chaos`"+`: each part fails while jobs are created, started, run and end on a cluster of
`+"`bin/cluster`"+`. A job's time is from the first call of its client to the first answer that it is SUCCESSFUL; clients repeat calls
that fail. Another client creates and deletes jobs. "Killed" is SIGKILL, every %s for pods; "cut off" is that all packets are dropped.
The functions' clock moves while they run, by two minutes against all else.

On %s, commit %s, %d CPUs, seed %d. %s

In turn, %d jobs each:

`+"```\n%s```\n\nAt random, up to two faults at once, until the last start is acknowledged:\n\n```\n%s```\n",
		again, time.Now().UTC().Format(time.DateOnly), s.commit(), runtime.NumCPU(), seed, verdict, few, inTurn.text(), atRandom.text()))
}

// wave is a number of jobs that clients create and start, and then watch, whatever happens meanwhile.
type wave struct {
	mu       sync.Mutex
	jobs     []*watched
	deleted  []ref // whose deletion is acknowledged
	refusals int
	fault    time.Duration // how long the fault lasted
}

type watched struct {
	ref
	began, ended time.Time // the first call; the first answer that it has ended
	acknowledged bool      // its start
	state        string    // the last one seen
}

func (w *wave) took() (f figures) {
	for _, j := range w.jobs {
		f = append(f, j.ended.Sub(j.began))
	}
	return f
}

func (w *wave) slowest() time.Duration { return w.took().quantile(1) }

// count returns how many jobs have been acknowledged, and how many of them have no end yet.
func (w *wave) count() (acknowledged int, open []*watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.jobs {
		if !j.acknowledged {
			continue
		}
		acknowledged++
		if j.ended.IsZero() {
			open = append(open, j)
		}
	}
	return acknowledged, open
}

func (w *wave) refused() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals++
}

// Times of a wave.
const (
	pace    = 500 * time.Millisecond // from one job to the next, at least
	spread  = 3 * outage / 2         // from the first job to the last, at least, so that jobs are started during a fault and after it
	timeout = 10 * time.Second       // of a client's call
	lasts   = 20 * time.Minute       // at most
)

// under has clients create, start and watch so many jobs, and another one create and delete some, while something happens as soon as a
// third of them are started. The context of what happens ends when all are started.
func (s suite) under(many int, happens func(context.Context)) *wave {
	s.Helper()
	w := &wave{}
	ctx, cancel := context.WithTimeout(s.Context(), lasts)
	defer cancel()
	starting, allStarted := context.WithCancel(ctx)
	defer allStarted()
	var clients, rest sync.WaitGroup
	each := max(pace, spread/time.Duration(many))
	next := time.NewTicker(each)
	defer next.Stop()
	rest.Go(func() { s.watchAll(ctx, w, many) })
	clients.Go(func() {
		deletions := max(5, many/20)
		for range deletions {
			s.deleter(ctx, w)
			select {
			case <-ctx.Done():
			case <-time.After(each * time.Duration(many) / time.Duration(deletions)):
			}
		}
	})
	if happens != nil {
		rest.Go(func() {
			err := eventually(ctx, 100*time.Millisecond, func(context.Context) error {
				if n, _ := w.count(); n < many/3 {
					return fmt.Errorf("%d jobs are started", n)
				}
				return nil
			})
			if err != nil {
				s.Error(err)
				return
			}
			began := time.Now()
			happens(starting)
			w.fault = time.Since(began)
		})
	}
	for i := range many {
		j := &watched{began: time.Now()}
		w.mu.Lock()
		w.jobs = append(w.jobs, j)
		w.mu.Unlock()
		clients.Go(func() { s.client(ctx, w, j, fmt.Sprintf("after-%d", i%10)) })
		<-next.C
	}
	clients.Wait()
	allStarted()
	rest.Wait()
	return w
}

// client creates and starts a job, and repeats each call until it is acknowledged.
func (s suite) client(ctx context.Context, w *wave, j *watched, strain string) {
	err := eventually(ctx, time.Second, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if j.ID == "" {
			r, err := s.create(ctx)
			if err != nil {
				w.refused()
				return err
			}
			w.mu.Lock()
			j.ref = r
			w.mu.Unlock()
		}
		err := s.begin(ctx, j.ref, strain)
		if err != nil {
			w.refused()
			return err
		}
		w.mu.Lock()
		j.acknowledged = true
		w.mu.Unlock()
		return nil
	})
	if err != nil {
		s.Errorf("a job is not started: %v", err)
	}
}

// deleter creates a job and deletes it, and repeats each call until it is acknowledged.
func (s suite) deleter(ctx context.Context, w *wave) {
	var r ref
	err := eventually(ctx, time.Second, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if r.ID == "" {
			if r, err = s.create(ctx); err != nil {
				r = ref{}
				w.refused()
				return err
			}
		}
		code, answer, err := s.call(ctx, http.MethodDelete, "/job/delete"+r.query(), nil)
		if err == nil && code != http.StatusOK && code != http.StatusNotFound { // an earlier call may have deleted it
			err = &refused{code, answer}
		}
		if err != nil {
			w.refused()
		}
		return err
	})
	if err != nil {
		s.Errorf("a job is not deleted: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deleted = append(w.deleted, r)
}

// watchAll asks for the states of the jobs that are started until all have ended.
func (s suite) watchAll(ctx context.Context, w *wave, many int) {
	err := eventually(ctx, 500*time.Millisecond, func(ctx context.Context) error {
		acknowledged, open := w.count()
		if len(open) > 0 {
			if err := s.ask(ctx, w, open); err != nil {
				w.refused()
				return err
			}
			_, open = w.count()
		}
		if acknowledged < many || len(open) > 0 {
			return fmt.Errorf("%d of %d jobs are started, %d of them have no end", acknowledged, many, len(open))
		}
		return nil
	})
	if err != nil {
		s.Errorf("not all jobs end: %v", err)
	}
}

func (s suite) ask(ctx context.Context, w *wave, open []*watched) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	refs := make([]ref, len(open))
	for i, j := range open {
		refs[i] = j.ref
	}
	code, answer, err := s.call(ctx, http.MethodPost, "/job/list", map[string]any{"jobs": refs})
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return &refused{code, answer}
	}
	states := make(map[string]string)
	for _, list := range []string{"jobs", "failedJobs"} {
		all, _ := answer[list].([]any)
		for _, entry := range all {
			e := entry.(map[string]any)
			states[fmt.Sprint(e["jobID"])] = fmt.Sprint(e["jobStatus"])
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range open {
		switch j.state = states[j.ID]; j.state {
		case "INIT", "RUNNING":
		default: // right or not, it has an end
			j.ended = time.Now()
		}
	}
	return nil
}

// suffer makes a fault, and mends it after a time. The fault may need a moment: a function may have no pod when it is to be killed.
func (s suite) suffer(ctx context.Context, f fault, lasting time.Duration) {
	ctx = context.WithoutCancel(ctx)
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mend func(context.Context) error
	err := eventually(bounded, 200*time.Millisecond, func(context.Context) (err error) {
		mend, err = f.hit(ctx)
		return err
	})
	if err != nil {
		s.Errorf("%s: %v", f.name, err)
		return
	}
	<-time.After(lasting) // the fault is this time
	if err := eventually(bounded, time.Second, mend); err != nil {
		s.Errorf("mending %s: %v", f.name, err)
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
			group.Go(func() { s.suffer(ctx, f, lasting) })
		}
		group.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(10)) * time.Second):
		}
	}
	return made
}

// sample is a job that ended while nothing failed.
func (s suite) sample() ref {
	s.Helper()
	r := s.run("after-0")
	s.becomes(r, "SUCCESSFUL")
	return r
}

// stored is what the document of an ended job says.
type stored struct {
	ID      string `bson:"_id"`
	State   string `bson:"state"`
	Run     int    `bson:"run"`
	Results []struct {
		Name string `bson:"name"`
		Key  string `bson:"key"`
		Size int64  `bson:"size"`
		ETag string `bson:"etag"`
	} `bson:"results"`
}

// whole returns the names of the files of a job's results.
func (s suite) whole(r ref) []string {
	s.Helper()
	var d stored
	s.must(s.database.Collection("annotationJobs").FindOne(s.Context(), bson.M{"_id": r.ID}).Decode(&d))
	return d.names()
}

func (d stored) names() (names []string) {
	for _, f := range d.Results {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

// right checks that each job of a wave has succeeded, by one run, with whole results, that nothing of it is held any more, and that nothing
// is left of the deleted ones.
func (s suite) right(w *wave, whole []string) {
	s.Helper()
	for _, r := range w.deleted {
		s.gone(r)
	}
	var all []ref
	for _, j := range w.jobs {
		if !j.acknowledged {
			continue // reported before
		}
		if j.state != "SUCCESSFUL" {
			_, answer, err := s.call(s.Context(), http.MethodPost, "/job/result", j.ref)
			s.Errorf("job %s, whose start was acknowledged, is %s: %v %v", j.ID, cmp.Or(j.state, "lost"), answer["message"], err)
			continue
		}
		all = append(all, j.ref)
	}
	s.released(all)
	for _, r := range all {
		s.ranOnce(r)
		if err := s.isWhole(r, whole); err != nil {
			s.Errorf("job %s: %v", r.ID, err)
		}
		s.results(r)
	}
}

// isWhole checks the document of a job, and that the object storage has each file that it names.
func (s suite) isWhole(r ref, whole []string) error {
	var d stored
	if err := s.database.Collection("annotationJobs").FindOne(s.Context(), bson.M{"_id": r.ID}).Decode(&d); err != nil {
		return err
	}
	var errs []error
	if d.State != "succeeded" || d.Run != 1 || !slices.Equal(d.names(), whole) {
		errs = append(errs, fmt.Errorf("its document is %+v", d))
	}
	for _, f := range d.Results {
		there, err := s.files.StatObject(s.Context(), bucket, f.Key, minio.StatObjectOptions{})
		if err != nil || there.Size != f.Size || there.ETag != f.ETag {
			errs = append(errs, err, fmt.Errorf("of %s there are %d bytes with ETag %s", f.Key, there.Size, there.ETag))
		}
	}
	return errors.Join(errs...)
}
