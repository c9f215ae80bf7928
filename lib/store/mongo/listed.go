package mongo

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// shortList is the length of lists that are read together with those of other callers. A longer one has more work of its own.
const shortList = 8

// newLists returns what reads short lists. Its answers are the found jobs of each caller.
func newLists(s *Store) *together[[]string, []job.Job] {
	return &together[[]string, []job.Job]{send: func(ctx context.Context, lists [][]string) ([][]job.Job, error) {
		if len(lists) == 1 {
			jobs, err := s.list(ctx, lists[0])
			return [][]job.Job{jobs}, err
		}
		ids := slices.Concat(lists...)
		slices.Sort(ids)
		found, err := s.list(ctx, slices.Compact(ids))
		if err != nil {
			return nil, err
		}
		byID := make(map[string]job.Job, len(found))
		for _, j := range found {
			byID[j.ID] = j
		}
		answers := make([][]job.Job, len(lists))
		for i, list := range lists {
			for k, id := range list {
				if j, ok := byID[id]; ok && !slices.Contains(list[:k], id) { // as one query returns it
					answers[i] = append(answers[i], j)
				}
			}
		}
		return answers, nil
	}}
}

// list reads the listed fields of jobs by one query.
func (s *Store) list(ctx context.Context, ids []string) ([]job.Job, error) {
	db, err := s.db()
	if err != nil {
		return nil, err
	}
	// The server reads one id without a plan (IDHACK), but not a list of one.
	filter := bson.D{{Key: fieldID, Value: ids[0]}}
	if len(ids) > 1 {
		filter[0].Value = bson.D{{Key: "$in", Value: ids}}
	}
	cursor, err := db.Collection(jobCollection).Find(ctx, filter, options.Find().SetProjection(listed).SetBatchSize(batchFor(ids)))
	if err != nil {
		return nil, err
	}
	return s.read(ctx, cursor, len(ids))
}

// batchFor is the size of the batch for these jobs: one more, so that the server knows that it is the last one, and no second call is
// needed.
func batchFor(ids []string) int32 { return int32(min(len(ids), 1<<20) + 1) }

// newInserts returns what inserts jobs. Its answers are the error of each.
func newInserts(s *Store) *together[bson.Raw, error] {
	return &together[bson.Raw, error]{send: func(ctx context.Context, documents []bson.Raw) ([]error, error) {
		db, err := s.db()
		if err != nil {
			return nil, err
		}
		errs := make([]error, len(documents))
		if len(documents) == 1 {
			_, errs[0] = db.Collection(jobCollection).InsertOne(ctx, documents[0])
			return errs, nil
		}
		_, err = db.Collection(jobCollection).InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		var some driver.BulkWriteException
		if errors.As(err, &some) && some.WriteConcernError == nil {
			for _, e := range some.WriteErrors {
				errs[e.Index] = e
			}
			return errs, nil
		}
		return errs, err
	}}
}

// decodeListed decodes a document that has only listed fields. It reports false if a field has another type than the store writes; then the
// general decoder, which takes many times as long, decides.
func decodeListed(raw bson.Raw) (j job.Job, ok bool) {
	_, rest, ok := bsoncore.ReadLength(raw)
	for ok && len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			return j, false
		}
		v := e.Value()
		switch string(e.KeyBytes()) {
		case fieldID:
			j.ID, ok = v.StringValueOK()
		case fieldSecretHash:
			var hash []byte
			_, hash, ok = v.BinaryOK()
			j.SecretHash = slices.Clone(hash)
		case fieldName:
			j.Name, ok = v.StringValueOK()
		case fieldOwner:
			j.Owner, ok = v.StringValueOK()
		case fieldWorkflow:
			j.Workflow, ok = v.StringValueOK()
		case fieldState:
			var state string
			state, ok = v.StringValueOK()
			j.State = job.State(state)
		case fieldCreated:
			j.Created, ok = timeOf(v)
		case fieldStarted:
			j.Started, ok = timeOf(v)
		case fieldUpdated:
			j.Updated, ok = timeOf(v)
		default:
			ok = false
		}
	}
	return j, ok
}

func timeOf(v bsoncore.Value) (time.Time, bool) {
	ms, ok := v.DateTimeOK()
	return time.UnixMilli(ms).UTC(), ok
}
