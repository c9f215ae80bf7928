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

// transient is what of the state is of one running cluster alone. Programs, images and logs are kept.
var transient = []string{"run", "kubeconfig", "var/lib/etcd", "var/lib/kubelet", "var/lib/cni", "var/log", "var/tmp", "var/cache"}

// Down takes the cluster down. What remains is on disk below the state's directory.
func (c *Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock("lock")
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.space()
	if err == nil {
		if err := c.step("stop pods", func() error { return c.stopPods(ctx, s) }); err != nil {
			fmt.Fprintf(c.out, "going on without: %v\n", err)
		}
		// The first process takes all others with it, and the last of them the mounts and the network.
		if err := c.step("end all processes", func() error { s.first.end(syscall.SIGKILL, patience); return nil }); err != nil {
			return err
		}
	} else if !errors.Is(err, ErrDown) {
		return err
	}
	return c.step("clear what ran", c.clear)
}

// stopPods ends all containers. They would end anyway; but the container runtime, whose images are kept, shall not
// remember them.
func (c *Cluster) stopPods(ctx context.Context, s space) error {
	if p, err := recorded(c.file("run/kubelet.pid")); err == nil { // it would start them again
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
		// The runtime clears away what has ended too, and who comes second gets an error: so all errors are of the
		// last attempt only.
		_, killed := ctr(append([]string{"tasks", "delete", "--force"}, containers...)...)
		if _, err := ctr(append([]string{"containers", "delete"}, containers...)...); err != nil {
			return errors.Join(killed, err)
		}
		return nil
	}, "containerd")
}

// clear removes what was of a cluster that no longer runs, wherever it was stopped.
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
