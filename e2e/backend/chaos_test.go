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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
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
	load := loads()
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
		again, time.Now().UTC().Format(time.DateOnly), s.commit(), seed, verdict, runtime.NumCPU(), load, loads(), few,
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

// inbox is a receiver of webhooks. It keeps when messages came, by their jobs.
type inbox struct {
	url  string
	mu   sync.Mutex
	came map[string][]time.Time
}

func (i *inbox) receive(_ http.ResponseWriter, r *http.Request) {
	id, succeeded := strings.CutSuffix(r.Header.Get("Webhook-Id"), "-succeeded")
	if !succeeded {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.came[id] = append(i.came[id], time.Now())
}

// of returns when the messages of a job came.
func (i *inbox) of(id string) []time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.came[id])
}

// wave is a number of jobs that clients create and start, and then watch, whatever happens meanwhile.
type wave struct {
	mu       sync.Mutex
	jobs     []*watched
	deleted  []ref // whose deletion is acknowledged
	refusals int
	fault    time.Duration // how long the fault lasted
	messages figures       // how long after the ends of their jobs they came
	repeated int           // messages that came again
}

type watched struct {
	ref
	began, ended time.Time // the first call; the first answer that it has ended
	notified     bool      // its start asks for a message
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

// rest is the rest of a table's row.
func (w *wave) rest() []string {
	return []string{seconds(w.took().median()), seconds(w.messages.quantile(1)), strconv.Itoa(w.repeated), strconv.Itoa(w.refusals)}
}

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
	pace    = 3 * time.Second / 2 // from one job to the next, at least: two cores run about one in a second
	spread  = 3 * outage / 2      // from the first job to the last, at least, so that jobs are started during a fault and after it
	timeout = 10 * time.Second    // of a client's call
	lasts   = 20 * time.Minute    // at most
)

// under has clients create, start and watch so many jobs, and another one create and delete some, while something happens as soon as a
// third of them are started. The context of what happens ends when all are started.
func (s chaos) under(many int, happens func(context.Context)) *wave {
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
		j := &watched{began: time.Now(), notified: i%2 == 1}
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
func (s chaos) client(ctx context.Context, w *wave, j *watched, strain string) {
	err := eventually(ctx, time.Second, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		create, begin := s.create, s.begin
		if j.notified {
			create, begin = s.createV2, s.beginNotified
		}
		if j.ID == "" {
			r, err := create(ctx)
			if err != nil {
				w.refused()
				return err
			}
			w.mu.Lock()
			j.ref = r
			w.mu.Unlock()
		}
		if err := begin(ctx, j.ref, strain); err != nil {
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

// createV2 makes a job by the second version, and uploads a small genome.
func (s chaos) createV2(ctx context.Context) (ref, error) {
	var made created
	if err := s.postV2(ctx, "/api/v2/job/init", map[string]string{"workflow_kind": "bakta", "name": "a test"}, &made); err != nil {
		return ref{}, err
	}
	return made.ref(), made.upload(ctx)
}

// beginNotified starts a job by the second version, with a webhook.
func (s chaos) beginNotified(ctx context.Context, r ref, strain string) error {
	return s.postV2(ctx, "/api/v2/job/submit", map[string]any{
		"job": map[string]string{"job_id": r.ID, "secret": r.Secret}, "workflow_kind": "bakta",
		"config": map[string]string{"strain": strain}, "notify": map[string]string{"webhook": s.inbox.url},
	}, new(struct{}))
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
func (s chaos) right(w *wave) {
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
		if err := s.isWhole(r); err != nil {
			s.Errorf("job %s: %v", r.ID, err)
		}
		s.results(r)
	}
	for _, j := range w.jobs {
		if j.acknowledged && j.notified && j.state == "SUCCESSFUL" {
			s.told(w, j)
		}
	}
}

// told waits until the message about a job's end has come, and its document says so.
func (s chaos) told(w *wave, j *watched) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), lasts)
	defer cancel()
	err := eventually(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		var d struct {
			Deliveries []struct {
				Event    string `bson:"event"`
				State    string `bson:"state"`
				Attempts int    `bson:"attempts"`
				Error    string `bson:"error"`
			} `bson:"deliveries"`
		}
		if err := s.database.Collection("annotationJobs").FindOne(ctx, bson.M{"_id": j.ID}).Decode(&d); err != nil {
			return err
		}
		for _, delivery := range d.Deliveries {
			if delivery.Event == "succeeded" && delivery.State == "delivered" {
				return nil
			}
		}
		return fmt.Errorf("the deliveries are %+v", d.Deliveries)
	})
	came := s.inbox.of(j.ID)
	if err != nil || len(came) == 0 {
		s.Errorf("job %s: its message came %d times: %v", j.ID, len(came), err)
		return
	}
	w.messages = append(w.messages, max(0, came[0].Sub(j.ended)))
	w.repeated += len(came) - 1
}

// isWhole checks the document of a job, and that the object storage has each file that it names.
func (s chaos) isWhole(r ref) error {
	var d stored
	if err := s.database.Collection("annotationJobs").FindOne(s.Context(), bson.M{"_id": r.ID}).Decode(&d); err != nil {
		return err
	}
	var errs []error
	if d.State != "succeeded" || d.Run != 1 || !slices.Equal(d.names(), s.whole) {
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
