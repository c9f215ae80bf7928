package cluster

import "context"

// kueue is Kueue as its default kustomization deploys it, with the API that shows places in queues.
var kueue = neighbour{
	name:     "kueue",
	smallest: Kubernetes,
	programs: []set{{name: "Kueue", module: kueueModule, packages: []string{kueueSource + "/cmd/kueue"}}},
	up:       (*Cluster).upKueue,
}

const (
	kueueModule = "neighbours/kueue"
	kueueSource = "sigs.k8s.io/kueue"
	kueueSpace  = "kueue-system"
)

func (c *Cluster) upKueue(ctx context.Context, s space) error {
	if err := c.step("load the image of Kueue", func() error { return c.loadPrograms(ctx, s, "kueue") }); err != nil {
		return err
	}
	r := release{
		name:      "Kueue",
		module:    kueueModule,
		built:     kustomized{kueueSource, "config/default"},
		programs:  map[string]string{"Deployment/kueue-controller-manager": "kueue"},
		namespace: kueueSpace,
	}
	if err := c.step("deploy Kueue", func() error { _, err := c.deploy(ctx, s, r); return err }); err != nil {
		return err
	}
	return c.step("wait for Kueue", func() error {
		if err := c.awaitDeployments(ctx, s, kueueSpace); err != nil {
			return err
		}
		// It serves its webhooks and its API some seconds after it is ready: the API server must first know its certificate.
		return c.await(ctx, func(ctx context.Context) error {
			flavor := []byte(`{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"ResourceFlavor","metadata":{"name":"probe"}}`)
			if _, err := kubectl(ctx, s, flavor, "apply", "--server-side", "--dry-run=server", "-f", "-"); err != nil {
				return err
			}
			_, err := kubectl(ctx, s, nil, "get", "--raw", "/apis/visibility.kueue.x-k8s.io/v1beta2")
			return err
		}, "kubelet", "kube-apiserver")
	})
}
