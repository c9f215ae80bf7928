package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// artifact is something that is released, with the SHA-256 of its content in hexadecimal digits.
type artifact struct {
	name, sha256 string
	built        *buildinfo.BuildInfo // of a program
}

// program is a command on a platform.
type program struct {
	name             string
	module, path     string // directory of the module, and the package in it
	os, architecture string
}

// programs are the commands that people install. On Linux bakta-web is the full command, with the local mode; jobs run on
// Linux alone, so elsewhere it is the one that talks to servers.
var programs = []program{
	{"bakta-web", "local", "./cmd/bakta-web", "linux", "amd64"},
	{"bakta-web", "local", "./cmd/bakta-web", "linux", "arm64"},
	{"bakta-web", ".", "./cmd/bakta-web", "darwin", "amd64"},
	{"bakta-web", ".", "./cmd/bakta-web", "darwin", "arm64"},
	{"stager", ".", "./cmd/stager", "linux", "amd64"},
	{"stager", ".", "./cmd/stager", "linux", "arm64"},
}

// program builds a program and packs it.
func (r *release) program(ctx context.Context, p program) (artifact, error) {
	dir, err := os.MkdirTemp("", "release-")
	if err != nil {
		return artifact{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, p.name)
	env := []string{"GOWORK=off", "CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.architecture, "GOFLAGS="}
	// With the facts of version control, which `go version -m` prints and the provenance statement repeats.
	if _, err := r.run(ctx, env, "go", "build", "-C", p.module, "-trimpath", "-buildvcs=true", "-tags", "grpcnotrace",
		"-ldflags", "-s -w -X main.version="+r.version, "-o", file, p.path); err != nil {
		return artifact{}, err
	}
	built, err := buildinfo.ReadFile(file)
	if err != nil {
		return artifact{}, err
	}
	name := fmt.Sprintf("%s_%s_%s_%s.tar.gz", p.name, r.version, p.os, p.architecture)
	if err := r.pack(filepath.Join(r.files(), name), file, filepath.Join(r.root, "LICENSE")); err != nil {
		return artifact{}, err
	}
	sum, err := sumOf(filepath.Join(r.files(), name))
	return artifact{name: name, sha256: sum, built: built}, err
}

// pack makes a compressed archive whose content depends on the files' contents and the commit alone.
func (r *release) pack(archive string, files ...string) error {
	var packed bytes.Buffer
	compress, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(compress)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if file == files[0] {
			mode = 0o755
		}
		header := tar.Header{
			Name:    filepath.Base(file),
			Mode:    mode,
			Size:    int64(len(content)),
			ModTime: time.Unix(r.date, 0),
			Format:  tar.FormatUSTAR,
		}
		if err := t.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := t.Write(content); err != nil {
			return err
		}
	}
	if err := errors.Join(t.Close(), compress.Close()); err != nil {
		return err
	}
	return os.WriteFile(archive, packed.Bytes(), 0o644)
}

// makeImages has ko build the images, each for all platforms, with its SBOMs and as an OCI layout. It returns the images'
// indexes: what their tags stand for.
func (r *release) makeImages(ctx context.Context) ([]artifact, error) {
	// Relative: ko makes an image's name of the layout's path, where names have no capital letters.
	const layouts = "dist/images"
	sboms := filepath.Join(r.dist, "sboms")
	if err := os.MkdirAll(sboms, 0o755); err != nil {
		return nil, err
	}
	repository := r.registry
	if repository == "" {
		repository = "bakta-web.invalid" // ko asks for one, and calls none
	}
	env := []string{"VERSION=" + r.version, "KO_DOCKER_REPO=" + repository, "GOWORK=off", "CGO_ENABLED=0",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.date), fmt.Sprintf("KO_DATA_DATE_EPOCH=%d", r.date)}
	var made []artifact
	for _, image := range r.images {
		out, err := r.run(ctx, env, r.ko, "build", "--base-import-paths", "--tags", r.version, "--platform", strings.Join(r.platforms, ","),
			"--sbom", "spdx", "--sbom-dir", sboms, "--oci-layout-path", layouts+"/"+image,
			fmt.Sprintf("--push=%t", r.registry != ""), "./cmd/"+image)
		if err != nil {
			return nil, err
		}
		_, digest, ok := strings.Cut(out, "@sha256:")
		if !ok || len(digest) != hex.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("ko printed %q, which is not an image with its digest", out)
		}
		made = append(made, artifact{name: repository + "/" + image, sha256: digest})
	}
	if err := r.moveSBOMs(sboms); err != nil {
		return nil, err
	}
	dir := filepath.Join(r.root, layouts)
	if err := tarDir(filepath.Join(r.files(), "images_"+r.version+".tar"), dir, r.date); err != nil {
		return nil, err
	}
	return made, os.RemoveAll(dir)
}

// moveSBOMs puts the SBOMs beside the other files. ko writes one for each platform of an image, and one for its index.
func (r *release) moveSBOMs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) < len(r.images) {
		return fmt.Errorf("ko wrote %d SBOMs for %d images", len(entries), len(r.images))
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(r.files(), e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(dir)
}

// tarDir archives a directory in the order of its names.
func tarDir(archive, dir string, date int64) (err error) {
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	t := tar.NewWriter(out)
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		header := tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: info.Size(), ModTime: time.Unix(date, 0), Format: tar.FormatPAX}
		if err := t.WriteHeader(&header); err != nil {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(t, in)
		return err
	}); err != nil {
		return err
	}
	return t.Close()
}

// sums writes SHA256SUMS, as sha256sum --check reads it.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.files())
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, e := range entries {
		sum, err := sumOf(filepath.Join(r.files(), e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum, e.Name())
	}
	return os.WriteFile(filepath.Join(r.files(), "SHA256SUMS"), []byte(list.String()), 0o644)
}

func sumOf(file string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
