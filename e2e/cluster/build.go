package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// kubernetesVersion is the version of the modules. The linker sets it in the programs.
const kubernetesVersion = "v1.35.4"

// set is a set of programs that are built together.
type set struct {
	name     string
	module   string // folder of the module that builds them
	folder   string // below bin, for the programs: some have the same name
	packages []string
	tags     string // build tags, separated by commas
	trims    []trim
	movable  bool // their clock can be moved, see clock.go
}

// trim replaces packages of a module that take much longer to build than everything that is used.
type trim struct {
	module string
	files  map[string]string // files of the module; each becomes one of the folder _trim beside the programs, or none ("")
}

// built returns the programs' names below bin.
func (s set) built() []string {
	names := make([]string, len(s.packages))
	for i, p := range s.packages {
		names[i] = path.Join(s.folder, path.Base(p))
	}
	return names
}

// quick are flags that save more than half of the compiler's time: no inlining except in the standard library, and no
// information for debuggers. The programs wait most of their time, so they hardly become slower.
var quick = []string{"-gcflags=all=-l -dwarf=false", "-gcflags=std="}

// build builds programs once for each state of their source. Another process that needs the same programs waits until they
// are built; other programs of the cluster may be built at the same time.
func (c *Cluster) build(ctx context.Context, programs set) error {
	folder := c.file(path.Join("bin", programs.folder))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	mark := path.Join("bin", programs.built()[0])
	unlock, err := c.lock(mark + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	state, err := c.sourceState(ctx, programs)
	if err != nil {
		return err
	}
	stamp := c.file(mark + ".built")
	if last, err := os.ReadFile(stamp); err == nil && string(last) == state {
		return nil
	}
	const version = "k8s.io/component-base/version"
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	link := fmt.Sprintf("-s -w -X %s.gitVersion=%s -X %[1]s.gitMajor=%s -X %[1]s.gitMinor=%s", version, kubernetesVersion, major, minor)
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-tags", programs.tags, "-ldflags", link, "-o", folder + "/"}, quick...)
	if len(programs.trims) > 0 {
		source := c.file("source")
		defer os.RemoveAll(source)
		modfile, err := c.trimmed(ctx, programs, source)
		if err != nil {
			return err
		}
		args = append(args, "-modfile="+modfile)
	}
	if programs.movable {
		overlay, err := c.clockOverlay(ctx, folder)
		if err != nil {
			return err
		}
		args = append(args, "-overlay="+overlay)
	}
	if _, err := c.goTool(ctx, programs.module, append(args, programs.packages...)...); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(state), 0o644)
}

// trimmed writes trimmed copies of modules below a folder, and returns a go.mod there that uses them.
func (c *Cluster) trimmed(ctx context.Context, programs set, folder string) (modfile string, err error) {
	if err := os.RemoveAll(folder); err != nil { // of a build that was killed
		return "", err
	}
	module := filepath.Join(c.source, programs.module)
	text, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return "", err
	}
	for i, t := range programs.trims {
		out, err := c.goTool(ctx, programs.module, "mod", "download", "-json", t.module)
		if err != nil {
			return "", err
		}
		var from struct{ Dir string }
		if err := json.Unmarshal([]byte(out), &from); err != nil {
			return "", err
		}
		to := filepath.Join(folder, strconv.Itoa(i))
		if err := os.CopyFS(to, os.DirFS(from.Dir)); err != nil {
			return "", err
		}
		for name, instead := range t.files {
			if err := os.Remove(filepath.Join(to, name)); err != nil {
				return "", err
			}
			if instead == "" {
				continue
			}
			content, err := os.ReadFile(filepath.Join(module, "_trim", instead))
			if err != nil {
				return "", err
			}
			if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
				return "", err
			}
		}
		text = fmt.Appendf(text, "\nreplace %s => %s\n", t.module, to)
	}
	sums, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		return "", err
	}
	modfile = filepath.Join(folder, "go.mod")
	return modfile, errors.Join(os.WriteFile(modfile, text, 0o644), os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o644))
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

// sourceState returns a hash of everything that determines the result of a build.
func (c *Cluster) sourceState(ctx context.Context, programs set) (string, error) {
	tool, err := c.goTool(ctx, programs.module, "version")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, tool, kubernetesVersion, programs.packages, programs.trims, quick)
	if programs.tags != "" {
		fmt.Fprintln(sum, programs.tags)
	}
	patterns := []string{"go.mod", "go.sum", "*/*.go"}
	if programs.movable {
		patterns = append(patterns, "../clock/*")
	}
	for _, pattern := range patterns {
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
