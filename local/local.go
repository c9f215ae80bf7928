// Package local is the whole backend in one process: the four functions, embedded stores, and jobs as local processes. All
// of its data is in one directory.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/functions/jobupdate"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/process"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/local/access"
	"github.com/ag-computational-bio/bakta-web-backend/local/control"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
)

// Options are the options of the local backend.
type Options struct {
	Listen     string        // address of the API, for example 127.0.0.1:8080; port 0 is a free port
	Public     string        // host name or address in links and in the URL; empty: the host of Listen
	Origins    []string      // of web pages that may use this backend in addition to those of this machine and Public; "*" for any
	Data       string        // directory of all data; created if missing
	UI         string        // directory of a built web UI to serve at /; empty: the API's documentation
	MongoDB    string        // URI of a MongoDB for the jobs, in place of the data directory; it names a database
	S3         Bucket        // for the files, in place of the data directory
	Jobs       int           // maximum number of jobs that run at the same time; at least 1. The command `local jobs` changes it
	Threads    int           // threads of a job; 0 divides the CPUs of the machine evenly among the jobs
	MaxRunTime time.Duration // maximum run time of a program; 0 for a day
	Retention  time.Duration // how long a job is kept after its last change of state; 0 for 30 days
	Sweep      time.Duration // how late a job may be handled that is due; 0 for 5 seconds
	Stager     []string      // command line that starts the stager of this program, without its arguments
	StandIn    []string      // command line that starts the stand-in of this program
	Version    string        // of this program
	Log        *slog.Logger  // nil logs warnings to standard error
	Notice     func(string)  // shows a line to the user at the start; nil logs it
	Notify     Notify        // notifications of the ends of jobs

	// Programs are the programs that jobs run, by name (workflow.Programs). A program that is absent is searched on PATH. The
	// first one, Bakta, is required; workflows whose programs are missing are not offered.
	Programs map[string]Installed
}

// Installed is the place of an installed program.
type Installed struct {
	Path     string // a path, a name on PATH, or StandIn; empty: its own name
	Database string // directory of its reference database; empty: the program's own environment variable names it
	GPU      bool   // let it use a GPU
}

// StandIn in place of a program selects the built-in stand-in. As Bakta it also replaces the other programs, unless the
// options name them.
const StandIn = "stand-in"

const (
	bucket = "bakta-web"
	// waitInterval is how long after its launch, or the last time, the sweep checks a job that waits. The runner reports each change
	// of a run until it is recorded, so this is for the case that the runner's files are lost, and recheckAll covers that as well.
	waitInterval = 24 * time.Hour

	drain    = 10 * time.Second // for requests in flight at the end
	lockTime = 3 * time.Second  // a killed backend may hold its directory until its child processes have ended
)

// Run serves until ctx ends, then stops in order. It calls ready once with the API's URL when it serves.
func Run(ctx context.Context, o Options, ready func(url string)) (err error) {
	o, err = o.complete()
	if err != nil {
		return err
	}
	policy, err := o.access()
	if err != nil {
		return err
	}
	tools, err := findTools(o)
	if err != nil {
		return err
	}
	// Before the embedded S3 store changes the working directory.
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	messages, err := o.Notify.open(dir, o.Version, o.Log)
	defer messages.stop()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return fmt.Errorf("--data: creating the directory of all data: %w; name another directory", err)
	}
	unlock, err := lock(ctx, o.Data)
	if err != nil {
		return err
	}
	defer unlock()

	disk, err := space.Open(o.Data)
	if err != nil {
		return err
	}
	opened := disk.Refill
	if disk.Full() {
		opened = disk.Release() // opening the store of jobs needs free space
	}

	// All parts are closed in the reverse order, also after an error.
	var closers []func() error
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
	}()
	public, err := net.Listen("tcp", o.Listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("--listen: another program, maybe another bakta-web, uses %s; choose another port, or port 0 for a free one",
				o.Listen)
		}
		return fmt.Errorf("--listen: listening for the API: %w", err)
	}
	defer public.Close() // the server also closes it, once it runs
	jobs, closeJobs, err := openJobs(ctx, o)
	if err != nil {
		return err
	}
	closers = append(closers, closeJobs)
	files, ofRuns, closeFiles, err := openFiles(ctx, o, policy, disk)
	if err != nil {
		return err
	}
	closers = append(closers, closeFiles)

	changes, watches, limit := newChanges(), new(functions.Changes), newLimit(o)
	runs, err := process.New(process.Options{
		Dir: filepath.Join(o.Data, "runs"), Jobs: o.Jobs, Stager: o.Stager, Environ: os.Environ(), Limit: o.MaxRunTime,
		Files: ofRuns, Log: o.Log,
		Specs:  func(j job.Job, dir string) (stage.Spec, error) { return tools.spec(j, dir, limit.threads()) },
		Report: changes.record, Changed: watches.Changed,
	})
	if err != nil {
		return err
	}
	closers = append(closers, runs.Close)
	defer context.AfterFunc(ctx, runs.Ending)()

	notifies, err := messages.notifier(functions.Parts{Jobs: jobs, Changes: watches, Log: o.Log})
	if err != nil {
		return err
	}
	closers = append(closers, func() error {
		messages.stop()
		limited, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		return notifies.Close(limited)
	})
	api, sweep, updater, err := o.serve(ctx, policy, disk, files, runs, tools, functions.Parts{
		Jobs: jobs, Changes: watches, Notify: messages.offer, Notifier: notifies,
	}, messages.command)
	if err != nil {
		return err
	}
	changes.recordedBy(updater)
	limit.runner = runs
	commands, err := control.Listen(o.Data)
	if err == nil {
		closers = append(closers, commands.Close)
	} else { // some network file systems have no sockets
		o.Log.Warn("`bakta-web local jobs` can't reach this backend; restart it with --jobs instead", "error", err)
	}
	opened()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Run(ctx, public) })
	if commands != nil {
		group.Go(func() error { return control.Serve(ctx, commands, limit) })
	}
	rechecked := make(chan struct{})
	group.Go(func() error {
		defer close(rechecked)
		recheckAll(ctx, o.Log, jobs, runs, updater)
		return nil
	})
	group.Go(func() error {
		if err := tools.ask(ctx, o.Log); err != nil {
			return err
		}
		<-rechecked // it may read thousands of jobs
		shrink(o.Log)
		return nil
	})
	group.Go(func() error {
		s := sweeper{every: o.Sweep, log: o.Log, disk: disk, jobs: jobs, written: watches.Written, sweep: sweep.Sweep}
		s.run(ctx)
		return nil
	})
	ready("http://" + o.named(public.Addr().String()))
	return group.Wait()
}

// lock locks a data directory against other backends, until the caller calls the returned function. It locks the
// directory itself, because a user may remove a lock file. It also locks a file in the directory: backends of older
// versions check only that file, and some file systems (NFS) can't lock directories.
func lock(ctx context.Context, data string) (unlock func() error, err error) {
	limited, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	directory := flock.New(data, flock.SetFlag(os.O_RDONLY))
	file := flock.New(filepath.Join(data, "lock"))
	locked, err := directory.TryLockContext(limited, 50*time.Millisecond)
	if locked || err != nil && limited.Err() == nil { // on an error the file system can't lock directories: lock only the file
		locked, err = file.TryLockContext(limited, 50*time.Millisecond)
	}
	if locked {
		return func() error { return errors.Join(file.Close(), directory.Close()) }, nil
	}
	directory.Close() // an error does not matter: the process ends
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, fmt.Errorf("%s is in use by another bakta-web; stop it, or choose another directory with --data", data)
	}
	return nil, fmt.Errorf("locking %s: %w", data, err)
}

// complete returns the options with their defaults. It returns an error for options that can't work.
func (o Options) complete() (Options, error) {
	if err := errors.Join(supported(runtime.GOOS), o.checkHosts(), o.checkMongoDB(), o.checkS3()); err != nil {
		return o, err
	}
	if err := control.CheckJobs(o.Jobs); err != nil {
		return o, fmt.Errorf("--jobs %w", err)
	}
	if o.Retention <= 0 {
		o.Retention = settings.Default().Retention
	}
	if o.MaxRunTime <= 0 {
		o.MaxRunTime = 24 * time.Hour
	}
	if o.Sweep <= 0 {
		o.Sweep = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if o.Notice == nil {
		o.Notice = func(line string) { o.Log.Info(line) }
	}
	if o.UI != "" {
		if _, err := os.Stat(filepath.Join(o.UI, "index.html")); err != nil {
			return o, fmt.Errorf("--ui: %s does not contain a built web UI: %w", o.UI, err)
		}
	}
	// The embedded S3 store changes the process's working directory, so all paths must be absolute.
	var err error
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return o, err
	}
	if o.UI != "" {
		if o.UI, err = filepath.Abs(o.UI); err != nil {
			return o, err
		}
	}
	return o, nil
}

// serve creates the server of the functions for users, and the functions that events drive elsewhere.
func (o Options) serve(
	ctx context.Context, policy *access.Policy, disk *space.Disk, files *s3.Store, runs *process.Runner, tools tools,
	parts functions.Parts, endCommand bool,
) (api *server.Server, sweep *expire.Function, updater *jobupdate.Function, err error) {
	set := settings.Default()
	set.Retention = o.Retention
	set.RecheckInterval = 15 * time.Second
	set.WaitInterval = waitInterval
	set.ImageTimeout = 0 // local jobs have no images
	set.ClockSkew = 0
	set.InFlight = 0 // every call ends with this process, and only the end of this process interrupts runs
	set.EndCommand = endCommand
	parts.Files, parts.Runner, parts.Offered = filesOnDisk{files, disk}, runs, tools.offered()
	if o.S3.URL != "" {
		parts.Files = files // not on the disk of this machine
	}
	parts.Versions, parts.Log = tools.versions(o.Version), o.Log
	// No other process sweeps this directory, so this one can take the lease of a killed process at once.
	parts.Holder = "local " + o.Data
	all, err := functions.New(parts, set)
	if err != nil {
		return nil, nil, nil, err
	}
	if api, err = server.New(server.Options{
		Log: o.Log, AllowOrigin: policy.Allowed, Middleware: []func(http.Handler) http.Handler{policy.Guard},
		Connections: access.NewConnections(), Drain: drain,
		Interceptors: []grpc.UnaryServerInterceptor{onFullDisk(disk)},
	}); err != nil {
		return nil, nil, nil, err
	}
	page, err := o.page(ctx, files, api.NotFound())
	if err != nil {
		return nil, nil, nil, err
	}
	if err := api.Handle("/", page); err != nil { // before the functions: the API's documentation is at / if that has no handler
		return nil, nil, nil, err
	}
	if sweep, err = all.Expire(); err != nil {
		return nil, nil, nil, err
	}
	if updater, err = all.JobUpdate(); err != nil {
		return nil, nil, nil, err
	}
	return api, sweep, updater, all.Register(api)
}
