package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Count is the number of jobs with the same workflow and state.
type Count struct {
	Workflow string
	State    job.State // Submitted or Running
	Launched bool      // their run was launched
	Waits    bool      // they wait for the turn of their callers
	Jobs     int
}

// Unstarted uses an index, so its cost depends on the count.
func (s *Store) Unstarted(ctx context.Context, by time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil // for the server, 0 means all
	}
	var n int64
	err := s.with(ctx, jobCollection, "counting jobs that were not started", func(ctx context.Context, c *driver.Collection) error {
		var err error
		n, err = c.CountDocuments(ctx,
			bson.D{{Key: fieldState, Value: job.Created}, {Key: fieldDue, Value: bson.D{{Key: "$lte", Value: by}}}},
			options.Count().SetLimit(int64(limit)))
		return err
	})
	return int(n), err
}

// Waiting reads only an index.
func (s *Store) Waiting(ctx context.Context, limit int) ([]time.Time, error) {
	if limit <= 0 {
		return nil, nil // for the server, 0 means all
	}
	var times []time.Time
	err := s.with(ctx, jobCollection, "reading the jobs that wait", func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, bson.D{{Key: fieldState, Value: job.Submitted}}, options.Find().
			SetProjection(bson.D{{Key: fieldID, Value: 0}, {Key: fieldStarted, Value: 1}}).
			SetSort(bson.D{{Key: fieldStarted, Value: 1}}).
			SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		defer cursor.Close(ctx)
		for cursor.Next(ctx) {
			at, _ := cursor.Current.Lookup(fieldStarted).TimeOK() // zero if it is missing
			times = append(times, at.UTC())
		}
		return cursor.Err()
	})
	return times, err
}

// ActiveTurns counts the jobs that wait for the turn of their callers.
func (s *Store) ActiveTurns(ctx context.Context) ([]Count, error) {
	pipeline := driver.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: fieldWaits, Value: true}}}},
		{{Key: "$group", Value: bson.D{
			{Key: fieldID, Value: "$" + fieldWorkflow}, {Key: "jobs", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	}
	var found []struct {
		Workflow string `bson:"_id"`
		Jobs     int    `bson:"jobs"`
	}
	err := s.with(ctx, jobCollection, "counting turns", func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Aggregate(ctx, pipeline)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	counts := make([]Count, 0, len(found))
	for _, f := range found {
		counts = append(counts, Count{Workflow: f.Workflow, State: job.Submitted, Waits: true, Jobs: f.Jobs})
	}
	return counts, err
}

// Active counts the jobs that wait or run and are due before that time, but not those that wait for the turn of their callers. Such jobs
// are due within minutes, and almost all others within hours or days. So the index of due times finds them, and the cost depends on the
// number of active jobs only.
func (s *Store) Active(ctx context.Context, before time.Time) ([]Count, error) {
	field := func(name string) string { return "$" + name }
	pipeline := driver.Pipeline{
		{{Key: "$match", Value: bson.D{
			{Key: fieldDue, Value: bson.D{{Key: "$lt", Value: before}}},
			inStates(job.Submitted, job.Running),
			{Key: fieldWaits, Value: bson.D{{Key: "$ne", Value: true}}},
		}}},
		{{Key: "$group", Value: bson.D{
			{Key: fieldID, Value: bson.D{
				{Key: fieldWorkflow, Value: field(fieldWorkflow)},
				{Key: fieldState, Value: field(fieldState)},
				// A missing field is less than null.
				{Key: fieldLaunched, Value: bson.D{{Key: "$gt", Value: bson.A{field(fieldLaunched), nil}}}},
			}},
			{Key: "jobs", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	}
	var found []struct {
		ID struct {
			Workflow string    `bson:"workflow"`
			State    job.State `bson:"state"`
			Launched bool      `bson:"launched"`
		} `bson:"_id"`
		Jobs int `bson:"jobs"`
	}
	err := s.with(ctx, jobCollection, "counting active jobs", func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Aggregate(ctx, pipeline)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	if err != nil {
		return nil, err
	}
	counts := make([]Count, 0, len(found))
	for _, f := range found {
		counts = append(counts, Count{Workflow: f.ID.Workflow, State: f.ID.State, Launched: f.ID.Launched, Jobs: f.Jobs})
	}
	return counts, nil
}
