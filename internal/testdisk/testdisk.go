//go:build linux

// Package testdisk gives a test small disks that it can fill. Only the process of the test sees them.
package testdisk

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// variable is set in the environment of a test's second process, which may mount disks.
const variable = "TESTDISK_MAY_MOUNT"

// attention is in the output of a second process that could not mount a disk.
const attention = "ATTENTION"

// Alone reports whether this process may mount disks. If not, it runs the test again in a second process with a mount
// namespace of its own, in which it returns true, and reports the result: the caller then returns. It skips the test on a
// machine that does not allow mounts.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(variable) != "" {
		// Mounts stay in the namespace of this process, and end with it.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Fatalf("%s: %v", attention, err)
		}
		return true
	}
	t.Parallel()
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	again.Env = append(os.Environ(), variable+"=1", "GORACE=atexit_sleep_ms=0")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := again.CombinedOutput()
	switch {
	case bytes.Contains(out, []byte(attention)) || again.ProcessState == nil:
		t.Skipf("%s: this machine does not allow tests to mount a disk, so a full disk is not tested: %v\n%s", attention, err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// Mount returns the directory of an empty disk of a size as mount(8) writes it, for example "8m". The test must be Alone.
func Mount(t *testing.T, size string) string {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("small", disk, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("%s: %v", attention, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) }) // otherwise it ends with the process
	return disk
}

// Fill writes to a disk until no byte is free, and returns the file, which the test may delete. A second call adds to it.
func Fill(t *testing.T, disk string) string {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, piece := range []int{1 << 20, 4096} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, piece))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return path
}
