package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// listed are the fields that GetMany reads.
var listed = bson.D{
	{Key: fieldSecretHash, Value: 1},
	{Key: fieldName, Value: 1},
	{Key: fieldOwner, Value: 1},
	{Key: fieldWorkflow, Value: 1},
	{Key: fieldState, Value: 1},
	{Key: fieldCreated, Value: 1},
	{Key: fieldStarted, Value: 1},
	{Key: fieldUpdated, Value: 1},
}

// states are the fields that GetStates reads besides those.
var states = append(slices.Clone(listed),
	bson.E{Key: fieldBatch, Value: 1},
	bson.E{Key: fieldRerunOf, Value: 1},
	bson.E{Key: fieldExpires, Value: 1},
	bson.E{Key: fieldBegan, Value: 1},
	bson.E{Key: fieldConfig, Value: 1},
	bson.E{Key: fieldInputs, Value: 1},
	bson.E{Key: fieldCaller, Value: 1},
	bson.E{Key: fieldWaits, Value: 1},
	bson.E{Key: fieldRun, Value: 1},
	bson.E{Key: fieldLaunched, Value: 1},
	bson.E{Key: fieldStages, Value: 1},
	bson.E{Key: fieldFailure, Value: 1},
	bson.E{Key: fieldDeliveries, Value: 1},
)

// Insert implements store.Jobs.
func (s *Store) Insert(ctx context.Context, j job.Job) error {
	document, err := s.marshal(newDocument(j))
	if err != nil {
		return fmt.Errorf("mongo: job %s: %w", j.ID, err)
	}
	taken := false
	err = s.write(ctx, jobCollection, "storing job "+j.ID, func(ctx context.Context, _ *driver.Collection) error {
		failed, err := s.inserts.ask(ctx, document)
		if err == nil {
			err = failed
		}
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

// Get implements store.Jobs.
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

// GetMany sends one query. It leaves out and logs a job that can't be decoded, so that the list of the others is available.
func (s *Store) GetMany(ctx context.Context, ids []string) ([]job.Job, error) {
	const doing = "reading a list of jobs"
	if len(ids) == 0 {
		return nil, nil
	}
	var jobs []job.Job
	err := s.with(ctx, jobCollection, doing, func(ctx context.Context, _ *driver.Collection) (err error) {
		if len(ids) <= shortList {
			jobs, err = s.lists.ask(ctx, ids)
		} else {
			jobs, err = s.list(ctx, ids)
		}
		return err
	})
	return jobs, err
}

// GetStates sends one query, as GetMany does.
func (s *Store) GetStates(ctx context.Context, ids []string) ([]job.Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return s.find(ctx, "reading the states of jobs", bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}}, options.Find().
		SetProjection(states).SetBatchSize(batchFor(ids)))
}

// Owned reads the index of the owner's jobs, which has all that it filters by. The prefix of a name is a regular expression: a range would
// need a text behind all that begin so, and the last character has none.
func (s *Store) Owned(ctx context.Context, which job.Owned, limit int) ([]job.Job, error) {
	if limit <= 0 || which.Owner == "" {
		return nil, nil // for the server, 0 means all
	}
	filter := bson.D{{Key: fieldOwner, Value: which.Owner}, inStates(which.Listed()...)}
	if which.Workflow != "" {
		filter = append(filter, bson.E{Key: fieldWorkflow, Value: which.Workflow})
	}
	if which.Prefix != "" {
		// BSON stores a pattern as text that ends at a NUL.
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(which.Prefix), "\x00", `\x00`)
		filter = append(filter, bson.E{Key: fieldName, Value: bson.Regex{Pattern: pattern}})
	}
	if after := which.After; after.ID != "" {
		filter = append(filter, bson.E{Key: fieldCreated, Value: bson.D{{Key: "$lte", Value: after.Created}}}, bson.E{Key: "$or", Value: bson.A{
			bson.D{{Key: fieldCreated, Value: bson.D{{Key: "$lt", Value: after.Created}}}},
			bson.D{{Key: fieldID, Value: bson.D{{Key: "$lt", Value: after.ID}}}},
		}})
	}
	return s.find(ctx, "reading the jobs of an owner", filter, options.Find().
		SetProjection(listed).
		SetSort(bson.D{{Key: fieldCreated, Value: -1}, {Key: fieldID, Value: -1}}).
		SetLimit(int64(limit)))
}

// Due leaves out results and logs, which are most of a document. It also leaves out, and logs, a job that can't be decoded.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil // for the server, 0 means all
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
		jobs, err = s.read(ctx, cursor, 0)
		return err
	})
	return jobs, err
}

// read reads all jobs of a cursor, of which about count are expected. It leaves out and logs those that can't be decoded.
func (s *Store) read(ctx context.Context, cursor *driver.Cursor, count int) ([]job.Job, error) {
	defer cursor.Close(ctx)
	jobs := make([]job.Job, 0, count)
	for cursor.Next(ctx) {
		if j, ok := decodeListed(cursor.Current); ok {
			jobs = append(jobs, j)
			continue
		}
		var d document
		// The cursor's own Decode creates a reader for each document, which costs more than the decoding.
		if err := bson.Unmarshal(cursor.Current, &d); err != nil {
			s.options.Logger.ErrorContext(ctx, "a stored job can't be read",
				"job", cursor.Current.Lookup(fieldID).String(), "error", err)
			continue
		}
		jobs = append(jobs, d.job())
	}
	return jobs, cursor.Err()
}

// Submit implements store.Jobs.
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

// Launched accepts a running job, too: the run may have been observed before its launch is recorded.
func (s *Store) Launched(ctx context.Context, id string, run int, object string, due time.Time) (bool, error) {
	return s.update(ctx, "recording the launch of", id,
		bson.D{{Key: fieldRun, Value: run}, inStates(job.Submitted, job.Running)},
		bson.D{{Key: "$set", Value: bson.D{
			{Key: fieldLaunched, Value: object},
			{Key: fieldDue, Value: due},
		}}})
}

// Running implements store.Jobs.
func (s *Store) Running(ctx context.Context, id string, run int, stages []job.Stage, began, at, due time.Time) (bool, error) {
	set := bson.D{
		{Key: fieldState, Value: job.Running},
		{Key: fieldStages, Value: newStages(stages)},
		{Key: fieldDue, Value: due},
	}
	if !began.IsZero() {
		set = append(set, bson.E{Key: fieldBegan, Value: began})
	}
	return s.update(ctx, "recording the progress of", id,
		bson.D{{Key: fieldRun, Value: run}, {Key: "$or", Value: bson.A{
			bson.D{inStates(job.Before(job.Running)...)},
			bson.D{inStates(job.Running), {Key: fieldUpdated, Value: bson.D{{Key: "$lte", Value: at}}}},
		}}},
		bson.D{
			{Key: "$set", Value: set},
			// The clock of the process that submitted the job may be ahead.
			{Key: "$max", Value: bson.D{{Key: fieldUpdated, Value: at}}},
		})
}

// Finish implements store.Jobs.
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
	if len(end.Deliveries) > 0 {
		set = append(set, bson.E{Key: fieldDeliveries, Value: newDeliveries(end.Deliveries)})
	}
	if !end.Began.IsZero() {
		set = append(set, bson.E{Key: fieldBegan, Value: end.Began})
	}
	if end.Failure != nil {
		set = append(set, bson.E{Key: fieldFailure, Value: newFailure(end.Failure)})
	}
	return s.update(ctx, "recording the end of", id,
		bson.D{{Key: fieldRun, Value: run}, inStates(job.Before(end.State)...)},
		// A version that knows no turns may have launched a job that waits.
		bson.D{{Key: "$set", Value: set}, {Key: "$unset", Value: bson.D{{Key: fieldWaits, Value: ""}, {Key: fieldBlocked, Value: ""}}}})
}

// Done implements store.Jobs.
func (s *Store) Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error) {
	ids := make([]string, 0, len(effects))
	for _, e := range effects {
		ids = append(ids, e.ID)
	}
	return s.update(ctx, "recording what was done for", id,
		bson.D{inStates(job.Succeeded, job.Failed), {Key: fieldOwedID, Value: bson.D{{Key: "$in", Value: ids}}}},
		bson.D{
			{Key: "$pull", Value: bson.D{{Key: fieldOwed, Value: bson.D{{Key: "id", Value: bson.D{{Key: "$in", Value: ids}}}}}}},
			{Key: "$set", Value: bson.D{{Key: fieldDue, Value: due}}},
		})
}

// SetDelivery implements store.Jobs.
func (s *Store) SetDelivery(ctx context.Context, id string, was time.Time, d job.Delivery) (bool, error) {
	change := bson.D{{Key: "$set", Value: bson.D{{Key: fieldDeliveries + ".$", Value: newDelivery(d)}}}}
	if d.State == job.DeliveryPending {
		change = append(change, bson.E{Key: "$min", Value: bson.D{{Key: fieldDue, Value: d.Next}}})
	}
	return s.update(ctx, "recording a delivery of", id,
		bson.D{inStates(job.Succeeded, job.Failed), {Key: fieldDeliveries, Value: bson.D{{Key: "$elemMatch", Value: bson.D{
			{Key: "id", Value: d.ID}, {Key: "state", Value: job.DeliveryPending}, {Key: "next", Value: was},
		}}}}},
		change)
}

// SetBlocked implements store.Jobs.
func (s *Store) SetBlocked(ctx context.Context, id string, b job.Blocked) (bool, error) {
	change := bson.D{{Key: "$set", Value: bson.D{{Key: fieldBlocked, Value: newBlocked(b)}}}}
	if b.Since.IsZero() {
		change = bson.D{{Key: "$unset", Value: bson.D{{Key: fieldBlocked, Value: ""}}}}
	}
	return s.update(ctx, "recording what blocks", id, bson.D{{Key: fieldRun, Value: b.Run}, inStates(job.Submitted, job.Running)}, change)
}

// Relaunch keeps the state, so that a job that was running never seems to wait again.
func (s *Store) Relaunch(ctx context.Context, id string, run int, at, due time.Time) (bool, error) {
	return s.update(ctx, "relaunching", id,
		bson.D{{Key: fieldRun, Value: run}, inStates(job.Submitted, job.Running)},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: fieldRun, Value: run + 1}, {Key: fieldDue, Value: due}}},
			{Key: "$max", Value: bson.D{{Key: fieldUpdated, Value: at}}}, // as in Running
			{Key: "$unset", Value: bson.D{
				{Key: fieldLaunched, Value: ""}, {Key: fieldStages, Value: ""}, {Key: fieldBegan, Value: ""}, {Key: fieldBlocked, Value: ""},
			}},
		})
}

// Delete implements store.Jobs.
func (s *Store) Delete(ctx context.Context, id string, at time.Time) (bool, error) {
	return s.delete(ctx, "deleting", id, bson.D{inStates(job.Before(job.Deleting)...)}, at)
}

// Expire implements store.Jobs.
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
				{Key: fieldBatch, Value: ""},
				{Key: fieldRerunOf, Value: ""},
				{Key: fieldOwner, Value: ""},
				{Key: fieldStart, Value: ""},
				{Key: fieldStages, Value: ""},
				{Key: fieldResults, Value: ""},
				{Key: fieldLogs, Value: ""},
				{Key: fieldFailure, Value: ""},
				{Key: fieldOwed, Value: ""},
				{Key: fieldDeliveries, Value: ""},
				{Key: fieldBlocked, Value: ""},
			}},
		})
}

// ExpireUnstarted implements store.Jobs.
func (s *Store) ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error) {
	n := 0
	err := s.write(ctx, jobCollection, "shortening jobs that were not started", func(ctx context.Context, c *driver.Collection) error {
		r, err := c.UpdateMany(ctx,
			bson.D{
				inStates(job.Created),
				{Key: fieldDue, Value: bson.D{{Key: "$gt", Value: by}}},
				{Key: fieldCreated, Value: bson.D{{Key: "$lt", Value: made}}},
			},
			bson.D{{Key: "$set", Value: bson.D{{Key: fieldDue, Value: by}, {Key: fieldExpires, Value: by}}}})
		if err == nil {
			n = int(r.MatchedCount)
		}
		return err
	})
	return n, err
}

// Remove implements store.Jobs.
func (s *Store) Remove(ctx context.Context, id string) error {
	return s.write(ctx, jobCollection, "removing job "+id, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.DeleteOne(ctx, bson.D{{Key: fieldID, Value: id}, inStates(job.Deleting)})
		return err
	})
}

// Postpone implements store.Jobs.
func (s *Store) Postpone(ctx context.Context, id string, was, due time.Time) error {
	_, err := s.update(ctx, "postponing", id,
		bson.D{{Key: fieldDue, Value: was}},
		bson.D{{Key: "$set", Value: bson.D{{Key: fieldDue, Value: due}}}})
	return err
}

// update is the compare-and-set: it changes the job if the filter matches, and reports whether it did.
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
