package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Tree is a directory with unpacked packages of Debian, and everything that they need: its programs run with its own libraries.
type Tree string

// Debian unpacks packages of a release of Debian, and the libraries and the Python that they need, into a directory, if it does not
// exist. It installs nothing. The machine is any Debian on amd64; its sources of packages say where the release is. apt checks what it
// downloads by the signed lists of the release. Several processes may call it at once.
func Debian(ctx context.Context, release, dir string, packages ...string) (Tree, error) {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return Tree(dir), err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "download-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	a, err := newApt(tmp, release)
	if err != nil {
		return "", err
	}
	if _, err := a.get(ctx, "update", "-qq"); err != nil {
		return "", err
	}
	plan, err := a.get(ctx, append([]string{"install", "--simulate", "--no-install-recommends"}, packages...)...)
	if err != nil {
		return "", err
	}
	var wanted []string
	for line := range strings.Lines(plan) { // Inst NAME (VERSION SOURCE [ARCHITECTURE])
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "Inst" {
			continue
		}
		if name := words[1]; slices.Contains(packages, name) || strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "python3") {
			wanted = append(wanted, name)
		}
	}
	if _, err := a.get(ctx, append([]string{"download", "-qq"}, wanted...)...); err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(files) != len(wanted) {
		return "", fmt.Errorf("apt-get left %d packages, want %d", len(files), len(wanted))
	}
	unpacked := filepath.Join(tmp, "unpacked")
	for _, file := range files {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, unpacked).CombinedOutput(); err != nil {
			return "", fmt.Errorf("unpacking %s: %w: %s", filepath.Base(file), err, bytes.TrimSpace(out))
		}
	}
	if err := os.Rename(unpacked, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		} // another process was faster
	}
	return Tree(dir), nil
}

// libraries are the directories of libraries in a tree, and loaders its dynamic loader. Since Debian 13 all are below usr.
var (
	libraries = []string{"usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/ceph", "lib/x86_64-linux-gnu"}
	loaders   = []string{"usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"}
)

// Command returns a command that runs a program of the tree's usr/bin, or another one by its absolute path. The loader is that of the tree,
// since the libraries of another release need their own.
func (t Tree) Command(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	for _, loader := range loaders {
		loader = filepath.Join(string(t), loader)
		if target, err := os.Readlink(loader); err == nil && filepath.IsAbs(target) {
			loader = filepath.Join(string(t), target)
		}
		if _, err := os.Stat(loader); err != nil {
			continue
		}
		paths := make([]string, len(libraries))
		for i, l := range libraries {
			paths[i] = filepath.Join(string(t), l)
		}
		if !filepath.IsAbs(program) {
			program = filepath.Join(string(t), "usr/bin", program)
		}
		args = append([]string{"--library-path", strings.Join(paths, ":"), program}, args...)
		return exec.CommandContext(ctx, loader, args...), nil
	}
	return nil, fmt.Errorf("%s has no dynamic loader; remove it, and it is fetched again", t)
}

// apt is an apt-get with its own lists, as for a machine on which nothing is installed.
type apt struct{ dir string }

// origin finds where a Debian system gets its packages, in both forms of such a file.
var origin = regexp.MustCompile(`(?m)^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s+)?)(\S+/debian)/?(?:\s|$)`)

func newApt(dir, release string) (apt, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return apt{}, errors.New("packages of Debian are unpacked on Linux on amd64 only")
	}
	var texts []byte
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.sources", "/etc/apt/sources.list.d/*.list"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return apt{}, err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return apt{}, err
			}
			texts = append(append(texts, text...), '\n')
		}
	}
	found := origin.FindSubmatch(texts)
	if found == nil {
		return apt{}, errors.New("no source of Debian's packages is in /etc/apt; it needs a Debian")
	}
	const keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
	return apt{dir}, errors.Join(
		os.MkdirAll(filepath.Join(dir, "sources"), 0o755),
		os.MkdirAll(filepath.Join(dir, "state/lists/partial"), 0o755),
		os.MkdirAll(filepath.Join(dir, "cache/archives/partial"), 0o755),
		os.WriteFile(filepath.Join(dir, "state/status"), nil, 0o644), // nothing is installed
		os.WriteFile(filepath.Join(dir, "sources/debian.sources"),
			fmt.Appendf(nil, "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n", found[1], release, keys), 0o644),
		// Programs that apt runs would download as a user who can't write here, and warn of it.
		os.WriteFile(filepath.Join(dir, "apt.conf"), fmt.Appendf(nil, `Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "%[1]s/sources";
Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
APT::Sandbox::User "root";
`, dir), 0o644))
}

// get runs apt-get in the directory and returns its output.
func (a apt) get(ctx context.Context, args ...string) (string, error) {
	return aptGet(ctx, a.dir, []string{"APT_CONFIG=" + filepath.Join(a.dir, "apt.conf")}, args...)
}

// aptGet runs apt-get in a directory, with variables added to its environment, and returns its output.
func aptGet(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}, env)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("apt-get %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return string(out), nil
}
