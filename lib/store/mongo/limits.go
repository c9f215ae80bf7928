package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

var _ store.Limits = (*Store)(nil)

// maxAhead is how much the clocks of two servers may differ.
const maxAhead = 2 * time.Minute

// knownJobs is how many jobs a caller's document knows that were counted, see store.Window.PerJob.
const knownJobs = 100

// The fields of a caller's document. Those of windows and holds are named after the limits.
const (
	fieldLimitExpiry = "expires" // of the index that removes documents
	fieldWindows     = "windows" // NAME: [{b: bucket, n: count}]
	fieldHeld        = "held"    // NAME: [{id: job, at: time, w: bytes}]
	fieldCounted     = "counted" // [job]
	fieldLast        = "last"    // what the last change did: {refused: NAME, full: [NAME], ahead: [NAME], counted: {NAME: count}, at: ms}
)

// limitDocument is a caller's document, as far as it is queried.
type limitDocument struct {
	Caller  string    `bson:"_id"`
	Expires time.Time `bson:"expires"`
}

// used is what Use reads of the document that it changed.
type used struct {
	Last struct {
		Refused string         `bson:"refused"`
		Full    []string       `bson:"full"`
		Ahead   []string       `bson:"ahead"`
		Counted map[string]int `bson:"counted"`
		At      int64          `bson:"at"`
	} `bson:"last"`
	Windows map[string][]struct {
		Bucket int64 `bson:"b"`
		Count  int   `bson:"n"`
	} `bson:"windows"`
	Sizes   map[string]int   `bson:"sizes"`
	Bytes   map[string]int64 `bson:"bytes"`
	Entries map[string][]struct {
		Job string    `bson:"id"`
		At  time.Time `bson:"at"`
	} `bson:"entries"`
}

// Use is one findAndModify with a pipeline, which the server applies to the document as a whole: it decides and counts at once. A write
// that need not be durable is acknowledged by the primary alone, before it is in the journal: it costs a third of the time.
func (s *Store) Use(ctx context.Context, caller string, u store.Use) (store.Used, error) {
	concern := writeconcern.W1()
	if u.Durable {
		concern = nil
	}
	later := u.At.Sub(s.options.now().Truncate(time.Millisecond)) // the server's time is in milliseconds, too
	change := useOf(u, later)
	find := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After).SetProjection(shownUse(u))
	var d used
	err := s.limits(ctx, "counting a call", concern, func(ctx context.Context, c *driver.Collection) error {
		err := c.FindOneAndUpdate(ctx, bson.D{{Key: fieldID, Value: caller}}, change, find).Decode(&d)
		if driver.IsDuplicateKeyError(err) { // another call inserted the document at the same time
			err = c.FindOneAndUpdate(ctx, bson.D{{Key: fieldID, Value: caller}}, change, find).Decode(&d)
		}
		return err
	})
	if err != nil {
		return store.Used{}, err
	}
	used := d.used()
	used.Skew = time.UnixMilli(d.Last.At).Sub(u.At)
	return used, nil
}

// limits is write on the documents of callers, with a write concern; nil: that of all other writes. It ends at the caller's deadline, other
// than those: a call does not wait long to be counted, and what was counted although its answer is lost needs no care.
func (s *Store) limits(
	ctx context.Context, doing string, concern *writeconcern.WriteConcern, call func(context.Context, *driver.Collection) error,
) error {
	deadline, bounded := ctx.Deadline()
	return s.write(ctx, limitCollection, doing, func(ctx context.Context, c *driver.Collection) error {
		if bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline)
			defer cancel()
		}
		if concern != nil {
			c = c.Clone(options.Collection().SetWriteConcern(concern))
		}
		return call(ctx, c)
	})
}

func (d used) used() store.Used {
	u := store.Used{
		Refused: d.Last.Refused, Full: d.Last.Full, Ahead: d.Last.Ahead, Counted: d.Last.Counted, Held: d.Sizes, Bytes: d.Bytes,
		Windows: make(map[string][]store.WindowCount, len(d.Windows)),
	}
	for name, buckets := range d.Windows {
		for _, b := range buckets {
			u.Windows[name] = append(u.Windows[name], store.WindowCount{Bucket: b.Bucket, Count: b.Count})
		}
		// Clocks of primaries differ, so a bucket may have been added before an older one.
		slices.SortFunc(u.Windows[name], func(a, b store.WindowCount) int { return int(a.Bucket - b.Bucket) })
	}
	for name, entries := range d.Entries {
		for _, e := range entries {
			u.Entries = append(u.Entries, store.Held{Name: name, Job: e.Job, At: e.At.UTC()})
		}
	}
	return u
}

// Release implements store.Limits.
func (s *Store) Release(ctx context.Context, caller, id string) error {
	return s.limits(ctx, "releasing what a caller holds", nil, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.UpdateOne(ctx, bson.D{{Key: fieldID, Value: caller}},
			driver.Pipeline{{{Key: "$set", Value: bson.D{{Key: fieldHeld, Value: expr("$arrayToObject", expr("$map", bson.D{
				{Key: "input", Value: expr("$objectToArray", "$"+fieldHeld)},
				{Key: "in", Value: bson.D{{Key: "k", Value: "$$this.k"}, {Key: "v", Value: expr("$filter", bson.D{
					{Key: "input", Value: "$$this.v"}, {Key: "as", Value: "e"}, {Key: "cond", Value: expr("$ne", bson.A{"$$e.id", literal(id)})},
				})}}},
			}))}}}}})
		return err
	})
}

// expr is an expression of an aggregation.
func expr(operator string, value any) bson.D { return bson.D{{Key: operator, Value: value}} }

// literal is a value that is not an expression, whatever it contains.
func literal(v any) bson.D { return expr("$literal", v) }

func windowPath(w store.Window) string { return fieldWindows + "." + w.Name }
func heldPath(name string) string      { return fieldHeld + "." + name }

// list is an array of the document, also if it does not exist.
func list(path string) bson.D { return expr("$ifNull", bson.A{"$" + path, bson.A{}}) }

func filter(input any, cond bson.D) bson.D {
	return expr("$filter", bson.D{{Key: "input", Value: input}, {Key: "cond", Value: cond}})
}

// useOf returns the pipeline of Use, in three steps: it removes what is over, decides, and counts what the decision allows. The call is so
// much later than the clock of this process says.
func useOf(u store.Use, later time.Duration) driver.Pipeline {
	return driver.Pipeline{
		{{Key: "$set", Value: tidied(u, later)}},
		{{Key: "$set", Value: bson.D{{Key: fieldLast, Value: append(decision(u), bson.E{Key: "at", Value: timeOfCall(later)})}}}},
		{{Key: "$set", Value: counted(u, later)}},
	}
}

// bucketOf is the number of the bucket in which a window counts the call. The server's clock decides that: if those of the processes did,
// one that is ahead would remove what the others have counted.
func bucketOf(w store.Window, later time.Duration) bson.D {
	return expr("$toLong", expr("$floor", expr("$divide", bson.A{timeOfCall(later), w.BucketLength().Milliseconds()})))
}

// timeOfCall is the time of the call by the server's clock, in milliseconds since 1970.
func timeOfCall(later time.Duration) bson.D {
	return expr("$add", bson.A{expr("$toLong", "$$NOW"), later.Milliseconds()})
}

// tidied are the lists that the call uses, without what is over.
func tidied(u store.Use, later time.Duration) bson.D {
	set := bson.D{
		{Key: fieldLimitExpiry, Value: expr("$max", bson.A{"$" + fieldLimitExpiry, u.Until})},
		{Key: fieldCounted, Value: list(fieldCounted)},
	}
	for _, w := range u.Windows {
		now := bucketOf(w, later)
		// The clock of another primary may have been ahead.
		ahead := int64(maxAhead/w.BucketLength()) + 1
		set = append(set, bson.E{Key: windowPath(w), Value: filter(list(windowPath(w)), expr("$and", bson.A{
			expr("$gte", bson.A{"$$this.b", expr("$subtract", bson.A{now, store.Buckets})}),
			expr("$lte", bson.A{"$$this.b", expr("$add", bson.A{now, ahead})}),
		}))})
	}
	for _, name := range held(u) {
		var gone bson.A
		for _, g := range u.Gone {
			if g.Name == name {
				gone = append(gone, bson.D{{Key: "id", Value: g.Job}, {Key: "at", Value: g.At}})
			}
		}
		value := list(heldPath(name))
		if len(gone) > 0 {
			entry := bson.D{{Key: "id", Value: "$$this.id"}, {Key: "at", Value: "$$this.at"}}
			value = filter(value, expr("$not", bson.A{expr("$in", bson.A{entry, literal(gone)})}))
		}
		set = append(set, bson.E{Key: heldPath(name), Value: value})
	}
	return set
}

// held returns the names of all holds of a use.
func held(u store.Use) []string {
	names := slices.Clone(u.Ends)
	for _, h := range u.Holds {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// known is whether the job was counted before.
func known(u store.Use) bson.D { return expr("$in", bson.A{literal(u.Job), "$" + fieldCounted}) }

// others is whether the caller does not hold the job under that name, so that a place for it is needed.
func others(u store.Use, h store.Hold) bson.D {
	return expr("$not", bson.A{expr("$in", bson.A{literal(u.Job), "$" + heldPath(h.Name) + ".id"})})
}

// decision is the name of the limit that refuses the call, and those of the optional holds that have no place, and of the holds that have
// room for jobs in advance.
func decision(u store.Use) bson.D {
	refusals, full, ahead, numbers := bson.A{}, bson.A{}, bson.A{}, bson.D{}
	refuse := func(name string, conditions ...any) {
		refusals = append(refusals, bson.D{{Key: "case", Value: expr("$and", bson.A(conditions))}, {Key: "then", Value: literal(name)}})
	}
	for _, w := range u.Windows {
		sum := expr("$sum", "$"+windowPath(w)+".n")
		conditions := []any{expr("$gte", bson.A{sum, w.Limit})}
		number := any(expr("$min", bson.A{w.Calls, expr("$subtract", bson.A{w.Limit, sum})}))
		if w.PerJob {
			conditions = append(conditions, expr("$not", bson.A{known(u)}))
			number = expr("$cond", bson.A{known(u), 0, number})
		}
		refuse(w.Name, conditions...)
		numbers = append(numbers, bson.E{Key: w.Name, Value: number})
	}
	for _, h := range u.Holds {
		path := "$" + heldPath(h.Name)
		if h.BytesLimit > 0 {
			sum := expr("$add", bson.A{expr("$sum", path+".w"), h.Bytes})
			refuse(h.BytesName, others(u, h), expr("$gt", bson.A{sum, h.BytesLimit}))
		}
		if len(h.Ahead) > 0 {
			ahead = append(ahead, expr("$cond", bson.A{roomAhead(h), bson.A{literal(h.Name)}, bson.A{}}))
		}
		if h.Limit == 0 {
			continue
		}
		noPlace := []any{others(u, h), expr("$gte", bson.A{expr("$size", path), h.Limit})}
		if h.Optional {
			full = append(full, expr("$cond", bson.A{expr("$and", bson.A(noPlace)), bson.A{literal(h.Name)}, bson.A{}}))
		} else {
			refuse(h.Name, noPlace...)
		}
	}
	refused := any("")
	if len(refusals) > 0 {
		refused = expr("$switch", bson.D{{Key: "branches", Value: refusals}, {Key: "default", Value: ""}})
	}
	last := bson.D{{Key: "refused", Value: refused}, {Key: "full", Value: expr("$concatArrays", append(full, bson.A{}))}}
	if len(ahead) > 0 {
		last = append(last, bson.E{Key: "ahead", Value: expr("$concatArrays", ahead)})
	}
	if len(numbers) > 0 { // an object must not be empty
		last = append(last, bson.E{Key: "counted", Value: numbers})
	}
	return last
}

// roomAhead is whether a hold has room for its jobs in advance.
func roomAhead(h store.Hold) bson.D {
	path, room := "$"+heldPath(h.Name), int64(store.AheadPart*(1+len(h.Ahead)))
	enough := bson.A{}
	if h.Limit > 0 {
		enough = append(enough, expr("$gte", bson.A{expr("$subtract", bson.A{h.Limit, expr("$size", path)}), room}))
	}
	if h.BytesLimit > 0 {
		left := expr("$subtract", bson.A{h.BytesLimit, expr("$sum", path+".w")})
		enough = append(enough, expr("$gte", bson.A{expr("$divide", bson.A{left, room}), h.Bytes}))
	}
	return expr("$and", enough)
}

// counted are the lists with the call, if it is not refused.
func counted(u store.Use, later time.Duration) bson.D {
	allowed := expr("$eq", bson.A{"$" + fieldLast + ".refused", ""})
	set, perJob := bson.D{}, false
	change := func(path string, when, value any) {
		set = append(set, bson.E{Key: path, Value: expr("$cond", bson.A{when, value, "$" + path})})
	}
	without := func(path string) bson.D { return filter("$"+path, expr("$ne", bson.A{"$$this.id", literal(u.Job)})) }
	for _, w := range u.Windows {
		path, now, number := windowPath(w), bucketOf(w, later), "$"+fieldLast+".counted."+w.Name
		more := expr("$map", bson.D{{Key: "input", Value: "$" + path}, {Key: "in", Value: expr("$cond", bson.A{
			expr(
				"$eq",
				bson.A{"$$this.b", now},
			), bson.D{{Key: "b", Value: now}, {Key: "n", Value: expr("$add", bson.A{"$$this.n", number})}}, "$$this",
		})}})
		first := expr("$concatArrays", bson.A{"$" + path, bson.A{bson.D{{Key: "b", Value: now}, {Key: "n", Value: number}}}})
		counts := allowed
		if !w.PerJob {
			counts = expr("$ne", bson.A{"$" + fieldLast + ".refused", literal(w.Name)})
		}
		change(path, expr("$and", bson.A{counts, expr("$gt", bson.A{number, 0})}),
			expr("$cond", bson.A{expr("$in", bson.A{now, "$" + path + ".b"}), more, first}))
		perJob = perJob || w.PerJob
	}
	for _, name := range u.Ends {
		change(heldPath(name), allowed, without(heldPath(name)))
	}
	for _, h := range u.Holds {
		entry := func(id string) bson.D {
			return bson.D{{Key: "id", Value: literal(id)}, {Key: "at", Value: u.At}, {Key: "w", Value: h.Bytes}}
		}
		entries := bson.A{without(heldPath(h.Name)), bson.A{entry(u.Job)}}
		if len(h.Ahead) > 0 {
			ahead := bson.A{}
			for _, id := range h.Ahead {
				ahead = append(ahead, entry(id))
			}
			entries = append(entries, expr("$cond", bson.A{
				expr("$in", bson.A{literal(h.Name), "$" + fieldLast + ".ahead"}), ahead, bson.A{},
			}))
		}
		place := expr("$not", bson.A{expr("$in", bson.A{literal(h.Name), "$" + fieldLast + ".full"})})
		change(heldPath(h.Name), expr("$and", bson.A{allowed, place}), expr("$concatArrays", entries))
	}
	if perJob {
		rest := filter("$"+fieldCounted, expr("$ne", bson.A{"$$this", literal(u.Job)}))
		change(fieldCounted, allowed,
			expr("$slice", bson.A{expr("$concatArrays", bson.A{bson.A{literal(u.Job)}, rest}), knownJobs}))
	}
	if len(set) == 0 { // a pipeline must have stages with fields
		set = append(set, bson.E{Key: fieldCounted, Value: "$" + fieldCounted})
	}
	return set
}

// shownUse is the projection of Use: without the jobs that the caller holds, unless they leave no place.
func shownUse(u store.Use) bson.D {
	sizes, bytes, entries := bson.D{}, bson.D{}, bson.D{}
	ahead := false
	for _, h := range u.Holds {
		path := "$" + heldPath(h.Name)
		ahead = ahead || len(h.Ahead) > 0
		sizes = append(sizes, bson.E{Key: h.Name, Value: expr("$size", path)})
		bytes = append(bytes, bson.E{Key: h.Name, Value: expr("$sum", path+".w")})
		names := bson.A{h.Name}
		if h.BytesName != "" {
			names = append(names, h.BytesName)
		}
		noPlace := expr("$or", bson.A{
			expr("$in", bson.A{"$" + fieldLast + ".refused", literal(names)}),
			expr("$in", bson.A{literal(h.Name), "$" + fieldLast + ".full"}),
		})
		entries = append(entries, bson.E{Key: h.Name, Value: expr("$cond", bson.A{noPlace, path, bson.A{}})})
	}
	shown := bson.D{
		{Key: fieldID, Value: 0},
		{Key: fieldLast + ".refused", Value: 1}, {Key: fieldLast + ".full", Value: 1}, {Key: fieldLast + ".at", Value: 1},
	}
	for _, w := range u.Windows {
		shown = append(shown, bson.E{Key: windowPath(w), Value: 1}, bson.E{Key: fieldLast + ".counted." + w.Name, Value: 1})
	}
	if ahead { // otherwise it may be that of an earlier change
		shown = append(shown, bson.E{Key: fieldLast + ".ahead", Value: 1})
	}
	if len(u.Holds) > 0 {
		shown = append(shown, bson.E{Key: "sizes", Value: sizes}, bson.E{Key: "bytes", Value: bytes}, bson.E{Key: "entries", Value: entries})
	}
	return shown
}
