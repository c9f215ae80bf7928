package kube

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
)

// visibilityVersions are the versions of Kueue's visibility API: v1beta1 since Kueue 0.9, v1beta2 in later ones. What is read here
// is the same in both.
var visibilityVersions = []string{"v1beta1", "v1beta2"}

const (
	// queueTime is how long the places in a queue count as known: all callers share one read.
	queueTime = 2 * time.Second
	// queueRetry is the time after which a queue that could not be read is read again.
	queueRetry = time.Minute
	// queuePage and queuePages bound a read. Kueue returns at most 1,000 workloads at once by default.
	queuePage  = 1000
	queuePages = 10
)

var _ runner.Queue = (*Queue)(nil)

// Queue reads the places of jobs in a local queue of Kueue. It implements runner.Queue. It needs the permission to get
// localqueues/pendingworkloads, which Kueue serves as an API of its own.
type Queue struct {
	client    rest.Interface
	namespace string
	name      string
	log       *slog.Logger
	now       func() time.Time

	mu     sync.Mutex
	places map[string]int // by object name
	length int
	failed error
	until  time.Time // until when this counts as known
}

// NewQueue returns the local queue of that name. It makes no network call.
func NewQueue(config *rest.Config, namespace, name string, log *slog.Logger) (*Queue, error) {
	if namespace == "" || name == "" || log == nil {
		return nil, errors.New("kube: the namespace and the name of the queue, and a log are required")
	}
	config = tuned(config)
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	api, err := client(config, corev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return &Queue{client: api, namespace: namespace, name: name, log: log, now: time.Now}, nil
}

// Queue returns the places in the local queue. Workloads of other local queues are not counted, although they may be admitted before.
func (q *Queue) Queue(ctx context.Context, jobs []job.Job) (job.Queue, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.now().Before(q.until) {
		q.read(ctx)
	}
	if q.failed != nil {
		return job.Queue{}, q.failed
	}
	found := job.Queue{Length: q.length, Places: make(map[string]int)}
	for _, j := range jobs {
		if place, waits := q.places[job.ObjectName(j.ID, j.Run)]; waits {
			found.Places[j.ID] = place
		}
	}
	return found, nil
}

// pending is what is read of Kueue's PendingWorkloadsSummary.
type pending struct {
	Items []struct {
		Metadata             metav1.ObjectMeta `json:"metadata"`
		PositionInLocalQueue int               `json:"positionInLocalQueue"` // from 0
	} `json:"items"`
}

// read reads the queue. The caller holds the lock.
func (q *Queue) read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime) // for other callers, too
	defer cancel()
	places, length, err := q.pages(ctx)
	if err != nil {
		if q.failed == nil {
			q.log.WarnContext(ctx, "the places in the queue of Kueue can't be read; the jobs that wait are counted instead",
				"queue", q.name, "error", err)
		}
		q.failed, q.until = unavailable(err, "reading the queue %s", q.name), q.now().Add(queueRetry)
		return
	}
	q.places, q.length, q.failed, q.until = places, length, nil, q.now().Add(queueTime)
}

func (q *Queue) pages(ctx context.Context) (map[string]int, int, error) {
	places, length := make(map[string]int), 0
	for page := range queuePages {
		p, err := q.page(ctx, page*queuePage)
		if err != nil {
			return nil, 0, err
		}
		length += len(p.Items)
		for _, w := range p.Items {
			for _, owner := range w.Metadata.OwnerReferences {
				if owner.Kind == "Job" {
					places[owner.Name] = w.PositionInLocalQueue + 1
				}
			}
		}
		if len(p.Items) < queuePage {
			break
		}
	}
	return places, length, nil
}

// page reads the workloads from an offset on, by the first version of the API that Kueue has.
func (q *Queue) page(ctx context.Context, offset int) (pending, error) {
	var p pending
	var err error
	for _, version := range visibilityVersions {
		var content []byte
		content, err = q.client.Get().
			AbsPath("/apis/visibility.kueue.x-k8s.io/"+version+"/namespaces", url.PathEscape(q.namespace), "localqueues", url.PathEscape(q.name),
				"pendingworkloads").
			Param("limit", strconv.Itoa(queuePage)).Param("offset", strconv.Itoa(offset)).
			Do(ctx).Raw()
		if err == nil {
			return p, json.Unmarshal(content, &p)
		}
		if !apierrors.IsNotFound(err) {
			break
		}
	}
	return p, err
}
