package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Debian unpacks packages of a release of Debian, in that version, and the libraries of others that this machine lacks, into a
// directory, if it does not exist. It installs nothing. apt checks what it downloads by the signed lists of the release. Several
// processes may call it at once.
func Debian(ctx context.Context, release, dir, version string, packages ...string) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if system, err := os.ReadFile("/etc/os-release"); err != nil || !strings.Contains(string(system), "VERSION_CODENAME="+release) ||
		runtime.GOARCH != "amd64" {
		return fmt.Errorf("it needs Debian %s on amd64", release)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "download-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	wanted := make([]string, len(packages))
	for i, name := range packages {
		wanted[i] = name + "=" + version
	}
	libraries, err := missing(ctx, wanted)
	if err != nil && os.Geteuid() == 0 { // perhaps the lists of packages are missing or old
		if _, err := apt(ctx, tmp, "update", "-qq"); err != nil {
			return err
		}
		libraries, err = missing(ctx, wanted)
	}
	if err != nil {
		return err
	}
	for _, library := range libraries {
		if name, _, _ := strings.Cut(library, "="); !slices.Contains(packages, name) {
			wanted = append(wanted, library)
		}
	}
	if _, err := apt(ctx, tmp, append([]string{"download", "-qq"}, wanted...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(files) != len(wanted) {
		return fmt.Errorf("apt-get left %d packages, want %d", len(files), len(wanted))
	}
	unpacked := filepath.Join(tmp, "unpacked")
	for _, file := range files {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, unpacked).CombinedOutput(); err != nil {
			return fmt.Errorf("unpacking %s: %w: %s", filepath.Base(file), err, bytes.TrimSpace(out))
		}
	}
	if err := os.Rename(unpacked, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil // another process was faster
		}
		return err
	}
	return nil
}

// missing returns the libraries, as NAME=VERSION, that an installation of the packages would add to this machine.
func missing(ctx context.Context, packages []string) ([]string, error) {
	plan, err := apt(ctx, "", append([]string{"install", "--simulate", "--reinstall", "--no-install-recommends"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var libraries []string
	for line := range strings.Lines(plan) { // Inst NAME [INSTALLED VERSION] (VERSION SOURCE [ARCHITECTURE])
		words := strings.Fields(line)
		if len(words) > 2 && words[0] == "Inst" && strings.HasPrefix(words[1], "lib") && strings.HasPrefix(words[2], "(") {
			libraries = append(libraries, words[1]+"="+strings.TrimPrefix(words[2], "("))
		}
	}
	return libraries, nil
}

// apt runs apt-get in a directory and returns its output.
func apt(ctx context.Context, dir string, args ...string) (string, error) {
	// By default it would download as a user who can't write there, and warn of it.
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "APT::Sandbox::User=root"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("apt-get %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return string(out), nil
}
