package stage

import (
	"cmp"
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

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Options say how Run runs a program. The zero value of each is a sensible choice.
type Options struct {
	Environ []string      // the environment that the program gets, see Environment; Run adds TMPDIR and a mark
	Stdout  io.Writer     // gets a copy of the program's stdout; nil for none
	Stderr  io.Writer     // gets a copy of the program's stderr; nil for none
	Grace   time.Duration // from SIGTERM to SIGKILL when ctx or the limit ends; DefaultGrace if zero
	Limit   time.Duration // a program that runs longer is ended, and its stage has failed; none if zero
	MaxLog  int64         // size in bytes at which the log is cut; DefaultMaxLog if zero

	// Gone is closed when nobody is left to wait for the program: then it is killed at once, without grace. Nil
	// for never.
	Gone <-chan struct{}

	// OwnMemory says that the limit of memory that holds for this process holds for nobody else but its program,
	// as in a container. Then something that was killed at that limit is an ErrOutOfMemory.
	OwnMemory bool

	// Alone says that this process does nothing else. Then whatever the program leaves behind is killed, even
	// if it left the program's process group: this process adopts it. And it closes itself to the program, which could
	// else trace it and record what it likes.
	Alone bool

	// Anew says that the caller knows that the stage has not run and that its turn has come, and keeps its record. Then
	// none is written, and nothing that lies in the run's directory is believed: the programs before had it to themselves.
	Anew bool
	// Note is called with the stage's record when its program has begun. Nil for nobody to tell.
	Note func(Record)
}

const (
	// DefaultGrace is how long a program has to end after SIGTERM.
	DefaultGrace = 5 * time.Second
	// DefaultMaxLog bounds the log of a stage, in bytes.
	DefaultMaxLog = 8 << 20

	// drain is how long the rest of the output is waited for after the program and its group are gone. Only a
	// process that left the group can make it last.
	drain = 2 * time.Second
	// killing is how long it may take until killed processes are gone.
	killing = 5 * time.Second
)

// Run runs the program of one stage to its end and records how it ended; it is no error when the program
// fails. An error means that there is no verdict: ctx ended before the program did, or this machine could not
// do its part (no space, no processes); then the stage can be run again. A stage after one that failed, or
// after inputs that can't be had, does nothing and stays pending.
//
// A stage that has run to its end is not run again: its record is the last thing written, when nothing of it
// ran any more. One that was cut off runs again from the beginning, with an empty output directory, an empty
// directory for temporary files and a new log, so that nothing of two executions is mixed.
//
// The program leads a process group of its own. When it has exited, or ctx has ended and the grace with it,
// the whole group is killed: annotation tools start others that run on without them.
func Run(ctx context.Context, c Command, dir string, o Options) (Record, error) {
	if err := c.Validate(); err != nil {
		return Record{}, err
	}
	if err := runnable(); err != nil {
		return Record{}, fmt.Errorf("stage %s: %w", c.Stage, err)
	}
	if ctx.Err() != nil {
		return Record{}, fmt.Errorf("stage %s: %w", c.Stage, context.Cause(ctx))
	}
	d := Dir(dir)
	if !o.Anew {
		rec, blocked, err := before(d, c.Stage)
		if err != nil || rec.over() || blocked {
			return rec, err
		}
	}
	state, err := prepare(d, c.Stage, o.Anew)
	if err != nil {
		return Record{}, fmt.Errorf("preparing stage %s: %w", c.Stage, err)
	}
	defer state.Close()
	rec, err := execute(ctx, c, d, state, o)
	if err != nil {
		return Record{}, fmt.Errorf("stage %s: %w", c.Stage, err)
	}
	if o.Anew {
		return rec, nil
	}
	err = write(state, recordFile, rec)
	if err != nil {
		// A program that has filled the disk must not take with it how it ended.
		if freed := errors.Join(emptyTemp(d), remove(state, reserve)); freed == nil {
			err = write(state, recordFile, rec)
		}
	}
	if err != nil {
		return Record{}, err
	}
	return rec, nil
}

// before returns the stage's record and whether what came before it keeps it from running.
func before(d Dir, stage string) (Record, bool, error) {
	rec, _, err := readStage(d, stage)
	if err != nil || rec.over() {
		return rec, false, err
	}
	var in inputRecord
	found, err := read(d, inputState, &in)
	if err != nil {
		return rec, false, err
	}
	if !found {
		return rec, false, fmt.Errorf("stage %s: the inputs have not been brought", stage)
	}
	blocked := in.Failure != nil
	state, err := d.open(states)
	if err != nil {
		return rec, false, err
	}
	defer state.Close()
	entries, err := fs.ReadDir(state.FS(), ".")
	if err != nil {
		return rec, false, err
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == stage {
			continue
		}
		other, _, err := readStage(d, e.Name())
		if err != nil {
			return rec, false, err
		}
		blocked = blocked || other.Status == job.StageFailed
	}
	return rec, blocked, nil
}

// prepare gives the stage an empty output directory and an empty directory for temporary files, and opens the directory
// of its state; that is empty, too, if nothing in it counts.
func prepare(d Dir, stage string, fresh bool) (*os.Root, error) {
	at, err := d.open()
	if err != nil {
		return nil, err
	}
	defer at.Close()
	out, err := made(at, outputs)
	if errors.Is(err, errIrregular) { // a stage before has put something in its place
		out, err = anew(at, outputs)
	}
	if err != nil {
		return nil, err
	}
	defer out.Close()
	own, err := anew(out, stage)
	if err != nil {
		return nil, err
	}
	own.Close()
	if err := emptyTemp(d); err != nil {
		return nil, err
	}
	if !fresh {
		return d.open(states, stage)
	}
	state, err := made(at, states)
	if errors.Is(err, errIrregular) {
		state, err = anew(at, states)
	}
	if err != nil {
		return nil, err
	}
	defer state.Close()
	return anew(state, stage)
}

// emptyTemp removes all temporary files.
func emptyTemp(d Dir) error {
	at, err := d.open()
	if err != nil {
		return err
	}
	defer at.Close()
	temp, err := emptied(at, temps)
	if err != nil {
		temp, err = anew(at, temps)
	}
	if err != nil {
		return err
	}
	return temp.Close()
}

// execute runs the program and returns what is to be recorded of its end.
func execute(ctx context.Context, c Command, d Dir, state *os.Root, o Options) (Record, error) {
	log, err := createLog(state)
	if err != nil {
		return Record{}, fmt.Errorf("making the log: %w", err)
	}
	defer log.Close()
	limit := cmp.Or(o.MaxLog, DefaultMaxLog)
	out := &recorder{log: log, left: limit, limit: limit}
	stdout := &stream{to: out, copy: o.Stdout, tail: &tail{}}
	errout := &stream{to: out, copy: o.Stderr, tail: &tail{}}
	stdout.emit(fmt.Appendf(nil, "%s Command: %s\n", c.Title, quote(c.Argv)))
	for _, w := range c.Warnings {
		stdout.emit(fmt.Appendf(nil, "Warning: %s\n", w))
	}

	p := &process{grace: cmp.Or(o.Grace, DefaultGrace), alone: o.Alone}
	p.cmd = exec.Command(c.Argv[0], c.Argv[1:]...)
	p.cmd.Dir = d.Temp()
	p.cmd.Env = environ(d, o.Environ, c.Env)
	p.cmd.SysProcAttr = attributes()

	if o.Alone {
		if err := adopt(); err != nil {
			return Record{}, fmt.Errorf("becoming the parent of orphans: %w", err)
		}
		if err := closed(); err != nil {
			return Record{}, fmt.Errorf("closing this process to others: %w", err)
		}
	}
	rec := Record{Result: Result{Name: c.Stage, Status: job.StageRunning, Started: now()}}
	p.note = func(pid int) {
		// If this can't be written, because the program has filled the disk already, the run is known by its mark
		// alone, and its stage looks as if it had not begun. That is no reason to end it.
		var err error
		if rec.Process, err = identify(pid); err == nil {
			if !o.Anew {
				_ = write(state, recordFile, rec)
			}
		}
		if o.Note != nil {
			o.Note(rec)
		}
	}
	killedBefore := oomKills()
	err = p.start(stdout, errout)
	if unstartable(err) {
		rec.Status, rec.ExitCode, rec.Ended = job.StageFailed, -1, now()
		rec.Failure = &job.Failure{Code: job.BadImage, Stage: c.Stage,
			Message: fmt.Sprintf("%s could not be started: %s. This is not a fault of your data; please tell the operators.", c.Title, cause(err))}
		fmt.Fprintf(errout, "%s\n", rec.Failure.Message)
		return rec, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.Limit > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, o.Limit, errLate)
	}
	defer cancel()
	cut, err := p.wait(limited, o.Gone)
	if o.OwnMemory && oomKills() > killedBefore {
		return Record{}, errors.Join(ErrOutOfMemory, err)
	}
	late := errors.Is(cut, errLate)
	if cut != nil && !late {
		err = errors.Join(fmt.Errorf("cut off: %w", cut), err)
	}
	if err != nil {
		return Record{}, err
	}
	if out.err != nil && o.Stderr != nil {
		fmt.Fprintf(o.Stderr, "the log of stage %s is not whole: %v\n", c.Stage, out.err)
	}
	rec.Ended, rec.Status = now(), job.StageSucceeded
	if rec.ExitCode, rec.Signal = p.status(); rec.ExitCode != 0 {
		rec.Status = job.StageFailed
		why := workflow.Explain(program.Exit{Stage: c.Stage, Title: c.Title, Code: rec.ExitCode, Signal: rec.Signal,
			Stdout: stdout.tail.kept, Stderr: errout.tail.kept})
		rec.Failure = &why
	}
	if late {
		rec.Status = job.StageFailed
		rec.Failure = &job.Failure{
			Code:  job.OutOfTime,
			Stage: c.Stage,
			Message: fmt.Sprintf(
				"%s took longer than the %s that it may take, and was ended. Large genomes, and assemblies of very many contigs, take longer; please tell the operators.",
				c.Title,
				o.Limit,
			),
		}
		fmt.Fprintf(errout, "%s\n", rec.Failure.Message)
	}
	return rec, nil
}

// process is a running program with its process group and its two pipes.
type process struct {
	cmd   *exec.Cmd
	note  func(pid int) // notes down which process the program is
	grace time.Duration
	alone bool

	mu      sync.Mutex
	reaped  bool          // the group's number may be another's
	exited  chan struct{} // closed when the program is reaped and its group killed
	err     error         // set before exited is closed: why there is no verdict
	reading sync.WaitGroup
	pipes   []*os.File
}

// start starts the program. Its stdin is empty.
func (p *process) start(stdout, stderr *stream) error {
	defer func() { // the program's ends of the pipes are not this process's
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

// attend starts the program and waits for its exit, on one thread all the while: the kernel takes the end of
// the thread that started a program for the end of its parent (see attributes), and Go ends threads as it
// likes.
func (p *process) attend(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	defer close(p.exited)
	// Killed before this is written, this process leaves a program that nobody has noted down. The kernel then
	// kills it (see attributes), and its mark gives it away.
	p.note(p.cmd.Process.Pid)
	// The group is killed while its leader is a zombie: its number is still its own.
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

// errGone is why a program is killed that nobody waits for.
var errGone = errors.New("whoever waited for it is gone")

// errLate is why a program is ended that took longer than it may.
var errLate = errors.New("it took longer than it may")

// wait returns when the program has exited, its group is gone and its output is read. If ctx ended or gone was
// closed before that, the group was told to end, and killed, and cut says which it was.
func (p *process) wait(ctx context.Context, gone <-chan struct{}) (cut, err error) {
	cut = p.await(ctx, gone)
	if cut != nil {
		p.kill()
		<-p.exited
	}
	err = p.err
	if p.alone {
		err = errors.Join(err, killChildren(killing))
	}
	// A process that got away may hold the pipes open for as long as it likes.
	for _, r := range p.pipes {
		r.SetReadDeadline(time.Now().Add(drain))
	}
	p.reading.Wait()
	p.closePipes()
	return cut, err
}

// await returns nil when the program has exited by itself. Else it returns why the program must not run on,
// after the program was given its grace if it is due one.
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

// unstartable reports whether starting failed because of the program itself: it is not there, or it is
// nothing that can be run. Trying again would not help.
func unstartable(err error) bool {
	for _, e := range []error{exec.ErrNotFound, exec.ErrDot, fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP} {
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

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
