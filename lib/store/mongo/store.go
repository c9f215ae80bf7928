// Package mongo stores jobs in MongoDB.
//
// A job is one document, and every write is one compare-and-set on it with majority write concern: its filter
// names the states that may be left, so a late, duplicated or reordered event changes nothing. There are no
// read-modify-write cycles and no transactions.
//
// If the answer to a write is lost and the server is a replica set, the driver repeats the write (retryable writes), which
// is applied once. Otherwise the caller gets a job.Unavailable error, and the write may or may not have happened: the
// caller has to read the job, or to repeat the write and take "false" for "perhaps the first one succeeded".
package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// The collections. An older backend stores documents of another format in "jobs".
const (
	jobCollection   = "annotationJobs"
	leaseCollection = "annotationLeases"
	pastCollection  = "annotationPastRuns"
	limitCollection = "annotationLimits"
)

const (
	defaultPoolSize = 16
	defaultTimeout  = 10 * time.Second
	// A server that is not found within this time is unavailable. The driver's default, 30 s, is longer than most clients wait.
	selectionTimeout = 5 * time.Second
	// A primary that is cut off leaves its connections open, so only the next poll of the others finds the new one. The driver's
	// default is 10 s.
	heartbeatInterval = 3 * time.Second
)

// Options configure the connection to MongoDB.
type Options struct {
	// URI is a connection string. It replaces Host, Port, User, Password and AuthSource.
	URI string

	Host       string
	Port       int    // 0 is 27017
	User       string // empty: no authentication
	Password   string
	AuthSource string // database of the user; empty is "admin"

	Database    string        // empty: the one that the URI names
	MaxPoolSize int           // largest number of connections; 0 is 16
	Timeout     time.Duration // of each call; 0 is 10 s. A call that only reads ends with its context, too
	Logger      *slog.Logger  // nil is slog.Default

	// Call, if not nil, is called before each call of the server, with one of a few names ("mongodb reading"). The call uses the
	// context that it returns. The function that it returns is called with the error of the call.
	Call func(ctx context.Context, name string) (context.Context, func(error))

	monitor *event.CommandMonitor // for tests
	now     func() time.Time      // for tests; nil is time.Now
}

var _ store.Jobs = (*Store)(nil)

// Store implements store.Jobs in one database. It is safe for concurrent use; a process needs one.
type Store struct {
	options  Options
	database string
	registry *bson.Registry
	lists    *together[[]string, []job.Job]
	inserts  *together[bson.Raw, error]

	// The client connects when it is first used, so that a function is ready without a network call.
	mu     sync.Mutex
	client *driver.Client
}

// New returns a store. It checks the options and makes no network call.
func New(o Options) (*Store, error) {
	if o.now == nil {
		o.now = time.Now
	}
	if o.URI == "" && o.Host == "" {
		return nil, errors.New("mongo: a URI or a host is required")
	}
	if o.MaxPoolSize < 0 || o.Timeout < 0 {
		return nil, errors.New("mongo: the pool size and the timeout must not be negative")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Store{options: o, database: o.Database, registry: registry()}
	s.lists, s.inserts = newLists(s), newInserts(s)
	// With this scheme, the names of the servers are read by a DNS query, which New must not send.
	if !strings.HasPrefix(o.URI, "mongodb+srv://") {
		if _, err := s.clientOptions(); err != nil {
			return nil, err
		}
	}
	if s.database == "" {
		s.database = databaseOf(o.URI)
	}
	if s.database == "" {
		return nil, errors.New("mongo: the database is required")
	}
	return s, nil
}

// databaseOf returns the database that a connection string names after its hosts, if any.
func databaseOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	_, database, _ := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "/")
	return database
}

func (s *Store) clientOptions() (*options.ClientOptions, error) {
	o := s.options
	c := options.Client()
	if o.URI != "" {
		c.ApplyURI(o.URI)
	} else {
		port := o.Port
		if port == 0 {
			port = 27017
		}
		c.SetHosts([]string{net.JoinHostPort(o.Host, strconv.Itoa(port))})
		if o.User != "" {
			c.SetAuth(options.Credential{
				Username: o.User, Password: o.Password, PasswordSet: true, AuthSource: o.AuthSource,
			})
		}
	}
	switch {
	case o.MaxPoolSize > 0:
		c.SetMaxPoolSize(uint64(o.MaxPoolSize))
	case c.MaxPoolSize == nil:
		c.SetMaxPoolSize(defaultPoolSize)
	}
	if c.HeartbeatInterval == nil {
		c.SetHeartbeatInterval(heartbeatInterval)
	}
	journaled := true
	c.SetAppName("bakta-web").
		SetServerSelectionTimeout(selectionTimeout).
		// A function may be frozen between two requests: it can't keep a stream of the server's state alive.
		SetServerMonitoringMode(options.ServerMonitoringModePoll).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}).
		// What a reader was shown must not be rolled back after a change of primaries.
		SetReadConcern(readconcern.Majority()).
		SetRegistry(s.registry).
		SetMonitor(o.monitor)
	if err := c.Validate(); err != nil {
		if strings.Contains(o.URI, "@") {
			// The driver's message may quote the URI, and with it the password.
			return nil, errors.New("mongo: the URI is not a valid connection string (it is not shown, since it holds credentials)")
		}
		return nil, fmt.Errorf("mongo: %w", err)
	}
	return c, nil
}

// db returns the database. Its first call starts to connect.
func (s *Store) db() (*driver.Database, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		c, err := s.clientOptions()
		if err != nil {
			return nil, err
		}
		if s.client, err = driver.Connect(c); err != nil {
			return nil, err
		}
	}
	return s.client.Database(s.database), nil
}

// with runs one call on a collection within the store's timeout. It returns errors as job.Unavailable.
func (s *Store) with(ctx context.Context, collection, doing string, call func(context.Context, *driver.Collection) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	done := func(error) {}
	if s.options.Call != nil {
		name, _, _ := strings.Cut(doing, " job ") // an id follows
		ctx, done = s.options.Call(ctx, "mongodb "+name)
	}
	db, err := s.db()
	if err == nil {
		err = call(ctx, db.Collection(collection))
	}
	done(err)
	if err != nil {
		return unavailable(doing, err)
	}
	return nil
}

// write is with for calls that change something. They do not end with the caller's context, which would leave their outcome
// unknown for no reason.
func (s *Store) write(ctx context.Context, collection, doing string, call func(context.Context, *driver.Collection) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(doing, err)
	}
	return s.with(context.WithoutCancel(ctx), collection, doing, call)
}

// uninitiated reports whether a call failed because the servers belong to a replica set that has no configuration. The driver calls such
// a server a ghost (RSGhost), and selects none. A member that has just started is one, too, for a moment. With directConnection the error
// is that of any server that is not the primary, so this is not noticed.
func uninitiated(err error) bool {
	var selection topology.ServerSelectionError
	return errors.As(err, &selection) && len(selection.Desc.Servers) > 0 &&
		!slices.ContainsFunc(selection.Desc.Servers, func(s description.Server) bool { return s.Kind != description.ServerKindRSGhost })
}

func unavailable(doing string, err error) error {
	if uninitiated(err) {
		return job.Errorf(job.Unavailable,
			"the replica set of the job database has no configuration yet; its operator makes one with rs.initiate()").
			Because(fmt.Errorf("%s: %w", doing, err))
	}
	return job.Errorf(job.Unavailable, "the job database does not answer; try again later").
		Because(fmt.Errorf("%s: %w", doing, err))
}

// Ping implements store.Jobs.
func (s *Store) Ping(ctx context.Context) error {
	return s.with(ctx, jobCollection, "pinging MongoDB", func(ctx context.Context, c *driver.Collection) error {
		return c.Database().RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err()
	})
}

// Setup changes no collection or index that exists. The deployment calls it, and the functions never do. It is bounded by its
// context only.
func (s *Store) Setup(ctx context.Context) error {
	db, err := s.db()
	if err != nil {
		return unavailable("setting up MongoDB", err)
	}
	index := func(fields ...string) driver.IndexModel {
		var keys bson.D
		for _, f := range fields {
			keys = append(keys, bson.E{Key: f, Value: 1})
		}
		return driver.IndexModel{Keys: keys, Options: options.Index().SetName(strings.Join(fields, "-"))}
	}
	// Jobs without an owner are not in it: where no tokens are used, it costs nothing.
	owned := index(fieldOwner, fieldCreated, fieldID, fieldState, fieldWorkflow, fieldName)
	owned.Options.SetPartialFilterExpression(bson.D{{Key: fieldOwner, Value: bson.D{{Key: "$exists", Value: true}}}})
	_, err = db.Collection(jobCollection).Indexes().CreateMany(ctx, []driver.IndexModel{
		index(fieldDue), // the sweep reads the jobs that are due, the oldest first
		// For Unstarted and ExpireUnstarted. Without it the first index is used, at a higher cost.
		index(fieldState, fieldDue),
		index(fieldState, fieldStarted), // for Waiting
		// For the methods of store.Turns: only the jobs that wait for their turn.
		{Keys: bson.D{{Key: fieldWaits, Value: 1}, {Key: fieldCaller, Value: 1}, {Key: fieldStarted, Value: 1}}, Options: options.Index().
			SetName("turn").SetPartialFilterExpression(bson.D{{Key: fieldWaits, Value: true}})},
		owned, // all other queries name an _id
	})
	if err != nil {
		return unavailable("creating the indexes of jobs", err)
	}
	// A lease that a killed process leaves, such as that of a rerun, is removed a day after its end, when nothing extends it any more.
	_, err = db.Collection(leaseCollection).Indexes().CreateOne(ctx, driver.IndexModel{
		Keys: bson.D{{Key: fieldLeaseExpiry, Value: 1}}, Options: options.Index().SetName(fieldLeaseExpiry).SetExpireAfterSeconds(24 * 60 * 60),
	})
	if err != nil {
		return unavailable("creating the index of leases", err)
	}
	_, err = db.Collection(limitCollection).Indexes().CreateOne(ctx, driver.IndexModel{
		Keys: bson.D{{Key: fieldLimitExpiry, Value: 1}}, Options: options.Index().SetName(fieldLimitExpiry).SetExpireAfterSeconds(0),
	})
	if err != nil {
		return unavailable("creating the index of limits", err)
	}
	return nil
}

// Close ends all connections.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return nil
	}
	// The driver ends its sessions on the server, and waits for one that is down unless the time is limited.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.client.Disconnect(ctx)
	s.client = nil
	return err
}
