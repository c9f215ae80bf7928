// Command release makes a release below dist/: programs, images with their SBOMs, a provenance statement, checksums, and the
// notes out of the changelog. Called by `make release`. It publishes nothing but the images, and those only with -registry.
//
//	dist/NOTES.md                            the version's section of CHANGELOG.md
//	dist/files/PROGRAM_VERSION_OS_ARCH.tar.gz  a static program, with the license
//	dist/files/images_VERSION.tar            the images, an OCI layout each
//	dist/files/*.spdx.json                   an SBOM for each image, as ko writes it
//	dist/files/provenance_VERSION.json       what was made from what, unsigned (see provenance.go)
//	dist/files/SHA256SUMS                    of all of the above
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// release is what is released, from where, and to where.
type release struct {
	root, dist string // directories: the repository, and where the release goes
	version    string // vX.Y.Z
	commit     string // the full hash
	date       int64  // of the commit, in seconds since 1970; files get it, so that equal sources make equal archives
	registry   string // HOST/PATH; empty: images are not pushed
	ko         string // the program
	images     []string
	platforms  []string // of the images, as OS/ARCH
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	r := release{}
	var images, platforms string
	flag.StringVar(&r.root, "root", "..", "the repository's `directory`")
	flag.StringVar(&r.version, "version", "", "the `version`, as vX.Y.Z")
	flag.StringVar(&r.registry, "registry", "", "`HOST/PATH` that images are pushed to")
	flag.StringVar(&r.ko, "ko", "ko", "the `program` ko")
	flag.StringVar(&images, "images", "", "`programs` below cmd/ that become images, separated by blanks")
	flag.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64", "`OS/ARCH` of the images, separated by commas")
	flag.Parse()
	r.images, r.platforms = strings.Fields(images), strings.Split(platforms, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := r.make(ctx)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func (r *release) make(ctx context.Context) error {
	var err error
	if r.root, err = filepath.Abs(r.root); err != nil {
		return err
	}
	r.dist = filepath.Join(r.root, "dist")
	notes, err := r.check(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(r.dist), os.MkdirAll(r.files(), 0o755)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.dist, "NOTES.md"), []byte(notes), 0o644); err != nil {
		return err
	}
	var made []artifact
	for _, p := range programs {
		a, err := r.program(ctx, p)
		if err != nil {
			return err
		}
		made = append(made, a)
	}
	images, err := r.makeImages(ctx)
	if err != nil {
		return err
	}
	if err := r.provenance(append(made, images...)); err != nil {
		return err
	}
	if err := r.sums(); err != nil {
		return err
	}
	fmt.Printf("Release %s of commit %.12s is in %s.\n", r.version, r.commit, r.dist)
	if r.registry == "" {
		fmt.Println("The images were not pushed: no REGISTRY was given.")
	}
	return nil
}

// files is the directory of the files that are published.
func (r *release) files() string { return filepath.Join(r.dist, "files") }

var versionForm = regexp.MustCompile(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`)

// check finds out whether this tree may be released as that version, and returns the notes.
func (r *release) check(ctx context.Context) (notes string, err error) {
	if !versionForm.MatchString(r.version) {
		return "", fmt.Errorf("%q is not a version: use VERSION=vX.Y.Z", r.version)
	}
	changed, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return "", err
	}
	if changed != "" {
		return "", fmt.Errorf("the tree has changes that are not committed; commit or remove them:\n%s", changed)
	}
	if r.commit, err = r.git(ctx, "rev-parse", "HEAD"); err != nil {
		return "", err
	}
	date, err := r.git(ctx, "show", "--no-patch", "--format=%ct", "HEAD")
	if err != nil {
		return "", err
	}
	if _, err := fmt.Sscan(date, &r.date); err != nil {
		return "", fmt.Errorf("the date of the commit, %q: %w", date, err)
	}
	// An annotated tag is an object of its own; ^{commit} is what it stands for.
	tagged, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+r.version+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("there is no tag %s; tag this commit first: git tag %[1]s", r.version)
	}
	if tagged != r.commit {
		return "", fmt.Errorf("the tag %s is on commit %.12s, but the tree is at %.12s; check out the tag, or use another version",
			r.version, tagged, r.commit)
	}
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	notes, ok := section(string(changelog), strings.TrimPrefix(r.version, "v"))
	if !ok {
		return "", fmt.Errorf("CHANGELOG.md has no section %q with text below it; rename \"Unreleased\" to it",
			"## ["+strings.TrimPrefix(r.version, "v")+"] - DATE")
	}
	return notes, nil
}

// section returns the text below the heading of a version, up to the next version's heading. It is not blank.
func section(changelog, version string) (string, bool) {
	lines := strings.Split(changelog, "\n")
	heading := regexp.MustCompile(`^## \[?v?` + regexp.QuoteMeta(version) + `\]?($|\s)`)
	begin := slices.IndexFunc(lines, heading.MatchString)
	if begin < 0 {
		return "", false
	}
	lines = lines[begin+1:]
	end := slices.IndexFunc(lines, func(line string) bool {
		// Links of the versions stand at the end of the file: [1.2.3]: https://…
		return strings.HasPrefix(line, "## ") || linkLine.MatchString(line)
	})
	if end >= 0 {
		lines = lines[:end]
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	return text + "\n", text != ""
}

var linkLine = regexp.MustCompile(`^\[[^\]]+\]: \S+$`)

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	return r.run(ctx, nil, "git", args...)
}

// run runs a program in the repository and returns what it prints, without white space around it.
func (r *release) run(ctx context.Context, env []string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}
