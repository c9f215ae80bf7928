package cluster

import (
	"context"
	"errors"
	"strings"
)

// policies is a controller that enforces NetworkPolicies on the node. The bridge of the pods has none.
var policies = neighbour{
	name:     "policies",
	smallest: Kubernetes,
	debian:   map[string]string{"ipset": "/usr/sbin/ipset"},
	programs: []set{{name: "the enforcer of network policies", module: "neighbours/policies", packages: []string{"./netpol"}}},
	up:       (*Cluster).upPolicies,
}

// Metadata is an address of the node where clouds serve credentials to whatever asks. Nothing listens there unless a test does.
const Metadata = "169.254.169.254"

func (c *Cluster) upPolicies(ctx context.Context, s space) error {
	return c.step("start the enforcer of network policies", func() error {
		if _, err := s.run(ctx, "ip", "address", "replace", Metadata+"/32", "dev", "node0"); err != nil {
			return err
		}
		if err := c.daemon(s, "netpol", here("bin/netpol"),
			"--kubeconfig="+here("kubeconfig"),
			"--hostname-override="+nodeName,
			"--service-cluster-ip-range=10.96.0.0/16",
		); err != nil {
			return err
		}
		// Its first pass ends with the chains of the pods that run already.
		return c.await(ctx, func(ctx context.Context) error {
			rules, err := s.run(ctx, "iptables", "-w", "-S", "KUBE-ROUTER-FORWARD")
			if err == nil && !strings.Contains(rules, "-j KUBE-POD-FW-") {
				err = errors.New("no pod has a chain of its own in the filter table")
			}
			return err
		}, "netpol")
	})
}
