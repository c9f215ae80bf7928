package stage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// attributes puts the program into a process group of its own. The kernel kills the program when the thread that started it
// ends: the last resort if this process is killed. It does not kill the program's children.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// runnable returns nil: this system can run programs as Run needs it.
func runnable() error { return nil }

// signalGroup sends a signal to a process group. It succeeds if there is none.
func signalGroup(group int, s syscall.Signal) { unix.Kill(-group, s) }

// signalName returns the signal's name, such as SIGKILL.
func signalName(s syscall.Signal) string { return unix.SignalName(s) }

// awaitExit waits until the process has exited, and does not reap it, so that no other process or group can get its id yet.
func awaitExit(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// Process is the permanent identity of a process: ids are reused, the pair of an id and a start time is not.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since the machine started
	Boot  string `json:"boot"`  // which start of the machine that was
}

// Identify returns the identity of a child of this process.
func Identify(pid int) (Process, error) { return identify(pid) }

// identify returns the identity of a process that exists.
func identify(pid int) (Process, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}, err
	}
	s, err := stat(pid)
	if err != nil {
		return Process{}, err
	}
	return Process{PID: pid, Start: s.Starttime, Boot: strings.TrimSpace(string(boot))}, nil
}

// exists reports whether that process still exists, perhaps as a zombie.
func (i Process) exists() bool {
	now, err := identify(i.PID)
	return err == nil && i.PID > 0 && now == i
}

// stat reads /proc/<pid>/stat.
func stat(pid int) (procfs.ProcStat, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return p.Stat()
}

// adopt makes this process the parent of all its descendants that lose theirs, so that it finds those that leave their process
// group.
func adopt() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// killChildren kills all children of this process, and adopts and kills theirs, until there are none.
func killChildren(within time.Duration) error {
	self := os.Getpid()
	for deadline := time.Now().Add(within); ; {
		// Most programs leave none, and to search all processes takes milliseconds.
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == unix.ECHILD {
			return nil
		}
		all, err := procfs.AllProcs()
		if err != nil {
			return err
		}
		for _, p := range all {
			if s, err := p.Stat(); err == nil && s.PPID == self {
				// No other goroutine waits for children of this process, so the id stays that of this child until it is reaped
				// below.
				unix.Kill(p.PID, unix.SIGKILL)
			}
		}
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if err == unix.ECHILD {
				return nil
			}
			if err == nil && pid == 0 {
				break // alive, all of them
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes that the stage left behind can't be killed")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// KillLeft kills the remaining processes of the run in that directory, and returns when they are gone. It is for a run whose
// stager is dead. It kills the process groups of the programs whose leaders still exist, and every process with the run's mark
// in its environment, which all descendants inherit. It does not find processes of other users, or a process that has cleared
// its environment and left the group.
func KillLeft(dir string, within time.Duration, programs ...Process) error {
	d := Dir(dir)
	clean := 0
	for deadline := time.Now().Add(within); ; {
		left := killGroups(programs)
		n, err := killMarked(d)
		if err != nil {
			return fmt.Errorf("searching processes of the run in %s: %w", dir, err)
		}
		// A process may fork during the search, and the child may get an id that was searched already. So one search without a
		// match is not enough.
		if left+n == 0 {
			if clean++; clean == 2 {
				return nil
			}
			continue
		}
		clean = 0
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of the run in %s can't be killed", left+n, dir)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// killGroups kills the process groups of programs and returns how many of their leaders live.
func killGroups(programs []Process) int {
	left := 0
	for _, p := range programs {
		// If its leader is gone, a group can't be distinguished from a later group with the same number. Its members have the
		// mark.
		if p.exists() && !zombie(p.PID) {
			left++
			signalGroup(p.PID, unix.SIGKILL)
		}
	}
	return left
}

// zombie reports whether a process is dead and waits to be reaped.
func zombie(pid int) bool {
	s, err := stat(pid)
	return err != nil || s.State == "Z" || s.State == "X"
}

// killMarked kills the processes with the run's mark and returns how many it found.
func killMarked(d Dir) (int, error) {
	mark := []byte(Mark(string(d)))
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, err
	}
	self, met := os.Getpid(), 0
	for _, p := range all {
		pid := p.PID
		if pid == self || !marked(pid, mark) {
			continue
		}
		// The handle is opened before the second check of the mark. So the signal can reach only the process that was checked,
		// and never a later one with the same id.
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if marked(pid, mark) {
			met++
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
	return met, nil
}

// marked reports whether a process began with the mark in its environment, or whether it is the stager of that run, whose
// environment other processes can't read (see closed). Zombies have neither.
func marked(pid int, mark []byte) bool {
	at := "/proc/" + strconv.Itoa(pid)
	// Read here, since procfs reads no more than 1 MiB of an environment, and the mark may be behind that.
	environ, err := os.ReadFile(at + "/environ")
	if err != nil {
		line, err := os.ReadFile(at + "/cmdline")
		dir := bytes.TrimPrefix(mark, []byte(markName+"="))
		return err == nil && bytes.Contains(line, bytes.Join([][]byte{nil, []byte("--dir"), dir, nil}, []byte{0}))
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(entry, mark) {
			return true
		}
	}
	return false
}

// closed protects this process from other processes of its user, such as its program: they can't trace it, read its memory, or
// use its open files.
func closed() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
