//go:build e2e

package deployment_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcluster"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// queued is a backend whose jobs wait in the local queue "annotation" of a real Kueue.
type queued struct {
	*backend
	kueue *testcluster.Kueue
}

func newQueued(t *testing.T, more string) *queued {
	t.Helper()
	connection, err := apiserver.Connect(false)
	must(t, err)
	kueue := testcluster.NewKueue(t, connection, strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())))
	return &queued{backend: newBackend(t, small+"Queue: annotation, Deadline: 10m, "+more+"}"), kueue: kueue}
}

// state is what is read of the answer that JobState gives.
type state struct {
	Status  string
	Waiting bool
	Run     int
	Stage   string
	Began   time.Time
	Ended   time.Time
	Queue   *struct{ Place, Length int }

	Hindrance string
}

// state returns the state of a job by the second version of the API.
func (b *backend) state(r ref) state {
	b.Helper()
	s, err := b.readState(r)
	must(b.TB, err)
	return s
}

func (b *backend) readState(r ref) (s state, err error) {
	query := url.Values{"job_id": {r.ID}, "secret": {r.Secret}}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.urls["status"]+"/api/v2/job/status?"+query.Encode(), nil)
	if err != nil {
		return state{}, err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return state{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return state{}, errors.New(response.Status)
	}
	err = json.NewDecoder(response.Body).Decode(&s)
	return s, err
}

func (b *backend) awaitState(r ref, what string, holds func(state) bool) state {
	b.Helper()
	var s state
	b.wait(what, func() bool { s = b.state(r); return holds(s) })
	return s
}

func place(n int) func(state) bool {
	return func(s state) bool { return s.Status == "init" && s.Waiting && s.Queue != nil && s.Queue.Place == n }
}

func runs(s state) bool { return s.Status == "running" && s.Stage != "" && s.Queue == nil }

// occupy runs a Kubernetes Job of somebody else in another local queue, and returns when its pod runs. It ends by the returned function.
func (q *queued) occupy(queue string) (end func()) {
	q.Helper()
	no, user := false, int64(65532)
	made, err := q.jobs.Create(q.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "other-", Labels: map[string]string{"kueue.x-k8s.io/queue-name": queue}},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &user, RunAsNonRoot: new(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			TerminationGracePeriodSeconds: new(int64),
			Containers: []corev1.Container{{
				Name: "main", Image: fromEnv("E2E_SHELL_IMAGE", "dev.local/shell:e2e"), Command: []string{"/bin/sleep", "3600"},
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m")}},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
		}}},
	}, metav1.CreateOptions{})
	must(q.TB, err)
	q.wait("the other Job", func() bool {
		list, err := q.pods.List(q.Context(), metav1.ListOptions{LabelSelector: "job-name=" + made.Name})
		must(q.TB, err)
		return slices.ContainsFunc(list.Items, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	})
	return func() {
		how := metav1.DeletePropagationBackground
		must(q.TB, q.jobs.Delete(q.Context(), made.Name, metav1.DeleteOptions{PropagationPolicy: &how}))
	}
}

// gone waits until no Job of a job, and no workload of Kueue for it, exists.
func (q *queued) gone(r ref) {
	q.Helper()
	q.wait("the end of the Jobs and workloads of "+r.ID, func() bool {
		list, err := q.jobs.List(q.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		must(q.TB, err)
		_, there := q.kueue.Workloads(q.namespace)[job.ObjectName(r.ID, 1)]
		return len(list.Items) == 0 && !there
	})
}

// TestClusterKueueQuota: jobs are admitted one after the other, in the order of their starts, and one is deleted while it waits.
// After its TTL nothing of a job remains.
func TestClusterKueueQuota(t *testing.T) {
	t.Parallel()
	q := newQueued(t, "TTL: 1s")
	q.kueue.ClusterQueue("own", 1, "None")
	q.kueue.LocalQueue(q.namespace, "annotation", "own", "None")
	first := q.startJob("slower")
	q.awaitState(first, "the first job", runs)
	var waiting [3]ref
	for i := range waiting {
		waiting[i] = q.startJob("fine")
		// Kueue's order is that of the creation times of the workloads, which are whole seconds: of the same second, any may be first.
		var created time.Time
		q.wait("the second after the creation of its workload", func() bool {
			if created.IsZero() {
				if _, there := q.kueue.Workloads(q.namespace)[job.ObjectName(waiting[i].ID, 1)]; there {
					created = time.Now()
				}
			}
			return !created.IsZero() && time.Now().Unix() > created.Unix()
		})
	}
	for i, r := range waiting {
		if s := q.awaitState(r, "its place", place(i+1)); s.Queue.Length < i+1 || s.Hindrance != "" || s.Stage != "" {
			t.Errorf("%+v", s)
		}
	}
	second, third, fourth := waiting[0], waiting[1], waiting[2]
	if code, answer := q.call("expire", http.MethodDelete, "/delete?jobID="+third.ID+"&secret="+third.Secret, nil); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	q.gone(third)
	if s := q.awaitState(fourth, "its place", func(s state) bool { return !place(3)(s) }); s.Status == "error" {
		t.Errorf("%+v", s)
	}
	for _, r := range []ref{first, second, fourth} {
		if status, reason := q.end(r); status != "SUCCESSFUL" {
			t.Errorf("it ended as %s: %s", status, reason)
		}
	}
	before, after := q.state(first), q.state(second)
	if last := q.state(fourth); after.Began.Before(before.Ended.Add(-5*time.Second)) || last.Began.Before(after.Began) {
		t.Errorf("began and ended: %v %v, %v %v, %v", before.Began, before.Ended, after.Began, after.Ended, last.Began)
	}
	for _, r := range []ref{first, second, fourth} {
		q.gone(r)
	}
}

// TestClusterKueuePreempted: a job that borrows from another queue of the cohort is preempted twice, without a retry to spare. It goes
// on as the same run, its states are right all the time, and its result is stored once.
func TestClusterKueuePreempted(t *testing.T) {
	t.Parallel()
	q := newQueued(t, "Retries: 0")
	q.kueue.ClusterQueue("own", 0, "None")
	q.kueue.ClusterQueue("lender", 1, "None")
	q.kueue.LocalQueue(q.namespace, "annotation", "own", "None")
	q.kueue.LocalQueue(q.namespace, "other", "lender", "None")
	r := q.startJob("slower")
	q.awaitState(r, "its first pod", runs)
	seen, stop := q.record(r)
	for range 2 {
		end := q.occupy("other")
		s := q.awaitState(r, "its waiting again", func(s state) bool { return s.Queue != nil && s.Stage == "" })
		if s.Status != "running" || s.Queue.Place != 1 || s.Run != 1 || s.Hindrance != "" {
			t.Errorf("preempted: %+v", s)
		}
		q.wait("the end of its pods", func() bool {
			list, err := q.pods.List(t.Context(), metav1.ListOptions{LabelSelector: kube.Selector})
			must(t, err)
			return !slices.ContainsFunc(list.Items, func(p corev1.Pod) bool {
				return p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodPending
			})
		})
		end()
		q.awaitState(r, "its next pod", runs)
	}
	status, reason := q.end(r)
	stop()
	if s := q.state(r); status != "SUCCESSFUL" || s.Run != 1 {
		t.Errorf("it ended as %s (%s): %+v", status, reason, s)
	}
	for _, s := range seen() {
		if s != "running" && s != "successful" {
			t.Errorf("it was shown as %s", s)
		}
	}
	q.wait("the end and the release of its Job", func() bool {
		made, err := q.jobs.Get(t.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{})
		must(t, err)
		return len(made.Finalizers) == 0 && made.Status.Succeeded == 1
	})
	list, err := q.jobs.List(t.Context(), metav1.ListOptions{LabelSelector: kube.Selector})
	must(t, err)
	if len(list.Items) != 1 || list.Items[0].Status.Failed > 0 {
		t.Errorf("its Jobs: %+v", list.Items)
	}
	if n := q.results(r); n != 1 {
		t.Errorf("its results were stored %d times", n)
	}
}

// record reads the status of a job again and again until stop is called.
func (q *queued) record(r ref) (seen func() []string, stop func()) {
	var all []string
	done := make(chan struct{})
	var reads sync.WaitGroup
	reads.Go(func() {
		for {
			read, err := q.readState(r)
			if err != nil {
				read.Status = err.Error()
			}
			if s := read.Status; len(all) == 0 || all[len(all)-1] != s {
				all = append(all, s)
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() []string { return all }, func() { close(done); reads.Wait() }
}

// TestClusterKueueHeldUp: users are told within a minute what prevents the start of a job, in words; when it is removed, the job runs.
func TestClusterKueueHeldUp(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before, after func(*queued)
		says          string
	}{
		"the queue does not exist": {
			func(*queued) {},
			func(q *queued) { q.kueue.LocalQueue(q.namespace, "annotation", "own", "None") },
			`The queue "annotation", in which the job waits, does not exist. Please contact the operators.`,
		},
		"the cluster queue does not exist": {
			func(q *queued) { q.kueue.LocalQueue(q.namespace, "annotation", "late", "None") },
			func(q *queued) { q.kueue.ClusterQueue("late", 1, "None") },
			`The queue "annotation", in which the job waits, belongs to a cluster queue that does not exist. Please contact the operators.`,
		},
		"the queue is stopped": {
			func(q *queued) { q.kueue.LocalQueue(q.namespace, "annotation", "own", "Hold") },
			func(q *queued) { q.kueue.LocalQueue(q.namespace, "annotation", "own", "None") },
			`The operators have stopped the queue "annotation", in which the job waits.`,
		},
		"the cluster queue is stopped": {
			func(q *queued) {
				q.kueue.ClusterQueue("own", 1, "Hold")
				q.kueue.LocalQueue(q.namespace, "annotation", "own", "None")
			},
			func(q *queued) { q.kueue.ClusterQueue("own", 1, "None") },
			`The queue "annotation", in which the job waits, is stopped or not ready: its cluster queue is not active.`,
		},
		"the quota lacks a resource": {
			func(q *queued) {
				q.kueue.PoorClusterQueue("poor", 1)
				q.kueue.LocalQueue(q.namespace, "annotation", "poor", "None")
			},
			func(q *queued) { q.kueue.ClusterQueue("poor", 1, "None") },
			`The queue "annotation" does not accept the job: couldn't assign flavors to pod set main: ` +
				`resource ephemeral-storage unavailable in ClusterQueue. Please contact the operators.`,
		},
		"the quota is too small": {
			func(q *queued) {
				q.kueue.ClusterQueue("own", 0, "None")
				q.kueue.LocalQueue(q.namespace, "annotation", "own", "None")
			},
			func(q *queued) { q.kueue.ClusterQueue("own", 1, "None") },
			`maximum capacity (0). Please contact the operators.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueued(t, "PendingTimeout: 1h")
			q.kueue.ClusterQueue("own", 1, "None")
			row.before(q)
			started := time.Now()
			r := q.startJob("fine")
			s := q.awaitState(r, "what holds it up", func(s state) bool { return strings.HasSuffix(s.Hindrance, row.says) })
			if took := time.Since(started); took > time.Minute || s.Status != "init" || !s.Waiting {
				t.Errorf("after %v: %+v", took, s)
			}
			row.after(q)
			if status, reason := q.end(r); status != "SUCCESSFUL" || q.state(r).Hindrance != "" {
				t.Errorf("it ended as %s (%s): %+v", status, reason, q.state(r))
			}
		})
	}
}

// TestClusterKueueDrained: a queue is drained while a job runs, and the queue is deleted while it waits. The job goes on when the queue is
// there again.
func TestClusterKueueDrained(t *testing.T) {
	t.Parallel()
	q := newQueued(t, "Retries: 0")
	q.kueue.ClusterQueue("own", 1, "None")
	q.kueue.LocalQueue(q.namespace, "annotation", "own", "None")
	r := q.startJob("slower")
	q.awaitState(r, "its first pod", runs)
	q.kueue.LocalQueue(q.namespace, "annotation", "own", "HoldAndDrain")
	if s := q.awaitState(r, "its waiting again", func(s state) bool { return s.Stage == "" }); s.Status != "running" {
		t.Errorf("drained: %+v", s)
	}
	q.kueue.Delete(q.namespace, "annotation")
	q.kueue.LocalQueue(q.namespace, "annotation", "own", "None")
	if status, reason := q.end(r); status != "SUCCESSFUL" || q.state(r).Run != 1 {
		t.Errorf("it ended as %s (%s): %+v", status, reason, q.state(r))
	}
}

// results counts how often the results of a job were stored: each time has a prefix of its own.
func (b *backend) results(r ref) int {
	b.Helper()
	prefixes := make(map[string]bool)
	client, err := b.bucket.Client()
	must(b.TB, err)
	for o := range client.ListObjects(b.Context(), b.bucket.Bucket, minio.ListObjectsOptions{Recursive: true}) {
		must(b.TB, o.Err)
		if at := strings.Index(o.Key, "/results/"); at >= 0 && strings.Contains(o.Key, r.ID) {
			prefixes[o.Key[:at]] = true
		}
	}
	return len(prefixes)
}
