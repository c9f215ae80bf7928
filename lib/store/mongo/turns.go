package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

var _ store.Turns = (*Store)(nil)

// NextTurn reads the index that has only the jobs that wait for their turn, as NextCaller does. A job leaves it by Turn or by its removal.
func (s *Store) NextTurn(ctx context.Context, caller string) (job.Job, error) {
	jobs, err := s.find(ctx, "reading the next turn of a caller",
		bson.D{{Key: fieldWaits, Value: true}, {Key: fieldCaller, Value: caller}},
		options.Find().
			SetProjection(bson.D{{Key: fieldResults, Value: 0}, {Key: fieldLogs, Value: 0}}).
			SetSort(bson.D{{Key: fieldStarted, Value: 1}}).
			SetLimit(1))
	if err == nil && len(jobs) == 0 {
		err = job.Errorf(job.NotFound, "no job of the caller waits for its turn")
	}
	if err != nil {
		return job.Job{}, err
	}
	return jobs[0], nil
}

// NextCaller implements store.Turns.
func (s *Store) NextCaller(ctx context.Context, after string) (string, error) {
	var d struct {
		Start struct {
			Caller string `bson:"caller"`
		} `bson:"start"`
	}
	err := s.with(ctx, jobCollection, "reading the next caller whose jobs wait", func(ctx context.Context, c *driver.Collection) error {
		err := c.FindOne(ctx,
			bson.D{{Key: fieldWaits, Value: true}, {Key: fieldCaller, Value: bson.D{{Key: "$gt", Value: after}}}},
			options.FindOne().
				SetProjection(bson.D{{Key: fieldID, Value: 0}, {Key: fieldCaller, Value: 1}}).
				SetSort(bson.D{{Key: fieldCaller, Value: 1}})).Decode(&d)
		if errors.Is(err, driver.ErrNoDocuments) {
			return nil
		}
		return err
	})
	return d.Start.Caller, err
}

// WaitingTurns reads only an index.
func (s *Store) WaitingTurns(ctx context.Context, limit int) ([]job.WaitingTurn, error) {
	if limit <= 0 {
		return nil, nil // for the server, 0 means all
	}
	var turns []job.WaitingTurn
	err := s.with(ctx, jobCollection, "reading the turns that are waited for", func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, bson.D{{Key: fieldWaits, Value: true}}, options.Find().
			SetProjection(bson.D{{Key: fieldID, Value: 0}, {Key: fieldCaller, Value: 1}, {Key: fieldStarted, Value: 1}}).
			SetSort(bson.D{{Key: fieldCaller, Value: 1}, {Key: fieldStarted, Value: 1}}).
			SetLimit(int64(limit)))
		if err != nil {
			return err
		}
		defer cursor.Close(ctx)
		for cursor.Next(ctx) {
			caller, _ := cursor.Current.Lookup("start", "caller").StringValueOK()
			at, _ := cursor.Current.Lookup(fieldStarted).TimeOK()
			turns = append(turns, job.WaitingTurn{Caller: caller, Started: at.UTC()})
		}
		return cursor.Err()
	})
	return turns, err
}

// Turn implements store.Turns.
func (s *Store) Turn(ctx context.Context, id string, at, due time.Time) (bool, error) {
	return s.update(ctx, "beginning the turn of", id,
		bson.D{inStates(job.Submitted, job.Running), {Key: fieldWaits, Value: true}},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: fieldUpdated, Value: at}, {Key: fieldDue, Value: due}}},
			{Key: "$unset", Value: bson.D{{Key: fieldWaits, Value: ""}}},
		})
}
