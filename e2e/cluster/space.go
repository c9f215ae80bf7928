package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// space is the set of Linux namespaces of a cluster: network, mounts and processes. They exist as long as their first
// process.
type space struct {
	first process
}

// namespace is one kind of namespace, by its name below /proc/PID/ns.
type namespace string

const (
	mounts    namespace = "mnt"
	network   namespace = "net"
	processes namespace = "pid" // entered by the next child only
)

// newSpace creates namespaces whose first process is the program. The mount namespace is not set up yet; its mounts are not
// visible outside.
func newSpace(program string, log *os.File) (space, error) {
	first := exec.Command(program)
	first.Stdout, first.Stderr = log, log
	first.Dir = "/"
	first.SysProcAttr = &syscall.SysProcAttr{
		Setsid:       true, // survives the end of this process, and Ctrl-C at its terminal
		Cloneflags:   syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWNS, // also makes all mounts private
	}
	if err := first.Start(); err != nil {
		return space{}, fmt.Errorf("creating namespaces, which requires root: %w", err)
	}
	go func() { _ = first.Wait() }() // without Wait, an ended process looks alive
	p, err := processOf(first.Process.Pid)
	return space{first: p}, err
}

// inside calls f on a thread that has entered namespaces.
func (s space) inside(f func() error, kinds ...namespace) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked, so that the thread ends with this goroutine and no other one runs in the namespaces.
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The first thread of the process does not end, and /proc/self refers to it. It waits here while another is used.
			defer runtime.UnlockOSThread()
			done <- s.inside(f, kinds...)
			return
		}
		if err := s.enter(kinds...); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// enter moves the calling thread, which must be locked to its goroutine, into namespaces.
func (s space) enter(kinds ...namespace) error {
	files := make([]*os.File, len(kinds))
	for i, kind := range kinds { // all before any is entered: in another mount namespace /proc is another one
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", s.first.pid, kind))
		if err != nil {
			return fmt.Errorf("the cluster's namespaces no longer exist: %w", err)
		}
		defer f.Close()
		files[i] = f
	}
	for i, f := range files {
		if kinds[i] == mounts {
			// Threads of a process share their root and working directory. The kernel requires that a thread has its own
			// before it enters a mount namespace.
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return fmt.Errorf("unsharing the working directory: %w", err)
			}
		}
		if err := unix.Setns(int(f.Fd()), 0); err != nil {
			return fmt.Errorf("entering the cluster's %s namespace: %w", kinds[i], err)
		}
	}
	return nil
}

// start starts a command in the namespaces. Its program is looked up outside of them, an absolute path inside.
func (s space) start(cmd *exec.Cmd) error {
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	return s.inside(cmd.Start, mounts, network, processes)
}

// run runs a command in the namespaces and returns what it printed.
// An error contains the command and its output.
func (s space) run(ctx context.Context, name string, args ...string) (string, error) {
	return s.feed(ctx, nil, name, args...)
}

// feed is run with a standard input, which may be nil.
func (s space) feed(ctx context.Context, in io.Reader, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, said strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &said
	cmd.Env = append(os.Environ(), "KUBECONFIG="+here("kubeconfig"), "KUBECACHEDIR="+here("run/kubectl"))
	err := s.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// dial connects to an IP address in the network namespace.
func (s space) dial(ctx context.Context, proto, address string) (conn net.Conn, err error) {
	// A socket belongs to the namespace of the thread that created it: this one, for an address without a name.
	err = s.inside(func() error {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, proto, address)
		return err
	}, network)
	return conn, err
}

// become replaces this process by a command in the network namespace; files and processes stay those outside.
// It returns only if that failed.
func (s space) become(argv, env []string) error {
	program, err := exec.LookPath(argv[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return err
	}
	return s.inside(func() error { return syscall.Exec(program, argv, env) }, network)
}
