package cluster

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// The registry for images that ko builds, and their base image.
const (
	Registry  = Node + ":5000"
	baseImage = Registry + "/base:static"
)

// koProgram is a set of its own module.
var koProgram = set{name: "ko", module: "ko", packages: []string{"github.com/google/ko"}}

// hosts configures the container runtime to use plain HTTP for the registry.
const hosts = `server = "http://` + Registry + `"

[host."http://` + Registry + `"]
  capabilities = ["pull", "resolve"]
`

// ServeRegistry runs a registry on an address, with its content in a directory and in memory. It returns only if it can't
// listen.
func ServeRegistry(address, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	server := http.Server{
		Addr:              address,
		Handler:           registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(dir)), registry.Logger(log.New(io.Discard, "", 0))),
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.ListenAndServe()
}

// startRegistry starts the registry and pushes the base image of programs: certificate authorities and accounts, without a
// program.
func (c *Cluster) startRegistry(ctx context.Context, s space) error {
	// The registry is this program, whose path may not be visible inside the namespaces.
	if err := copyProgram("/proc/self/exe", c.file("bin/cluster")); err != nil {
		return err
	}
	if err := c.daemon(s, "registry", here("bin/cluster"), "registry", Registry, here("run/registry")); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(c.file("run"), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	const authorities = "/etc/ssl/certs/ca-certificates.crt"
	image := Image{Env: []string{"SSL_CERT_FILE=" + authorities}}
	if exists(authorities) {
		image.Files = []File{{Source: authorities, Target: authorities}}
	}
	built, err := image.Build(filepath.Join(scratch, "layer.tar"))
	if err != nil {
		return err
	}
	tag, err := name.NewTag(baseImage, name.StrictValidation, name.Insecure)
	if err != nil {
		return err
	}
	return c.await(ctx, func(ctx context.Context) error {
		return remote.Write(
			tag,
			built,
			remote.WithContext(ctx),
			remote.WithTransport(&http.Transport{DialContext: s.dial, DisableKeepAlives: true}),
		)
	}, "registry")
}

// copyProgram replaces a program atomically: the earlier copy may be running.
func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+"-")
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Chmod(0o755), target.Close()); err != nil {
		return errors.Join(err, os.Remove(target.Name()))
	}
	return os.Rename(target.Name(), to)
}

// trustRegistry writes the container runtime's configuration of the registry. It is read at every pull.
func (c *Cluster) trustRegistry() error {
	dir := c.file("run/config/registries/" + Registry)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(hosts), 0o644)
}
