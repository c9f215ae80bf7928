package kube

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestQueue reads places as Kueue returns them, by either version of its API, and what a denied or missing API leaves.
func TestQueue(t *testing.T) {
	t.Parallel()
	jobs := []job.Job{{ID: "a", Run: 1}, {ID: "b", Run: 2}, {ID: "c", Run: 1}}
	item := func(object string, place int) string {
		return fmt.Sprintf(`{"metadata":{"name":"job-x-%d","namespace":"bakta","creationTimestamp":"2026-01-31T12:00:00Z","ownerReferences":`+
			`[{"apiVersion":"batch/v1","kind":"Job","name":%q,"uid":"u"}]},"priority":0,"localQueueName":"annotation",`+
			`"positionInClusterQueue":%d,"positionInLocalQueue":%d}`, place, object, place+7, place)
	}
	own := item(job.ObjectName("b", 2), 0) + "," + item("other", 1) + "," + item(job.ObjectName("a", 1), 2)
	for _, tt := range []struct {
		name    string
		version string // that the server has
		status  int    // of its answers
		body    string
		places  map[string]int
		length  int
		reads   int // requests for two calls at once
	}{
		{"v1beta1", "v1beta1", 200, own, map[string]int{"a": 3, "b": 1}, 3, 1},
		{"v1beta2", "v1beta2", 200, own, map[string]int{"a": 3, "b": 1}, 3, 2},
		{"empty", "v1beta1", 200, "", nil, 0, 1},
		{"denied", "v1beta1", 403, "", nil, -1, 1},
		{"without Kueue", "none", 0, "", nil, -1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reads++
				w.Header().Set("Content-Type", "application/json")
				want := "/apis/visibility.kueue.x-k8s.io/" + tt.version + "/namespaces/bakta/localqueues/annotation/pendingworkloads"
				if r.URL.Path != want {
					w.WriteHeader(404)
					return
				}
				w.WriteHeader(tt.status)
				fmt.Fprintf(w, `{"kind":"PendingWorkloadsSummary","metadata":{},"items":[%s]}`, tt.body)
			}))
			t.Cleanup(server.Close)
			var said strings.Builder
			q, err := NewQueue(&rest.Config{Host: server.URL}, "bakta", "annotation", slog.New(slog.NewTextHandler(&said, nil)))
			if err != nil {
				t.Fatal(err)
			}
			clock := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
			q.now = func() time.Time { return clock }
			for range 2 {
				got, err := q.Queue(t.Context(), jobs)
				if tt.length < 0 {
					if !job.Is(err, job.Unavailable) {
						t.Errorf("%+v, %v", got, err)
					}
				} else if err != nil || got.Length != tt.length || !maps.Equal(got.Places, tt.places) {
					t.Errorf("%+v, %v", got, err)
				}
			}
			if reads != tt.reads {
				t.Errorf("%d requests, want %d", reads, tt.reads)
			}
			clock = clock.Add(queueRetry)
			_, _ = q.Queue(t.Context(), jobs)
			if reads != 2*tt.reads || strings.Count(said.String(), "can't be read") > 1 {
				t.Errorf("later: %d requests, said %q", reads, said.String())
			}
		})
	}
}
