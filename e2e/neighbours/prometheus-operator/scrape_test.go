package operator

import (
	"bytes"
	"maps"
	"os"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	promoperator "github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"
	kubernetes "sigs.k8s.io/yaml"
)

// pod is what Prometheus's discovery finds of a pod of Knative: a target for each port that a container declares.
var pod = map[string]string{
	"__address__":                 "10.244.0.7:8080",
	"__metrics_path__":            "/metrics",
	"__scheme__":                  "http",
	"__meta_kubernetes_namespace": "bakta",
	"__meta_kubernetes_pod_name":  "submit-00001-deployment-5d8f-x",
	"__meta_kubernetes_pod_ip":    "10.244.0.7",
	"__meta_kubernetes_pod_phase": "Running",
	"__meta_kubernetes_pod_ready": "true",
	"__meta_kubernetes_pod_label_app_kubernetes_io_part_of":          "bakta-web",
	"__meta_kubernetes_pod_labelpresent_app_kubernetes_io_part_of":   "true",
	"__meta_kubernetes_pod_label_app_kubernetes_io_component":        "function",
	"__meta_kubernetes_pod_labelpresent_app_kubernetes_io_component": "true",
	"__meta_kubernetes_pod_label_serving_knative_dev_service":        "submit",
	"__meta_kubernetes_pod_labelpresent_serving_knative_dev_service": "true",
	"__meta_kubernetes_pod_container_name":                           "submit",
	"__meta_kubernetes_pod_container_port_name":                      "user-port",
	"__meta_kubernetes_pod_container_port_number":                    "8080",
}

// TestScrapes checks what Prometheus scrapes with the configuration that the operator makes from the PodMonitor.
func TestScrapes(t *testing.T) {
	relabeling := relabelings(t)
	for _, row := range []struct {
		what   string
		change map[string]string
		want   map[string]string // nil if the pod is not scraped
	}{
		{"a function", nil, map[string]string{"__address__": "10.244.0.7:9464", "job": "bakta/bakta-web", "namespace": "bakta",
			"pod": "submit-00001-deployment-5d8f-x", "function": "submit"}},
		{"IPv6", map[string]string{"__meta_kubernetes_pod_ip": "fd00::7"}, map[string]string{"__address__": "[fd00::7]:9464"}},
		{"a pod that drains", map[string]string{"__meta_kubernetes_pod_ready": "false"}, map[string]string{"__address__": "10.244.0.7:9464"}},
		{"the port of the queue-proxy", map[string]string{"__meta_kubernetes_pod_container_port_name": "queue-port"}, nil},
		{"a job", map[string]string{"__meta_kubernetes_pod_label_app_kubernetes_io_component": "job"}, nil},
		{"another one's pod", map[string]string{"__meta_kubernetes_pod_label_app_kubernetes_io_part_of": "other"}, nil},
		{"a pod that has ended", map[string]string{"__meta_kubernetes_pod_phase": "Succeeded"}, nil},
	} {
		found := maps.Clone(pod)
		maps.Copy(found, row.change)
		builder := labels.NewBuilder(labels.FromMap(found))
		kept := relabel.ProcessBuilder(builder, relabeling...)
		if kept != (row.want != nil) {
			t.Errorf("%s: scraped is %t", row.what, kept)
			continue
		}
		for name, want := range row.want {
			if got := builder.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", row.what, name, got, want)
			}
		}
	}
}

// relabelings are what the operator's configuration does with what the discovery finds.
func relabelings(t *testing.T) []*relabel.Config {
	t.Helper()
	text, err := os.ReadFile("../../../kservices/observability/podmonitor.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var monitor monitoringv1.PodMonitor
	if err := kubernetes.UnmarshalStrict(text, &monitor); err != nil {
		t.Fatal(err)
	}
	server := &monitoringv1.Prometheus{}
	server.Name, server.Namespace, server.Spec.Version = "main", "monitoring", "v3.12.0"
	generator, err := promoperator.NewConfigGenerator(nil, server)
	if err != nil {
		t.Fatal(err)
	}
	monitors := map[string]*monitoringv1.PodMonitor{"bakta/bakta-web": &monitor}
	made, err := generator.GenerateServerConfiguration(server, nil, monitors, nil, nil, assets.NewTestStoreBuilder(), nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		ScrapeConfigs []struct {
			JobName             string                  `yaml:"job_name"`
			MetricsPath         string                  `yaml:"metrics_path"`
			ScrapeInterval      string                  `yaml:"scrape_interval"`
			KubernetesSDConfigs []struct{ Role string } `yaml:"kubernetes_sd_configs"`
			RelabelConfigs      []*relabel.Config       `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	made = bytes.ReplaceAll(made, []byte("$(SHARD)"), []byte("0")) // as the config-reloader beside Prometheus does
	if err := yaml.Unmarshal(made, &read); err != nil {
		t.Fatalf("%v\n%s", err, made)
	}
	if len(read.ScrapeConfigs) != 1 {
		t.Fatalf("there are %d configurations of scrapes:\n%s", len(read.ScrapeConfigs), made)
	}
	c := read.ScrapeConfigs[0]
	if len(c.KubernetesSDConfigs) != 1 || c.KubernetesSDConfigs[0].Role != "pod" || c.MetricsPath != "/metrics" || c.ScrapeInterval != "15s" {
		t.Errorf("%s scrapes every %s, of %v, at %s", c.JobName, c.ScrapeInterval, c.KubernetesSDConfigs, c.MetricsPath)
	}
	return c.RelabelConfigs
}
