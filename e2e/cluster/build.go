package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kubernetesVersion is that of the modules. The programs don't know their own: it is set when they are linked.
const kubernetesVersion = "v1.35.4"

// build makes programs, once for one state of their source: each package's program lands in the folder bin.
func (c *Cluster) build(ctx context.Context, name, bin string, packages ...string) error {
	state, err := c.sourceState(ctx, packages)
	if err != nil {
		return err
	}
	stamp := c.file("bin/" + name + ".built")
	if last, err := os.ReadFile(stamp); err == nil && string(last) == state {
		return nil
	}
	if err := os.MkdirAll(c.file(bin), 0o755); err != nil {
		return err
	}
	const version = "k8s.io/component-base/version"
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	link := fmt.Sprintf("-s -w -X %s.gitVersion=%s -X %[1]s.gitMajor=%s -X %[1]s.gitMinor=%s", version, kubernetesVersion, major, minor)
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", link, "-o", c.file(bin) + "/"}, packages...)
	if _, err := c.goTool(ctx, args...); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(state), 0o644)
}

// goTool runs the go command in the module of the programs and returns what it printed.
func (c *Cluster) goTool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = c.parts
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], c.parts, err, said.String())
	}
	return out.String(), nil
}

// sourceState tells apart all that decides what a build makes.
func (c *Cluster) sourceState(ctx context.Context, packages []string) (string, error) {
	tool, err := c.goTool(ctx, "version")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, tool, kubernetesVersion, packages)
	for _, pattern := range []string{"go.mod", "go.sum", "*/*.go"} {
		names, err := filepath.Glob(filepath.Join(c.parts, pattern))
		if err != nil {
			return "", err
		}
		for _, name := range names { // sorted
			f, err := os.Open(name)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(sum, strings.TrimPrefix(name, c.parts))
			_, err = io.Copy(sum, f)
			f.Close()
			if err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
