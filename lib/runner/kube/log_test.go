package kube

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
						Name: containerName("bakta"), ContainerID: id,
						State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exitKilled}},
					}}},
				}},
			})
		}))
		t.Cleanup(server.Close)
		logs, err := NewLogs(&rest.Config{Host: server.URL}, "bakta")
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
