// Package deployment creates the parts of a deployed function from its configuration. It makes no network call: a function
// is ready as soon as its process runs, and connects to its stores and the cluster at its first request.
//
// What starts and ends runs is created by package runs: it contains the types of Kubernetes' objects, which are megabytes, and some
// programs do without.
package deployment

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/kueue"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/podlog"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/cloudevent"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/telemetry"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// callTime is the maximum duration of a call of a function, sweepTime that of a sweep.
const (
	callTime  = 30 * time.Second
	sweepTime = 110 * time.Second
	inFlight  = sweepTime + 10*time.Second
)

// Deployment is the configuration of a function's program, and the parts that were created from it.
type Deployment struct {
	config.Config
	Log    *slog.Logger
	Holder string // unique name of this process

	jobs      *mongo.Store         // nil before Jobs
	limiter   *limit.Limiter       // of callers; nil before open, and if all limits are off
	telemetry *telemetry.Telemetry // nil if nothing is measured
	closers   []func(context.Context) error
}

// Main is the main function of the program of that name. build creates its server; needs are the services that it uses.
func Main(name string, build func(*Deployment) (*server.Server, error), needs ...config.Need) {
	path, err := config.PathFrom(name, os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(2)
	}
	server.Main(func(ctx context.Context, log *slog.Logger) (*server.Server, error) {
		d, err := Open(path, os.Getenv, log, needs...)
		if err != nil {
			return nil, err
		}
		if err := d.Measure(ctx, name); err != nil {
			return nil, err
		}
		return build(d)
	})
}

// Open reads the configuration.
func Open(path string, env func(string) string, log *slog.Logger, needs ...config.Need) (*Deployment, error) {
	cfg, warnings, err := config.Load(path, env, needs...)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Warn("configuration", "file", path, "warning", w.String())
	}
	host, err := os.Hostname() // in a cluster, the pod's name
	if err != nil {
		host = "unknown"
	}
	return &Deployment{Config: cfg, Log: log, Holder: host + "-" + rand.Text()}, nil
}

// Jobs returns the store of jobs.
func (d *Deployment) Jobs() (*mongo.Store, error) {
	o := mongo.Options{
		Host: d.Database.MongoHost, Port: d.Database.MongoPort, Database: d.Database.Name(),
		User: d.Database.MongoUser, Password: d.Database.Password.Reveal(), AuthSource: d.Database.MongoAuthSource,
		Logger: d.Log,
	}
	if uri := d.Database.URI.Reveal(); uri != "" {
		o = mongo.Options{URI: uri, Database: d.Database.Name(), Logger: d.Log}
	}
	o.Call = d.call()
	store, err := mongo.New(o)
	if err != nil {
		return nil, err
	}
	d.jobs = store
	d.closers = append(d.closers, store.Close)
	return store, nil
}

// Files returns the store of files.
func (d *Deployment) Files() (*s3.Store, error) {
	s := d.Objectstorage.S3
	store, err := s3.New(s3.Options{
		Endpoint: s.Endpoint, PublicEndpoint: s.Public(), Region: s.Region, Bucket: s.UserBucket, BaseKey: s.BaseKey,
		AccessKey: s.AccessKey.Reveal(), SecretKey: s.SecretKey.Reveal(), VirtualHosted: !s.PathStyle, Origins: d.CORS.Origins,
		Around: d.around("s3"),
	})
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, func(context.Context) error { store.Close(); return nil })
	return store, nil
}

// Settings returns the default settings with the times and limits of the configuration.
func (d *Deployment) Settings() settings.Settings {
	s := settings.Default()
	s.Retention, s.PendingTimeout, s.ImageTimeout, s.InFlight = d.Retention, d.Job.PendingTimeout, d.Job.ImageTimeout, inFlight
	s.ExpiryNotice = d.Notify.Expiring
	s.MaxList, s.MaxUnstarted = d.Limits.ListSize, d.Limits.Unstarted
	genome := d.Limits.GenomeSize.Floor()
	s.MaxSizes = upload.MaxSizes(genome)
	if s.Caller = d.Limits.Caller.Settings(); d.Job.Queue != "" {
		s.Caller.Launched = 0 // the queue decides when a job runs
	}
	return s
}

// Status returns the status function. Without a runner, it needs fewer permissions than the others.
func (d *Deployment) Status(versions func() status.Versions) (*status.Function, error) {
	p, err := d.Parts()
	if err != nil {
		return nil, err
	}
	cluster, err := d.Kubernetes()
	if err != nil {
		return nil, err
	}
	if p.Logs, err = podlog.New(cluster, d.K8sNamespace, time.Now); err != nil {
		return nil, err
	}
	if d.Job.Queue != "" {
		if p.Queue, err = kueue.New(cluster, d.K8sNamespace, d.Job.Queue, d.Log); err != nil {
			return nil, err
		}
	}
	p.Versions = versions
	return functions.Status(p, d.Settings())
}

// Parts returns the parts of the functions on the stores of the configuration, without the runner.
func (d *Deployment) Parts() (functions.Parts, error) {
	jobs, err := d.Jobs()
	if err != nil {
		return functions.Parts{}, err
	}
	files, err := d.Files()
	if err != nil {
		return functions.Parts{}, err
	}
	if d.limiter, err = d.limits(jobs); err != nil {
		return functions.Parts{}, err
	}
	p := d.partsOn(jobs, files)
	p.Limiter, p.Turns = d.limiter, jobs
	p.Notifier, err = d.notifier()
	return p, err
}

// limits returns the limiter of callers, or nil if all limits are off. Callers are stored by hashes with a key that is derived from the
// key of the S3 store: all functions have it, and it is as secret as what they protect.
func (d *Deployment) limits(jobs *mongo.Store) (*limit.Limiter, error) {
	secret, err := hkdf.Key(sha256.New, []byte(d.Objectstorage.S3.SecretKey.Reveal()), nil, "bakta-web callers", sha256.Size)
	if err != nil {
		return nil, err
	}
	p := functions.LimitParts{Limits: jobs, Jobs: jobs, Secret: secret, Log: d.Log}
	if d.telemetry != nil {
		p.Recorder = d.telemetry
	}
	return functions.NewLimiter(p, d.Settings())
}

// partsOn returns the parts of the functions on those stores, without the runner and the notifier.
func (d *Deployment) partsOn(jobs store.Jobs, files store.Files) functions.Parts {
	p := functions.Parts{
		Jobs: jobs, Files: files, Offered: d.Offered(), Log: d.Log, Holder: d.Holder, Access: d.access(), Notify: d.Notify.Offer(),
	}
	if d.telemetry != nil {
		p.Recorder, p.Trace = d.telemetry, d.measured
	}
	return p
}

// Kubernetes returns the configuration of a client of the cluster.
func (d *Deployment) Kubernetes() (*rest.Config, error) {
	connection, err := apiserver.Connect(d.InCluster)
	if err != nil {
		return nil, err
	}
	connection.Wrap(d.around("kubernetes"))
	return connection, nil
}

// Offered returns the workflows whose programs this deployment has.
func (d *Deployment) Offered() []workflow.Workflow {
	return workflow.Offered(func(program string) bool {
		_, err := d.Environment(program)
		return err == nil
	})
}

// Environment returns the command, the threads and the database of a program in a job's pod.
func (d *Deployment) Environment(name string) (program.Environment, error) {
	p := d.Program(name)
	if p.Image == "" {
		return program.Environment{}, fmt.Errorf("no image of the program %q is configured", name)
	}
	env := program.Environment{Command: p.Command, Threads: p.Threads(), GPU: p.GPU()}
	if claim, directory := p.Claim(); claim != "" {
		env.Database = path.Join(DatabasePath(claim), directory)
	}
	return env, nil
}

// DatabasePath is the mount path of a database's volume in a job's pod.
func DatabasePath(claim string) string { return "/databases/" + claim }

// Server returns a server of calls, with everything registered.
func (d *Deployment) Server(register ...func(*server.Server) error) (*server.Server, error) {
	return d.server(server.Options{Timeout: callTime}, register)
}

// EventServer returns a server of calls and events. The events need tokens that authenticate accepts; none if it is nil.
func (d *Deployment) EventServer(authenticate server.Authenticator, register ...func(*server.Server) error) (*server.Server, error) {
	return d.server(server.Options{Timeout: callTime, ReadEvent: cloudevent.Read, Authenticate: authenticate}, register)
}

// SweepingServer returns an EventServer whose calls may take as long as a sweep.
func (d *Deployment) SweepingServer(authenticate server.Authenticator, register ...func(*server.Server) error) (*server.Server, error) {
	return d.server(server.Options{Timeout: sweepTime, ReadEvent: cloudevent.Read, Authenticate: authenticate}, register)
}

// HintServer returns an EventServer whose events need no token, whatever Events.Audience is: they are hints that name a job. Its program
// has no permissions, so it could not check a token.
func (d *Deployment) HintServer(register ...func(*server.Server) error) (*server.Server, error) {
	return d.EventServer(nil, register...)
}

// server returns a server with the options that all functions have besides those. A program that receives no events is smaller by what
// their reader brings along.
func (d *Deployment) server(o server.Options, register []func(*server.Server) error) (*server.Server, error) {
	identify, err := d.identifier()
	if err != nil {
		return nil, err
	}
	o.Log, o.Address, o.MaxBody, o.Origins = d.Log, d.Listen, d.Limits.BodySize.Floor(), d.CORS.Origins
	o.Proxies = caller.Proxies{Count: d.Access.TrustedProxies, Header: d.Access.ForwardedHeader}
	o.LogCallers, o.Identify, o.TokenRequired, o.Observer = d.Access.LogCallers, identify, d.Access.Required, d.observer()
	if d.limiter != nil {
		o.Admit, o.Finish = d.limiter.Admit, d.limiter.Finish
	}
	srv, err := server.New(o)
	if err != nil {
		return nil, err
	}
	for _, r := range register {
		if err := r(srv); err != nil {
			return nil, err
		}
	}
	for _, closer := range d.closers {
		srv.AfterDrain(closer)
	}
	return srv, nil
}
