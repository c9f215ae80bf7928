package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"strings"
)

// Extent selects the components of a cluster. Each extent includes the previous one.
type Extent int

// The extents, from the smallest.
const (
	Kubernetes Extent = iota // with DNS
	Knative                  // Serving and Eventing, Traefik as their ingress and that of the Gateway API, ko and a registry
	Broker                   // Knative's broker with in-memory channels
)

// Build builds the missing programs of a cluster with the named neighbours.
func (c *Cluster) Build(ctx context.Context, extent Extent, with ...string) error {
	beside, err := neighboursOf(with, extent)
	if err != nil {
		return err
	}
	return c.buildAll(ctx, extent, beside)
}

// Up starts all parts of the extent that do not run, and the named neighbours. Parts beyond these are not stopped.
func (c *Cluster) Up(ctx context.Context, extent Extent, with ...string) error {
	beside, err := neighboursOf(with, extent)
	if err != nil {
		return err
	}
	unlock, err := c.lock("lock")
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.step("install Debian packages", func() error { return install(ctx, beside) }); err != nil {
		return err
	}
	if err := c.buildAll(ctx, extent, beside); err != nil {
		return err
	}
	s, err := c.upKubernetes(ctx)
	if err != nil {
		return err
	}
	if extent >= Knative {
		if err := c.upKnative(ctx, s, extent); err != nil {
			return err
		}
	}
	for _, n := range beside {
		if err := n.up(c, ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) buildAll(ctx context.Context, extent Extent, beside []neighbour) error {
	programs := []set{kubernetesPrograms}
	if extent >= Knative {
		programs = append(programs, ingressPrograms, servingPrograms, eventingPrograms, koProgram)
	}
	if extent >= Broker {
		programs = append(programs, brokerPrograms)
	}
	for _, n := range beside {
		programs = append(programs, n.programs...)
	}
	for _, p := range programs {
		if err := c.step(fmt.Sprintf("build %s (the first time takes minutes)", p.name), func() error { return c.build(ctx, p) }); err != nil {
			return err
		}
	}
	for _, n := range beside {
		if n.fetch == nil {
			continue
		}
		if err := c.step(fmt.Sprintf("fetch what %s needs", n.name), func() error { return n.fetch(c, ctx) }); err != nil {
			return err
		}
	}
	// Kubernetes' programs are one binary, which selects the program by its own name.
	for _, name := range components {
		if err := os.Symlink("kubelite", c.file("bin/"+name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// debian are the Debian packages of the cluster, each with a file that exists if the package is installed.
var debian = map[string]string{
	"containerd":                  "/usr/bin/containerd",
	"runc":                        "/usr/sbin/runc",
	"containernetworking-plugins": "/usr/lib/cni/bridge",
	"iptables":                    "/usr/sbin/iptables",
	"iproute2":                    "/usr/sbin/ip",
	"busybox-static":              "/bin/busybox", // a shell for images
}

// install installs the Debian packages that are missing.
func install(ctx context.Context, beside []neighbour) error {
	needed := maps.Clone(debian)
	for _, n := range beside {
		maps.Copy(needed, n.debian)
	}
	var missing []string
	for name, file := range needed {
		if !exists(file) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-qq", "--yes", "--no-install-recommends"}, missing...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
		}
	}
	return nil
}
