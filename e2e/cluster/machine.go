package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Parts of the machine without a namespace: kernel settings and cgroups. Down restores both.

// tunables are the settings of the whole machine that a kubelet changes.
var tunables = []string{
	"vm/overcommit_memory", "vm/panic_on_oom",
	"kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// saveTunables writes the machine's settings to a file. It keeps an existing file: that is from an earlier cluster, which
// has not restored its settings.
func saveTunables(file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	values := make(map[string]string, len(tunables))
	for _, name := range tunables {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return err
		}
		values[name] = string(bytes.TrimSpace(value))
	}
	text, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// restoreTunables restores the settings that saveTunables wrote, if any.
func restoreTunables(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	var errs []error
	for name, value := range values {
		errs = append(errs, os.WriteFile("/proc/sys/"+name, []byte(value), 0))
	}
	return errors.Join(errs...)
}

// cgroup returns the name of the cgroup of all pods, which depends on the state directory.
func (c *Cluster) cgroup() string {
	sum := sha256.Sum256([]byte(c.dir))
	return "cluster-" + hex.EncodeToString(sum[:4])
}

// hierarchies returns the roots of the machine's cgroups: one per controller in version 1, one for all in version 2, or both.
func hierarchies() ([]string, error) {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var roots []string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		const root = "/sys/fs/cgroup"
		if strings.HasPrefix(fields[2], "cgroup") && (fields[1] == root || filepath.Dir(fields[1]) == root) {
			roots = append(roots, fields[1])
		}
	}
	return roots, nil
}

// makeCgroup creates the cgroup below which the kubelet creates those of the pods.
func makeCgroup(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return err
		}
		// In version 2, controllers are enabled for each level explicitly.
		controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // as in version 1
			return err
		}
		for _, controller := range strings.Fields(string(controllers)) {
			if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCgroup removes a cgroup with all below it. Its processes must have ended. The kernel keeps it busy for a moment after
// the last of them.
func removeCgroup(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		var dirs []string
		err := filepath.WalkDir(filepath.Join(root, name), func(dir string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, dir)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, dir := range slices.Backward(dirs) { // the kernel removes their files
			if err := removeIdle(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeIdle removes a directory as soon as it is not busy.
func removeIdle(dir string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := os.Remove(dir)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
