package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const fieldPastRuns = "runs"

// pastRuns are the past runs of a class as they are stored: one small document.
type pastRuns struct {
	Class string    `bson:"_id"`
	Runs  []pastRun `bson:"runs"`
}

type pastRun struct {
	Took int64     `bson:"took"` // milliseconds
	At   time.Time `bson:"at"`
}

// AddPastRun implements store.PastRuns.
func (s *Store) AddPastRun(ctx context.Context, class string, r job.PastRun) error {
	return s.write(ctx, pastCollection, "recording a past run", func(ctx context.Context, c *driver.Collection) error {
		_, err := c.UpdateOne(ctx, bson.D{{Key: fieldID, Value: class}},
			bson.D{{Key: "$push", Value: bson.D{{Key: fieldPastRuns, Value: bson.D{
				{Key: "$each", Value: []pastRun{{Took: r.Took.Milliseconds(), At: r.At}}},
				{Key: "$slice", Value: -job.MaxPastRuns},
			}}}}},
			options.UpdateOne().SetUpsert(true))
		return err
	})
}

// PastRuns implements store.PastRuns.
func (s *Store) PastRuns(ctx context.Context, classes []string) (map[string][]job.PastRun, error) {
	if len(classes) == 0 {
		return nil, nil
	}
	var found []pastRuns
	err := s.with(ctx, pastCollection, "reading past runs", func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: classes}}}})
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	if err != nil {
		return nil, err
	}
	past := make(map[string][]job.PastRun, len(found))
	for _, f := range found {
		for _, r := range f.Runs {
			past[f.Class] = append(past[f.Class], job.PastRun{Took: time.Duration(r.Took) * time.Millisecond, At: r.At.UTC()})
		}
	}
	return past, nil
}
