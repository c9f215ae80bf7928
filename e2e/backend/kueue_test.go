//go:build e2e

package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcluster"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Jobs wait in the local queue of a real Kueue while every function is at zero, and what Kueue does with them reaches the backend as
// events.
func TestKueue(t *testing.T) {
	s := newSuite(t)
	s.needs("kueue")
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	s.must(err)
	q := queue{s, testcluster.NewKueue(t, config, "knative")}
	t.Cleanup(func() {
		for _, in := range []string{namespace, others} {
			if _, err := s.kubectl(context.Background(), "", "--namespace="+in, "delete", "localqueues.kueue.x-k8s.io", "--all"); err != nil {
				t.Error(err)
			}
		}
	})
	q.kueue.ClusterQueue("own", 1, "None")
	s.varyBy("", func(config string) string { return strings.Replace(config, "Job:\n", "Job:\n  Queue: annotation\n", 1) })

	q.missing()
	q.takeTurns()
	q.preempted()
}

// others is the namespace of somebody else's Jobs.
const others = "default"

// queue is the local queue "annotation".
type queue struct {
	suite
	kueue *testcluster.Kueue
}

// waiting is what the second version says of a job, as far as it waits.
type waiting struct {
	Status  string
	Waiting bool
	Stage   string
	Run     int
	Queue   *struct{ Place, Length int }

	Hindrance string
}

func (q queue) await(r ref, what string, holds func(waiting) bool) (got waiting) {
	q.Helper()
	ask := request{at: q.target.ingress, host: q.target.host, method: http.MethodGet,
		path: "/api/v2/job/status?job_id=" + r.ID + "&secret=" + r.Secret}
	q.wait(what, func(ctx context.Context) error {
		code, text, err := ask.do(ctx)
		if err != nil || code != http.StatusOK {
			return errors.Join(err, fmt.Errorf("the state is answered %d: %s", code, text))
		}
		got = waiting{}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			return err
		}
		if !holds(got) {
			return fmt.Errorf("it is %s", text)
		}
		return nil
	})
	return got
}

func runs(w waiting) bool { return w.Status == "running" && w.Stage != "" && w.Queue == nil }

func atPlace(n int) func(waiting) bool {
	return func(w waiting) bool { return w.Status == "init" && w.Waiting && w.Queue != nil && w.Queue.Place == n }
}

// missing starts a job before there is a queue, and creates the queue.
func (q queue) missing() {
	q.Helper()
	r := q.run("fine")
	began := time.Now()
	w := q.await(r, "what prevents its start", func(w waiting) bool { return w.Hindrance != "" })
	took := time.Since(began)
	q.Logf("told %.1f s after the start: %s", took.Seconds(), w.Hindrance)
	if !strings.Contains(w.Hindrance, `"annotation"`) || !strings.Contains(w.Hindrance, "does not exist") || took > time.Minute {
		q.Errorf("after %v: %+v", took, w)
	}
	q.kueue.LocalQueue(namespace, "annotation", "own", "None")
	q.becomes(r, "SUCCESSFUL")
	q.results(r)
}

// takeTurns has a quota of one pod for a job that runs and two that wait, of which one is deleted. The other one is admitted and ends while
// nobody asks for it.
func (q queue) takeTurns() {
	q.Helper()
	first := q.run("until-told")
	q.await(first, "the first job to run", runs)
	second := q.run("fine")
	q.await(second, "the first place", atPlace(1))
	time.Sleep(time.Second) // Kueue orders by whole seconds
	third := q.run("fine")
	q.await(third, "the second place", atPlace(2))
	q.atZero(functions()...)
	code, answer, err := q.call(q.Context(), http.MethodDelete, "/job/delete"+third.query(), nil)
	if q.must(err); code != http.StatusOK {
		q.Fatalf("the deletion is answered %d: %v", code, answer)
	}
	q.gone(third)
	q.wait("the end of its workload", func(context.Context) error {
		if _, there := q.kueue.Workloads(namespace)[job.ObjectName(third.ID, 1)]; there {
			return errors.New("it is there")
		}
		return nil
	})
	q.atZero(functions()...)
	q.told(first)
	q.ends(second.ID)
	q.ends(first.ID)
	for _, r := range []ref{first, second} {
		q.becomes(r, "SUCCESSFUL")
		q.results(r)
		q.ranOnce(r)
	}
}

// otherJob is somebody else's Job in a local queue of another cluster queue. %s is the image of the stand-in.
const otherJob = `apiVersion: batch/v1
kind: Job
metadata: {name: other, labels: {kueue.x-k8s.io/queue-name: other}}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: %s, command: [/bin/sleep, "3600"], resources: {requests: {cpu: 1m}}}]
`

// preempted has a job borrow what another queue of the cohort does not use, until that one reclaims it. The job waits, runs again from its
// beginning, as the same run, and ends once.
func (q queue) preempted() {
	q.Helper()
	q.kueue.ClusterQueue("lender", 1, "None")
	q.kueue.LocalQueue(others, "other", "lender", "None")
	q.kueue.ClusterQueue("own", 0, "None")
	r := q.run("until-told")
	q.await(r, "the borrower to run", runs)
	first := q.stageOf(r)

	other := fmt.Sprintf(otherJob, q.target.tool)
	_, err := q.kubectl(q.Context(), other, "--namespace="+others, "create", "-f", "-")
	q.must(err)
	remove := func(ctx context.Context) error {
		_, err := q.kubectl(ctx, other, "--namespace="+others, "delete", "--ignore-not-found", "-f", "-")
		return err
	}
	q.Cleanup(func() {
		if err := remove(context.Background()); err != nil {
			q.Error(err)
		}
	})
	w := q.await(r, "its preemption", func(w waiting) bool { return w.Queue != nil && w.Stage == "" })
	if w.Status != "running" || w.Queue.Place != 1 || w.Run != 1 || w.Hindrance != "" {
		q.Errorf("preempted: %+v", w)
	}
	_, err = q.kubectl(q.Context(), "", "--namespace="+others, "wait", "--for=jsonpath={.status.ready}=1", "--timeout=2m", "job/other")
	q.must(err)

	q.must(remove(q.Context()))
	q.await(r, "its next pod", runs)
	if second := q.stageOf(r); second.name == first.name {
		q.Errorf("it was not preempted: %s still runs", first.name)
	}
	q.told(r)
	q.becomes(r, "SUCCESSFUL")
	q.results(r)
	q.ranOnce(r)
	made, err := q.batch.Jobs(namespace).Get(q.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{})
	if q.must(err); made.Status.Failed > 0 {
		q.Errorf("%d of its pods count as failed", made.Status.Failed)
	}
}
