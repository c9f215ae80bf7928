//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestClusterComesAndGoes starts and stops a cluster of its own beside running ones. It runs as root on the machine, not in
// a cluster's network.
func TestClusterComesAndGoes(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	var output bytes.Buffer
	c, err := New(dir, "..", &output)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(context.Background()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(output.String())
		}
	})
	if err := c.Status(ctx); !errors.Is(err, ErrDown) {
		t.Fatalf("before it is up, its status is %v", err)
	}
	before := machine(t, c)
	bringUp := func() {
		t.Helper()
		if err := c.Up(ctx, Kubernetes); err != nil {
			t.Fatal(err)
		}
		if err := c.Status(ctx); err != nil {
			t.Fatal(err)
		}
	}
	bringUp()

	s, err := c.space()
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := s.dial(ctx, "tcp", Node+":6443"); err != nil {
		t.Errorf("inside, the API server can't be reached: %v", err)
	} else {
		conn.Close()
	}
	for _, p := range running(t, c) {
		for _, kind := range []namespace{network, mounts, processes} {
			if of(t, p.pid, kind) == of(t, os.Getpid(), kind) {
				t.Errorf("process %d is outside: it shares our %s namespace", p.pid, kind)
			}
		}
	}

	t.Run("a second up does not change running parts", func(t *testing.T) {
		daemons := running(t, c)
		bringUp()
		if again := running(t, c); !slices.Equal(again, daemons) {
			t.Errorf("were %v\nare  %v", daemons, again)
		}
	})
	t.Run("a lost part is reported and started again", func(t *testing.T) {
		if err := c.Kill("kube-scheduler"); err != nil {
			t.Fatal(err)
		}
		if err := c.Kill("none"); err == nil {
			t.Error("a part that does not exist is killed")
		}
		if err := c.Status(ctx); err == nil || !strings.Contains(err.Error(), "kube-scheduler") {
			t.Errorf("without its scheduler, its status is %v", err)
		}
		bringUp()
	})
	t.Run("the error for a part that ends at once contains its log", func(t *testing.T) {
		never := func(context.Context) error { return errors.New("not yet") }
		err := c.daemon(s, "broken", "sh", "-c", "echo the reason; exit 1")
		if err == nil { // it may end a moment later too
			err = c.await(ctx, never, "broken")
		}
		if err == nil || !strings.Contains(err.Error(), "the reason") {
			t.Errorf("the error is %v", err)
		}
		if err := os.RemoveAll(c.file("run/broken.pid")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a cluster whose up was interrupted is created again", func(t *testing.T) {
		if err := os.Remove(c.file("run/space.made")); err != nil {
			t.Fatal(err)
		}
		bringUp()
		if s.first.alive() {
			t.Error("the half-made one lives on")
		}
	})

	if err := c.Down(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Down(ctx); err != nil {
		t.Errorf("down a second time: %v", err)
	}
	if after := machine(t, c); after != before {
		t.Errorf("the machine was\n%s\nand is\n%s", before, after)
	}
	for _, name := range transient {
		if name != "run" && exists(filepath.Join(dir, name)) {
			t.Errorf("%s is still there", name)
		}
	}
}

// running returns the processes of the running parts.
func running(t *testing.T, c *Cluster) []process {
	t.Helper()
	records, err := filepath.Glob(c.file("run/*.pid"))
	if err != nil || len(records) < len(components) {
		t.Fatalf("%d parts run, %v", len(records), err)
	}
	var all []process
	for _, record := range records {
		p, err := recorded(record)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// of returns the identity of a process's namespace.
func of(t *testing.T, pid int, kind namespace) string {
	t.Helper()
	id, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// machine describes everything that a cluster may leave behind outside its directory.
func machine(t *testing.T, c *Cluster) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"/var/lib/*", "/run/containerd", "/run/netns/cni-*", "/var/log/pods", "/var/log/containers",
		"/etc/cni/net.d",
		"/usr/libexec/kubernetes", "/sys/fs/cgroup/" + c.cgroup(), "/sys/fs/cgroup/*/" + c.cgroup(), os.Getenv("HOME") + "/.kube"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, pattern, names)
	}
	for _, name := range tunables {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, name, strings.TrimSpace(string(value)))
	}
	for _, args := range [][]string{{"ip", "-brief", "link"}, {"iptables-save"}, {"findmnt", "--noheadings", "--output", "TARGET"}} {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ":") { // dates and counters
				all.WriteString(line)
			}
		}
	}
	return all.String()
}
