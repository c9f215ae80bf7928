package backend_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// end is where a connection of a pod's may lead: a pod, if it has a namespace, and else a mere address.
type end struct {
	namespace string
	labels    labels.Set
	address   string
	port      int32
	protocol  corev1.Protocol // TCP, unless it says another
}

func (e end) String() string {
	return fmt.Sprintf("%s %v %s:%d", e.namespace, e.labels, e.address, e.port)
}

// What jobs may reach, and what they may not, whatever overlay they run under. The test cluster's network enforces no
// policies, so this is Kubernetes' own reading of them.
func TestJobsReachLittle(t *testing.T) {
	t.Parallel()
	for overlay, own := range map[string]struct{ storage, ingress end }{
		"e2e": {
			end{address: "10.200.0.2", port: 9000},
			end{namespace: "traefik", labels: labels.Set{"app": "traefik"}, address: "10.244.0.9", port: 8001},
		},
		"production": {
			end{namespace: "bakta", labels: labels.Set{"app.kubernetes.io/name": "minio"}, address: "10.244.0.8", port: 9000},
			end{namespace: "traefik", labels: labels.Set{"app.kubernetes.io/name": "traefik"}, address: "10.244.0.9", port: 8001},
		},
	} {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			objects, err := build(filepath.Join(kservices, "overlays", overlay))
			if err != nil {
				t.Fatal(err)
			}
			if endpoint := storageOf(t, objects); endpoint.Hostname() != own.storage.address && endpoint.Host != "minio.bakta.svc:9000" {
				t.Fatalf("jobs are told that the object storage is at %s", endpoint)
			}
			reach(t, objects, append(always(), own.storage, own.ingress), append(never(),
				at(own.storage, 9001), at(own.storage, 27017), // a console, a database beside it
				at(own.ingress, 9000), at(own.ingress, 8080), // what an ingress tells of itself
			))
		})
	}
}

// Without an overlay's word jobs reach no object storage at all, by whichever ingress they reach jobupdate.
func TestIngressesForJobs(t *testing.T) {
	t.Parallel()
	for ingress, to := range map[string]end{
		"traefik": {namespace: "traefik", labels: labels.Set{"app": "traefik"}, address: "10.244.0.9", port: 8001},
		"kourier": {namespace: "kourier-system", labels: labels.Set{"app": "3scale-kourier-gateway"}, address: "10.244.0.9", port: 8081},
		"kourier-gateway": {
			namespace: "kourier-system", labels: labels.Set{"app": "3scale-kourier-gateway"}, address: "10.244.0.9", port: 8081,
		},
		"istio": {namespace: "istio-system", labels: labels.Set{"istio": "ingressgateway"}, address: "10.244.0.9", port: 8081},
	} {
		t.Run(ingress, func(t *testing.T) {
			t.Parallel()
			objects, err := buildWith("ingress/" + ingress)
			if err != nil {
				t.Fatal(err)
			}
			reach(t, objects, append(always(), to), append(never(), at(to, 15012), at(to, 9000),
				end{namespace: "bakta", labels: labels.Set{"app.kubernetes.io/name": "minio"}, address: "10.244.0.8", port: 9000}))
		})
	}
}

// An overlay that says nothing of the object storage isn't applied: its jobs would wait for it in vain.
func TestDeployWantsStorage(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"kind: NetworkPolicy\nmetadata:\n  name: jobs\n":         "kustomize",
		"kind: NetworkPolicy\nmetadata:\n  name: jobs-storage\n": "kustomize apply", // which fails
	} {
		dir := t.TempDir()
		kubectl := filepath.Join(dir, "kubectl")
		script := "#!/bin/sh\necho $1 >>" + dir + "/calls\n[ $1 = kustomize ] && printf '" + content + "'\n"
		if err := os.WriteFile(kubectl, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		said, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "deploy", "OVERLAY=x", "KUBECTL="+kubectl).CombinedOutput()
		calls, _ := os.ReadFile(dir + "/calls")
		if got := strings.Join(strings.Fields(string(calls)), " "); err == nil || got != want {
			t.Errorf("of %q it calls %q, not %q: %v\n%s", content, got, want, err, said)
		}
	}
}

// That the reading above tells policies apart.
func TestReachIsRead(t *testing.T) {
	t.Parallel()
	storage := end{address: "10.200.0.2", port: 9000}
	for what, row := range map[string]struct {
		spec string
		want bool
	}{
		"no policy":                 {"", true},
		"about ingress alone":       {"{podSelector: {}, policyTypes: [Ingress]}", true},
		"about other pods":          {"{podSelector: {matchLabels: {a: b}}, policyTypes: [Egress]}", true},
		"no rule":                   {"{podSelector: {}, policyTypes: [Egress]}", false},
		"a rule that names nothing": {"{podSelector: {}, policyTypes: [Egress], egress: [{}]}", true},
		"its block":                 {"{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.200.0.0/24}}]}]}", true},
		"a block that leaves it out": {"{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: " +
			"[10.200.0.2/32]}}]}]}", false},
		"pods":                           {"{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}", false},
		"another port":                   {"{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 80}]}]}", false},
		"a port of another protocol":     {"{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 9000, protocol: UDP}]}]}", false},
		"ports from one to the next one": {"{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 8000, endPort: 9000}]}]}", true},
	} {
		var all []networkingv1.NetworkPolicy
		if row.spec != "" {
			p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "bakta"}}
			if err := yaml.UnmarshalStrict([]byte(row.spec), &p.Spec); err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
		got, err := reaches(all, labels.Set{"x": "y"}, storage)
		if err != nil || got != row.want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

func at(e end, port int32) end { e.port = port; return e }

// always is what every job reaches: name servers, as clusters have them.
func always() []end {
	dns := end{
		namespace: "kube-system",
		labels:    labels.Set{"k8s-app": "kube-dns"},
		address:   "10.244.0.2",
		port:      53,
		protocol:  corev1.ProtocolUDP,
	}
	byTCP, onNode := dns, end{address: "169.254.20.10", port: 53, protocol: corev1.ProtocolUDP}
	byTCP.protocol = corev1.ProtocolTCP
	return []end{dns, byTCP, onNode}
}

// never is what no job reaches.
func never() []end {
	function := end{namespace: "bakta", address: "10.244.0.3", port: 8012, labels: labels.Set{
		"app.kubernetes.io/part-of": "bakta-web", "app.kubernetes.io/component": "function",
	}}
	return []end{
		{address: "169.254.169.254", port: 80},
		{address: "fd00:ec2::254", port: 80}, // credentials of a cloud
		{address: "10.96.0.1", port: 443},
		{address: "10.200.0.1", port: 6443},
		{address: "10.200.0.1", port: 10250}, // Kubernetes
		{
			address: "198.51.100.1",
			port:    443,
		},
		{address: "2001:db8::1", port: 443},
		{address: "198.51.100.1", port: 53, protocol: corev1.ProtocolUDP}, // outside
		{address: "10.200.0.2", port: 27017},                              // a store beside the object storage
		{namespace: "bakta", labels: labels.Set{"app.kubernetes.io/name": "mongodb"}, address: "10.244.0.4", port: 27017},
		function,
		at(function, 8080),
		at(function, 9464),
		{namespace: "default", labels: labels.Set{"app": "x"}, address: "10.244.0.5", port: 80},
		{namespace: "default", labels: labels.Set{"k8s-app": "kube-dns"}, address: "10.244.0.5", port: 53},
		{namespace: "kube-system", labels: labels.Set{"k8s-app": "kube-dns"}, address: "10.244.0.2", port: 9153}, // its metrics
		{namespace: "kube-system", labels: labels.Set{"k8s-app": "metrics-server"}, address: "10.244.0.6", port: 443},
		{namespace: "knative-serving", labels: labels.Set{"app": "activator"}, address: "10.244.0.7", port: 8012},
	}
}

// reach holds what the pods of jobs reach.
func reach(t *testing.T, objects []*unstructured.Unstructured, may, mayNot []end) {
	t.Helper()
	var all []networkingv1.NetworkPolicy
	for _, o := range objects {
		if o.GetKind() == "NetworkPolicy" {
			var p networkingv1.NetworkPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p); err != nil {
				t.Fatal(err)
			}
			all = append(all, p)
		}
	}
	pod := labels.Set{"app.kubernetes.io/part-of": "bakta-web", "app.kubernetes.io/component": "job"} // as lib/runner/kube has them
	for want, ends := range map[bool][]end{true: may, false: mayNot} {
		for _, e := range ends {
			if got, err := reaches(all, pod, e); err != nil || got != want {
				t.Errorf("that a job reaches %s is %v, %v", e, got, err)
			}
		}
	}
}

// reaches tells whether policies let a pod of the backend's namespace reach an end. A block of addresses is taken to stand
// for pods, too, which is up to the network.
func reaches(all []networkingv1.NetworkPolicy, pod labels.Set, to end) (bool, error) {
	isolated := false
	for _, p := range all {
		ours, err := selects(&p.Spec.PodSelector, pod)
		if err != nil {
			return false, err
		}
		if !ours || p.Namespace != "bakta" || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			continue
		}
		isolated = true
		for _, rule := range p.Spec.Egress {
			port := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, to.hasPort)
			peer := len(rule.To) == 0
			for _, r := range rule.To {
				is, err := to.is(r, p.Namespace)
				if err != nil {
					return false, err
				}
				peer = peer || is
			}
			if port && peer {
				return true, nil
			}
		}
	}
	return !isolated, nil
}

func (e end) hasPort(p networkingv1.NetworkPolicyPort) bool {
	protocol, want := corev1.ProtocolTCP, e.protocol
	if p.Protocol != nil {
		protocol = *p.Protocol
	}
	if want == "" {
		want = corev1.ProtocolTCP
	}
	if protocol != want {
		return false
	}
	if p.Port == nil {
		return true
	}
	last := p.Port.IntVal
	if p.EndPort != nil {
		last = *p.EndPort
	}
	return e.port >= p.Port.IntVal && e.port <= last
}

func (e end) is(peer networkingv1.NetworkPolicyPeer, namespace string) (bool, error) {
	if block := peer.IPBlock; block != nil {
		address, err := netip.ParseAddr(e.address)
		if err != nil {
			return false, err
		}
		for i, cidr := range append([]string{block.CIDR}, block.Except...) {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil {
				return false, err
			}
			if inside := prefix.Contains(address); inside != (i == 0) {
				return false, nil
			}
		}
		return true, nil
	}
	if e.namespace == "" {
		return false, nil
	}
	there := e.namespace == namespace
	if s := peer.NamespaceSelector; s != nil {
		var err error
		if there, err = selects(s, labels.Set{corev1.LabelMetadataName: e.namespace}); err != nil {
			return false, err
		}
	}
	if peer.PodSelector == nil {
		return there, nil
	}
	is, err := selects(peer.PodSelector, e.labels)
	return there && is, err
}

func selects(s *metav1.LabelSelector, set labels.Set) (bool, error) {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(set), err
}

// storageOf returns where the configuration says that jobs reach the object storage.
func storageOf(t *testing.T, objects []*unstructured.Unstructured) *url.URL {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == "ConfigMap" && strings.HasPrefix(o.GetName(), "bakta-web-") {
			text, _, _ := unstructured.NestedString(o.Object, "data", "config.yaml")
			var c struct {
				Objectstorage struct{ S3 struct{ Endpoint string } }
			}
			if err := yaml.Unmarshal([]byte(text), &c); err != nil {
				t.Fatal(err)
			}
			endpoint, err := url.Parse(c.Objectstorage.S3.Endpoint)
			if err != nil {
				t.Fatal(err)
			}
			return endpoint
		}
	}
	t.Fatal("there is no configuration")
	return nil
}
