package process

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const object = "bakta-0f8fad5b-d9cb-469f-a165-70867728950e-1"

func TestEventsHaveTheSourcesShape(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := cloudevents.NewEventFromHTTPRequest(r)
		if err != nil || e.Validate() != nil {
			t.Errorf("event: %v, %v", err, e)
		}
		var data map[string]string
		if err := json.Unmarshal(e.Data(), &data); err != nil || len(data) != 4 || data["kind"] != "Job" || data["apiVersion"] != "batch/v1" ||
			data["namespace"] != "local" || data["name"] != object {
			t.Errorf("data: %s, %v", e.Data(), err)
		}
		got <- r
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	post, err := Post(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	if err := post(t.Context(), newEvent(updated, object)); err != nil {
		t.Fatal(err)
	}
	r := <-got
	for name, want := range map[string]string{
		"Ce-Specversion": "1.0",
		"Ce-Type":        "dev.knative.apiserver.resource.update",
		"Ce-Subject":     "/apis/batch/v1/namespaces/local/jobs/" + object,
		"Ce-Kind":        "Job",
		"Ce-Apiversion":  "batch/v1",
		"Ce-Name":        object,
		"Ce-Namespace":   "local",
		"Content-Type":   "application/json",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.Method != http.MethodPost || r.URL.Path != "/events" || r.Header.Get("Ce-Id") == "" || r.Header.Get("Ce-Source") == "" {
		t.Errorf("request: %s %s %v", r.Method, r.URL, r.Header)
	}
	if id, ok := job.ParseObjectName(r.Header.Get("Ce-Name")); !ok || !strings.Contains(object, id) {
		t.Errorf("name: %q, %v", id, ok)
	}
}

func TestPostTriesAgainAsTheSourceDoes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answers []int // the last is repeated
		tries   int
		lost    bool
	}{
		{"accepted", []int{202}, 1, false},
		{"busy for a while", []int{503, 429, 200}, 3, false},
		{"not there yet", []int{404, 200}, 2, false},
		{"busy for too long", []int{503}, 6, true},
		{"broken", []int{500, 200}, 1, true},
		{"refused", []int{400, 200}, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			tries := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				w.WriteHeader(tt.answers[min(tries, len(tt.answers)-1)])
				tries++
			}))
			defer server.Close()
			post, err := Post(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := post(t.Context(), newEvent(added, object)); (err != nil) != tt.lost {
				t.Errorf("Post: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if tries != tt.tries {
				t.Errorf("%d tries, want %d", tries, tt.tries)
			}
			if took := time.Since(began); tt.tries == 6 && took < 3*time.Second {
				t.Errorf("gave up after %v", took)
			}
		})
	}
}

// TestEventsAreDroppedAndNeverWaitedFor has a receiver that never answers.
func TestEventsAreDroppedAndNeverWaitedFor(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 2*maxEvents)
	e := newEvents(func(ctx context.Context, _ cloudevents.Event) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, slog.New(slog.DiscardHandler))
	for range 2 * maxEvents {
		e.send(updated, object)
	}
	<-begun
	e.close()
	e.send(updated, object)
	if len(begun) != 0 {
		t.Errorf("%d more were delivered", len(begun))
	}
}
