package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// listed are the fields that GetMany reads: what a list of jobs shows, and what says whose they are.
var listed = bson.D{
	{Key: fieldSecretHash, Value: 1},
	{Key: fieldName, Value: 1},
	{Key: fieldWorkflow, Value: 1},
	{Key: fieldState, Value: 1},
	{Key: fieldCreated, Value: 1},
	{Key: fieldStarted, Value: 1},
	{Key: fieldUpdated, Value: 1},
}

// Insert stores a new job. It returns job.AlreadyExists when the id is another job's. A job with the same id and
// secret is this one, stored by a try whose answer was lost: that is no error.
func (s *Store) Insert(ctx context.Context, j job.Job) error {
	taken := false
	err := s.write(ctx, jobCollection, "storing job "+j.ID, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.InsertOne(ctx, newDocument(j))
		if taken = driver.IsDuplicateKeyError(err); taken {
			return nil
		}
		return err
	})
	if err != nil || !taken {
		return err
	}
	stored, err := s.Get(ctx, j.ID)
	switch {
	case err == nil && bytes.Equal(stored.SecretHash, j.SecretHash):
		return nil
	case err == nil || job.Is(err, job.NotFound):
		return job.Errorf(job.AlreadyExists, "there is a job with this id already")
	}
	return err
}

// Get returns a job, or a job.NotFound error.
func (s *Store) Get(ctx context.Context, id string) (job.Job, error) {
	var d document
	missing := false
	err := s.with(ctx, jobCollection, "reading job "+id, func(ctx context.Context, c *driver.Collection) error {
		raw, err := c.FindOne(ctx, bson.D{{Key: fieldID, Value: id}}).Raw()
		if missing = errors.Is(err, driver.ErrNoDocuments); missing {
			return nil
		}
		if err != nil {
			return err
		}
		return bson.Unmarshal(raw, &d)
	})
	if err != nil {
		return job.Job{}, err
	}
	if missing {
		return job.Job{}, job.Errorf(job.NotFound, "there is no such job; it may have been deleted or have expired")
	}
	return d.job(), nil
}

// GetMany returns those of the jobs that exist, each once and in no order, by one query. They hold what a list
// shows: id, secret hash, name, workflow, state, and the times Created, Started and Updated. A job that can't be
// read is left out and logged, so that it spoils no list.
func (s *Store) GetMany(ctx context.Context, ids []string) ([]job.Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var filter any = bson.D{{Key: "$in", Value: ids}}
	if len(ids) == 1 {
		filter = ids[0] // FerretDB uses its index for this, and for no other filter
	}
	return s.find(ctx, "reading a list of jobs", bson.D{{Key: fieldID, Value: filter}}, options.Find().
		SetProjection(listed).
		// One more than there can be: the server sees the end, and no second call asks for it.
		SetBatchSize(int32(min(len(ids), 1<<20)+1)))
}

// Due returns the jobs, in any state, whose next look is due, oldest first, at most limit of them. They hold all but
// results and logs, which are most of a document, and which nobody needs to look after a job. A job that can't be
// read is left out and logged.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil // to the server, 0 would mean all
	}
	return s.find(ctx, "reading the jobs that are due",
		bson.D{{Key: fieldDue, Value: bson.D{{Key: "$lte", Value: now}}}},
		options.Find().
			SetProjection(bson.D{{Key: fieldResults, Value: 0}, {Key: fieldLogs, Value: 0}}).
			SetSort(bson.D{{Key: fieldDue, Value: 1}}).
			SetLimit(int64(limit)))
}

func (s *Store) find(ctx context.Context, doing string, filter bson.D, o *options.FindOptionsBuilder) ([]job.Job, error) {
	var jobs []job.Job
	err := s.with(ctx, jobCollection, doing, func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, filter, o)
		if err != nil {
			return err
		}
		defer cursor.Close(ctx)
		for cursor.Next(ctx) {
			var d document
			// The cursor's own Decode makes a reader for each document, which costs more than the decoding.
			if err := bson.Unmarshal(cursor.Current, &d); err != nil {
				s.options.Logger.ErrorContext(ctx, "a stored job can't be read",
					"job", cursor.Current.Lookup(fieldID).String(), "error", err)
				continue
			}
			jobs = append(jobs, d.job())
		}
		return cursor.Err()
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// Submit moves created to submitted: it pins what the job was started with and owes its first run.
func (s *Store) Submit(ctx context.Context, id string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error) {
	return s.update(ctx, "submitting", id,
		bson.D{inStates(job.Before(job.Submitted)...)},
		bson.D{{Key: "$set", Value: bson.D{
			{Key: fieldState, Value: job.Submitted},
			{Key: fieldStart, Value: newStart(start)},
			{Key: fieldRun, Value: 1},
			{Key: fieldStages, Value: newStages(stages)},
			{Key: fieldStarted, Value: at},
			{Key: fieldUpdated, Value: at},
			{Key: fieldDue, Value: due},
			{Key: fieldExpires, Value: expires},
		}}})
}

// Launched records what the runner calls the run's object, and when to look at it next. The run may have been
// seen running, but not ended, before its launcher comes to say so.
func (s *Store) Launched(ctx context.Context, id string, run int, object string, due time.Time) (bool, error) {
	return s.update(ctx, "recording the launch of", id,
		bson.D{{Key: fieldRun, Value: run}, inStates(job.Submitted, job.Running)},
		bson.D{{Key: "$set", Value: bson.D{
			{Key: fieldLaunched, Value: object},
			{Key: fieldDue, Value: due},
		}}})
}

// Running moves submitted to running, or updates the stages of a running job. Two observers may pass each other
// on their way here; what was seen before that which is recorded changes nothing.
func (s *Store) Running(ctx context.Context, id string, run int, stages []job.Stage, at, due time.Time) (bool, error) {
	return s.update(ctx, "recording the progress of", id,
		bson.D{{Key: fieldRun, Value: run}, {Key: "$or", Value: bson.A{
			bson.D{inStates(job.Before(job.Running)...)},
			bson.D{inStates(job.Running), {Key: fieldUpdated, Value: bson.D{{Key: "$lte", Value: at}}}},
		}}},
		bson.D{{Key: "$set", Value: bson.D{
			{Key: fieldState, Value: job.Running},
			{Key: fieldStages, Value: newStages(stages)},
			{Key: fieldDue, Value: due},
		}},
			// The clock of whoever submitted the job may be ahead.
			{Key: "$max", Value: bson.D{{Key: fieldUpdated, Value: at}}}})
}

// Finish records the outcome of a run. Stages that are nil leave those in place that were seen last.
func (s *Store) Finish(ctx context.Context, id string, run int, end job.End) (bool, error) {
	if !end.State.Ended() {
		return false, fmt.Errorf("mongo: job %s can't end as %q", id, end.State)
	}
	set := bson.D{
		{Key: fieldState, Value: end.State},
		{Key: fieldResults, Value: newFiles(end.Results)},
		{Key: fieldLogs, Value: newFiles(end.Logs)},
		{Key: fieldUpdated, Value: end.At},
		{Key: fieldDue, Value: end.Due},
		{Key: fieldExpires, Value: end.Expires},
	}
	if end.Stages != nil {
		set = append(set, bson.E{Key: fieldStages, Value: newStages(end.Stages)})
	}
	if len(end.Owed) > 0 {
		set = append(set, bson.E{Key: fieldOwed, Value: newEffects(end.Owed)})
	}
	if end.Failure != nil {
		set = append(set, bson.E{Key: fieldFailure, Value: newFailure(end.Failure)})
	}
	return s.update(ctx, "recording the end of", id,
		bson.D{{Key: fieldRun, Value: run}, inStates(job.Before(end.State)...)},
		bson.D{{Key: "$set", Value: set}})
}

// Done removes effects from those that an ended job owes, and sets when it is due next.
func (s *Store) Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error) {
	ids := make([]string, 0, len(effects))
	for _, e := range effects {
		ids = append(ids, e.ID)
	}
	return s.update(ctx, "recording what was done for", id,
		bson.D{inStates(job.Succeeded, job.Failed), {Key: fieldOwedID, Value: bson.D{{Key: "$in", Value: ids}}}},
		bson.D{
			// $pull by ID has no effect in FerretDB 1.24, which compares it with the whole effect.
			{Key: "$pullAll", Value: bson.D{{Key: fieldOwed, Value: newEffects(effects)}}},
			{Key: "$set", Value: bson.D{{Key: fieldDue, Value: due}}},
		})
}

// Relaunch gives up a run that vanished and owes the next one. The job stays in its state: a job that was seen
// running never waits again in its owner's eyes.
func (s *Store) Relaunch(ctx context.Context, id string, run int, due time.Time) (bool, error) {
	return s.update(ctx, "relaunching", id,
		bson.D{{Key: fieldRun, Value: run}, inStates(job.Submitted, job.Running)},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: fieldRun, Value: run + 1}, {Key: fieldDue, Value: due}}},
			{Key: "$unset", Value: bson.D{{Key: fieldLaunched, Value: ""}, {Key: fieldStages, Value: ""}}},
		})
}

// Delete moves any state to deleting and empties the document of all that was the user's. The sweep's next look
// is due at once. It reports false for a job that is deleting already, or gone.
func (s *Store) Delete(ctx context.Context, id string, at time.Time) (bool, error) {
	return s.delete(ctx, "deleting", id, bson.D{inStates(job.Before(job.Deleting)...)}, at)
}

// Expire does as Delete to a job that has expired by then, and of which no run is owed or under way. It reports
// false for any other.
func (s *Store) Expire(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.delete(ctx, "expiring", id, bson.D{
		inStates(job.Created, job.Succeeded, job.Failed),
		{Key: fieldExpires, Value: bson.D{{Key: "$lte", Value: now}}},
	}, now)
}

func (s *Store) delete(ctx context.Context, doing, id string, filter bson.D, at time.Time) (bool, error) {
	return s.update(ctx, doing, id, filter,
		bson.D{
			{Key: "$set", Value: bson.D{
				{Key: fieldState, Value: job.Deleting},
				{Key: fieldName, Value: ""},
				{Key: fieldUpdated, Value: at},
				{Key: fieldDue, Value: at},
			}},
			{Key: "$unset", Value: bson.D{
				{Key: fieldStart, Value: ""},
				{Key: fieldStages, Value: ""},
				{Key: fieldResults, Value: ""},
				{Key: fieldLogs, Value: ""},
				{Key: fieldFailure, Value: ""},
				{Key: fieldOwed, Value: ""},
			}},
		})
}

// ExpireUnstarted lets created jobs expire, and be looked at, by that time, which were made before the other one and
// would be kept for longer. It returns how many there were.
func (s *Store) ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error) {
	n := 0
	err := s.write(ctx, jobCollection, "shortening jobs that were not started", func(ctx context.Context, c *driver.Collection) error {
		r, err := c.UpdateMany(ctx,
			bson.D{inStates(job.Created), {Key: fieldDue, Value: bson.D{{Key: "$gt", Value: by}}}, {Key: fieldCreated, Value: bson.D{{Key: "$lt", Value: made}}}},
			bson.D{{Key: "$set", Value: bson.D{{Key: fieldDue, Value: by}, {Key: fieldExpires, Value: by}}}})
		if err == nil {
			n = int(r.MatchedCount)
		}
		return err
	})
	return n, err
}

// Remove forgets a job that is deleting. It leaves a job in another state alone.
func (s *Store) Remove(ctx context.Context, id string) error {
	return s.write(ctx, jobCollection, "removing job "+id, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.DeleteOne(ctx, bson.D{{Key: fieldID, Value: id}, inStates(job.Deleting)})
		return err
	})
}

// Postpone moves the time of the next look, if the job is still due at the time named.
func (s *Store) Postpone(ctx context.Context, id string, was, due time.Time) error {
	_, err := s.update(ctx, "postponing", id,
		bson.D{{Key: fieldDue, Value: was}},
		bson.D{{Key: "$set", Value: bson.D{{Key: fieldDue, Value: due}}}})
	return err
}

// update is the compare-and-set: it changes the job if it is as the filter says, and reports whether it was.
func (s *Store) update(ctx context.Context, doing, id string, filter, change bson.D) (bool, error) {
	matched := false
	err := s.write(ctx, jobCollection, doing+" job "+id, func(ctx context.Context, c *driver.Collection) error {
		r, err := c.UpdateOne(ctx, slices.Concat(bson.D{{Key: fieldID, Value: id}}, filter), change)
		if err == nil {
			matched = r.MatchedCount == 1
		}
		return err
	})
	return matched, err
}

func inStates(states ...job.State) bson.E {
	return bson.E{Key: fieldState, Value: bson.D{{Key: "$in", Value: states}}}
}
