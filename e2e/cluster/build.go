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
	"path"
	"path/filepath"
	"strings"
)

// kubernetesVersion is that of the modules. The programs don't know their own: it is set when they are linked.
const kubernetesVersion = "v1.35.4"

// set is programs that are built together.
type set struct {
	name     string
	module   string // folder of the module that builds them
	folder   string // below bin, where they land: some have the same name
	packages []string
}

// built returns the programs' names below bin.
func (s set) built() []string {
	names := make([]string, len(s.packages))
	for i, p := range s.packages {
		names[i] = path.Join(s.folder, path.Base(p))
	}
	return names
}

// build builds programs, once for one state of their source.
func (c *Cluster) build(ctx context.Context, programs set) error {
	state, err := c.sourceState(ctx, programs)
	if err != nil {
		return err
	}
	stamp := c.file("bin/" + path.Base(programs.packages[0]) + ".built")
	if last, err := os.ReadFile(stamp); err == nil && string(last) == state {
		return nil
	}
	folder := c.file(path.Join("bin", programs.folder))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	const version = "k8s.io/component-base/version"
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	link := fmt.Sprintf("-s -w -X %s.gitVersion=%s -X %[1]s.gitMajor=%s -X %[1]s.gitMinor=%s", version, kubernetesVersion, major, minor)
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", link, "-o", folder + "/"}, programs.packages...)
	if _, err := c.goTool(ctx, programs.module, args...); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(state), 0o644)
}

// goTool runs the go command in a module of programs and returns what it printed.
func (c *Cluster) goTool(ctx context.Context, module string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(c.source, module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], cmd.Dir, err, said.String())
	}
	return out.String(), nil
}

// sourceState tells apart all that decides what a build makes.
func (c *Cluster) sourceState(ctx context.Context, programs set) (string, error) {
	tool, err := c.goTool(ctx, programs.module, "version")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, tool, kubernetesVersion, programs.packages)
	for _, pattern := range []string{"go.mod", "go.sum", "*/*.go"} {
		names, err := filepath.Glob(filepath.Join(c.source, programs.module, pattern))
		if err != nil {
			return "", err
		}
		for _, name := range names { // sorted
			f, err := os.Open(name)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(sum, strings.TrimPrefix(name, c.source))
			_, err = io.Copy(sum, f)
			f.Close()
			if err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
