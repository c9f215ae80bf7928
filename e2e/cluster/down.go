package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// transient are the parts of the state that belong to one run of the cluster. Programs, images and logs are kept.
var transient = []string{"run", "kubeconfig", "var/lib/etcd", "var/lib/kubelet", "var/lib/cni", "var/log", "var/tmp", "var/cache"}

// Down stops the cluster. Only files below the state's directory remain.
func (c *Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock("lock")
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.space()
	if err == nil {
		if err := c.step("stop pods", func() error { return c.stopPods(ctx, s) }); err != nil {
			fmt.Fprintf(c.out, "continuing after an error: %v\n", err)
		}
		// All processes end with the first one, and the mounts and the network with the last of them.
		if err := c.step("end all processes", func() error { s.first.end(syscall.SIGKILL, patience); return nil }); err != nil {
			return err
		}
	} else if !errors.Is(err, ErrDown) {
		return err
	}
	return c.step("clear what ran", c.clear)
}

// Kill ends a part of the cluster at once, as a crash does. Up starts it again.
func (c *Cluster) Kill(part string) error {
	p, err := recorded(c.file("run/" + part + ".pid"))
	if err != nil {
		return fmt.Errorf("%q is not a running part of the cluster: %w", part, err)
	}
	p.end(syscall.SIGKILL, patience)
	return nil
}

// stopPods stops all containers. They also end without it, but the state of the container runtime, which is kept with its
// images, would contain them.
func (c *Cluster) stopPods(ctx context.Context, s space) error {
	if p, err := recorded(c.file("run/kubelet.pid")); err == nil { // the kubelet starts containers again
		p.end(syscall.SIGTERM, 5*time.Second)
	}
	if p, err := recorded(c.file("run/containerd.pid")); err != nil || !p.alive() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ctr := func(args ...string) ([]string, error) {
		out, err := s.run(ctx, "ctr", append([]string{"--namespace", "k8s.io"}, args...)...)
		return strings.Fields(out), err
	}
	return c.await(ctx, func(context.Context) error {
		containers, err := ctr("containers", "list", "--quiet")
		if err != nil || len(containers) == 0 {
			return err
		}
		// The runtime also removes ended containers, and the second removal fails. So only the errors of the last attempt
		// count.
		_, killed := ctr(append([]string{"tasks", "delete", "--force"}, containers...)...)
		if _, err := ctr(append([]string{"containers", "delete"}, containers...)...); err != nil {
			return errors.Join(killed, err)
		}
		return nil
	}, "containerd")
}

// clear removes the remains of a cluster that no longer runs, at whatever point it was stopped.
func (c *Cluster) clear() error {
	if err := removeCgroup(c.cgroup()); err != nil {
		return err
	}
	if err := restoreTunables(c.file("run/tunables.json")); err != nil {
		return err
	}
	for _, name := range transient {
		if err := os.RemoveAll(c.file(name)); err != nil {
			return err
		}
	}
	return os.MkdirAll(c.file("run"), 0o755)
}
