package cluster

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Addresses in the cluster's network namespace.
const (
	// Node is the address of the node: the API server, node ports and the registry listen on it.
	Node = "10.200.0.1"
	// Loopback is routed to 127.0.0.1 of the namespace, also for pods: here they reach servers of tests on 127.0.0.1.
	Loopback = "10.200.0.2"

	apiServer = "https://" + Node + ":6443"
	nodeName  = "node"
)

// patience is the timeout of each wait. Even on a busy machine, a wait takes seconds.
const patience = 3 * time.Minute

//go:embed config manifests
var files embed.FS

// Cluster is a cluster, running or not, and its files:
//
//	bin/         the programs, built once
//	manifests/   the deployed manifests, from the modules of the releases
//	logs/        the logs of the parts; those of the last cluster are kept
//	var/         the cluster's /var; the images in it are kept
//	run/         files that exist only while the cluster runs
//	kubeconfig   for its administrator
type Cluster struct {
	dir    string // of the state, absolute
	source string // of the modules that build the programs
	out    io.Writer
}

// parts is the folder with the module of most programs.
const parts = "parts"

// New returns the cluster whose state is below dir. Its programs are built from modules in the folder source, the parent
// of this package. It reports its steps on out.
func New(dir, source string, out io.Writer) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"bin", "logs", "run", "var"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	return &Cluster{dir: dir, source: source, out: out}, nil
}

// file returns the path of a file of the state, outside the namespaces.
func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

// here returns the path of a file of the state inside the namespaces. It is the same for every cluster, and short:
// a socket's path may have no more than 107 bytes.
func here(name string) string { return path.Join("/run/cluster", name) }

// logFile creates the log of a part. It replaces an earlier one.
func (c *Cluster) logFile(part string) (*os.File, error) { return os.Create(c.logName(part)) }

func (c *Cluster) logName(part string) string { return c.file("logs/" + part + ".log") }

// step runs one step of Up or Down, and reports its name and duration.
func (c *Cluster) step(what string, do func() error) error {
	began := time.Now()
	fmt.Fprintf(c.out, "%-64s", what)
	if err := do(); err != nil {
		fmt.Fprintln(c.out, " failed")
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(c.out, " %6.1f s\n", time.Since(began).Seconds())
	return nil
}

// lock locks a file of the state until the returned function is called. The file "lock" protects the cluster as a whole:
// Up and Down lock it.
func (c *Cluster) lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(c.file(name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

// ErrDown is the error for a cluster that does not run.
var ErrDown = errors.New("the cluster is down; start it with `cluster up`")

// space returns the namespaces of the running cluster.
func (c *Cluster) space() (space, error) {
	p, err := recorded(c.file("run/space.pid"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !p.alive() {
		return space{}, ErrDown
	}
	return space{first: p}, err
}

// daemon starts a part of the cluster in the background, unless it is running.
func (c *Cluster) daemon(s space, name string, argv ...string) error {
	record := c.file("run/" + name + ".pid")
	if p, err := recorded(record); err == nil && p.alive() {
		return nil
	}
	log, err := c.logFile(name)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // survives the end of this process, and Ctrl-C at its terminal
	if err := s.start(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p, err := processOf(cmd.Process.Pid)
	go func() { _ = cmd.Wait() }() // without Wait, an ended process looks alive
	if err != nil {
		return c.ended(name)
	}
	return p.record(record)
}

// ended returns the error for a daemon that has ended unexpectedly.
func (c *Cluster) ended(name string) error {
	log, err := os.ReadFile(c.logName(name))
	if err != nil {
		return fmt.Errorf("%s has ended, and its log can't be read: %w", name, err)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	last := lines[max(0, len(lines)-5):]
	return fmt.Errorf("%s has ended; the end of %s:\n\t%s", name, c.logName(name), strings.Join(last, "\n\t"))
}

// await calls ask until it returns no error. It returns early if one of the daemons that are needed has ended; its errors
// name their logs.
func (c *Cluster) await(ctx context.Context, ask func(context.Context) error, daemons ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil { // an error before the timeout says more than the timeout
			last = err
		}
		for _, name := range daemons {
			if p, err := recorded(c.file("run/" + name + ".pid")); err != nil || !p.alive() {
				return c.ended(name)
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			logs := make([]string, len(daemons))
			for i, name := range daemons {
				logs[i] = c.logName(name)
			}
			return fmt.Errorf("%w; read %s; last seen: %w", context.Cause(ctx), strings.Join(logs, ", "), last)
		}
	}
}

// kubectl runs kubectl as the administrator. A manifest, if there is one, is its standard input.
func kubectl(ctx context.Context, s space, manifest []byte, args ...string) (string, error) {
	var in io.Reader
	if manifest != nil {
		in = strings.NewReader(string(manifest))
	}
	return s.feed(ctx, in, here("bin/kubectl"), args...)
}

// apply applies a manifest to the cluster.
func apply(ctx context.Context, s space, manifest []byte) error {
	_, err := kubectl(ctx, s, manifest, "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// Exec replaces this process by a command in the cluster's network namespace, with the cluster's kubectl and ko first
// on the PATH and both set to work on it. Files and processes are those outside. It returns only if that failed.
func (c *Cluster) Exec(argv []string) error {
	s, err := c.space()
	if err != nil {
		return err
	}
	set := map[string]string{
		"PATH":                c.file("bin") + ":" + os.Getenv("PATH"),
		"KUBECONFIG":          c.file("kubeconfig"),
		"KUBECACHEDIR":        c.file("run/kubectl"),
		"KO_DOCKER_REPO":      Registry + "/ko",
		"KO_DEFAULTBASEIMAGE": baseImage,
	}
	for key, value := range set {
		if err := os.Setenv(key, value); err != nil {
			return err
		}
	}
	return fmt.Errorf("running %s: %w", argv[0], s.become(argv, os.Environ()))
}
