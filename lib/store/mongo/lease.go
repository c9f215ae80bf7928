package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The server's clock sets and checks the expiry of a lease, so the clocks of the holders may differ. A call reads the server's
// time first, and then compares and sets. By then the time is slightly old. So an expired lease may stay with its holder
// slightly longer, and a new lease may be slightly shorter than requested.

const (
	fieldHolder      = "holder"
	fieldLeaseExpiry = "expires"
)

// lease is a lease as it is stored.
type lease struct {
	Name    string    `bson:"_id"`
	Holder  string    `bson:"holder"`
	Expires time.Time `bson:"expires"`
}

// Acquire implements store.Jobs.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	acquired := false
	err := s.write(ctx, leaseCollection, "acquiring lease "+name, func(ctx context.Context, c *driver.Collection) error {
		now, err := serverTime(ctx, c.Database())
		if err != nil {
			return err
		}
		_, err = c.UpdateOne(ctx,
			bson.D{{Key: fieldID, Value: name}, {Key: "$or", Value: bson.A{
				bson.D{{Key: fieldHolder, Value: holder}},
				bson.D{{Key: fieldLeaseExpiry, Value: bson.D{{Key: "$lte", Value: now}}}},
			}}},
			bson.D{{Key: "$set", Value: bson.D{
				{Key: fieldHolder, Value: holder},
				{Key: fieldLeaseExpiry, Value: now.Add(ttl)},
			}}},
			options.UpdateOne().SetUpsert(true))
		if driver.IsDuplicateKeyError(err) {
			return nil // the lease of another holder did not match, and the upsert cannot insert a second one
		}
		acquired = err == nil
		return err
	})
	return acquired, err
}

// Extend implements store.Jobs.
func (s *Store) Extend(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	extended := false
	err := s.write(ctx, leaseCollection, "extending lease "+name, func(ctx context.Context, c *driver.Collection) error {
		now, err := serverTime(ctx, c.Database())
		if err != nil {
			return err
		}
		// A lease that expired and still has this holder had no other holder in between.
		r, err := c.UpdateOne(ctx,
			bson.D{{Key: fieldID, Value: name}, {Key: fieldHolder, Value: holder}},
			bson.D{{Key: "$set", Value: bson.D{{Key: fieldLeaseExpiry, Value: now.Add(ttl)}}}})
		if err == nil {
			extended = r.MatchedCount == 1
		}
		return err
	})
	return extended, err
}

// ReleaseLease implements store.Jobs.
func (s *Store) ReleaseLease(ctx context.Context, name, holder string) error {
	return s.write(ctx, leaseCollection, "releasing lease "+name, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.DeleteOne(ctx, bson.D{{Key: fieldID, Value: name}, {Key: fieldHolder, Value: holder}})
		return err
	})
}

func serverTime(ctx context.Context, db *driver.Database) (time.Time, error) {
	var hello struct {
		LocalTime time.Time `bson:"localTime"`
	}
	err := db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	return hello.LocalTime, err
}
