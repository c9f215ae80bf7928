//go:build e2e

package kube

import (
	"log/slog"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcluster"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/kueue"
)

// newKueue returns a namespace whose runs wait in the local queue "annotation", with a quota of that many pods.
func newKueue(t *testing.T, pods int) (*cluster, *testcluster.Kueue) {
	t.Helper()
	config, err := apiserver.Connect(false)
	if err != nil {
		t.Fatal(err)
	}
	k := testcluster.NewKueue(t, apiserver.Tuned(config), strings.ToLower(t.Name()))
	k.ClusterQueue("own", pods, "None")
	c := newCluster(t)
	c.options.Queue = "annotation"
	k.LocalQueue(c.namespace, "annotation", "own", "None")
	return c, k
}

// isSuspended reports whether a run waits in its queue, and nothing of it runs.
func isSuspended(s capture) bool {
	seen := observe(s.Job, s.Pods, s.Now)
	return seen.Phase == job.Waiting && strings.Contains(seen.Waiting, `"annotation"`)
}

// succeeded reports whether a run ended well. The count in its status may follow later.
func succeeded(s capture) bool {
	return view{run: s.Job}.condition(batchv1.JobComplete, batchv1.JobSuccessCriteriaMet) != nil
}

// TestClusterKueuePriority: a run of higher priority preempts another one, three times, without a retry to spare. The
// other one waits, and goes on.
func TestClusterKueuePriority(t *testing.T) {
	t.Parallel()
	c, k := newKueue(t, 1)
	c.options.Retries = 0
	r, low := c.launch(c.options, "sleep 30", result)
	urgent := c.options
	urgent.PriorityClass = k.Priority("urgent", 1000)
	for range 3 {
		c.awaitPhase(r, low, job.Active)
		_, high := c.launch(urgent, fine, result)
		c.await(r, low, "its preemption", isSuspended)
		s := c.awaitPhase(r, high, job.Ended)
		if !succeeded(s) {
			t.Errorf("the urgent run:\n%s", dump(s))
		}
		if s := c.state(r, low); observe(s.Job, s.Pods, s.Now).Phase == job.Ended {
			t.Fatalf("the preempted run ended:\n%s", dump(s))
		}
	}
	s := c.awaitPhase(r, low, job.Ended)
	if !succeeded(s) {
		t.Errorf("the preempted run:\n%s", dump(s))
	}
}

// TestClusterKueueBeforeItBegan preempts a run whose pod waits for its image. Kubernetes counts such a pod as failed, and no rule of the
// pod failure policy can prevent that. So without a retry to spare the run is interrupted, and not failed.
func TestClusterKueueBeforeItBegan(t *testing.T) {
	t.Parallel()
	c, k := newKueue(t, 1)
	c.options.Retries = 0
	c.options.Stager = "127.0.0.1:1/none:1"
	r, j := c.launch(c.options, fine, result)
	c.await(r, j, "its pod", func(s capture) bool { return len(s.Pods) == 1 })
	k.LocalQueue(c.namespace, "annotation", "own", "HoldAndDrain")
	s := c.await(r, j, "the end of its pod", func(s capture) bool {
		return isSuspended(s) || observe(s.Job, s.Pods, s.Now).Phase == job.Ended
	})
	if seen := observe(s.Job, s.Pods, s.Now); seen.Failure != nil || seen.Phase == job.Ended && !seen.Interrupted {
		t.Errorf("%+v\n%s", seen, dump(s))
	}
}

// TestClusterKueueReleased releases a run that is suspended: its outcome is stored, and it must not run again. Nothing of it remains,
// also none of Kueue's objects, which have a finalizer of their own.
func TestClusterKueueReleased(t *testing.T) {
	t.Parallel()
	c, k := newKueue(t, 0)
	r, j := c.launch(c.options, fine, result)
	c.await(r, j, "its workload", func(s capture) bool {
		_, there := k.Workloads(c.namespace)[s.Job.Name]
		return there && isSuspended(s)
	})
	if err := r.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	c.awaitPhase(r, j, job.Absent)
	c.await(r, j, "the end of its workload", func(capture) bool { return len(k.Workloads(c.namespace)) == 0 })
	k.ClusterQueue("own", 1, "None")
	if s := c.state(r, j); len(s.Pods) > 0 {
		t.Errorf("it runs again:\n%s", dump(s))
	}
}

// TestClusterKueueNoTTL: a run that has ended is kept until it is released, beside the finalizers of Kueue, and leaves nothing.
func TestClusterKueueNoTTL(t *testing.T) {
	t.Parallel()
	c, k := newKueue(t, 1)
	c.options.JobTTL = 0
	r, j := c.launch(c.options, fine, result)
	s := c.await(r, j, "a complete Job on its way out", func(s capture) bool {
		return s.Job != nil && s.Job.DeletionTimestamp != nil && s.Job.Status.CompletionTime != nil
	})
	if w := k.Workloads(c.namespace)[s.Job.Name]; !w.Is("Finished") {
		c.await(r, j, "the end of its workload", func(capture) bool {
			w, there := k.Workloads(c.namespace)[s.Job.Name]
			return !there || w.Is("Finished")
		})
	}
	if err := r.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	c.awaitPhase(r, j, job.Absent)
	c.await(r, j, "the end of its workload", func(capture) bool { return len(k.Workloads(c.namespace)) == 0 })
}

// TestClusterKueuePlaces reads places with the permissions of each function. Only status has them.
func TestClusterKueuePlaces(t *testing.T) {
	t.Parallel()
	c, k := newKueue(t, 0)
	accounts := testcluster.Grant(t, apiserver.Tuned(c.config), c.namespace)
	r, first := c.launch(c.options, fine, result)
	c.await(r, first, "its workload", func(s capture) bool {
		_, there := k.Workloads(c.namespace)[s.Job.Name]
		return there
	})
	_, second := c.launch(c.options, fine, result)
	for _, j := range []*job.Job{&first, &second} {
		j.RunName = job.ObjectName(j.ID, j.Run)
	}
	open := func(account string) *kueue.Queue {
		q, err := kueue.New(accounts.Config(t, account), c.namespace, "annotation", slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	for _, account := range []string{"submit", "expire", "jobupdate"} {
		if got, err := open(account).Queue(t.Context(), []job.Job{first}); !job.Is(err, job.Unavailable) {
			t.Errorf("%s: %+v, %v", account, got, err)
		}
	}
	q := open("status")
	c.await(r, first, "both places", func(capture) bool {
		got, err := q.Queue(t.Context(), []job.Job{first, second})
		return err == nil && got.Length == 2 && got.Places[first.ID] == 1 && got.Places[second.ID] == 2 && len(got.Hindrances) == 0
	})
	c.await(r, second, "what prevents its start", func(capture) bool {
		got, err := q.Queue(t.Context(), []job.Job{second})
		return err == nil && strings.Contains(got.Hindrances[second.ID], "maximum capacity (0)")
	})
	// With room, the first one is admitted, and is in the queue no more.
	k.ClusterQueue("own", 1, "None")
	c.await(r, second, "the first place", func(capture) bool {
		got, err := q.Queue(t.Context(), []job.Job{first, second})
		return err == nil && got.Places[first.ID] == 0 && (got.Places[second.ID] == 1 || got.Length == 0)
	})
}

// TestClusterSuspendedAgain is what Kueue does when a run is preempted at the moment of its end: the outcome is stored, the pod is still
// there, and the Job is suspended. Its release deletes it.
func TestClusterSuspendedAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r, j := c.launch(c.options, hang, result)
	s := c.awaitPhase(r, j, job.Active)
	_, err := r.jobs.Patch(t.Context(), s.Job.Name, types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	c.awaitPhase(r, j, job.Absent)
	c.await(r, j, "the end of its pod", func(s capture) bool { return len(s.Pods) == 0 })
}
