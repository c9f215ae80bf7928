//go:build e2e

package backend_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
)

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
	pace    = 3 * time.Second  // from one job to the next, at least: two cores that do little else run about one in a second
	spread  = 3 * outage / 2   // from the first job to the last, at least, so that jobs are started during a fault and after it
	timeout = 10 * time.Second // of a client's call
	lasts   = 20 * time.Minute // at most
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
	rest.Go(func() {
		every := each * time.Duration(many) / time.Duration(max(5, many/20))
		for starting.Err() == nil {
			s.deleter(ctx, w)
			select {
			case <-starting.Done():
			case <-time.After(every):
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
