package testcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// Kueue creates objects in a cluster with Kueue.
type Kueue struct {
	testing.TB
	client rest.Interface
	suffix string // of the names of objects that belong to no namespace
}

// NewKueue skips the test unless E2E_WITH names Kueue. The suffix distinguishes the objects of this test from those of others.
func NewKueue(t testing.TB, config *rest.Config, suffix string) *Kueue {
	t.Helper()
	if !slices.Contains(strings.Split(os.Getenv("E2E_WITH"), ","), "kueue") {
		t.Skip("NOT TESTED: Kueue. `E2E_WITH=kueue e2e/kube.sh` starts a cluster with it.")
	}
	core, err := coreclient.NewForConfig(config)
	check(t, err)
	k := &Kueue{TB: t, client: core.RESTClient(), suffix: suffix}
	k.apply(true, "/apis/kueue.x-k8s.io/v1beta2/resourceflavors/"+k.name("flavor"), "kind: ResourceFlavor\n")
	return k
}

func (k *Kueue) name(short string) string { return short + "-" + k.suffix }

// ClusterQueue creates or changes a ClusterQueue with a quota of that many pods, which belongs to the cohort of the test, and may borrow
// all that others do not use. What it lends is reclaimed. The stop policy is None, Hold or HoldAndDrain.
func (k *Kueue) ClusterQueue(name string, pods int, stop string) {
	k.Helper()
	k.clusterQueue(name, pods, stop, "cpu, memory, ephemeral-storage, pods",
		`{name: cpu, nominalQuota: 1k}, {name: memory, nominalQuota: 1Ti}, {name: ephemeral-storage, nominalQuota: 1Ti},`)
}

// PoorClusterQueue is a ClusterQueue without a quota of the node's disk.
func (k *Kueue) PoorClusterQueue(name string, pods int) {
	k.Helper()
	k.clusterQueue(name, pods, "None", "cpu, memory, pods", `{name: cpu, nominalQuota: 1k}, {name: memory, nominalQuota: 1Ti},`)
}

func (k *Kueue) clusterQueue(name string, pods int, stop, covered, quotas string) {
	k.Helper()
	k.apply(true, "/apis/kueue.x-k8s.io/v1beta2/clusterqueues/"+k.name(name), fmt.Sprintf(`
kind: ClusterQueue
spec:
  namespaceSelector: {}
  cohortName: %s
  stopPolicy: %s
  preemption: {reclaimWithinCohort: Any, withinClusterQueue: LowerPriority}
  resourceGroups:
    - coveredResources: [%s]
      flavors: [{name: %s, resources: [%s {name: pods, nominalQuota: %d}]}]
`, k.name("cohort"), stop, covered, k.name("flavor"), quotas, pods))
}

// LocalQueue creates or changes a LocalQueue of a ClusterQueue. The stop policy is None, Hold or HoldAndDrain.
func (k *Kueue) LocalQueue(namespace, name, clusterQueue, stop string) {
	k.Helper()
	k.apply(false, "/apis/kueue.x-k8s.io/v1beta2/namespaces/"+namespace+"/localqueues/"+name, fmt.Sprintf(
		"kind: LocalQueue\nspec: {clusterQueue: %s, stopPolicy: %s}\n", k.name(clusterQueue), stop))
}

// Delete deletes a LocalQueue.
func (k *Kueue) Delete(namespace, localQueue string) {
	k.Helper()
	check(k.TB, k.client.Delete().AbsPath("/apis/kueue.x-k8s.io/v1beta2/namespaces", namespace, "localqueues", localQueue).
		Do(k.Context()).Error())
}

// Priority creates a class of priorities of pods, and returns its name.
func (k *Kueue) Priority(name string, value int) string {
	k.Helper()
	k.apply(true, "/apis/scheduling.k8s.io/v1/priorityclasses/"+k.name(name),
		fmt.Sprintf("kind: PriorityClass\nvalue: %d\npreemptionPolicy: Never\n", value))
	return k.name(name)
}

// apply creates or changes an object. One that belongs to no namespace is deleted at the end of the test.
func (k *Kueue) apply(global bool, path, manifest string) {
	k.Helper()
	group, _, _ := strings.Cut(strings.TrimPrefix(path, "/apis/"), "/namespaces")
	group = strings.Join(strings.Split(group, "/")[:2], "/")
	name := path[strings.LastIndex(path, "/")+1:]
	manifest = fmt.Sprintf("apiVersion: %s\nmetadata: {name: %s}\n%s", group, name, manifest)
	put := func(ctx context.Context) error {
		return k.client.Patch(types.ApplyYAMLPatchType).AbsPath(path).Param("fieldManager", "test").Param("force", "true").
			Body([]byte(manifest)).Do(ctx).Error()
	}
	err := k.client.Get().AbsPath(path).Do(k.Context()).Error()
	if global && errors.IsNotFound(err) {
		k.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			// A ClusterQueue that still has workloads remains until they are gone.
			if err := k.client.Delete().AbsPath(path).Do(ctx).Error(); err != nil && !errors.IsNotFound(err) {
				k.Error(err)
			}
		})
	}
	check(k.TB, put(k.Context()))
}

// Workload is what tests read of Kueue's object for a Job.
type Workload struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   struct {
		Conditions []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

// Is reports whether a condition of the workload is true.
func (w Workload) Is(kind string) bool {
	return slices.ContainsFunc(w.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == kind && c.Status == metav1.ConditionTrue
	})
}

// Workloads returns the workloads of a namespace, by the names of their Jobs.
func (k *Kueue) Workloads(namespace string) map[string]Workload {
	k.Helper()
	content, err := k.client.Get().AbsPath("/apis/kueue.x-k8s.io/v1beta2/namespaces", namespace, "workloads").Do(k.Context()).Raw()
	check(k.TB, err)
	var list struct{ Items []Workload }
	check(k.TB, json.Unmarshal(content, &list))
	found := make(map[string]Workload)
	for _, w := range list.Items {
		for _, owner := range w.Metadata.OwnerReferences {
			found[owner.Name] = w
		}
	}
	return found
}
