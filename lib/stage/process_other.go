//go:build !linux

package stage

import (
	"errors"
	"syscall"
	"time"
)

// errSystem is why no program is run here. Killing a program with all that it started, and finding what is
// left of it after a crash, rests on what Linux offers; everything else of this package works anywhere.
var errSystem = errors.New("programs of stages are run on Linux only")

func attributes() *syscall.SysProcAttr { return nil }

func signalGroup(int, syscall.Signal) {}

func signalName(s syscall.Signal) string { return s.String() }

func awaitExit(int) error { return errSystem }

// Process is a process for good.
type Process struct{}

func identify(int) (Process, error) { return Process{}, errSystem }

func adopt() error { return errSystem }

func closed() error { return errSystem }

func killChildren(time.Duration) error { return errSystem }

// KillLeft has nothing to do where nothing was run.
func KillLeft(string, time.Duration, ...Process) error { return nil }

// runnable returns why this system runs no programs.
func runnable() error { return errSystem }
