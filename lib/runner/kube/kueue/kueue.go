// Package kueue reads the places of jobs in a queue of Kueue.
package kueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// kueueVersions are the versions of Kueue's API and of its visibility API: both v1beta2 since Kueue 0.15, v1beta1 before. What is read
// here is the same in both.
var kueueVersions = []string{"v1beta2", "v1beta1"}

const (
	// queueCall is how long a read of the queue may take, because the answer to a user waits for it.
	queueCall = 2 * time.Second
	// queueTime is how long the places in a queue, and its state, count as known: all callers share one read.
	queueTime = 2 * time.Second
	// workloadTime is how long the state of one workload counts as known.
	workloadTime = 10 * time.Second
	// queueRetry is the time after which what could not be read is read again.
	queueRetry = 20 * time.Second
	// queuePage and queuePages bound a read. Kueue returns at most 1,000 workloads at once by default.
	queuePage  = 1000
	queuePages = 10
	// maxWorkloads bounds how many states of workloads are kept, and workloadReads how many are read at once.
	maxWorkloads  = 1000
	workloadReads = 4
)

var _ runner.Queue = (*Queue)(nil)

// Queue reads the places of jobs in a local queue of Kueue, and what prevents their start. It implements runner.Queue. The places need
// the permission to get localqueues/pendingworkloads, which Kueue serves as an API of its own; the rest needs that to get localqueues
// and workloads. What can't be read is missing.
type Queue struct {
	client    rest.Interface
	namespace string
	name      string
	log       *slog.Logger
	now       func() time.Time

	mu     sync.Mutex // calls wait for the one that reads
	line   reading[line]
	closed reading[string] // what prevents the start of all jobs

	workloads workloads
}

// workloads are the states of workloads that were read. No call waits for another one's read: many may watch jobs of their own.
type workloads struct {
	mu     sync.Mutex
	of     map[string]*workload
	reads  int       // at present
	failed bool      // the last one
	away   time.Time // until when none is read, because one has failed
}

// workload is what prevents the start of a workload.
type workload struct {
	known string
	until time.Time // until when this counts as known
	read  bool      // it is read at present
}

// line is what is known of the workloads that wait.
type line struct {
	places map[string]place // by the name of the Job
	length int
}

// place is the place of a workload in the queue, from 1, and its name.
type place struct {
	at       int
	workload string
}

// New returns the local queue of that name. It makes no network call.
func New(config *rest.Config, namespace, name string, log *slog.Logger) (*Queue, error) {
	if namespace == "" || name == "" || log == nil {
		return nil, errors.New("kueue: the namespace and the name of the queue, and a log are required")
	}
	api, err := apiserver.Reader(config)
	if err != nil {
		return nil, err
	}
	return &Queue{client: api, namespace: namespace, name: name, log: log, now: time.Now,
		workloads: workloads{of: make(map[string]*workload)}}, nil
}

// Queue returns the places in the local queue. Workloads of other local queues are not counted, although they may be admitted before.
// What prevents the start of one job, and not of all, is found only if that job alone is asked for: it needs a request for each.
func (q *Queue) Queue(ctx context.Context, jobs []job.Job) (job.Queue, error) {
	waiting, closed, err := q.read(ctx)
	if err != nil && closed == "" {
		return job.Queue{}, err
	}
	found := job.Queue{Length: waiting.length, Places: make(map[string]int), Hindrances: make(map[string]string)}
	for _, j := range jobs {
		p, waits := waiting.places[job.ObjectName(j.ID, j.Run)]
		if waits {
			found.Places[j.ID] = p.at
		}
		hindrance := closed
		if waits && closed == "" && len(jobs) == 1 {
			hindrance = q.workload(ctx, p.workload)
		}
		if hindrance != "" && (waits || mayWait(j)) {
			found.Hindrances[j.ID] = hindrance
		}
	}
	return found, nil
}

// read returns the workloads that wait, and what prevents the start of all jobs.
func (q *Queue) read(ctx context.Context) (waiting line, closed string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, err = read(ctx, q, &q.line, "the places in the queue of Kueue", queueTime, q.pages)
	closed, _ = read(ctx, q, &q.closed, "the state of the queue of Kueue", queueTime, q.state)
	return waiting, closed, err
}

// mayWait reports whether a run was launched, and nothing of it runs as far as it is known.
func mayWait(j job.Job) bool {
	begun := slices.ContainsFunc(j.Stages, func(s job.Stage) bool { return s.Status != job.StagePending })
	return j.RunName != "" && (j.State == job.Submitted || j.State == job.Running && len(j.Stages) > 0 && !begun)
}

// reading is what a read of Kueue returned, which calls share.
type reading[T any] struct {
	known T
	err   error
	until time.Time // until when this counts as known
}

// read returns what is known, and reads it again if that is too old. The caller holds the lock. A fault is logged once.
func read[T any](
	ctx context.Context, q *Queue, r *reading[T], what string, keep time.Duration, get func(context.Context) (T, error),
) (T, error) {
	if q.now().Before(r.until) {
		return r.known, r.err
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueCall) // for other callers, too
	defer cancel()
	known, err := get(call)
	if err != nil {
		if r.err == nil {
			q.log.WarnContext(ctx, what+" can't be read; users do not see it", "queue", q.name, "error", err)
		}
		keep, err = queueRetry, apiserver.Unavailable(err, "reading %s %s", what, q.name)
	}
	r.known, r.err, r.until = known, err, q.now().Add(keep)
	return r.known, r.err
}

// pages reads the workloads that wait.
func (q *Queue) pages(ctx context.Context) (line, error) {
	// pending is what is read of Kueue's PendingWorkloadsSummary.
	type pending struct {
		Items []struct {
			Metadata             metav1.ObjectMeta `json:"metadata"`
			PositionInLocalQueue int               `json:"positionInLocalQueue"` // from 0
		} `json:"items"`
	}
	l := line{places: make(map[string]place)}
	for page := range queuePages {
		var p pending
		err := q.get(ctx, &p, page*queuePage, "visibility.kueue.x-k8s.io", "localqueues", q.name, "pendingworkloads")
		if err != nil {
			return line{}, err
		}
		l.length += len(p.Items)
		for _, w := range p.Items {
			for _, owner := range w.Metadata.OwnerReferences {
				if owner.Kind == "Job" {
					l.places[owner.Name] = place{at: w.PositionInLocalQueue + 1, workload: w.Metadata.Name}
				}
			}
		}
		if len(p.Items) < queuePage {
			break
		}
	}
	return l, nil
}

// conditions is what is read of a LocalQueue or a Workload.
type conditions struct {
	Status struct {
		Conditions []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

// refused returns the condition of that type, if it is there and false.
func (c conditions) refused(kind string) (metav1.Condition, bool) {
	for _, condition := range c.Status.Conditions {
		if condition.Type == kind && condition.Status == metav1.ConditionFalse {
			return condition, true
		}
	}
	return metav1.Condition{}, false
}

// state returns what prevents the start of all jobs, for people: "" if nothing does.
func (q *Queue) state(ctx context.Context) (string, error) {
	var c conditions
	err := q.get(ctx, &c, 0, "kueue.x-k8s.io", "localqueues", q.name)
	if apierrors.IsNotFound(err) {
		return fmt.Sprintf("The queue %q, in which the job waits, does not exist. Please contact the operators.", q.name), nil
	}
	if err != nil {
		return "", err
	}
	active, refused := c.refused("Active")
	switch {
	case !refused:
		return "", nil
	case active.Reason == "ClusterQueueDoesNotExist":
		return fmt.Sprintf("The queue %q, in which the job waits, belongs to a cluster queue that does not exist. "+
			"Please contact the operators.", q.name), nil
	case active.Reason == "Stopped":
		return fmt.Sprintf("The operators have stopped the queue %q, in which the job waits.", q.name), nil
	}
	return fmt.Sprintf("The queue %q, in which the job waits, is stopped or not ready: its cluster queue is not active.", q.name), nil
}

// workload returns what prevents the start of one job: "" if nothing does but the jobs before it, or if that is not known.
func (q *Queue) workload(ctx context.Context, name string) string {
	w, begun := q.workloads.begin(name, q.now())
	if !begun {
		return w.known
	}
	known, err := "", errors.New("the read panicked")
	defer func() {
		if q.workloads.end(name, known, err, q.now()) {
			q.log.WarnContext(ctx, "a workload of Kueue can't be read; users do not see why their jobs wait", "queue", q.name, "error", err)
		}
	}()
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueCall) // for other callers, too
	defer cancel()
	known, err = q.hindrance(call, name)
	return known
}

// begin returns what is known of a workload, and whether the caller has to read it.
func (w *workloads) begin(name string, now time.Time) (workload, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.of[name]
	if one == nil {
		if len(w.of) >= maxWorkloads {
			maps.DeleteFunc(w.of, func(_ string, w *workload) bool { return !w.read && !now.Before(w.until) })
		}
		if len(w.of) >= maxWorkloads {
			return workload{}, false
		}
		one = new(workload)
		w.of[name] = one
	}
	if one.read || now.Before(one.until) || now.Before(w.away) || w.reads >= workloadReads {
		return *one, false
	}
	one.read = true
	w.reads++
	return *one, true
}

// end records what was read of a workload, and reports whether it is the first read that failed. What was known before is given up.
func (w *workloads) end(name, known string, err error, now time.Time) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads--
	first = err != nil && !w.failed
	if w.failed = err != nil; w.failed {
		w.away = now.Add(queueRetry)
	}
	*w.of[name] = workload{known: known, until: now.Add(workloadTime)}
	return first
}

// hindrance reads what prevents the start of a workload.
func (q *Queue) hindrance(ctx context.Context, name string) (string, error) {
	var c conditions
	err := q.get(ctx, &c, 0, "kueue.x-k8s.io", "workloads", name)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if reserved, refused := c.refused("QuotaReserved"); err == nil && refused && inadmissible(reserved) {
		return fmt.Sprintf("The queue %q does not accept the job: %s. Please contact the operators.", q.name,
			strings.TrimRight(reserved.Message, ".")), nil
	}
	return "", err
}

// inadmissible reports whether a workload without quota gets none until something is changed. Kueue's condition has the same reason for
// one that only waits; the words tell them apart (0.17, pkg/scheduler/flavorassigner).
func inadmissible(reserved metav1.Condition) bool {
	if reserved.Reason == "Inadmissible" {
		return true
	}
	return strings.HasPrefix(reserved.Message, "couldn't assign flavors") && !strings.Contains(reserved.Message, "insufficient unused quota")
}

// get reads an object of the namespace, by the first version of its API that Kueue has. The offset is that of a page. An
// object or an API that does not exist is a NotFound error.
func (q *Queue) get(ctx context.Context, into any, offset int, group string, path ...string) error {
	var err error
	for _, version := range kueueVersions {
		segments := []string{"/apis", group, version, "namespaces", url.PathEscape(q.namespace)}
		for _, p := range path {
			segments = append(segments, url.PathEscape(p))
		}
		request := q.client.Get().AbsPath(segments...)
		if len(path) > 2 {
			request = request.Param("limit", strconv.Itoa(queuePage)).Param("offset", strconv.Itoa(offset))
		}
		var content []byte
		if content, err = request.Do(ctx).Raw(); err == nil {
			return json.Unmarshal(content, into)
		}
		if !apierrors.IsNotFound(err) || !versionMissing(err) {
			break
		}
	}
	return err
}

// versionMissing reports whether it is the API's version that was not found, and not the object.
func versionMissing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return true
	}
	_, unexpected := apierrors.StatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
	return unexpected
}
