//go:build !linux

package stage

import (
	"errors"
	"syscall"
	"time"
)

// errSystem is why this system runs no programs. Killing a program with all its descendants, and finding them after a crash,
// needs Linux; the rest of this package works anywhere.
var errSystem = errors.New("stages run on Linux only")

func attributes() *syscall.SysProcAttr { return nil }

func signalGroup(int, syscall.Signal) {}

func signalName(s syscall.Signal) string { return s.String() }

func awaitExit(int) error { return errSystem }

// Process is the permanent identity of a process.
type Process struct{}

// Identify returns an error: this system runs no programs.
func Identify(pid int) (Process, error) { return identify(pid) }

func identify(int) (Process, error) { return Process{}, errSystem }

func adopt() error { return errSystem }

func closed() error { return errSystem }

func offline() error { return errSystem }

func killChildren(time.Duration) error { return errSystem }

// KillLeft does nothing, because Run starts no programs here.
func KillLeft(string, time.Duration, ...Process) error { return nil }

// runnable returns why this system runs no programs.
func runnable() error { return errSystem }
