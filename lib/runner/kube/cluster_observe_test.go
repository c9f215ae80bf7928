//go:build e2e

package kube

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestClusterObserve creates each of the situations that observe distinguishes, and waits until it is observed. With -update
// it stores what the cluster returned.
func TestClusterObserve(t *testing.T) {
	situations := map[string]func(c *cluster, o Options) (*Runner, job.Job){
		"pod not allowed": func(c *cluster, o Options) (*Runner, job.Job) {
			quota := &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "none"},
				Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
			}
			if _, err := c.core.ResourceQuotas(c.namespace).Create(c.Context(), quota, metav1.CreateOptions{}); err != nil {
				c.Fatal(err)
			}
			return c.launch(o, fine, result)
		},
		"unschedulable": func(c *cluster, o Options) (*Runner, job.Job) {
			o.NodeSelector = map[string]string{"no": "node"}
			return c.launch(o, fine, result)
		},
		"claim missing": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Programs = map[string]Program{
				"first_stage":  {Image: shellImage, Database: Database{Claim: "none", Path: "/databases/none"}},
				"second_stage": {Image: shellImage},
			}
			return c.launch(o, fine, result)
		},
		"image missing": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Programs = map[string]Program{"first_stage": {Image: "127.0.0.1:1/none:1"}, "second_stage": {Image: shellImage}}
			return c.launch(o, fine, result)
		},
		"image name invalid": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Programs = map[string]Program{"first_stage": {Image: "No Image"}, "second_stage": {Image: shellImage}}
			return c.launch(o, fine, result)
		},
		"secret missing": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Storage.Secret = "none"
			return c.launch(o, fine, result)
		},
		"suspended": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Queue = "annotation"
			return c.launch(o, fine, result)
		},
		"stage-in runs": func(c *cluster, o Options) (*Runner, job.Job) {
			c.gate.shut.Store(true)
			return c.launch(o, fine, result)
		},
		"first stage runs": func(c *cluster, o Options) (*Runner, job.Job) {
			return c.launch(o, hang, result)
		},
		"second stage runs": func(c *cluster, o Options) (*Runner, job.Job) {
			return c.launch(o, fine, hang)
		},
		"stage-out runs": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, fine, "sleep 2; "+result)
			c.awaitPhase(r, j, job.Active)
			c.gate.shut.Store(true) // it can't store anything
			return r, j
		},
		"completed": func(c *cluster, o Options) (*Runner, job.Job) { return c.launch(o, fine, result) },
		"refused": func(c *cluster, o Options) (*Runner, job.Job) {
			return c.launch(o, "echo ERROR: no genome >&2; exit 1", result)
		},
		"stage took too long": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Deadline = 2 * time.Second
			return c.launch(o, hang, result)
		},
		"pod deleted, tried again": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, hang, result)
			c.deletePod(c.awaitPhase(r, j, job.Active))
			return r, j
		},
		"pod deleted once too often": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Retries = 0
			r, j := c.launchChanged(o, func(object *batchv1.Job) { // as earlier versions made it: a stopped stager counts
				policy := object.Spec.PodFailurePolicy
				policy.Rules = slices.DeleteFunc(policy.Rules, func(rule batchv1.PodFailurePolicyRule) bool {
					return rule.Action == batchv1.PodFailurePolicyActionIgnore && rule.OnExitCodes != nil
				})
			}, hang, result)
			c.deletePod(c.awaitPhase(r, j, job.Active))
			return r, j
		},
		"out of memory": func(c *cluster, o Options) (*Runner, job.Job) {
			return c.launch(o, "tail /dev/zero", result)
		},
		"killed with its stager": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, hang, result)
			c.killContainer(c.awaitPhase(r, j, job.Active))
			return r, j
		},
		"deadline while a stage ran": func(c *cluster, o Options) (*Runner, job.Job) {
			// Long enough for a busy node to begin the stage.
			return c.launchChanged(o, func(object *batchv1.Job) { object.Spec.ActiveDeadlineSeconds = ptr[int64](20) }, hang, result)
		},
		"evicted, runs again": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, hang, result)
			s := c.awaitPhase(r, j, job.Active)
			c.evict(s)
			c.await(r, j, "the end of the evicted pod", func(now capture) bool { return over(&now.Pods[0]) || len(now.Pods) > 1 })
			return r, j
		},
		"disk full": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Disk.Limit, o.Retries = "5Mi", 0
			return c.launch(o, "dd if=/dev/zero of=$TMPDIR/x bs=1M count=20; sleep 3600", result)
		},
		"disk full, tried again": func(c *cluster, o Options) (*Runner, job.Job) {
			o.Disk.Limit = "5Mi"
			r, j := c.launch(o, "dd if=/dev/zero of=$TMPDIR/x bs=1M count=20; sleep 3600", result)
			// An eviction for a full volume leaves a second to end. On a busy node, the stager is killed before it has ended; then the
			// Job fails at once, for the same reason.
			c.await(r, j, "another pod", func(s capture) bool { return len(s.Pods) > 1 || s.Job.Status.Failed > 0 && s.Job.Status.Active == 0 })
			return r, j
		},
		"deleted while it runs": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, hang, result)
			c.deleteJob(c.awaitPhase(r, j, job.Active), metav1.DeletePropagationBackground)
			return r, j
		},
		"deleted with its pods": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, hang, result)
			c.deleteJob(c.awaitPhase(r, j, job.Active), metav1.DeletePropagationForeground)
			return r, j
		},
		"deleted while it ran to its end": func(c *cluster, o Options) (*Runner, job.Job) {
			r, j := c.launch(o, "sleep 2", result)
			c.deleteJob(c.awaitPhase(r, j, job.Active), metav1.DeletePropagationBackground)
			return r, j
		},
	}
	for name, want := range observations {
		if name == "node gone" {
			continue // see TestClusterNodeGone
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bring, known := situations[name]
			if !known {
				t.Fatal("no function creates this situation")
			}
			c := newCluster(t)
			r, j := bring(c, c.options)
			same := func(s capture) bool {
				return cmp.Equal(want, observe(s.Job, s.Pods, s.Now), sinceIgnored(), cmpopts.EquateEmpty())
			}
			s := c.await(r, j, name, same)
			if *update {
				c.write(name, s)
			}
		})
	}
}

// launch launches a job of two shell scripts.
func (c *cluster) launch(o Options, first, second string) (*Runner, job.Job) {
	c.Helper()
	o.Specs = shell(first, second)
	r, j := c.runner(o), c.newJob()
	if _, err := r.Launch(c.Context(), j); err != nil {
		c.Fatal(err)
	}
	return r, j
}

// launchChanged launches a job whose Job is changed before its creation.
func (c *cluster) launchChanged(o Options, change func(*batchv1.Job), first, second string) (*Runner, job.Job) {
	c.Helper()
	o.Specs = shell(first, second)
	r, j := c.runner(o), c.newJob()
	object, err := r.Object(j)
	if err != nil {
		c.Fatal(err)
	}
	change(object)
	if _, err := r.jobs.Create(c.Context(), object, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
	return r, j
}

func (c *cluster) deleteJob(s capture, how metav1.DeletionPropagation) {
	c.Helper()
	if err := c.runner(c.options).jobs.Delete(c.Context(), s.Job.Name, metav1.DeleteOptions{PropagationPolicy: &how}); err != nil {
		c.Fatal(err)
	}
}

// evict does what draining a node does.
func (c *cluster) evict(s capture) {
	c.Helper()
	for _, p := range s.Pods {
		e := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: c.namespace}}
		if err := c.core.Pods(c.namespace).EvictV1(c.Context(), e); err != nil {
			c.Fatal(err)
		}
	}
}

// killContainer kills all processes in the container of the first stage, as the kernel does when the memory limit of a container
// counts for all of its processes together.
func (c *cluster) killContainer(s capture) {
	c.Helper()
	id := strings.TrimPrefix(containerStatus(&s.Pods[0], "first-stage").ContainerID, "containerd://")
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		c.Fatal(err)
	}
	killed := 0
	for _, path := range groups {
		group, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(group), id) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			c.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
			killed++
		}
	}
	if killed == 0 {
		c.Fatalf("no process of the container %s", id)
	}
}

func (c *cluster) deletePod(s capture) {
	c.Helper()
	for _, p := range s.Pods {
		if err := c.core.Pods(c.namespace).Delete(c.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
			c.Fatal(err)
		}
	}
}
