package mongo_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
)

// TestActive counts the jobs that wait or run, and no others, by workflow, state and launch.
func TestActive(t *testing.T) {
	t.Parallel()
	uri, database := teststores.Mongo(t)
	s, err := mongo.New(mongo.Options{URI: uri, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	if got, err := s.Active(t.Context(), time.Now()); err != nil || len(got) > 0 {
		t.Errorf("without jobs: %v, %v", got, err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	soon, later := now.Add(time.Minute), now.Add(24*time.Hour)
	for _, j := range []job.Job{
		{Workflow: "bakta", State: job.Submitted, Due: soon},
		{Workflow: "bakta", State: job.Submitted, Due: now.Add(-time.Hour)}, // overdue
		{Workflow: "bakta", State: job.Submitted, Due: soon, RunName: "x"},
		{Workflow: "bakta", State: job.Running, Due: soon, RunName: "x"},
		{Workflow: "baktfold", State: job.Running, Due: soon, RunName: "x"},
		{Workflow: "baktfold", State: job.Running, Due: soon}, // run again
		{Workflow: "bakta", State: job.Created, Due: soon},
		{Workflow: "bakta", State: job.Succeeded, Due: soon, RunName: "x"},
		{Workflow: "bakta", State: job.Failed, Due: later},
		{Workflow: "bakta", State: job.Deleting, Due: soon},
		{Workflow: "bakta", State: job.Running, Due: later}, // no look is as far away
	} {
		j.ID, j.Created, j.Updated, j.Expires = uuid.NewString(), now, now, later
		if err := s.Insert(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Active(t.Context(), now.Add(5*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b mongo.Count) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	want := []mongo.Count{
		{Workflow: "bakta", State: job.Running, Launched: true, Jobs: 1},
		{Workflow: "bakta", State: job.Submitted, Launched: false, Jobs: 2},
		{Workflow: "bakta", State: job.Submitted, Launched: true, Jobs: 1},
		{Workflow: "baktfold", State: job.Running, Launched: false, Jobs: 1},
		{Workflow: "baktfold", State: job.Running, Launched: true, Jobs: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}
