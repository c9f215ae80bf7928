package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A lease's expiry is judged and set by the server's clock, so holders' clocks may disagree. The server is asked
// for its time first, and the compare-and-set follows: by then the time is a little old, which can only leave an
// expired lease with its holder a little longer, and a new one a little shorter than was asked for.

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

// Acquire takes the lease of that name for the time given, if nobody else holds it, and reports whether the
// holder has it now. A holder may acquire its own lease again, which extends it. Holders are told apart by
// their names alone: two processes must not share one.
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
			return nil // somebody else's lease didn't match, and a second one of that name can't be
		}
		acquired = err == nil
		return err
	})
	return acquired, err
}

// Extend lets a lease end that time from now, if the holder still has it, and reports whether it has.
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

// ReleaseLease gives up a lease. It does nothing to one that somebody else holds.
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
