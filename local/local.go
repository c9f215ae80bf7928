// Package local is the whole backend in one process: the four functions on embedded stores, with jobs as local
// processes. Everything that it keeps lies under one directory.
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
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/process"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/local/access"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
)

// Options is what the local backend is started with.
type Options struct {
	Listen     string        // address of the API, for example 127.0.0.1:8080; port 0 takes a free one
	Public     string        // host name or address in links and in the URL; empty: the host of Listen
	Origins    []string      // of web pages that may use this backend beside those of this machine and Public; "*" for any
	Data       string        // directory of all data; made if missing
	UI         string        // directory of a built web UI to serve at /; empty: the API's documentation
	MongoDB    string        // URI of a MongoDB to use in place of the embedded one; it names a database
	Jobs       int           // how many jobs run at a time; at least 1
	Threads    int           // how many threads a job uses; 0 shares the machine's evenly among the jobs
	MaxRunTime time.Duration // how long a program of a job may run; 0 for a day
	Retention  time.Duration // how long a job is kept after its last change of state; 0 for 30 days
	Sweep      time.Duration // time between two sweeps; 0 for 5 seconds
	Stager     []string      // command line that starts this program's stager, in front of its arguments
	StandIn    []string      // command line that starts this program's stand-in
	Version    string        // of this program
	Log        *slog.Logger  // nil logs warnings to standard error

	// Programs are the programs that jobs run, by name (workflow.Programs). One that is absent is looked for on PATH. The first
	// one, Bakta, is required; workflows whose programs are missing are not offered.
	Programs map[string]Installed
}

// Installed is where a program is.
type Installed struct {
	Path     string // a path, a name on PATH, or StandIn; empty: its own name
	Database string // directory of its database; empty: the one that the program's own environment variable names
	GPU      bool   // let it compute on a graphics processor
}

// StandIn in place of a program asks for the built-in stand-in. As Bakta it plays the other programs, too,
// unless the options name them.
const StandIn = "stand-in"

const (
	bucket = "bakta-web"
	// maxUnstarted is how many jobs may be created and not started: to count them, the embedded database looks at every job.
	maxUnstarted = 1000
	// reserveTime is how long a sweep that fails on a full disk leaves the reserve alone: what filled the disk may still
	// be at it, and takes what it gets hold of.
	reserveTime = 15 * time.Second

	drain    = 10 * time.Second // for requests in flight at the end
	lockTime = 3 * time.Second  // a backend that was killed may hold its directory until its children are gone
)

// Run serves until ctx ends, then stops in order. It calls ready once with the API's URL when it serves.
func Run(ctx context.Context, o Options, ready func(url string)) (err error) {
	o, err = o.complete()
	if err != nil {
		return err
	}
	who, err := o.access()
	if err != nil {
		return err
	}
	tools, err := findTools(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return err
	}
	disown, err := own(ctx, o.Data)
	if err != nil {
		return err
	}
	defer disown()

	disk, err := space.Open(o.Data)
	if err != nil {
		return err
	}
	opened := disk.Refill
	if disk.Full() {
		opened = disk.Release() // the database needs room even to be opened
	}

	// Everything that is opened is closed in the opposite order, however this ends.
	var closers []func() error
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
	}()
	public, err := net.Listen("tcp", o.Listen)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("--listen: %s is in use by another program, maybe by another bakta-web; name another port, or port 0 for one that is free", o.Listen)
		}
		return fmt.Errorf("listening for the API: %w", err)
	}
	defer public.Close() // the host closes it, too, once it runs
	internal, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for events: %w", err)
	}
	defer internal.Close()

	jobs, closeJobs, err := openJobs(ctx, o)
	if err != nil {
		return err
	}
	closers = append(closers, closeJobs)
	files, closeFiles, err := openFiles(ctx, o, who, disk)
	if err != nil {
		return err
	}
	closers = append(closers, closeFiles)

	notify, err := process.Post("http://" + internal.Addr().String() + jobupdate.EventsPath)
	if err != nil {
		return err
	}
	runs, err := process.New(process.Options{
		Dir: filepath.Join(o.Data, "runs"), Jobs: o.Jobs, Stager: o.Stager, Environ: os.Environ(), Limit: o.MaxRunTime,
		Files: files, Specs: tools.spec, Notify: notify, Log: o.Log,
	})
	if err != nil {
		return err
	}
	closers = append(closers, runs.Close)

	api, events, err := o.hosts(who, disk, jobs, files, runs, tools)
	if err != nil {
		return err
	}
	opened()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Run(ctx, public) })
	group.Go(func() error { return events.Run(ctx, internal) })
	group.Go(func() error { return tools.ask(ctx, o.Log) })
	group.Go(func() error {
		tick(ctx, o, disk, "http://"+internal.Addr().String()+expire.SweepPath)
		return nil
	})
	ready("http://" + o.named(public.Addr().String()))
	return group.Wait()
}

// own locks a directory of data, so that no other backend works in it, until what it returns is called. The lock is on
// the directory itself, which outlasts a file that somebody removes; and on a file in it, by which backends of older
// versions go, and all where the file system can't lock directories (NFS).
func own(ctx context.Context, data string) (func() error, error) {
	patience, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	directory := flock.New(data, flock.SetFlag(os.O_RDONLY))
	file := flock.New(filepath.Join(data, "lock"))
	locked, err := directory.TryLockContext(patience, 50*time.Millisecond)
	if locked || err != nil && patience.Err() == nil { // it can't be locked: the file alone has to do
		locked, err = file.TryLockContext(patience, 50*time.Millisecond)
	}
	if locked {
		return func() error { return errors.Join(file.Close(), directory.Close()) }, nil
	}
	directory.Close() // as good as can be: the process is about to end
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case patience.Err() != nil:
		return nil, fmt.Errorf("%s is in use by another bakta-web; stop it, or name another directory by --data", data)
	}
	return nil, fmt.Errorf("locking %s: %w", data, err)
}

// complete fills in what was left out, and refuses what can't be.
func (o Options) complete() (Options, error) {
	if err := errors.Join(supported(runtime.GOOS), o.checkHosts(), o.checkMongoDB()); err != nil {
		return o, err
	}
	if o.Jobs < 1 {
		return o, errors.New("--jobs: at least one job has to run at a time")
	}
	if o.Threads <= 0 {
		o.Threads = max(1, runtime.NumCPU()/o.Jobs)
	}
	o.Threads = min(o.Threads, runtime.NumCPU()) // Bakta refuses more than there are
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
	if o.UI != "" {
		if _, err := os.Stat(filepath.Join(o.UI, "index.html")); err != nil {
			return o, fmt.Errorf("--ui: there is no built web UI: %w", err)
		}
	}
	// The object store changes the process' working directory, so no path may depend on it.
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

// hosts makes the functions and the two hosts that serve them: one for users, one for events.
func (o Options) hosts(who *access.Policy, disk *space.Disk, jobs *mongo.Store, files *s3.Store, runs *process.Runner, tools tools) (api, events *server.Server, err error) {
	set := settings.Default()
	set.Retention, set.MaxUnstarted = o.Retention, maxUnstarted
	set.RecheckInterval = 15 * time.Second
	set.ImageTimeout = 0 // there are no images
	set.InFlight = 0     // every call ends with this process, and only its end interrupts runs
	all, err := functions.New(functions.Parts{
		Jobs: jobs, Files: files, Runner: runs, Offered: tools.offered(), Versions: tools.versions(o.Version), Log: o.Log,
		// No other process sweeps for this directory, so the lease that a killed process left is this one's at once.
		Holder: "local " + o.Data,
	}, set)
	if err != nil {
		return nil, nil, err
	}
	guard := []func(http.Handler) http.Handler{who.Guard}
	if api, err = server.New(server.Options{
		Log: o.Log, AllowOrigin: who.Allowed, Middleware: guard, Connections: access.NewConnections(), Drain: drain,
		Interceptors: []grpc.UnaryServerInterceptor{onFullDisk(disk)},
	}); err != nil {
		return nil, nil, err
	}
	// Pages of browsers reach this one, too.
	if events, err = server.New(server.Options{Log: o.Log, AllowOrigin: who.Allowed, Middleware: guard, Drain: drain}); err != nil {
		return nil, nil, err
	}
	if o.UI != "" { // before the functions: the API's documentation takes / if nobody else does
		if err := api.Handle("/", webUI(o.UI)); err != nil {
			return nil, nil, err
		}
	}
	return api, events, all.Register(api, events)
}

// tick has a sweep done now and again, until ctx ends.
func tick(ctx context.Context, o Options, disk *space.Disk, url string) {
	ticker := time.NewTicker(o.Sweep)
	defer ticker.Stop()
	var released time.Time
	for {
		err := ping(ctx, url)
		if err != nil && ctx.Err() == nil && disk.Full() && time.Since(released) > reserveTime {
			released = time.Now()
			back := disk.Release()
			err = ping(ctx, url)
			back()
		}
		if err != nil && ctx.Err() == nil {
			o.Log.Warn("a sweep could not be done", "error", err)
		}
		disk.Refill()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ping posts the event of a timer, as Knative's PingSource does.
func ping(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Ce-Specversion", "1.0")
	request.Header.Set("Ce-Id", time.Now().Format(time.RFC3339Nano))
	request.Header.Set("Ce-Type", "dev.knative.sources.ping")
	request.Header.Set("Ce-Source", "/local")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the sweep answers %s", response.Status)
	}
	return nil
}
