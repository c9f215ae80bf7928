package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// TestMessageHasNoSecret fills all of a job, and compares the message word for word.
func TestMessageHasNoSecret(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	j := job.Job{
		ID: "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d", SecretHash: []byte("hash"), Name: "E. coli\r\n\"K-12\"", Batch: "plate", Workflow: "bakta",
		State: job.Failed, Created: at, Started: at.Add(time.Second), Updated: at.Add(time.Minute), Expires: at.Add(time.Hour), Run: 1,
		RunName: "object",
		Start: &job.Start{Config: []byte("{}"), Inputs: []job.Input{{Name: "genome.fna"}}, Trace: "trace",
			Notify: &job.Notify{Webhook: "https://example.org", Email: "ada@example.org", Key: []byte("key")}},
		Results: []job.File{{Key: "jobs/1/results"}}, Logs: []job.File{{Key: "jobs/1/log"}},
		Failure: &job.Failure{Code: job.BadInput, Message: "wrong format", Stage: "bakta"},
	}
	const want = `{"specversion":"1.0","id":"0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d-failed","source":"https://bakta.example.org",` +
		`"type":"org.bakta.job.failed","subject":"0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d","datacontenttype":"application/json",` +
		`"time":"2026-03-01T11:01:00Z","data":{"id":"0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d","name":"E. coli\r\n\"K-12\"",` +
		`"workflow":"bakta","state":"error","created":"2026-03-01T11:00:00Z","started":"2026-03-01T11:00:01Z",` +
		`"ended":"2026-03-01T11:01:00Z","expires":"2026-03-01T12:00:00Z","failure":{"code":"bad_input","message":"wrong format"}}}`
	for range 2 {
		e, err := notify.CloudEvent("https://bakta.example.org", j, notify.EventOf(j.State))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(e); err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
	j.State = job.Succeeded
	j.Deliveries = []job.Delivery{
		job.OwesDelivery(job.EventSucceeded, job.ChannelEmail, at.Add(time.Minute)),
		job.OwesDelivery(job.EventExpiring, job.ChannelEmail, at.AddDate(0, 0, 27)),
	}
	e, err := notify.CloudEvent(notify.DefaultSource, j, job.EventExpiring)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Time().Equal(at.AddDate(0, 0, 27)) {
		t.Errorf("a job that expires: the time is %s", e.Time())
	}
	if got, _ := json.Marshal(e); e.Type() != "org.bakta.job.expiring" || strings.Contains(string(got), "failure") ||
		!strings.Contains(string(got), `"state":"successful"`) {
		t.Errorf("a job that expires: %s", got)
	}
}
