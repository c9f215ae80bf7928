package cluster

import (
	"context"
)

// The operator does not compile with the packages of the newest Prometheus, so each has a module of its own.
const operatorModule = "neighbours/prometheus-operator"

// Prometheus and its operator. Of its ways to find targets, Prometheus has only Kubernetes'. Its Go module has no web page.
var (
	prometheusPrograms = set{
		name: "Prometheus", module: "neighbours/prometheus", tags: "remove_all_sd,enable_kubernetes_sd",
		packages: []string{"github.com/prometheus/prometheus/cmd/prometheus"},
	}
	prometheusOperatorPrograms = set{
		name: "the Prometheus operator", module: operatorModule, folder: "prometheus-operator", packages: []string{
			"github.com/prometheus-operator/prometheus-operator/cmd/operator",
			"github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
		},
	}
	prometheusOperator = release{
		name:   "the Prometheus operator",
		module: operatorModule,
		sources: []source{{"github.com/prometheus-operator/prometheus-operator", []string{
			"example/prometheus-operator-crd", "example/rbac/prometheus-operator", "example/rbac/prometheus",
		}}},
		own: "prometheus.yaml",
		// The module's deployment names images; ours, Deployment/operator, is the same with those of the programs that are built here.
		without:   []string{"Deployment/prometheus-operator", "ServiceMonitor/prometheus-operator", "Prometheus/prometheus"},
		namespace: "default",
	}
)

var prometheus = neighbour{
	name:     "prometheus",
	smallest: Kubernetes,
	programs: []set{prometheusPrograms, prometheusOperatorPrograms},
	up:       (*Cluster).upPrometheus,
}

// upPrometheus starts the operator. Whoever wants a Prometheus creates an object of that kind in the namespace monitoring.
func (c *Cluster) upPrometheus(ctx context.Context, s space) error {
	for _, programs := range []set{prometheusPrograms, prometheusOperatorPrograms} {
		if err := c.step("load images of "+programs.name, func() error { return c.loadPrograms(ctx, s, programs.built()...) }); err != nil {
			return err
		}
	}
	return c.step("deploy "+prometheusOperator.name, func() error {
		if _, err := c.deploy(ctx, s, prometheusOperator); err != nil {
			return err
		}
		return c.awaitDeployments(ctx, s, prometheusOperator.namespace)
	})
}
