package cluster

import (
	"context"
	"fmt"
)

var (
	servingPrograms = set{name: "Knative Serving", module: parts, folder: "serving", packages: []string{
		"knative.dev/serving/cmd/activator",
		"knative.dev/serving/cmd/autoscaler",
		"knative.dev/serving/cmd/controller",
		"knative.dev/serving/cmd/queue",
		"knative.dev/serving/cmd/webhook",
	}}
	eventingPrograms = set{name: "Knative Eventing", module: parts, folder: "eventing", packages: []string{
		"knative.dev/eventing/cmd/apiserver_receive_adapter",
		"knative.dev/eventing/cmd/controller",
		"knative.dev/eventing/cmd/mtping",
		"knative.dev/eventing/cmd/webhook",
	}}
	brokerPrograms = set{name: "Knative's broker", module: parts, folder: "eventing", packages: []string{
		"knative.dev/eventing/cmd/broker/filter",
		"knative.dev/eventing/cmd/broker/ingress",
		"knative.dev/eventing/cmd/in_memory/channel_controller",
		"knative.dev/eventing/cmd/in_memory/channel_dispatcher",
		"knative.dev/eventing/cmd/mtchannel_broker",
	}}
	ingressPrograms = set{
		name: "Traefik", module: parts, packages: []string{"github.com/traefik/traefik/v3/cmd/traefik", "./hello"},
		trims: []trim{ // saves three quarters of the build
			{"github.com/go-acme/lego/v4", map[string]string{"providers/dns/zz_gen_dns_providers.go": "dns.go"}},
			{"github.com/traefik/traefik/v3", map[string]string{
				"pkg/provider/ecs/ecs.go": "ecs.go", "pkg/provider/ecs/config.go": "", "pkg/provider/ecs/label.go": "",
			}},
		},
	}
)

// The addresses of Knative's services in the cluster's network.
const (
	// Ingress is the address of the public side, for HTTP/1.1, HTTP/2 and gRPC in cleartext.
	Ingress = Node + ":30080"
	// Domain is the ending of the host names of Knative's public services: NAME.NAMESPACE.Domain.
	Domain = "knative.test"
)

var (
	gateway = release{
		name:    "Gateway API",
		sources: []source{{"sigs.k8s.io/gateway-api", []string{"config/crd/standard"}}},
	}
	serving = release{
		name: "Knative Serving",
		sources: []source{
			{"knative.dev/networking", []string{"config"}},
			{"knative.dev/caching", []string{"config"}},
			{"knative.dev/serving", []string{"config/core"}},
		},
		settings: map[string]settings{
			// With the mesh disabled, the activator probes only pods. Otherwise, after a busy machine where once only the
			// service answered, it probes the service from then on. The service also routes to pods that are terminating,
			// and a start from zero then waits for half a minute.
			"config-network": {"ingress-class": "traefik.ingress.networking.knative.dev", "mesh-compatibility-mode": "disabled"},
			"config-domain":  {Domain: ""},
			// The minimum time before scaling to zero.
			"config-autoscaler": {"stable-window": "6s", "scale-to-zero-grace-period": "6s", "scale-to-zero-pod-retention-period": "0s"},
		},
		namespace: "knative-serving",
	}
	eventing = release{
		name:      "Knative Eventing",
		sources:   []source{{"knative.dev/eventing", []string{"config/core"}}},
		own:       "eventing.yaml",
		without:   []string{"Deployment/job-sink", "Deployment/request-reply", "StatefulSet/request-reply"},
		namespace: "knative-eventing",
	}
	broker = release{
		name: "Knative's broker",
		sources: []source{
			{"knative.dev/eventing", []string{"config/channels/in-memory-channel", "config/brokers/mt-channel-broker"}},
		},
		namespace: "knative-eventing",
	}
)

// upKnative starts Knative and its ingress on a running Kubernetes.
func (c *Cluster) upKnative(ctx context.Context, s space, extent Extent) error {
	programs := []set{ingressPrograms, servingPrograms, eventingPrograms}
	releases := []release{serving, eventing}
	if extent >= Broker {
		programs = append(programs, brokerPrograms)
		releases = append(releases, broker)
	}
	for _, p := range programs {
		if err := c.step(fmt.Sprintf("load images of %s", p.name), func() error {
			return c.loadPrograms(ctx, s, p.built()...)
		}); err != nil {
			return err
		}
	}
	if err := c.step("start the registry", func() error { return c.startRegistry(ctx, s) }); err != nil {
		return err
	}
	// All are deployed before the first wait, so that their pods start in parallel.
	if err := c.step("deploy Gateway API and Traefik", func() error { return c.deployIngress(ctx, s) }); err != nil {
		return err
	}
	later := make([][]object, len(releases))
	for i, r := range releases {
		if err := c.step("deploy "+r.name, func() (err error) { later[i], err = c.deploy(ctx, s, r); return err }); err != nil {
			return err
		}
	}
	for i, r := range releases {
		if err := c.step("wait for "+r.name, func() error {
			if err := c.awaitDeployments(ctx, s, r.namespace); err != nil {
				return err
			}
			return applyObjects(ctx, s, later[i])
		}); err != nil {
			return err
		}
	}
	return c.step("wait for Traefik", func() error { return c.awaitIngress(ctx, s) })
}

func (c *Cluster) deployIngress(ctx context.Context, s space) error {
	if _, err := c.deploy(ctx, s, gateway); err != nil {
		return err
	}
	objects, err := readObjects(files.ReadFile("manifests/traefik.yaml"))
	if err != nil {
		return err
	}
	return applyObjects(ctx, s, objects)
}

func (c *Cluster) awaitIngress(ctx context.Context, s space) error {
	if err := c.awaitDeployments(ctx, s, "traefik"); err != nil {
		return err
	}
	return c.await(ctx, func(ctx context.Context) error {
		_, err := kubectl(ctx, s, nil, "--namespace=traefik", "wait", "--for=condition=Programmed", "--timeout=10s", "gateway/public")
		return err
	}, "kubelet")
}
