package kueue

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestQueueFaults has what a cluster with Kueue does not answer: an earlier version of its API, and one that is away. The rest is
// tested with Kueue, see TestClusterKueuePlaces.
func TestQueueFaults(t *testing.T) {
	t.Parallel()
	jobs := []job.Job{{ID: "a", Run: 1, State: job.Submitted, RunName: "x"}}
	waits := fmt.Sprintf(`{"items":[{"metadata":{"name":"w","ownerReferences":[{"kind":"Job","name":%q}]},"positionInLocalQueue":4}]}`,
		job.ObjectName("a", 1))
	const denied = `{"kind":"Status","status":"Failure","reason":"Forbidden","code":403}`
	for _, tt := range []struct {
		name      string
		answers   map[string]string // by the ends of paths; others are answered 404 as by a server without that API
		place     int               // -1: an error
		hindrance string            // the end of it
		reads     int               // requests for two calls at once
	}{
		{"an earlier version", map[string]string{
			"visibility.kueue.x-k8s.io/v1beta1/namespaces/bakta/localqueues/annotation/pendingworkloads": waits,
			"/kueue.x-k8s.io/v1beta1/namespaces/bakta/localqueues/annotation":                            `{}`,
			"/kueue.x-k8s.io/v1beta1/namespaces/bakta/workloads/w": `{"status":{"conditions":[` +
				`{"type":"QuotaReserved","status":"False","reason":"Inadmissible","message":"why."}]}}`,
		}, 5, "does not accept the job: why. Please contact the operators.", 6},
		{"no permission but for places", map[string]string{
			"pendingworkloads":       waits,
			"localqueues/annotation": denied,
			"workloads/w":            denied,
		}, 5, "", 3},
		{"no permission for places", map[string]string{"pendingworkloads": denied, "localqueues/annotation": `{}`}, -1, "", 2},
		{"no permission", map[string]string{"pendingworkloads": denied, "localqueues/annotation": denied}, -1, "", 2},
		{"without Kueue", nil, 0, "does not exist. Please contact the operators.", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reads++
				w.Header().Set("Content-Type", "application/json")
				for end, answer := range tt.answers {
					if strings.HasSuffix(r.URL.Path, end) {
						if answer == denied {
							w.WriteHeader(http.StatusForbidden)
						}
						fmt.Fprint(w, answer)
						return
					}
				}
				http.NotFound(w, r)
			}))
			t.Cleanup(server.Close)
			var said strings.Builder
			q, err := New(&rest.Config{Host: server.URL}, "bakta", "annotation", slog.New(slog.NewTextHandler(&said, nil)))
			if err != nil {
				t.Fatal(err)
			}
			clock := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
			q.now = func() time.Time { return clock }
			want := map[string]int{}
			if tt.place > 0 {
				want["a"] = tt.place
			}
			for range 2 {
				got, err := q.Queue(t.Context(), jobs)
				if tt.place < 0 {
					if !job.Is(err, job.Unavailable) {
						t.Errorf("%+v, %v", got, err)
					}
				} else if err != nil || !maps.Equal(got.Places, want) || !strings.HasSuffix(got.Hindrances["a"], tt.hindrance) ||
					tt.hindrance == "" && len(got.Hindrances) > 0 {
					t.Errorf("%+v, %v", got, err)
				}
			}
			if reads != tt.reads {
				t.Errorf("%d requests, want %d", reads, tt.reads)
			}
			once := strings.Count(said.String(), "can't be read")
			clock = clock.Add(queueRetry)
			_, _ = q.Queue(t.Context(), jobs)
			if reads != 2*tt.reads || strings.Count(said.String(), "can't be read") != once {
				t.Errorf("later: %d requests, said %q", reads, said.String())
			}
		})
	}
}

// TestQueueHangs has an API that does not answer: a call waits for it three times a minute, and not for long.
func TestQueueHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := &rest.Config{Host: "http://cluster"}
		config.Transport = hanging{}
		q, err := New(config, "bakta", "annotation", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for range 10 {
			if got, err := q.Queue(t.Context(), []job.Job{{ID: "a", Run: 1}}); !job.Is(err, job.Unavailable) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("ten calls took %v", took)
		}
	})
}

// TestWorkloadsHang has an API that answers but for workloads: of many calls about jobs of their own a few wait for it, and not for long.
func TestWorkloadsHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 50
		var items []string
		for n := range calls {
			items = append(items, fmt.Sprintf(`{"metadata":{"name":"w%d","ownerReferences":[{"kind":"Job","name":%q}]},"positionInLocalQueue":%d}`,
				n, job.ObjectName(strconv.Itoa(n), 1), n))
		}
		config := &rest.Config{Host: "http://cluster"}
		config.Transport = partly{hang: "/workloads/", answer: `{"items":[` + strings.Join(items, ",") + `]}`}
		var said strings.Builder
		q, err := New(config, "bakta", "annotation", slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		var waited atomic.Int32
		var all sync.WaitGroup
		for n := range calls {
			all.Go(func() {
				began := time.Now()
				id := strconv.Itoa(n)
				got, err := q.Queue(t.Context(), []job.Job{{ID: id, Run: 1}})
				if err != nil || got.Places[id] != n+1 || len(got.Hindrances) > 0 {
					t.Errorf("%+v, %v", got, err)
				}
				if took := time.Since(began); took > queueCall {
					t.Errorf("a call took %v", took)
				} else if took > 0 {
					waited.Add(1)
				}
			})
		}
		all.Wait()
		if n := waited.Load(); n != workloadReads || strings.Count(said.String(), "can't be read") != 1 {
			t.Errorf("%d calls waited, said %q", n, said.String())
		}
	})
}

// partly is a network in which requests for some path are not answered, and all others with a text.
type partly struct{ hang, answer string }

func (p partly) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, p.hang) {
		return hanging{}.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(p.answer)), Request: r}, nil
}

// hanging is a network in which no request is answered.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
