package functions_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// The life of one job, played out under schedules that a random source makes: calls of the four functions run
// side by side, each stops before and after everything that it asks of the stores or the runner, and there the
// schedule decides who goes on, and who is killed. Between those steps the run itself goes its way: it
// waits, runs, commits a manifest, ends, is cut off, vanishes. The functions are the real ones; the stores
// and the runner are models, because 10,000 lives with kills in between can't be had of real ones.

var (
	schedules = flag.Int("life.schedules", defaultSchedules, "how many schedules each model of lives plays")
	onlySeed  = flag.Uint64("life.seed", 0, "play this seed alone, and print its schedule")
)

func TestLife(t *testing.T) {
	t.Parallel()
	if *onlySeed != 0 {
		l := newLife(*onlySeed)
		l.play()
		l.judgeLetters(make(map[string]int))
		t.Logf("schedule of seed %d:\n%s", *onlySeed, l.trace())
		if len(l.faults) > 0 {
			t.Error(strings.Join(l.faults, "\n"))
		}
		return
	}
	ends := make(map[string]int)
	images, forgot, concluded := 0, 0, 0
	again, delivered := make(map[string]int), make(map[string]int)
	for seed := uint64(1); seed <= uint64(*schedules); seed++ {
		l := newLife(seed)
		l.play()
		ends[l.end]++
		images, forgot, concluded = images+l.images, forgot+l.forgot, concluded+l.concluded
		l.again.count(again)
		l.judgeLetters(delivered)
		if len(l.faults) > 0 {
			t.Fatalf(
				"seed %d (play it again with -life.seed=%d):\n%s\n\nschedule:\n%s",
				seed,
				seed,
				strings.Join(l.faults, "\n"),
				l.trace(),
			)
		}
	}
	// A model in which nothing happens proves nothing: each kind of end has to occur.
	ends["given up for an image"], ends["run forgotten"], ends["concluded without a runner"] = images, forgot, concluded
	t.Logf("ends: %v", ends)
	for _, event := range rerunEvents() {
		if again[event] < *schedules/1000 {
			t.Errorf("only in %d of %d lives %s: the schedules no longer reach it", again[event], *schedules, event)
		}
	}
	t.Logf("deliveries: %v", delivered)
	for _, what := range []string{"delivered", "retried", "sent twice", "pending", "expiring"} {
		if delivered[what] < *schedules/2000 {
			t.Errorf("only %d deliveries in %d lives were %s: the schedules no longer reach it", delivered[what], *schedules, what)
		}
	}
	t.Logf("lives in which reruns were %v", again)
	for _, end := range []string{"succeeded", "failed", "deleted", "expired", "lost", "given up for an image", "run forgotten",
		"concluded without a runner"} {
		if ends[end] < *schedules/200 {
			t.Errorf("only %d of %d lives ended %s: the schedules no longer reach it", ends[end], *schedules, end)
		}
	}
}

const (
	keep          = 100 * time.Hour
	linkTTL       = 3 * time.Hour
	look          = 5 * time.Minute
	patience      = 2 * time.Hour
	imagePatience = 20 * time.Minute
	deadline      = 90 * time.Second // of a call
	secret        = "0123456789abcdefghijABCDEFGHIJ01"
	foreign       = "not ours"
	genome        = ">contig\nACGTACGTACGTACGT\n"
)

// schedule decides at random which of the calls under way goes on, and which is killed.
type schedule struct {
	rand    *rand.Rand
	clock   time.Time
	steps   []string
	faults  []string
	actors  []*actor
	current *actor // who was given the last turn; nil outside of turns
	calm    bool   // nothing fails any more
	leases  map[string]lease
}

func newSchedule(seed uint64) schedule {
	return schedule{
		rand: rand.New(rand.NewPCG(seed, 20260101)), clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), leases: make(map[string]lease),
	}
}

// Acquire is that of the stores of both models.
func (l *schedule) Acquire(_ context.Context, name, holder string, ttl time.Duration) (got bool, err error) {
	err = l.act(func() {
		if held := l.leases[name]; held.holder == holder || !held.until.After(l.clock) {
			l.leases[name], got = lease{holder: holder, until: l.clock.Add(ttl)}, true
		}
	}, "take the lease %q", name)
	return got, err
}

// ReleaseLease is that of the stores of both models.
func (l *schedule) ReleaseLease(_ context.Context, name, holder string) error {
	return l.act(func() {
		if l.leases[name].holder == holder {
			delete(l.leases, name)
		}
	}, "give the lease %q back", name)
}

// life is one schedule.
type life struct {
	schedule
	end string

	doc     *job.Job          // the store: one document; nil when there is none
	objects map[string][]byte // the bucket
	runs    map[string]*run   // the runner, by object name
	past    map[string]int    // how often the job counts as a past run, by class
	strange map[int]bool      // runs whose manifest has a failure with an unknown code

	carriedOut map[string]bool // effects that were carried out, by id

	letters letters // about the end of the job
	again   *again  // of which job it is a rerun; nil for a job that was made by itself

	id string

	unlucky      bool // much happens to runs
	acknowledged bool // a start was answered with success
	deleted      bool // a delete was answered with success
	unwanted     bool // a delete was asked for and had its effect, answered or not
	finished     bool // an outcome was recorded
	lost         bool // the document is gone without anybody having deleted it
	calmed       time.Time
	images       int    // how often the job was given up for want of its image
	concluded    int    // outcomes that a process without a runner found
	forgot       int    // runs that were let go of because their job was gone
	configs      []byte // the configuration that was acknowledged
	shown        []string
}

// lease is what a sweep has.
type lease struct {
	holder string
	until  time.Time
}

// run is a run in the runner.
type run struct {
	number    int
	phase     job.Phase
	finalize  bool // holds until it is released
	failure   *job.Failure
	cut       bool
	since     time.Time // it is there
	stuck     stuck     // what it waits for, if it has to; it may come
	fails     time.Time // the pull of its image; before it looks as if it goes well
	begun     bool      // and yet something of it ran before
	again     bool      // ended, and yet the runner will try it again
	gone      bool      // deleted by hand: it is there as long as it is held
	ending    bool      // stopped, and takes its time
	overSince time.Time
}

// stuck is what a run may wait for in vain.
type stuck string

const (
	stuckMachine stuck = "machine"
	stuckImage   stuck = "image"
)

// over reports whether the run is over or on its way out.
func (r *run) over() bool { return r.gone || r.phase == job.Ended }

// ends has a run end, or be about to.
func (r *run) ends(at time.Time) {
	if !r.over() {
		r.overSince = at
	}
	r.phase = job.Ended
}

// actor is a call of a function under way.
type actor struct {
	name  string
	turn  chan bool // true: go on, false: die here
	yield chan struct{}
	began time.Time
	limit time.Duration // how long the call may last
	rank  float64       // the foremost actor is the one whose turn it is
	done  bool
	dying bool // killed, and unwinding; the actor's own business
}

func newLife(seed uint64) *life {
	l := &life{
		schedule: newSchedule(seed),

		objects: make(map[string][]byte),
		runs:    make(map[string]*run),
		past:    make(map[string]int),
		strange: make(map[int]bool),

		carriedOut: make(map[string]bool),
		id:         fmt.Sprintf("00000000-0000-4000-8000-%012d", seed),
	}
	l.doc = &job.Job{ID: l.id, SecretHash: job.HashSecret(secret), Name: "life", Workflow: workflow.Bakta,
		State: job.Created, Created: l.clock, Updated: l.clock}
	l.doc.Expires = l.clock.Add(linkTTL + job.UploadGrace)
	if l.rand.IntN(4) == 0 { // an earlier version made it
		l.doc.Expires = l.clock.Add(keep)
	}
	l.doc.Due = l.doc.Expires
	l.unlucky = l.rand.IntN(3) == 0
	l.letters = letters{asked: l.rand.IntN(2) == 0, sent: make(map[string]int)}
	l.objects[job.UploadKey(l.id, upload.GenomeFASTA)] = []byte(genome)
	if l.rand.IntN(3) == 0 {
		l.runAgain()
	}
	return l
}

func (l *schedule) logf(format string, args ...any) {
	who := "        "
	if l.current != nil {
		who = fmt.Sprintf("%-8s", l.current.name)
	}
	l.steps = append(l.steps, fmt.Sprintf("%s %s %s", l.clock.Format("01-02 15:04:05"), who, fmt.Sprintf(format, args...)))
}

func (l *schedule) faultf(format string, args ...any) {
	fault := fmt.Sprintf(format, args...)
	l.logf("FAULT: %s", fault)
	l.faults = append(l.faults, fault)
}

func (l *schedule) trace() string { return strings.Join(l.steps, "\n") }

// step is a point where the schedule may stop or kill the caller. Every model operation goes through it
// before it acts and, since an answer may be lost, after.
func (l *schedule) step() {
	a := l.current
	a.yield <- struct{}{}
	if a.dying || !<-a.turn {
		a.dying = true
		runtime.Goexit()
	}
}

// call starts a call of a function as an actor.
func (l *schedule) call(name string, f func(ctx context.Context)) {
	a := &actor{name: name, began: l.clock, limit: deadline, rank: l.rand.Float64(), turn: make(chan bool), yield: make(chan struct{})}
	l.actors = append(l.actors, a)
	go func() {
		defer func() { a.done = true; close(a.yield) }()
		if !<-a.turn {
			return
		}
		f(context.Background())
	}()
}

// foremost returns whose turn it is. Actors keep their rank, so that one who stands back waits while others
// finish, which turns drawn evenly would hardly ever do; now and then the foremost is sent to the back, and so
// stopped in the middle of what it does.
func (l *schedule) foremost() *actor {
	first := slices.MaxFunc(l.actors, func(a, b *actor) int { return cmp.Compare(a.rank, b.rank) })
	if l.rand.IntN(12) == 0 {
		l.logf("%s stands back", first.name)
		first.rank--
	}
	return first
}

// resume gives an actor a turn, until its next step or its end.
func (l *schedule) resume(a *actor, live bool) {
	l.current = a
	if l.clock.Sub(a.began) > a.limit {
		live = false
	}
	if !live {
		l.logf("killed")
	}
	a.turn <- live
	// A killed actor unwinds: deferred calls of the stores run into step again and end there.
	for range a.yield {
		if live {
			break
		}
	}
	l.current = nil
	if a.done {
		l.actors = slices.DeleteFunc(l.actors, func(b *actor) bool { return b == a })
	}
}

func (l *life) play() {
	starts, deletes := 0, 0
	l.start()
	for range 60 + l.rand.IntN(200) {
		switch n := l.rand.IntN(1000); {
		case n < 680 && len(l.actors) > 0:
			l.resume(l.foremost(), true)
		case n < 715 && len(l.actors) > 0:
			l.resume(l.actors[l.rand.IntN(len(l.actors))], false)
		case n < 740 && (starts < 4 || l.again != nil && starts < 8) && l.startable():
			starts++
			l.start()
		case n < 742 && deletes < 2:
			deletes++
			l.deleteCall()
		case n == 742 && l.doc != nil && l.again == nil && l.rand.IntN(3) == 0:
			l.logf("the document is lost")
			l.doc, l.lost = nil, true
		case n >= 742 && n < 745 && l.again != nil && !l.again.deleted:
			l.changeOld()
		case n < 790 && len(l.actors) < 6:
			l.event()
		case n < 820 && len(l.actors) < 6:
			l.sweep()
		case n < 850:
			l.show()
		case n < 880:
			l.clock = l.clock.Add([]time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}[l.rand.IntN(4)])
		case n == 880:
			l.clock = l.clock.Add([]time.Duration{linkTTL, keep}[l.rand.IntN(2)])
		default:
			l.advanceRun()
		}
	}
	// The storm is over: who was under way is killed, and only the sweep and the run go on. Whatever was left
	// behind has to come to a good end by those alone.
	for len(l.actors) > 0 {
		l.resume(l.actors[0], false)
	}
	l.calm, l.calmed = true, l.clock
	for range 40 {
		l.quiet()
	}
	if d := l.doc; d != nil && len(d.Deliveries) > 0 && l.rand.IntN(2) == 0 {
		if soon := d.Expires.Add(-notice); soon.After(l.clock) {
			l.clock = soon // time passes, and the message about the expiry is due
		}
		for range 20 {
			l.quiet()
		}
	}
	l.judge()
}

// quiet are ten minutes in which nothing fails.
func (l *life) quiet() {
	l.clock = l.clock.Add(10 * time.Minute)
	for range 3 {
		l.advanceRun()
	}
	l.sweep()
	for len(l.actors) > 0 {
		l.resume(l.actors[0], true)
	}
	l.show()
	l.check()
}

// check holds what is true at any moment.
func (l *life) check() {
	live := 0
	for _, r := range l.runs {
		if r.phase == job.Waiting || r.phase == job.Active {
			live++
		}
	}
	if live > 1 {
		l.faultf("%d runs at once", live)
	}
	if l.doc != nil && l.doc.Run > job.MaxRuns {
		l.faultf("run %d is one too many", l.doc.Run)
	}
	l.checkCopies()
	if d := l.doc; d != nil && d.State == job.Succeeded {
		for _, f := range d.Results {
			if _, ok := l.objects[f.Key]; !ok {
				l.faultf("the succeeded job shows %s, which is not there", f.Key)
			}
		}
		if len(d.Results) == 0 {
			l.faultf("succeeded without results")
		}
	}
}

// judge holds what is true in the end.
func (l *life) judge() {
	switch {
	case l.lost:
		l.end = "lost"
	case l.again != nil && !l.again.made:
		l.end = "never made"
	case l.doc == nil || l.doc.State == job.Deleting:
		l.end = "deleted"
		if !l.deleted {
			l.end = "expired"
		}
	default:
		l.end = string(l.doc.State)
	}
	if l.doc != nil && l.doc.State.Active() {
		l.faultf("stuck as %s", l.doc.State)
	}
	if l.doc != nil && l.doc.State == job.Deleting {
		l.faultf("still deleting %v after the last news", l.clock.Sub(l.doc.Updated))
	}
	if l.doc == nil && !l.lost {
		for key := range l.objects {
			if !l.isOld(key) {
				l.faultf("%s is left behind", key)
			}
		}
		for name := range l.runs {
			l.faultf("run %s is left behind", name)
		}
	}
	if l.acknowledged && l.end == "expired" && !l.unwanted && !l.finished {
		l.faultf("the start was acknowledged, and the job expired before it ended")
	}
	if l.doc != nil && l.doc.State == job.Created && l.clock.Sub(l.doc.Created) > linkTTL+job.UploadGrace+20*time.Minute {
		l.faultf("the job was never started, and is there %s after it was made", l.clock.Sub(l.doc.Created))
	}
	if l.acknowledged && l.doc != nil && l.doc.State == job.Created {
		l.faultf("the start was acknowledged and its effect is lost")
	}
	if l.deleted && l.doc != nil {
		l.faultf("the delete was acknowledged and the job is there")
	}
	for name, r := range l.runs {
		if r.finalize && r.over() && (l.doc == nil || l.doc.State.Ended()) {
			l.faultf("run %s of the job that is over or lost was never released", name)
		}
		// One that is launched late, by a call that is killed before it could take it back, is ended by its own deadline.
		if r.stuck != "" && r.phase == job.Waiting && l.doc != nil && l.doc.State == job.Failed && givenUp(l.doc.Failure) {
			l.faultf("run %s was given up, and still waits to begin", name)
		}
		if r.again && l.doc != nil && l.doc.State.Ended() {
			l.faultf("run %s filled its disk, and is tried again", name)
		}
	}
	// What a user saw, in order: each may only be followed by itself or by one further down.
	order := map[string]int{"INIT": 0, "RUNNING": 1, "SUCCESSFUL": 2, "ERROR": 2, "NOT_FOUND": 3}
	for i := 1; i < len(l.shown); i++ {
		a, b := l.shown[i-1], l.shown[i]
		if order[b] < order[a] || order[a] == order[b] && a != b {
			l.faultf("the user was shown %s after %s", b, a)
		}
	}
}

// givenUp reports whether a job failed because its run waited in vain.
func givenUp(f *job.Failure) bool {
	return f != nil && (f.Code == job.Unschedulable || f.Code == job.BadImage)
}

// functions returns the functions on the model, as a process of that name has them.
func (l *life) functions(holder string) *functions.Functions {
	set := settings.Default()
	set.Retention, set.UploadTTL, set.DownloadTTL, set.MaxList = keep, linkTTL, linkTTL, 10
	set.ClockSkew = 0
	set.RecheckInterval, set.PendingTimeout, set.ImageTimeout, set.InFlight = look, patience, imagePatience, deadline+time.Second
	set.ExpiryNotice = notice
	set.SweepJobs = 1 // the schedule decides what happens side by side
	return must(functions.New(functions.Parts{
		Jobs: jobsModel{life: l}, Files: filesModel{life: l}, Runner: runnerModel{l}, Held: runnerModel{l}, Offered: workflow.Catalogue(),
		Notify: notify.Offer{Webhook: true}, Notifier: notifierModel{l},
		Now: l.now, Log: slog.New(slog.DiscardHandler), Holder: fmt.Sprint(holder, len(l.steps)),
	}, set))
}

// must returns a part of the test that can't fail to be made.
func must[T any](part T, err error) T {
	if err != nil {
		panic(err)
	}
	return part
}

func (l *schedule) now() time.Time { return l.clock }

func (l *life) start() {
	if l.again != nil {
		l.rerun()
		return
	}
	config := option.Config{Genus: []string{"Escherichia", "Escherichia", "Salmonella"}[l.rand.IntN(3)]}
	l.call("start", func(ctx context.Context) {
		f := must(l.functions("start").Submit())
		started, err := f.Start(ctx, submit.Start{API: 1, ID: l.id, Secret: secret, Workflow: workflow.Bakta, Config: config,
			Notify: l.asks()})
		l.logf("start of %s answers %v", config.Genus, err)
		encoded, _ := option.Encode(config.Normalise())
		switch {
		case err == nil && l.acknowledged && !bytes.Equal(l.configs, encoded):
			l.faultf("two configurations were acknowledged")
		case err == nil:
			l.acknowledged, l.configs = true, encoded
			l.started(started)
		case job.Is(err, job.Unavailable): // and nothing is known
		case !job.Is(err, job.AlreadyExists) && !job.Is(err, job.NotFound) && !job.Is(err, job.Invalid):
			l.faultf("start answers %v", err)
		case job.Is(err, job.Invalid) && l.doc != nil && l.doc.State != job.Deleting:
			l.faultf("start refuses the upload: %v", err)
		}
	})
}

func (l *life) deleteCall() {
	l.call("delete", func(ctx context.Context) {
		err := l.expire("delete").Delete(ctx, l.id, l.secretOf())
		l.logf("delete answers %v", err)
		if err == nil {
			l.deleted = true
			if l.doc != nil && l.doc.State != job.Deleting {
				l.faultf("deleted, and the document says %s", l.doc.State)
			}
		} else if !job.Is(err, job.NotFound) && !job.Is(err, job.Unavailable) {
			l.faultf("delete answers %v", err)
		}
	})
}

func (l *life) expire(holder string) *expire.Function { return must(l.functions(holder).Expire()) }

func (l *life) sweep() {
	l.call("sweep", func(ctx context.Context) {
		swept, err := l.expire("sweep").Sweep(ctx)
		l.logf("sweep answers %+v %v", swept, err)
		if err != nil && (l.calm || !job.Is(err, job.Unavailable)) {
			l.faultf("sweep answers %v", err)
		}
	})
}

// event delivers an event of one of the runs, or of one that is long gone, or a run's own hint.
func (l *life) event() {
	if l.again != nil && !l.again.made {
		return // there can't be a run yet
	}
	if l.rand.IntN(4) == 0 {
		l.searched()
		return
	}
	number, hinted := 1+l.rand.IntN(job.MaxRuns), l.rand.IntN(3) == 0
	l.call("event", func(ctx context.Context) {
		f := must(l.functions("event").JobUpdate())
		if hinted {
			if _, err := f.V1().UpdateStatus(ctx, &pb.UpdateStatusRequest{JobID: l.id}); err != nil {
				l.faultf("hint answers %v", err)
			}
			return
		}
		e := cloudevents.NewEvent()
		e.SetID("1")
		e.SetSource("model")
		e.SetType("dev.knative.apiserver.resource.update")
		e.SetSubject("/apis/batch/v1/namespaces/model/jobs/" + job.ObjectName(l.id, number))
		if err := f.Event(ctx, e); err != nil && !job.Is(err, job.Unavailable) {
			l.faultf("event answers %v", err)
		}
	})
}

// searched is the search of a process without a runner for the outcome of the job.
func (l *life) searched() {
	l.call("search", func(ctx context.Context) {
		c := must(lifecycle.NewConcluder(jobsModel{life: l}, filesModel{life: l}, lifecycle.Options{
			Retention: keep, UploadTTL: linkTTL, RecheckInterval: look, PendingTimeout: patience, ImageTimeout: imagePatience,
			InFlight: deadline + time.Second, ExpiryNotice: notice, Notifier: notifierModel{l},
			Now: l.now, Log: slog.New(slog.DiscardHandler),
		}))
		stored, err := c.Stored(ctx, l.id)
		ended := false
		if err == nil && stored {
			ended, err = c.Conclude(ctx, l.id)
		}
		l.logf("the search answers %t %t %v", stored, ended, err)
		if err != nil && !job.Is(err, job.Unavailable) {
			l.faultf("the search answers %v", err)
		}
		if ended {
			l.concluded++
		}
	})
}

// show is what a user sees at this moment. It takes no turns: it is one read.
func (l *life) show() {
	if l.again != nil && !l.again.made {
		return // nothing can be seen yet
	}
	seen := "NOT_FOUND"
	f := must(status.New(status.Deps{
		Jobs: stillModel{l}, Files: stillModel{l}, Logs: stillModel{l}, Offered: workflow.Catalogue(), DownloadTTL: linkTTL, MaxList: 10,
		Log: slog.New(slog.DiscardHandler),
	}))
	list, err := f.List(context.Background(), []status.Ref{{ID: l.id, Secret: l.secretOf()}})
	if err != nil {
		l.faultf("list answers %v", err)
		return
	}
	if e := list[0]; e.Err == nil {
		seen = map[job.State]string{job.Created: "INIT", job.Submitted: "INIT", job.Running: "RUNNING", job.Succeeded: "SUCCESSFUL",
			job.Failed: "ERROR"}[e.Job.State]
	}
	one, err := f.V2().JobState(context.Background(), &protov2.JobStateRequest{JobId: l.id, Secret: l.secretOf()})
	switch said := strings.ToUpper(protov2.Word(one.GetStatus())); {
	case job.Is(err, job.NotFound):
		if seen != "NOT_FOUND" {
			l.faultf("the list shows %s, and the job's state is not found", seen)
		}
	case err != nil || said != seen || (seen == "ERROR") != (one.GetFailure() != nil) || one.GetVersion() == "":
		l.faultf("the list shows %s, and the job's state is %v, %v", seen, one, err)
	}
	l.logf("the user sees %s", seen)
	l.shown = append(l.shown, seen)
}

// advanceRun lets one of the live runs do what a run does next, or meet with what a run may meet with.
func (l *life) advanceRun() {
	names := make([]string, 0, len(l.runs))
	for name := range l.runs {
		names = append(names, name)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	name := names[l.rand.IntN(len(names))]
	r := l.runs[name]
	luck := l.rand.IntN(100)
	if l.unlucky {
		luck /= 2
	}
	switch {
	case r.ending && luck < 17:
		l.logf("run %d, which ends, stores a result", r.number)
		l.objects[job.RunPrefix(l.id, r.number)+"late/result.json"] = []byte("{")
	case r.ending && luck < 35:
		// It takes its time.
	case r.ending:
		l.logf("run %d has ended", r.number)
		delete(l.runs, name)
	case r.phase == job.Waiting && r.stuck != "" && luck < 97:
		// Nothing comes of it.
	case r.phase == job.Waiting && luck >= 10:
		r.phase, r.stuck = job.Active, ""
		l.logf("run %d begins", r.number)
	case r.phase == job.Absent || r.phase == job.Ended:
		if luck < 5 && (!l.calm || !r.finalize && !r.again) {
			l.logf("the ended run %d vanishes", r.number)
			delete(l.runs, name)
		}
	case luck < 10: // its object is deleted by hand, and what holds it torn off
		l.logf("run %d vanishes", r.number)
		delete(l.runs, name)
	case luck < 13: // it is deleted by hand, and goes on as long as it is held
		l.logf("run %d is deleted by hand", r.number)
		if !r.over() {
			r.overSince = l.clock
		}
		if r.gone = true; !r.finalize {
			delete(l.runs, name)
		}
	case luck < 15: // and its pod
		l.logf("run %d is deleted by hand with its pod", r.number)
		r.ends(l.clock)
		if r.gone, r.cut = true, true; !r.finalize {
			delete(l.runs, name)
		}
	case luck < 25: // its machine goes away
		l.logf("run %d is cut off", r.number)
		r.ends(l.clock)
		r.cut = true
	case luck < 28: // it is killed before it could store anything
		l.logf("run %d is killed for its memory", r.number)
		r.ends(l.clock)
		r.failure = &job.Failure{Code: job.OutOfMemory, Message: "out of memory"}
	case luck < 30 && l.objects[job.ManifestKey(l.id, r.number)] == nil: // nothing is left to do that takes disk after that
		l.logf("run %d has filled its disk", r.number)
		r.ends(l.clock)
		r.again, r.failure = true, &job.Failure{Code: job.OutOfDisk, Message: "out of disk"}
	case luck < 35:
		l.logf("run %d stores a half result", r.number)
		l.objects[job.RunPrefix(l.id, r.number)+"half/result.json"] = []byte("{")
	case luck < 40:
		l.logf("run %d stores a manifest of what is not there", r.number)
		key := l.commit(r.number, stage.Succeeded)
		delete(l.objects, key)
	default:
		outcome := stage.Succeeded
		if luck < 60 {
			outcome = stage.Failed
		}
		l.commit(r.number, outcome)
		l.logf("run %d commits %s", r.number, outcome)
		if l.rand.IntN(2) == 0 { // else it ends later, or commits a second time
			r.ends(l.clock)
			l.logf("run %d ends", r.number)
		}
	}
}

// commit stores what a run leaves behind: a result, and the manifest. It returns the result's key.
func (l *life) commit(number int, outcome stage.Outcome) string {
	key := fmt.Sprintf("%s%d/result.json", job.RunPrefix(l.id, number), l.rand.Uint32())
	l.objects[key] = []byte("{}")
	m := stage.Manifest{Version: stage.ManifestVersion, Job: l.id, Run: number, Outcome: outcome,
		Stages: []stage.Result{{Name: "bakta", Status: job.StageSucceeded}},
		Files:  []job.File{{Name: "json", Key: key, Size: 2, ETag: etag([]byte("{}"))}}}
	if outcome == stage.Failed {
		m.Failure = &job.Failure{Code: job.BadInput, Message: "wrong genome file format"}
		if l.rand.IntN(4) == 0 { // written by somebody else
			l.strange[number] = true
			m.Failure = &job.Failure{Code: "bad\ninput", Message: foreign + "\x1b[31m", Stage: "../x"}
		}
		m.Stages[0].Status = job.StageFailed
	}
	content, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	l.objects[job.ManifestKey(l.id, number)] = content
	return key
}
