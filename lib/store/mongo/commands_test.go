package mongo_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/storetest"
)

// recorder keeps one command of each shape: of the same kind, on the same collection, about the same fields.
type recorder struct {
	mu       sync.Mutex
	commands map[string]bson.D
}

func (r *recorder) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		var command bson.D
		if err := bson.Unmarshal(e.Command, &command); err != nil {
			panic(err)
		}
		var fields []string
		for path := range named(command) {
			fields = append(fields, path)
		}
		slices.Sort(fields)
		shape := fmt.Sprint(e.CommandName, " ", command[0].Value, " ", fields)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.commands[shape] = command
	}}
}

// TestStoreOnMongod runs the suite, and then checks each kind of command that it sent.
func TestStoreOnMongod(t *testing.T) {
	r := &recorder{commands: make(map[string]bson.D)}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Jobs {
			uri, database := teststores.Mongo(t)
			return open(t, mongo.Monitored(mongo.Options{URI: uri, Database: database}, r.monitor()))
		})
	})
	t.Run("limits", func(t *testing.T) {
		uri, database := teststores.Mongo(t)
		s := open(t, mongo.Monitored(mongo.Options{URI: uri, Database: database}, r.monitor()))
		use(t, s, "a", store.Use{
			At: limitNoon, Job: "1", Ends: []string{"unstarted-jobs"}, Holds: []store.Hold{{Name: "active-jobs"}}, Durable: true,
		})
		errs := s.Release(t.Context(), "a", "1")
		_, err := s.NextTurn(t.Context(), "a")
		if _, err2 := s.NextCaller(t.Context(), ""); errs != nil || !job.Is(err, job.NotFound) || err2 != nil {
			t.Error(errs, err, err2)
		}
		if _, err := s.Turn(t.Context(), "1", limitNoon, limitNoon); err != nil {
			t.Error(err)
		}
		if _, err := s.WaitingTurns(t.Context(), 1); err != nil {
			t.Error(err)
		}
	})
	kinds := make(map[string]int)
	for _, c := range r.commands {
		kinds[c[0].Key]++
	}
	for kind, atLeast := range map[string]int{
		"find": 2, "update": 8, "delete": 2, "insert": 1, "createIndexes": 2, "aggregate": 1, "findAndModify": 1,
	} {
		if kinds[kind] < atLeast {
			t.Errorf("the suite made %d kinds of %s, want at least %d: %v", kinds[kind], kind, atLeast, kinds)
		}
	}
	t.Run("names", func(t *testing.T) { namesAreStored(t, r.commands) })
	t.Run("concerns", func(t *testing.T) { concernsAreMajority(t, r.commands) })
	t.Run("plans", func(t *testing.T) { nothingScans(t, r.commands) })
}

// namesAreStored compares the names of fields that commands use with those that documents have.
func namesAreStored(t *testing.T, commands map[string]bson.D) {
	stored := mongo.StoredFields()
	for shape, command := range commands {
		collection, _ := command[0].Value.(string)
		for path := range named(command) {
			if !stored[collection][strings.TrimSuffix(path, ".$")] { // the element that the filter found
				t.Errorf("%s names %q, which no document has", shape, path)
			}
		}
	}
}

// concernsAreMajority sees that all writes are acknowledged by a majority's journals and all reads survive a
// change of primaries.
func concernsAreMajority(t *testing.T, commands map[string]bson.D) {
	for shape, command := range commands {
		var c struct {
			WriteConcern bson.D `bson:"writeConcern"`
			ReadConcern  bson.D `bson:"readConcern"`
		}
		convert(t, command, &c)
		switch command[0].Key {
		case "insert", "update", "delete", "findAndModify": // those of findAndModify change what callers hold
			if got := fmt.Sprint(c.WriteConcern); got != `{"w":"majority","j":true}` {
				t.Errorf("%s is written with %s", shape, got)
			}
		case "find", "aggregate":
			if got := fmt.Sprint(c.ReadConcern); !strings.Contains(got, `"level":"majority"`) {
				t.Errorf("%s is read with %s", shape, got)
			}
		}
	}
}

// nothingScans asks the server how it would run each command, with the indexes that Setup makes.
func nothingScans(t *testing.T, commands map[string]bson.D) {
	uri, database := teststores.Mongo(t)
	s := open(t, mongo.Options{URI: uri, Database: database})
	if _, err := s.Acquire(t.Context(), "so that the collection exists", "me", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.AddPastRun(t.Context(), "so that the collection exists", job.PastRun{}); err != nil {
		t.Fatal(err)
	}
	use(t, s, "so that the collection exists", store.Use{})
	db := connect(t, uri).Database(database)
	for shape, command := range commands {
		switch command[0].Key {
		case "find", "update", "delete", "aggregate", "findAndModify":
		default:
			continue
		}
		var question bson.D
		for _, e := range command {
			switch e.Key {
			case "lsid", "txnNumber", "writeConcern", "readConcern", "maxTimeMS":
			default:
				if !strings.HasPrefix(e.Key, "$") {
					question = append(question, e)
				}
			}
		}
		var answer bson.D
		err := db.RunCommand(t.Context(), bson.D{
			{Key: "explain", Value: question}, {Key: "verbosity", Value: "queryPlanner"},
		}).Decode(&answer)
		if err != nil {
			t.Errorf("explain %s: %v", shape, err)
			continue
		}
		type planner struct {
			WinningPlan bson.Raw `bson:"winningPlan"`
		}
		var plan struct {
			QueryPlanner planner `bson:"queryPlanner"`
			Stages       []struct {
				Cursor struct {
					QueryPlanner planner `bson:"queryPlanner"`
				} `bson:"$cursor"`
			} `bson:"stages"` // of a pipeline, the first reads the documents
		}
		convert(t, answer, &plan)
		if len(plan.Stages) > 0 {
			plan.QueryPlanner = plan.Stages[0].Cursor.QueryPlanner
		}
		how := plan.QueryPlanner.WinningPlan.String()
		byIndex := strings.Contains(how, `"IXSCAN"`) || strings.Contains(how, `"IDHACK"`) || strings.Contains(how, `"EXPRESS`)
		if !byIndex || strings.Contains(how, `"COLLSCAN"`) || strings.Contains(how, `"SORT"`) {
			t.Errorf("%s does not go by an index: %s", shape, how)
		}
	}
}

// named returns the names of all fields that a command queries, changes, sorts by, projects or indexes.
func named(command bson.D) map[string]bool {
	paths := make(map[string]bool)
	var query func(v any)
	query = func(v any) {
		switch v := v.(type) {
		case bson.D:
			for _, e := range v {
				if !strings.HasPrefix(e.Key, "$") {
					paths[e.Key] = true
				} else if e.Key == "$or" || e.Key == "$and" {
					query(e.Value)
				}
			}
		case bson.A:
			for _, e := range v {
				query(e)
			}
		}
	}
	each := func(list any, f func(bson.D)) {
		for _, e := range list.(bson.A) {
			f(e.(bson.D))
		}
	}
	get := func(d bson.D, key string) any {
		for _, e := range d {
			if e.Key == key {
				return e.Value
			}
		}
		return nil
	}
	switch command[0].Key {
	case "find":
		query(get(command, "filter"))
		query(get(command, "projection"))
		query(get(command, "sort"))
	case "update":
		each(get(command, "updates"), func(u bson.D) {
			query(get(u, "q"))
			operators, _ := get(u, "u").(bson.D) // a pipeline, whose expressions are not looked into, has none
			for _, op := range operators {
				query(op.Value)
			}
		})
	case "findAndModify":
		query(get(command, "query"))
	case "delete":
		each(get(command, "deletes"), func(d bson.D) { query(get(d, "q")) })
	case "aggregate":
		each(get(command, "pipeline"), func(stage bson.D) {
			if stage[0].Key == "$match" {
				query(stage[0].Value)
			}
		})
	case "createIndexes":
		each(get(command, "indexes"), func(i bson.D) { query(get(i, "key")) })
	}
	return paths
}

func open(t *testing.T, o mongo.Options) *mongo.Store {
	t.Helper()
	s, err := mongo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t *testing.T, uri string) *driver.Client {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func convert(t *testing.T, from bson.D, to any) {
	t.Helper()
	raw, err := bson.Marshal(from)
	if err == nil {
		err = bson.Unmarshal(raw, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}
