// Package stager is the command line of lib/stage. The containers of a run execute it, and so does local mode.
//
//	stager in   [--spec FILE] [storage flags] [--install DIR]     download the inputs
//	stager run  --dir DIR --stage NAME [flags] -- PROGRAM ARG…    run one stage's program
//	stager serve                                                  run the programs that stdin orders, see stage.Order
//	stager out  [--spec FILE] [storage flags] [--hint HOST:PORT]  store results, logs and the manifest
//	stager install DIR                                            copy this program to DIR/stager
//
// Without --spec, the spec is the content of the environment variable STAGER_SPEC.
//
// Exit codes: 0, done, also if a stage's program failed or inputs are not available, because then stage-out must run and
// report it. 1, the outcome is unknown, and a retry may help. 2, wrong usage. 3, only from out, the run failed and its manifest
// has the reason. 4, only from run, the memory limit was exceeded. 5, only from out, the outcome could not be stored, because
// the store is full. 6, SIGTERM came before it was done: something outside of the run ends it.
package stager

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// The exit codes.
const (
	Done      = 0
	NoVerdict = 1
	Usage     = 2
	RunFailed = 3
	Memory    = 4
	Full      = 5
	Stopped   = 6
)

// specVariable is the environment variable that holds the spec.
const specVariable = "STAGER_SPEC"

// Stager is the environment of a stager's process.
type Stager struct {
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	// Files opens the object storage. Nil if the stager only runs programs.
	Files func(Storage) (stage.Files, error)
	// Hint notifies the backend at an address of progress of a job. Nil: no notification.
	Hint func(ctx context.Context, address, id string) error
}

// Storage is the address of the object storage. The keys are read from the environment, the rest from flags.
type Storage struct {
	Endpoint  string // URL
	Region    string
	Bucket    string
	BaseKey   string // prefix of all keys
	AccessKey string
	SecretKey string

	VirtualHosted bool // the bucket is part of the host name, not of the path
}

// hintTime bounds a hint, which only saves the user some seconds.
const hintTime = 5 * time.Second

// seenTime is the delay of the hint that a stage has begun: an earlier hint would be useless, because the kubelet checks its
// containers once a second.
const seenTime = time.Second

// Main runs the stager with its arguments, without the program's name, and returns its exit code. Ctx ends when
// the process gets SIGTERM.
func (s Stager) Main(ctx context.Context, args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	commands := map[string]func(context.Context, []string) (int, error){
		"in": s.in, "run": s.run, "serve": s.serve, "out": s.out, "install": s.install,
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprintln(s.Stderr, "usage: stager in|run|serve|out|install, each with --help")
		return Usage
	}
	code, err := command(ctx, args[1:])
	var usage usageError
	switch {
	case errors.Is(err, flag.ErrHelp):
		return Done
	case errors.As(err, &usage):
		fmt.Fprintf(s.Stderr, "stager %s: %v\n", args[0], err)
		return Usage
	case errors.Is(err, stage.ErrOutOfMemory):
		fmt.Fprintf(s.Stderr, "stager %s: %v\n", args[0], err)
		return Memory
	case job.Is(err, job.Exhausted):
		fmt.Fprintf(s.Stderr, "stager %s: %v\n", args[0], err)
		return Full
	case err != nil && ctx.Err() != nil:
		fmt.Fprintf(s.Stderr, "stager %s: stopped: %v\n", args[0], err)
		return Stopped
	case err != nil:
		fmt.Fprintf(s.Stderr, "stager %s: %v\n", args[0], err)
		return NoVerdict
	}
	return code
}

// usageError is an error in the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (s Stager) in(ctx context.Context, args []string) (int, error) {
	var t transfer
	flags := s.flags("in")
	t.flags(flags)
	install := flags.String("install", "", "copy this program to `DIR`/stager, too")
	if err := parse(flags, args, 0); err != nil {
		return 0, err
	}
	spec, files, err := s.prepare(t)
	if err != nil {
		return 0, err
	}
	if *install != "" {
		if err := copySelf(*install); err != nil {
			return 0, err
		}
	}
	failure, err := stage.In(ctx, files, spec)
	if failure != nil {
		fmt.Fprintln(s.Stderr, failure.Message)
	}
	return Done, err
}

func (s Stager) out(ctx context.Context, args []string) (int, error) {
	var t transfer
	flags := s.flags("out")
	t.flags(flags)
	hint := flags.String("hint", "", "notify the backend at `HOST:PORT` when the manifest is stored")
	if err := parse(flags, args, 0); err != nil {
		return 0, err
	}
	spec, files, err := s.prepare(t)
	if err != nil {
		return 0, err
	}
	m, err := stage.Out(ctx, files, spec)
	if err != nil {
		return 0, err
	}
	if *hint != "" && s.Hint != nil {
		// A failure of the hint does not matter: the manifest is stored, and the sweep finds it.
		short, cancel := context.WithTimeout(ctx, hintTime)
		defer cancel()
		if err := s.Hint(short, *hint, spec.Job); err != nil {
			fmt.Fprintf(s.Stderr, "the backend could not be notified: %v\n", err)
		}
	}
	if m.Outcome != stage.Succeeded {
		fmt.Fprintln(s.Stderr, m.Failure.Message)
		return RunFailed, nil
	}
	return Done, nil
}

func (s Stager) run(ctx context.Context, args []string) (int, error) {
	var c stage.Command
	o := stage.Options{Stdout: s.Stdout, Stderr: s.Stderr, Alone: true}
	flags := s.flags("run")
	dir := flags.String("dir", "", "the run's `DIR`ectory")
	flags.StringVar(&c.Stage, "stage", "", "`NAME` of the stage")
	flags.StringVar(&c.Title, "title", "", "`NAME` of the stage for people; the stage's if not given")
	flags.Func("env", "`NAME=VALUE` to add to the program's environment; may be given several times", func(e string) error {
		c.Env = append(c.Env, e)
		return nil
	})
	flags.Func("warning", "a `TEXT` for the beginning of the log; may be given several times", func(w string) error {
		c.Warnings = append(c.Warnings, w)
		return nil
	})
	image := flags.Bool(
		"image-env",
		false,
		"this process and its program have a container of their own: pass on all variables that the image sets, not only a few",
	)
	fresh := flags.Bool(
		"fresh",
		false,
		"trust no file in the run's directory: the caller knows that the stage has not run, and that its turn has come",
	)
	// A local mode that runs while its executable is replaced by this one passes the former name.
	flags.BoolVar(fresh, "anew", false, "the former name of --fresh")
	report := flags.Bool(
		"report",
		false,
		"write the stage's record to stdout, not the program's output: one line of JSON when the program has begun, and one at its end",
	)
	quiet := flags.Bool("quiet", false, "write the program's output to the log only")
	hint := flags.String("hint", "", "notify the backend at `HOST:PORT` that the stage has begun")
	id := flags.String("job", "", "`ID` of the job, for the hint")
	flags.BoolVar(&o.Offline, "offline", false, "let the program open no network connections")
	watch := flags.Bool("watch-stdin", false, "kill the program and exit when stdin ends")
	flags.DurationVar(&o.Grace, "grace", stage.DefaultGrace, "`TIME` from SIGTERM to SIGKILL")
	flags.DurationVar(&o.Limit, "limit", 0, "end a program that takes longer than this `TIME`, and fail its stage; 0 for no limit")
	flags.Int64Var(&o.MaxLog, "max-log", stage.DefaultMaxLog, "size of the log in `BYTES` at which it is cut")
	if err := parse(flags, args, -1); err != nil {
		return 0, err
	}
	c.Argv = flags.Args()
	if c.Title == "" {
		c.Title = c.Stage
	}
	if !filepath.IsAbs(*dir) {
		return 0, usagef("--dir %q is not an absolute path", *dir)
	}
	if err := c.Validate(); err != nil {
		return 0, usageError{err}
	}
	if *quiet {
		o.Stdout, o.Stderr = nil, nil
	}
	o.Fresh = *fresh
	records := json.NewEncoder(s.Stdout)
	if *report {
		o.Stdout = nil
		o.Note = func(r stage.Record) { records.Encode(r) } // the end is reported, too
	}
	o.Environ = stage.Environment(s.Environ)
	if *image {
		o.Environ, o.OwnMemory = stage.ImageEnvironment(s.Environ), true
	}
	if *watch {
		gone := make(chan struct{})
		o.Gone = gone
		go func() {
			defer close(gone)
			io.Copy(io.Discard, s.Stdin) // ends when all processes that hold the other end have closed it, or died
		}()
	}
	hinting, cancel := context.WithCancel(ctx)
	var hints sync.WaitGroup
	if *hint != "" && s.Hint != nil {
		next := o.Note
		o.Note = func(r stage.Record) {
			hints.Go(func() { s.begun(hinting, *hint, *id) })
			if next != nil {
				next(r)
			}
		}
	}
	rec, err := stage.Run(ctx, c, *dir, o)
	cancel() // the next stage, or stage-out, sends a hint as well
	hints.Wait()
	if err == nil && *report {
		err = records.Encode(rec)
	}
	return Done, err
}

// begun notifies the backend that a stage has begun, unless the stage ends within seenTime. A failure does not affect the stage.
func (s Stager) begun(ctx context.Context, address, id string) {
	select {
	case <-time.After(seenTime):
	case <-ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hintTime)
	defer cancel()
	if err := s.Hint(ctx, address, id); err != nil && ctx.Err() == nil {
		fmt.Fprintf(s.Stderr, "the backend could not be notified: %v\n", err)
	}
}

func (s Stager) install(_ context.Context, args []string) (int, error) {
	flags := s.flags("install")
	if err := parse(flags, args, 1); err != nil {
		return 0, err
	}
	return Done, copySelf(flags.Arg(0))
}

// copySelf copies this program to a directory, completely or not at all.
func copySelf(dir string) error {
	err := func() error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		from, err := os.Open(self)
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := renameio.NewPendingFile(filepath.Join(dir, "stager"), renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o755))
		if err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil {
			return errors.Join(err, to.Cleanup())
		}
		return errors.Join(to.CloseAtomicallyReplace(), to.Cleanup()) // Cleanup does nothing once it is replaced
	}()
	if err != nil {
		return fmt.Errorf("copying this program to %s: %w", dir, err)
	}
	return nil
}

// transfer has the flags that in and out share.
type transfer struct {
	spec    string
	storage Storage
}

func (t *transfer) flags(f *flag.FlagSet) {
	f.StringVar(&t.spec, "spec", "", "`FILE` with the run's spec; "+specVariable+" in the environment if not given")
	f.StringVar(&t.storage.Endpoint, "s3-endpoint", "", "`URL` of the object storage")
	f.StringVar(&t.storage.Region, "s3-region", "", "`REGION` of the bucket")
	f.StringVar(&t.storage.Bucket, "s3-bucket", "", "`BUCKET` of all jobs' files")
	f.StringVar(&t.storage.BaseKey, "s3-base-key", "", "`PREFIX` of all keys in it")
	f.BoolVar(&t.storage.VirtualHosted, "s3-virtual-hosted", false, "the bucket is part of the host name, not of the path")
}

// prepare reads the spec and opens the store.
func (s Stager) prepare(t transfer) (stage.Spec, stage.Files, error) {
	text := []byte(s.getenv(specVariable))
	if t.spec != "" {
		var err error
		if text, err = os.ReadFile(t.spec); err != nil {
			return stage.Spec{}, nil, fmt.Errorf("reading the spec: %w", err)
		}
	}
	spec, err := stage.ReadSpec(text)
	if err != nil {
		return stage.Spec{}, nil, usageError{err}
	}
	if s.Files == nil {
		return stage.Spec{}, nil, usagef("this stager has no object storage")
	}
	t.storage.AccessKey, t.storage.SecretKey = s.getenv("AWS_ACCESS_KEY_ID"), s.getenv("AWS_SECRET_ACCESS_KEY")
	files, err := s.Files(t.storage)
	if err != nil {
		return stage.Spec{}, nil, usageError{err}
	}
	return spec, files, nil
}

func (s Stager) flags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet("stager "+name, flag.ContinueOnError)
	flags.SetOutput(s.Stderr)
	return flags
}

// parse parses a command line that has want arguments besides its flags; -1 means any number.
func parse(flags *flag.FlagSet, args []string, want int) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if want >= 0 && flags.NArg() != want {
		return usagef("%d arguments, not %d: %q", flags.NArg(), want, flags.Args())
	}
	return nil
}

func (s Stager) getenv(name string) string {
	for _, e := range s.Environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// Signals returns a context that ends when this process gets SIGTERM or an interrupt. It also prevents a closed stdout or stderr
// from ending the process: the reader of the program's output may end before the program.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	// Caught, not ignored: a program inherits the signals that are ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
}
