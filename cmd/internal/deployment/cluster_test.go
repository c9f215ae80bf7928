//go:build e2e

package deployment_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
)

// These tests run the functions' programs on this machine, each under its own service account, and their jobs on a real
// cluster; see the tests of lib/runner/kube for its requirements. In place of Bakta they use an image of the stand-in, which
// testdata/tool.sh controls by the strain of a job.
var (
	stagerImage = fromEnv("E2E_STAGER_IMAGE", "dev.local/stager:e2e")
	toolImage   = fromEnv("E2E_TOOL_IMAGE", "dev.local/tool:e2e")
	hostAddress = fromEnv("E2E_HOST_ADDRESS", "10.200.0.2")
)

// TestClusterJobs runs jobs from the API to their files, with each kind of end.
func TestClusterJobs(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 40s, PendingTimeout: 1h}`)
	rows := map[string]struct {
		strain string
		during func(*backend, ref)
		status string
		reason []string // what it has to say
		log    string   // what its log has to hold
	}{
		"succeeds":                {strain: "fine", status: "SUCCESSFUL", log: "Annotation successfully finished"},
		"a value like a variable": {strain: "$(AWS_SECRET_ACCESS_KEY)", status: "SUCCESSFUL", log: "$(AWS_SECRET_ACCESS_KEY)"},
		"a value like a shell's":  {strain: "$HOME `id`", status: "SUCCESSFUL", log: "$HOME `id`"},
		"refused by Bakta":        {strain: "fail-error", status: "ERROR", reason: []string{"played failure!"}, log: "ERROR: played failure!"},
		"out of memory":           {strain: "fail-oom", status: "ERROR", reason: []string{"memory", "128Mi"}, log: "Bakta Command: "},
		"killed":                  {strain: "fail-kill", status: "ERROR", reason: []string{"SIGKILL"}, log: "Bakta Command: "},
		"out of time": {strain: "fail-hang", status: "ERROR", reason: []string{"longer than its limit of 40s"},
			log: "Bakta Command: "},
		"leaves no result": {strain: "fail-partial", status: "ERROR", reason: []string{"json"}, log: "Annotation successfully finished"},
		"its pod is killed": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			must(b.TB, b.pods.Delete(b.Context(), b.pod(r).Name, metav1.DeleteOptions{}))
		}},
		"its pod is evicted": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			p := b.pod(r)
			must(b.TB, b.pods.EvictV1(b.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: b.namespace}}))
		}},
		"its Job is deleted": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			b.pod(r)
			must(b.TB, b.jobs.Delete(b.Context(), job.ObjectName(r.ID, 1), metav1.DeleteOptions{}))
		}},
		"its Job is deleted with its pod": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			b.pod(r)
			how := metav1.DeletePropagationForeground
			must(b.TB, b.jobs.Delete(b.Context(), job.ObjectName(r.ID, 1), metav1.DeleteOptions{PropagationPolicy: &how}))
		}},
		"its Job is torn away": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			b.pod(r)
			name := job.ObjectName(r.ID, 1)
			must(
				b.TB,
				b.jobs.Delete(b.Context(), name, metav1.DeleteOptions{}),
				err1(
					b.jobs.Patch(b.Context(), name, "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}),
				),
			)
		}},
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := *b
			b.TB = t
			r := b.startJob(row.strain)
			if row.during != nil {
				row.during(&b, r)
			}
			status, reason := b.end(r)
			if status != row.status {
				t.Fatalf("it ended as %s (%s)", status, reason)
			}
			for _, part := range row.reason {
				if !strings.Contains(reason, part) {
					t.Errorf("the reason is %q, without %q", reason, part)
				}
			}
			if text := b.logs(r); !strings.Contains(text, row.log) {
				t.Errorf("the log lacks %q:\n%s", row.log, text)
			}
			b.wait("the release of its Jobs", func() bool {
				list, err := b.jobs.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
				must(t, err)
				return !slices.ContainsFunc(list.Items, func(j batchv1.Job) bool { return len(j.Finalizers) > 0 })
			})
		})
	}
}

// TestClusterBakta annotates a genome with the real Bakta.
func TestClusterBakta(t *testing.T) {
	t.Parallel()
	image, path := os.Getenv("E2E_BAKTA_IMAGE"), os.Getenv("E2E_BAKTA_GENOME")
	if image == "" || path == "" || os.Getenv("E2E_BAKTA_DATABASE") == "" {
		t.Skip("NOT TESTED: the real Bakta in a pod. `make bakta` sets it up.")
	}
	genome, err := os.ReadFile(path)
	must(t, err)
	b := newBackend(t, `
Job: {CPU: {Request: 100m, Limit: 1}, Memory: {Request: 256Mi, Limit: 2Gi}, Disk: {Request: 1Mi, Limit: 1Gi}}
JobCommand: [bakta]
JobContainer: `+image)
	r := b.createWith(string(genome))
	config := map[string]any{"minContigLength": 1000, "genus": "Escherichia", "species": "coli O157:H7"}
	if status, answer := b.call("submit", http.MethodPost, "/job/start", map[string]any{"job": r, "config": config}); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	status, reason := b.end(r)
	if log := b.logs(
		r,
	); status != "SUCCESSFUL" || !strings.HasPrefix(log, "Bakta Command: bakta ") ||
		!strings.Contains(log, "Annotation successfully finished") {
		t.Errorf("it ended as %s: %s\n%s", status, reason, log)
	}
}

// TestClusterJobsThatNeverRun: jobs whose pods can't start end all the same.
func TestClusterJobsThatNeverRun(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ config, reason string }{
		"no node":                 {small + `PendingTimeout: 5s, NodeSelector: [no=node]}`, "affinity/selector"},
		"no image":                {small + "ImageTimeout: 5s}\nStagerContainer: 127.0.0.1:1/none:1", "127.0.0.1:1/none:1"},
		"no image of the program": {small + "ImageTimeout: 5s}\nJobCommand: [bakta]\nJobContainer: 127.0.0.1:1/none:1", "127.0.0.1:1/none:1"},
		"no secret":               {small + "ImageTimeout: 5s}", "CreateContainerConfigError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, row.config)
			if name == "no secret" {
				must(t, b.core.Secrets(b.namespace).Delete(t.Context(), "s3", metav1.DeleteOptions{}))
			}
			r := b.startJob("fine")
			status, reason := b.end(r)
			if status != "ERROR" || !strings.Contains(reason, row.reason) {
				t.Errorf("it ended as %s: %s", status, reason)
			}
			b.wait("the end of its pods", func() bool {
				list, err := b.pods.List(t.Context(), metav1.ListOptions{LabelSelector: kube.Selector})
				must(t, err)
				return len(list.Items) == 0
			})
		})
	}
}

// TestClusterDiskFull runs a job that exceeds its limit of disk space. The kubelet measures the usage once a minute. The job
// ends after the first pod, although its Kubernetes Job allows retries.
func TestClusterDiskFull(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m, Retries: 2}`)
	r := b.startJob("disk-full")
	status, reason := b.end(r)
	if status != "ERROR" || !strings.Contains(reason, "disk space") || !strings.Contains(reason, "100Mi") {
		t.Errorf("it ended as %s: %s", status, reason)
	}
	// On a busy node, the kubelet has removed the evicted pod's containers before their log is read.
	if text := b.logs(r); !strings.HasPrefix(text, "Bakta Command: ") && !strings.HasPrefix(text, "The job needed more disk space") {
		t.Errorf("its log: %q", text)
	}
	b.wait("the end of its Job and pods", func() bool {
		jobs, err := b.jobs.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		pods, err := b.pods.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		return len(jobs.Items) == 0 && len(pods.Items) == 0
	})
}

// TestClusterDelete deletes a running job: its pod ends, and none of its objects and files remain.
func TestClusterDelete(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	r := b.startJob("fail-hang")
	b.pod(r)
	b.wait("its being seen to run", func() bool { return b.status(r) == "RUNNING" })
	if code, answer := b.call("expire", http.MethodDelete, "/delete?jobID="+r.ID+"&secret="+r.Secret, nil); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	if code, answer := b.call("expire", http.MethodDelete, "/delete?jobID="+r.ID+"&secret="+r.Secret, nil); code != http.StatusNotFound {
		t.Errorf("again: %d %v", code, answer)
	}
	b.wait("the end of its Job and pods", func() bool {
		jobs, err := b.jobs.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		pods, err := b.pods.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		return len(jobs.Items) == 0 && len(pods.Items) == 0
	})
	b.wait("the end of its files", func() bool {
		client, err := b.bucket.Client()
		must(t, err)
		for o := range client.ListObjects(t.Context(), b.bucket.Bucket, minio.ListObjectsOptions{Recursive: true}) {
			must(t, o.Err)
			return false
		}
		return true
	})
}

// TestClusterFollow follows a job's log as clients do, by the number of bytes that they have, from before its pod runs
// until after its end, when the log comes from the bucket. It gets every byte once.
func TestClusterFollow(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	for strain, end := range map[string]string{"slow": "SUCCESSFUL", "fail-error": "ERROR"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			b := *b
			b.TB = t
			r := b.startJob(strain)
			var got strings.Builder
			pieces, live := 0, false
			for ended := false; !ended; {
				// The state is read before the log: the log that is read after the end is complete.
				status := b.status(r)
				ended = status == end
				if !ended && status != "INIT" && status != "RUNNING" {
					t.Fatalf("it is %s", status)
				}
				code, answer := b.call("status", http.MethodGet, fmt.Sprintf("/job/logs?jobID=%s&secret=%s&offset=%d", r.ID, r.Secret, got.Len()), nil)
				if code != http.StatusOK {
					t.Fatalf("%d %v", code, answer)
				}
				if piece, _ := answer["text"].(string); piece != "" {
					got.WriteString(piece)
					pieces++
					live = live || !ended
				}
				if !ended {
					time.Sleep(50 * time.Millisecond) // how often a client asks
				}
			}
			if all := b.logs(r); got.String() != all {
				t.Errorf("followed:\n%s\n\nnot followed:\n%s", got.String(), all)
			}
			if end == "SUCCESSFUL" && (pieces < 3 || !live) {
				t.Errorf("it came in %d pieces, live: %t", pieces, live)
			}
			for _, line := range []string{"Bakta Command: ", "Parse genome sequences"} {
				if n := strings.Count(got.String(), line); n != 1 {
					t.Errorf("%q stands there %d times:\n%s", line, n, got.String())
				}
			}
		})
	}
}

// TestClusterDrain drains the node of a running job, as an operator does. The job continues when a node is available again,
// and the drain counts neither as a failure nor as a run. No other test runs meanwhile: the cluster has one node.
func TestClusterDrain(t *testing.T) {
	b := newBackend(t, small+`Deadline: 10m, Retries: 0}`)
	r := b.startJob("slow")
	p := b.pod(r)
	b.wait("its being seen to run", func() bool { return b.status(r) == "RUNNING" })
	kubectl := func(args ...string) {
		t.Helper()
		// The context of a test has ended when its cleanup runs.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput(); err != nil {
			t.Errorf("kubectl %v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { kubectl("uncordon", p.Spec.NodeName) })
	kubectl("drain", p.Spec.NodeName, "--pod-selector="+kube.Selector, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=3m")
	b.wait("a new pod that no machine takes", func() bool {
		list, err := b.pods.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		must(t, err)
		return slices.ContainsFunc(list.Items, func(other corev1.Pod) bool {
			return other.Name != p.Name && slices.ContainsFunc(other.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
			})
		})
	})
	if status := b.status(r); status != "RUNNING" {
		t.Errorf("meanwhile it is %s", status)
	}
	kubectl("uncordon", p.Spec.NodeName)
	if status, reason := b.end(r); status != "SUCCESSFUL" {
		t.Errorf("it ended as %s: %s", status, reason)
	}
	list, err := b.jobs.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
	must(t, err)
	if len(list.Items) != 1 || list.Items[0].Name != job.ObjectName(r.ID, 1) || list.Items[0].Status.Failed != 0 {
		t.Errorf("its Jobs: %+v", list.Items)
	}
}
