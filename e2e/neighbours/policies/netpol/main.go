// Command netpol enforces NetworkPolicies on the pods of one node. It is kube-router's controller of policies, without its router and
// its proxy of services, whose clients for BGP, IPVS and cloud providers are most of kube-router.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
		os.Exit(1)
	}
}

// run enforces policies until ctx ends. The rules stay.
func run(ctx context.Context) error {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine) // all of kube-router's; most are for what is left out here
	pflag.Parse()
	access, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	var ipset sync.Mutex // kube-router shares it with its router
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &ipset, tables, sets)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return fmt.Errorf("listing %s: %w", kind, context.Cause(ctx))
		}
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler, policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	// The controller stops if nobody takes its signs of life.
	alive := make(chan *healthcheck.ControllerHeartbeat, 1)
	go func() {
		for range alive {
		}
	}()
	var done sync.WaitGroup
	done.Add(1)
	controller.Run(alive, ctx.Done(), &done)
	done.Wait()
	return nil
}
