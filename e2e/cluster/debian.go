package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// An image of a program that is not static needs its libraries. DebianFiles takes them from the packages of this machine,
// so that an image needs no download and contains the same versions.

// DebianFiles returns the files of installed Debian packages and of all that they depend on, for an image, without
// documentation.
func DebianFiles(ctx context.Context, packages ...string) ([]File, error) {
	installed, err := readPackages(ctx)
	if err != nil {
		return nil, err
	}
	names, err := installed.closure(packages)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "dpkg-query", append([]string{"--listfiles"}, names...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("listing the files of %v: %w", names, err)
	}
	// /lib and others are links into /usr, and packages use both paths.
	list := []File{{"/bin", "/bin", true}, {"/lib", "/lib", true}, {"/lib64", "/lib64", true}, {"/sbin", "/sbin", true}}
	there := make(map[string]bool)
	add := func(name string) error {
		dir, err := filepath.EvalSymlinks(filepath.Dir(name))
		if err != nil {
			return err
		}
		name = filepath.Join(dir, filepath.Base(name))
		info, err := os.Lstat(name)
		if err == nil && !info.IsDir() && !there[name] {
			there[name] = true
			list = append(list, File{name, name, true})
		}
		return err
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if !filepath.IsAbs(name) || documentation.MatchString(name) {
			continue // a message of dpkg, or a file that programs do not need
		}
		if err := add(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // an administrator may have removed it
			return nil, err
		}
	}
	links, err := alternatives()
	if err != nil {
		return nil, err
	}
	for _, link := range append(links, "/etc/ld.so.cache") {
		if target, err := filepath.EvalSymlinks(link); err == nil && (there[target] || target == link) {
			if err := add(link); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

var documentation = regexp.MustCompile(`^/usr/share/(doc|man|info|locale|lintian|bash-completion)/`)

// packageSet is dpkg's information about the installed packages.
type packageSet struct {
	needs     map[string][]string // by package, what it depends on, each as alternatives: "a (>= 1) | b"
	provided  map[string]string   // by virtual package, a package that provides it
	essential []string            // packages that all others depend on implicitly
}

func readPackages(ctx context.Context) (packageSet, error) {
	const format = "${db:Status-Status}\t${Package}\t${Essential}\t${Provides}\t${Pre-Depends},${Depends}\n"
	out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat="+format).Output()
	if err != nil {
		return packageSet{}, fmt.Errorf("listing Debian's packages: %w", err)
	}
	set := packageSet{needs: make(map[string][]string), provided: make(map[string]string)}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 || fields[0] != "installed" {
			continue
		}
		name, essential, provides, needs := fields[1], fields[2], fields[3], fields[4]
		set.needs[name] = strings.Split(needs, ",")
		if essential == "yes" {
			set.essential = append(set.essential, name)
		}
		for provided := range strings.SplitSeq(provides, ",") {
			set.provided[bareName(provided)] = name
		}
	}
	return set, nil
}

// bareName returns the name in a dependency, without version and architecture.
func bareName(text string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// find returns the installed package that satisfies one of alternatives.
func (p packageSet) find(alternatives string) (string, bool) {
	for alternative := range strings.SplitSeq(alternatives, "|") {
		name := bareName(alternative)
		if _, ok := p.needs[name]; ok {
			return name, true
		}
		if real, ok := p.provided[name]; ok && name != "" {
			return real, true
		}
	}
	return "", false
}

// closure returns packages and all that they depend on.
func (p packageSet) closure(packages []string) ([]string, error) {
	var all []string
	seen := make(map[string]bool)
	for todo := slices.Concat(packages, p.essential); len(todo) > 0; todo = todo[1:] {
		if bareName(todo[0]) == "" {
			continue
		}
		name, ok := p.find(todo[0])
		if !ok {
			return nil, fmt.Errorf("the package %q is not installed", strings.TrimSpace(todo[0]))
		}
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
			todo = append(todo, p.needs[name]...)
		}
	}
	return all, nil
}

// alternatives returns the links of Debian's alternatives, which belong to no package: /usr/bin/awk, for example.
func alternatives() ([]string, error) {
	records, err := filepath.Glob("/var/lib/dpkg/alternatives/*")
	if err != nil {
		return nil, err
	}
	var links []string
	for _, record := range records {
		file, err := os.Open(record)
		if err != nil {
			return nil, err
		}
		// The mode; then links, the further ones with a name before each; then an empty line and the choices.
		for lines := bufio.NewScanner(file); lines.Scan() && lines.Text() != ""; {
			if filepath.IsAbs(lines.Text()) {
				links = append(links, lines.Text())
			}
		}
		file.Close()
		links = append(links, filepath.Join("/etc/alternatives", filepath.Base(record)))
	}
	return links, nil
}
