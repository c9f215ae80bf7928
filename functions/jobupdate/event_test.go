package jobupdate_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/ag-computational-bio/bakta-web-backend/functions/jobupdate"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const id = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"

// looked records which jobs were settled. Every job is running.
type looked struct{ at []string }

func (l *looked) Get(_ context.Context, id string) (job.Job, error) {
	return job.Job{ID: id, State: job.Running}, nil
}

func (l *looked) Settle(_ context.Context, j job.Job) error {
	l.at = append(l.at, j.ID)
	return nil
}

// The two modes of Knative's source call the same change by two names, and both mean a look.
func TestEvent(t *testing.T) {
	t.Parallel()
	run := "/apis/batch/v1/namespaces/bakta/jobs/" + job.ObjectName(id, 1)
	for _, row := range []struct {
		kind, subject string
		want          []string
	}{
		{"dev.knative.apiserver.ref.add", run, []string{id}},
		{"dev.knative.apiserver.ref.update", run, []string{id}},
		{"dev.knative.apiserver.ref.delete", run, []string{id}},
		{"dev.knative.apiserver.resource.update", run, []string{id}},
		{"dev.knative.apiserver.ref.update", "/api/v1/namespaces/bakta/pods/" + job.ObjectName(id, 1) + "-x7k2p", []string{id}},
		{"dev.knative.apiserver.ref.update", "/apis/batch/v1/namespaces/bakta/jobs/another", nil},
		{"dev.knative.apiserver.ref.update", "", nil},
		{"dev.knative.sources.ping", run, nil},
	} {
		var l looked
		f, err := jobupdate.New(jobupdate.Deps{Jobs: &l, Lifecycle: &l, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		e := cloudevents.NewEvent()
		e.SetType(row.kind)
		e.SetSubject(row.subject)
		if err := f.Event(t.Context(), e); err != nil || !slices.Equal(l.at, row.want) {
			t.Errorf("%s of %s: settled %v, %v, want %v", row.kind, row.subject, l.at, err, row.want)
		}
	}
}

// waiting is a store in which every job waits, with or without a record of its launch.
type waiting struct {
	looked
	name string
}

func (w *waiting) Get(_ context.Context, id string) (job.Job, error) {
	return job.Job{ID: id, State: job.Submitted, Run: 1, RunName: w.name}, nil
}

// The creation of a run's object is settled only if the launch is not recorded: the call that launched it may have been killed.
func TestCreationEvent(t *testing.T) {
	t.Parallel()
	run := "/apis/batch/v1/namespaces/bakta/jobs/" + job.ObjectName(id, 1)
	for _, row := range []struct {
		kind, subject, name string
		want                int
	}{
		{"dev.knative.apiserver.ref.add", run, "launched", 0},
		{"dev.knative.apiserver.resource.add", run, "launched", 0},
		{"dev.knative.apiserver.ref.add", run, "", 1},
		{"dev.knative.apiserver.ref.update", run, "launched", 1},
		{"dev.knative.apiserver.ref.add", "/api/v1/namespaces/bakta/pods/" + job.ObjectName(id, 1) + "-x7k2p", "launched", 1},
	} {
		w := waiting{name: row.name}
		f, err := jobupdate.New(jobupdate.Deps{Jobs: &w, Lifecycle: &w, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		e := cloudevents.NewEvent()
		e.SetType(row.kind)
		e.SetSubject(row.subject)
		if err := f.Event(t.Context(), e); err != nil || len(w.at) != row.want {
			t.Errorf("%s of %s, launched as %q: settled %v, %v", row.kind, row.subject, row.name, w.at, err)
		}
	}
}
