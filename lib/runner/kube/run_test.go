package kube

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The cluster tests run against a real API server. Here are the answers that one gives only by chance.

// answered returns a runner whose API server is that handler.
func answered(t *testing.T, handle http.HandlerFunc) *Runner {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	r, err := New(&rest.Config{Host: server.URL}, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer writes an object, or the error that the API server would answer.
func answer(t *testing.T, w http.ResponseWriter, object any) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	if e, ok := object.(*apierrors.StatusError); ok {
		e.ErrStatus.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		w.WriteHeader(int(e.ErrStatus.Code))
		object = e.ErrStatus
	}
	if err := json.NewEncoder(w).Encode(object); err != nil {
		t.Error(err)
	}
}

func noJob(name string) *apierrors.StatusError {
	return apierrors.NewNotFound(schema.GroupResource{Group: "batch", Resource: "jobs"}, name)
}

// TestNotFoundByAProxy: only the API server's own 404 says that a Job does not exist. That of a proxy before it, which has lost its
// backend, says nothing.
func TestNotFoundByAProxy(t *testing.T) {
	t.Parallel()
	j := testJob()
	for what, row := range map[string]struct {
		answer http.HandlerFunc
		exists job.Code // of the error; empty for a Job that is absent
	}{
		"the API server": {func(w http.ResponseWriter, _ *http.Request) { answer(t, w, noJob(job.ObjectName(j.ID, j.Run))) }, ""},
		"text of a proxy": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "default backend - 404", http.StatusNotFound)
		}, job.Unavailable},
		"JSON of a proxy": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"no Route matched with those values"}`))
		}, job.Unavailable},
	} {
		r := answered(t, row.answer)
		seen, err := r.Observe(t.Context(), j)
		if job.CodeOf(err) != row.exists || seen.Phase != job.Absent {
			t.Errorf("%s: observed %+v, %v", what, seen, err)
		}
		if err := r.Release(t.Context(), j); job.CodeOf(err) != row.exists {
			t.Errorf("%s: released, %v", what, err)
		}
		if err := r.Discard(t.Context(), j); job.CodeOf(err) != row.exists {
			t.Errorf("%s: discarded, %v", what, err)
		}
	}
}

// TestReleaseOfAJobThatIsSuspendedMeanwhile: a queue may suspend a Job between its reading and its release. Then it must be deleted: it
// would execute the run again when it is resumed.
func TestReleaseOfAJobThatIsSuspendedMeanwhile(t *testing.T) {
	t.Parallel()
	j := testJob()
	object, err := newRunner(t, testOptions()).Object(j)
	if err != nil {
		t.Fatal(err)
	}
	object.TypeMeta = metav1.TypeMeta{Kind: "Job", APIVersion: "batch/v1"}
	object.UID, object.ResourceVersion = "1", "1"
	var calls []string
	r := answered(t, func(w http.ResponseWriter, q *http.Request) {
		calls = append(calls, q.Method)
		switch {
		case object == nil:
			answer(t, w, noJob(job.ObjectName(j.ID, j.Run)))
		case q.Method == http.MethodGet:
			answer(t, w, object)
		case q.Method == http.MethodPatch:
			if object.Spec.Suspend == nil {
				object.Spec.Suspend = new(true)
				answer(t, w, apierrors.NewConflict(schema.GroupResource{Group: "batch", Resource: "jobs"}, object.Name, nil))
				return
			}
			answer(t, w, object)
			if object.DeletionTimestamp != nil {
				object = nil
			}
		case q.Method == http.MethodDelete:
			object.DeletionTimestamp = &metav1.Time{Time: time.Now()}
			answer(t, w, object)
		}
	})
	if err := r.Release(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(calls, " "), "GET PATCH GET DELETE GET PATCH"; got != want || object != nil {
		t.Errorf("it called %s; want %s", got, want)
	}
}

// TestStopWhileANodeDoesNotAnswer: the node may have lost only the API server. Then the pod runs on, and may store results after the job
// was removed, which nothing would remove.
func TestStopWhileANodeDoesNotAnswer(t *testing.T) {
	t.Parallel()
	pods := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "x", DeletionTimestamp: &metav1.Time{Time: time.Now().Add(-time.Hour)}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}}}
	r := answered(t, func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, "/pods") {
			answer(t, w, pods)
			return
		}
		answer(t, w, batchv1.JobList{TypeMeta: metav1.TypeMeta{Kind: "JobList", APIVersion: "batch/v1"}})
	})
	if err := r.Stop(t.Context(), testJob().ID); !job.Is(err, job.NotReady) {
		t.Errorf("while it may run: %v", err)
	}
	pods.Items = nil
	if err := r.Stop(t.Context(), testJob().ID); err != nil {
		t.Errorf("after it is gone: %v", err)
	}
}
