// Package process runs programs that must not outlive the process that started them.
package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a running child. A log file receives its output.
type Process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed when it has ended and is reaped
}

// Start starts a program with its output in the log file. The program gets a process group of its own, so that
// Ctrl-C in a terminal ends the tests first and the stores afterwards.
func Start(log string, cmd *exec.Cmd) (*Process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &Process{cmd: cmd, log: log, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(p.cmd.SysProcAttr)

	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that started the child ends, not the process. This
		// thread stays with the child until it has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // cmd.ProcessState has the result
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Exited is closed when the program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// PID returns the program's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ExitCode returns the exit code of a program that has ended, -1 if a signal ended it.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Err returns how the program ended, with the end of its output.
func (p *Process) Err() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended (%s): %s", p.cmd.Path, p.cmd.ProcessState, p.Tail())
	default:
		return nil
	}
}

// Tail returns the last 2 KB of the program's output.
func (p *Process) Tail() string {
	said, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(said[max(0, len(said)-2048):])
}

// Stop sends SIGTERM to the program, and kills it if it has not ended within the grace period. It returns when the program has
// ended.
func (p *Process) Stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("%s did not end within %s and was killed", p.cmd.Path, grace)
}

// Kill kills the program. It returns when the program has ended.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return nil
}

// FreePorts returns n different ports of the loopback address that no process listens on. They are below those that the system gives to
// connections, and to listeners that don't choose one (from 32768): on a machine that runs much else, one of those is often taken before
// its user listens. Another process may take one of these, too, but hardly ever does.
func FreePorts(n int) ([]string, error) {
	var ports []string
	for tries := 0; len(ports) < n; tries++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err != nil {
			if tries > 100*n {
				return nil, err
			}
			continue
		}
		defer l.Close() // only at the end, so that the ports differ
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
