package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// ErrMachine is the error for a machine that can't run a cluster.
var ErrMachine = errors.New("this machine can't run a cluster")

const (
	minMemory = 4 << 30  // available bytes
	minDisk   = 12 << 30 // free bytes: for programs, images, and Go's caches
)

// Check returns ErrMachine with all reasons if this machine can't run a cluster.
func (c *Cluster) Check(ctx context.Context) error {
	var wrong []error
	for _, look := range []func(context.Context) error{checkSystem, c.checkSpace, checkNamespaces, c.checkCgroups} {
		wrong = append(wrong, look(ctx))
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%w: %w", ErrMachine, err)
	}
	return nil
}

// checkSystem checks the user, the system and the architecture.
func checkSystem(context.Context) error {
	var wrong []error
	if os.Geteuid() != 0 {
		wrong = append(wrong, errors.New("the user is not root"))
	}
	release, err := os.ReadFile("/etc/os-release")
	if text := string(release); err != nil || !strings.Contains(text, "\nID=debian\n") || !strings.Contains(text, "\nVERSION_ID=\"12\"\n") {
		wrong = append(wrong, errors.New("the system is not Debian 12"))
	}
	if runtime.GOARCH != "amd64" {
		wrong = append(wrong, fmt.Errorf("the architecture is %s, not amd64", runtime.GOARCH))
	}
	for _, program := range []string{"go", "apt-get"} {
		if _, err := exec.LookPath(program); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// checkSpace checks the memory and the disk. Files of an earlier cluster count as free space.
func (c *Cluster) checkSpace(context.Context) error {
	var wrong []error
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(memory)) {
		var kilobytes int64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kilobytes); err == nil && kilobytes<<10 < minMemory {
			wrong = append(wrong, fmt.Errorf("%d MiB of memory are available, %d are needed", kilobytes>>10, minMemory>>20))
		}
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(c.dir, &disk); err != nil {
		return err
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < minDisk && !exists(c.file("bin/kubelite")) {
		wrong = append(wrong, fmt.Errorf("%d MiB are free in %s, %d are needed", free>>20, c.dir, minDisk>>20))
	}
	return errors.Join(wrong...)
}

// checkNamespaces creates the namespaces of the cluster's first process, and mounts the file systems that containers need.
func checkNamespaces(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "cluster-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	const overlay = `set -e; mount -t tmpfs none "$0"; cd "$0"; mkdir a b c d; mount -t overlay -o lowerdir=a,upperdir=b,workdir=c overlay d`
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", overlay, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("namespaces with mounts can't be created: %w: %s", err, strings.TrimSpace(string(said)))
	}
	return nil
}

// checkCgroups creates a cgroup in each hierarchy.
func (c *Cluster) checkCgroups(context.Context) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return errors.New("cgroups are not mounted")
	}
	var wrong []error
	for _, root := range roots {
		dir := filepath.Join(root, c.cgroup()+"-check")
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			wrong = append(wrong, fmt.Errorf("cgroups can't be created: %w", err))
			continue
		}
		wrong = append(wrong, removeIdle(dir))
	}
	return errors.Join(wrong...)
}
