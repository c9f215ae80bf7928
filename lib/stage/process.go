package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a running program with its process group and its two pipes.
type process struct {
	cmd     *exec.Cmd
	note    func(pid int) // records the program's process
	grace   time.Duration
	alone   bool
	offline bool

	mu      sync.Mutex
	reaped  bool          // from now on, another group may have the group's number
	exited  chan struct{} // closed when the program is reaped and its group killed
	err     error         // set before exited is closed: why the outcome is unknown
	reading sync.WaitGroup
	pipes   []*os.File
}

// start starts the program. Its stdin is empty.
func (p *process) start(stdout, stderr *stream) error {
	defer func() { // only the program needs its ends of the pipes
		for _, w := range []io.Writer{p.cmd.Stdout, p.cmd.Stderr} {
			if f, ok := w.(*os.File); ok {
				f.Close()
			}
		}
	}()
	readers := []*stream{stdout, stderr}
	for _, to := range []*io.Writer{&p.cmd.Stdout, &p.cmd.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			p.closePipes()
			return err
		}
		*to = w
		p.pipes = append(p.pipes, r)
	}
	p.exited = make(chan struct{})
	started := make(chan error, 1)
	go p.attend(started)
	if err := <-started; err != nil {
		p.closePipes()
		return err
	}
	for i, r := range p.pipes {
		p.reading.Go(func() {
			io.Copy(struct{ io.Writer }{readers[i]}, r)
			readers[i].flush()
		})
	}
	return nil
}

// attend starts the program and waits for its exit, on a locked thread: for the kernel, the end of the thread that started a
// program is the end of its parent (see attributes), and Go may end any other thread.
func (p *process) attend(started chan<- error) {
	runtime.LockOSThread()
	if !p.offline {
		defer runtime.UnlockOSThread()
	} else if err := offline(); err != nil { // the thread ends with this goroutine
		started <- err
		return
	}
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	defer close(p.exited)
	// If this process is killed before the record is written, the kernel kills the program (see attributes). What the program
	// has started is found by its mark.
	p.note(p.cmd.Process.Pid)
	// The group is killed while its leader is a zombie, because no other group can have its number until then.
	if err := awaitExit(p.cmd.Process.Pid); err != nil {
		p.err = errors.Join(p.err, err)
	}
	p.kill()
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.err = errors.Join(p.err, err)
	}
}

// Why a program is ended.
var (
	errGone = errors.New("the process that waited for it is gone")
	errLate = errors.New("it took longer than its limit")
)

// wait returns when the program has exited, its group is gone and its output is read. If ctx ended or gone was closed before
// that, the group was ended, and cut is the reason.
func (p *process) wait(ctx context.Context, gone <-chan struct{}) (cut, err error) {
	cut = p.await(ctx, gone)
	if cut != nil {
		p.kill()
		<-p.exited
	}
	err = p.err
	if p.alone {
		err = errors.Join(err, killChildren(killTimeout))
	}
	// A process that has left the group may keep the pipes open for ever.
	for _, r := range p.pipes {
		r.SetReadDeadline(time.Now().Add(drain))
	}
	p.reading.Wait()
	p.closePipes()
	return cut, err
}

// await returns nil when the program has exited. If the program must not continue, await returns the reason: at once if gone is
// closed, and after the grace if ctx ends.
func (p *process) await(ctx context.Context, gone <-chan struct{}) error {
	select {
	case <-p.exited:
		return nil
	case <-gone:
		return errGone
	case <-ctx.Done():
	}
	p.signal(syscall.SIGTERM)
	grace := time.NewTimer(p.grace)
	defer grace.Stop()
	select {
	case <-p.exited:
	case <-gone:
	case <-grace.C:
	}
	return context.Cause(ctx)
}

// kill kills the program's process group.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		signalGroup(p.cmd.Process.Pid, s)
	}
}

func (p *process) closePipes() {
	for _, r := range p.pipes {
		r.Close()
	}
}

// status returns the exit code, or -1 and the signal that ended the program.
func (p *process) status() (code int, signal string) {
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return -1, signalName(s.Signal())
	}
	return p.cmd.ProcessState.ExitCode(), ""
}

// unstartable reports whether the start failed because of the program itself: it does not exist, or is not executable. A retry
// would not help.
func unstartable(err error) bool {
	for _, e := range []error{exec.ErrNotFound, exec.ErrDot, fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC, syscall.ENOTDIR,
		syscall.EISDIR, syscall.ELOOP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// cause returns what went wrong in starting a program, without the name of the system call.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Sprintf("%s: %v", path.Path, path.Err)
	}
	return err.Error()
}
