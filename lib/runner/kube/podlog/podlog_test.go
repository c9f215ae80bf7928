package podlog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestLogOfRemovedContainer: the kubelet answers with 200 and a sentence in place of a log that it no longer has. The sentence is no log; a
// program may print it, or its beginning.
func TestLogOfRemovedContainer(t *testing.T) {
	t.Parallel()
	const id = "containerd://0123"
	for content, lost := range map[string]bool{
		removedText + id:                    true,
		removedText + id + "\n":             false,
		removedText + "containerd://0124":   false,
		removedText:                         false,
		"line 1\n" + removedText + id:       false,
		"":                                  false,
		strings.Repeat("a long line ", 999): false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/log") {
				_, _ = io.WriteString(w, content)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(corev1.PodList{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"},
				Items: []corev1.Pod{{
					ObjectMeta: metav1.ObjectMeta{Name: "pod"},
					Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
						Name: ContainerName("bakta"), ContainerID: id,
						State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137}},
					}}},
				}},
			})
		}))
		t.Cleanup(server.Close)
		logs, err := New(&rest.Config{Host: server.URL}, "bakta", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		log, err := logs.Log(t.Context(), job.Job{ID: "job", Run: 1}, "bakta")
		if lost {
			if !job.Is(err, job.NotFound) {
				t.Errorf("%.60q: %v, want that there is no log", content, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%.60q: %v", content, err)
		}
		got, err := io.ReadAll(log)
		if err != nil || string(got) != content {
			t.Errorf("%.60q is read as %.60q, %v", content, got, err)
		}
		log.Close()
	}
}

// TestNewestPodWithLog: a run that is repeated has several pods. The log is that of the newest one in which the stage began; before it
// began, and after its pod is gone, there is none.
func TestNewestPodWithLog(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	pod := func(name string, age time.Duration, stage, export corev1.ContainerState) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-age))},
			Status: corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: "a-stage", State: stage}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: "export", State: export}},
			},
		}
	}
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := func(age time.Duration) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(now.Add(-age))}}
	}
	deleted := func(age time.Duration, p corev1.Pod) corev1.Pod {
		at := metav1.NewTime(now.Add(-age))
		p.DeletionTimestamp = &at
		return p
	}
	for _, tt := range []struct {
		name   string
		pods   []corev1.Pod
		status int // of the answer to the request for the log, or for the pods if there are none
		from   string
		err    job.Code
	}{
		{"the only one", []corev1.Pod{pod("a", time.Hour, runs, waits)}, 200, "a", ""},
		{"one of two", []corev1.Pod{pod("a", time.Minute, runs, waits), pod("b", time.Hour, ended(time.Minute), runs)}, 200, "a", ""},
		{"the newest has not begun", []corev1.Pod{pod("a", time.Minute, waits, runs), pod("b", time.Hour, ended(time.Hour), runs)}, 200, "b", ""},
		{"none has begun", []corev1.Pod{pod("a", time.Minute, waits, runs)}, 200, "", job.NotFound},
		{"no pod", nil, 200, "", job.NotFound},
		{"pods may not be listed", nil, 403, "", job.Unavailable},
		{"gone in between", []corev1.Pod{pod("a", time.Hour, runs, waits)}, 404, "a", job.NotFound},
		{"a proxy has lost the API server in between", []corev1.Pod{pod("a", time.Hour, runs, waits)}, byProxy, "a", job.Unavailable},
		{"not yet begun", []corev1.Pod{pod("a", time.Hour, runs, waits)}, 400, "a", job.NotFound},
		{"the node does not answer", []corev1.Pod{pod("a", time.Hour, ended(logTimeout), waits)}, 500, "a", job.Unavailable},
		{"the node of a deleted pod does not answer", []corev1.Pod{deleted(logTimeout, pod("a", time.Hour, runs, waits))},
			500, "a", job.Unavailable},
		{"the node of a deleted pod is lost", []corev1.Pod{deleted(logTimeout+time.Second, pod("a", time.Hour, runs, waits))},
			500, "a", job.NotFound},
		{"the node is lost", []corev1.Pod{pod("a", time.Hour, ended(logTimeout+time.Second), waits)}, 500, "a", job.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
				w.Header().Set("Content-Type", "application/json")
				if tt.status == byProxy && strings.HasSuffix(r.URL.Path, "/log") {
					http.Error(w, "no backend", http.StatusNotFound)
					return
				}
				if tt.status != 200 && (len(tt.pods) == 0 || strings.HasSuffix(r.URL.Path, "/log")) {
					w.WriteHeader(tt.status)
					fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d}`, tt.status)
					return
				}
				if strings.HasSuffix(r.URL.Path, "/log") {
					_, _ = io.WriteString(w, "text")
					return
				}
				_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: tt.pods})
			}))
			t.Cleanup(server.Close)
			logs, err := New(&rest.Config{Host: server.URL}, "bakta", func() time.Time { return now })
			if err != nil {
				t.Fatal(err)
			}
			tail, err := logs.Tail(t.Context(), job.Job{ID: "job", Run: 2}, "a_stage", 3)
			if tt.err != "" && !job.Is(err, tt.err) || tt.err == "" && (err != nil || string(tail) != "ext") {
				t.Errorf("%q, %v", tail, err)
			}
			want := []string{"/api/v1/namespaces/bakta/pods?labelSelector=bakta.computational.bio%2Fjob%3Djob%2Cbakta.computational.bio%2Frun%3D2"}
			if tt.from != "" {
				want = append(want, "/api/v1/namespaces/bakta/pods/"+tt.from+"/log?container=a-stage&tailLines=200")
			}
			if !slices.Equal(asked, want) {
				t.Errorf("asked %q, want %q", asked, want)
			}
		})
	}
}

// byProxy is a 404 that is not the API server's.
const byProxy = -404

// TestNodeThatNeverAnswers: the logs of both stages of a job are given up within the time that a sweep has for the job.
func TestNodeThatNeverAnswers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	at := metav1.NewTime(now.Add(-logTimeout - time.Minute))
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: at}}
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Status:     corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "one", State: ended}, {Name: "two", State: ended}}},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/log") {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{pod}})
	}))
	t.Cleanup(server.Close)
	logs, err := New(&rest.Config{Host: server.URL}, "bakta", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, stage := range []string{"one", "two"} {
		if _, err := logs.Tail(ctx, job.Job{ID: "job", Run: 1}, stage, 3); !job.Is(err, job.NotFound) {
			t.Errorf("the log of stage %s: %v", stage, err)
		}
	}
}
