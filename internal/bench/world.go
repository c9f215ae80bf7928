package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/cloudevent"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	pb2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

const (
	linkTTL = 10_000 * time.Second
	recheck = 2 * time.Minute
)

// endpoints are the stores for the backend, and for the raw operations that it is compared with.
type endpoints struct {
	mongo   string // connection string
	backend teststores.S3
	raw     teststores.S3
}

// fromEnvironment returns the stores that the environment names, with a bucket of its own.
func fromEnvironment() (endpoints, error) {
	s := teststores.S3{
		Endpoint:  os.Getenv(teststores.S3Endpoint),
		AccessKey: os.Getenv(teststores.S3AccessKey),
		SecretKey: os.Getenv(teststores.S3SecretKey),
		Region:    os.Getenv(teststores.S3Region),
		Bucket:    "bench-" + strings.ToLower(rand.Text()),
	}
	if s.Region == "" {
		s.Region = "us-east-1"
	}
	e := endpoints{mongo: os.Getenv(teststores.MongoURI), backend: s, raw: s}
	if e.mongo == "" || s.Endpoint == "" {
		return e, fmt.Errorf(
			"set %s and %s to the stores to measure on; with-stores starts some",
			teststores.MongoURI,
			teststores.S3Endpoint,
		)
	}
	return e, nil
}

// world contains the stores and everything else that the sites share.
type world struct {
	endpoints
	client *driver.Client // for raw operations
	bucket minio.Core     // for raw operations
	files  *s3.Store
	empty  pb.BaktaJobsClient // its Version does nothing: the empty call

	closers []func(context.Context) error
}

// site is a database with the backend on it.
type site struct {
	*world
	label  string
	limits string // of callers: "none" or "all"
	count  int    // of jobs that stay stored

	numbers   numbers
	next      int // number of the next temporary job
	templates map[string]template

	jobs    *driver.Collection // for raw operations
	store   *mongo.Store
	api     pb.BaktaJobsClient
	api2    pb2.BaktaJobsClient
	updates pb.BaktaStatusUpdateClient
}

func newWorld(ctx context.Context, e endpoints) (_ *world, err error) {
	w := &world{endpoints: e}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(ctx))
		}
	}()
	journaled := true
	// The same concerns as in lib/store/mongo.
	w.client, err = driver.Connect(options.Client().ApplyURI(e.mongo).SetMaxPoolSize(16).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}).
		SetReadConcern(readconcern.Majority()))
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, w.client.Disconnect)
	raw, err := e.raw.Client()
	if err != nil {
		return nil, err
	}
	w.bucket = minio.Core{Client: raw}
	b := e.backend
	w.files, err = s3.New(s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		return nil, err
	}
	if err := w.files.Setup(ctx); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, func(ctx context.Context) error {
		err := w.files.RemovePrefix(ctx, "jobs/")
		w.files.Close()
		return errors.Join(err, raw.RemoveBucket(ctx, b.Bucket))
	})
	o := server.Options{Log: discard(), Proxies: caller.Proxies{Count: 1}}
	connection, err := w.serve(o, func(s *server.Server) error { return s.Serve(apiv1.API(), nothing{}, "Version") })
	if err != nil {
		return nil, err
	}
	w.empty = pb.NewBaktaJobsClient(connection)
	return w, nil
}

// nothing is a function that does nothing.
type nothing struct {
	pb.UnimplementedBaktaJobsServer
}

func (nothing) Version(context.Context, *pb.Empty) (*pb.VersionResponse, error) {
	return &pb.VersionResponse{}, nil
}

// newSite serves the backend on a database without jobs, which close drops.
func (w *world) newSite(ctx context.Context, database, label string, count int) (*site, error) {
	w.closers = append(w.closers, w.client.Database(database).Drop)
	s := &site{world: w, label: label, limits: "none", count: count, next: count, numbers: numbers{seed: uint64(count)}}
	s.jobs = w.client.Database(database).Collection(collection)
	var err error
	if s.store, err = mongo.New(mongo.Options{URI: w.mongo, Database: database}); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, s.store.Close)
	if err := s.store.Setup(ctx); err != nil {
		return nil, err
	}
	if s.templates, err = newTemplates(ctx, s.store, s.jobs); err != nil {
		return nil, err
	}
	return s, s.connect(settings.Caller{})
}

// limited returns the site with all limits of callers. They are so high that they refuse nothing.
func (s *site) limited() (*site, error) {
	l := *s
	l.limits, l.next = "all", s.next+10_000_000 // other temporary jobs
	const many, held = 1_000_000, 1000
	return &l, l.connect(settings.Caller{
		Unstarted: held, UploadBytes: math.MaxInt64, StartsPerHour: many, StartsPerDay: many, Active: held, Launched: held, CallsPerMinute: many,
		IPv4Prefix: 32, IPv6Prefix: 64,
	})
}

// connect serves the functions with limits, and connects to them.
func (s *site) connect(limits settings.Caller) error {
	set := settings.Default()
	set.Caller = limits
	set.Retention, set.UploadTTL, set.DownloadTTL, set.PendingTimeout = keep, linkTTL, linkTTL, time.Hour
	set.ClockSkew = 0
	set.RecheckInterval, set.InFlight, set.MaxUnstarted = recheck, recheck, math.MaxInt32
	limiter, err := functions.NewLimiter(functions.LimitParts{Limits: s.store, Jobs: s.store, Secret: []byte("bench"), Log: discard()}, set)
	if err != nil {
		return err
	}
	all, err := functions.New(functions.Parts{
		Jobs: s.store, Files: s.files, Runner: idle{}, Offered: workflow.Catalogue(), Log: discard(), Holder: "bench",
		Limiter: limiter, Turns: s.store,
		Versions: func() status.Versions {
			return status.Versions{Backend: "bench", Programs: map[string]string{bakta.Name: "1.12.2"},
				Databases: map[string]string{bakta.Name: "6.0"}}
		},
	}, set)
	if err != nil {
		return err
	}
	o := server.Options{Log: discard(), Proxies: caller.Proxies{Count: 1}, ReadEvent: cloudevent.Read}
	if limiter != nil {
		o.Admit, o.Finish = limiter.Admit, limiter.Finish
	}
	connection, err := s.serve(o, func(srv *server.Server) error { return errors.Join(all.Register(srv), all.RegisterEvents(srv)) })
	if err != nil {
		return err
	}
	s.api2 = pb2.NewBaktaJobsClient(connection)
	s.api, s.updates = pb.NewBaktaJobsClient(connection), pb.NewBaktaStatusUpdateClient(connection)
	return nil
}

// callsOfCaller is how many calls in turn have the address of one caller.
const callsOfCaller = 20

type callerKey struct{}

// asCaller returns a context whose calls are those of a caller of that number, beside other callers.
func asCaller(ctx context.Context, number int) context.Context {
	return context.WithValue(ctx, callerKey{}, number)
}

// fromCallers adds the address of a caller to each call, as a proxy does. After some calls, each caller continues with another address.
func fromCallers() grpc.UnaryClientInterceptor {
	var calls [256]atomic.Int64 // of each caller
	return func(
		ctx context.Context, method string, request, answer any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption,
	) error {
		number, _ := ctx.Value(callerKey{}).(int)
		n := calls[number&0xff].Add(1) / callsOfCaller
		address := fmt.Sprintf("10.%d.%d.%d", number&0xff, n>>8&0xff, n&0xff)
		return invoke(metadata.AppendToOutgoingContext(ctx, "x-forwarded-for", address), method, request, answer, c, o...)
	}
}

// idle is a runner that takes no time: the time of a cluster is not part of the measurement. Its runs never end.
type idle struct{}

func (idle) Launch(_ context.Context, j job.Job) (string, error) {
	return job.ObjectName(j.ID, j.Run), nil
}
func (idle) Observe(context.Context, job.Job) (job.Observation, error) {
	return job.Observation{Phase: job.Active, Stages: []job.Stage{{Name: workflow.Bakta, Status: job.StageRunning}}}, nil
}
func (idle) Log(context.Context, job.Job, string) (io.ReadCloser, error) {
	return nil, job.Errorf(job.NotFound, "the log does not exist")
}
func (idle) Tail(context.Context, job.Job, string, int64) ([]byte, error) {
	return nil, job.Errorf(job.NotFound, "the log does not exist")
}
func (idle) Release(context.Context, job.Job) error { return nil }
func (idle) Discard(context.Context, job.Job) error { return nil }
func (idle) Stop(context.Context, string) error     { return nil }

// discard returns a logger as in a deployment, whose output is discarded.
func discard() *slog.Logger { return server.NewLogger(io.Discard, slog.LevelInfo) }

// serve runs a server on a free port and returns a connection to it.
func (w *world) serve(o server.Options, register func(*server.Server) error) (*grpc.ClientConn, error) {
	srv, err := server.New(o)
	if err != nil {
		return nil, err
	}
	if err := register(srv); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Run(ctx, listener) }()
	w.closers = append(w.closers, func(context.Context) error {
		stop()
		return <-served
	})
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(fromCallers()))
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, func(context.Context) error { return connection.Close() })
	return connection, nil
}

// close closes all parts, the last first.
func (w *world) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i](ctx))
	}
	return errors.Join(errs...)
}

// fresh are temporary jobs.
type fresh struct {
	numbers []int
	jobs    []identity
}

// reserve returns jobs that are not stored yet.
func (s *site) reserve(count int) fresh {
	var f fresh
	for range count {
		f.numbers = append(f.numbers, s.next)
		f.jobs = append(f.jobs, s.numbers.job(s.next))
		s.next++
	}
	return f
}

// document returns the document of the k-th job in that state, created now.
func (s *site) document(f fresh, k int, state string) bson.Raw {
	now := time.Now()
	return s.templates[state].of(s.numbers, f.numbers[k], dates{created: now, due: now.Add(keep)})
}

// put stores jobs in that state, and replaces those that are stored.
func (s *site) put(ctx context.Context, f fresh, state string) error {
	if err := s.remove(ctx, f); err != nil {
		return err
	}
	var documents []any
	for k := range f.numbers {
		documents = append(documents, s.document(f, k, state))
	}
	_, err := s.jobs.InsertMany(ctx, documents)
	return err
}

func (s *site) remove(ctx context.Context, f fresh) error {
	ids := make([]string, 0, len(f.jobs))
	for _, j := range f.jobs {
		ids = append(ids, j.id)
	}
	return s.removeIDs(ctx, ids)
}

func (s *site) removeIDs(ctx context.Context, ids []string) error {
	_, err := s.jobs.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	return err
}
