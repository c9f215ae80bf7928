//go:build e2e

package kube

import (
	"context"
	"errors"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcluster"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// TestClusterGrants runs what each function calls under the function's own service account, and sees that
// everything else is denied.
func TestClusterGrants(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	accounts := testcluster.Grant(t, apiserver.Tuned(c.config), c.namespace)
	c.options.Specs = shell(hang, result)

	type call struct {
		name string
		do   func(context.Context, *Runner, job.Job) error
	}
	launch := call{"launch", func(ctx context.Context, r *Runner, j job.Job) error {
		_, err := r.Launch(ctx, j)
		return err
	}}
	observe := call{"observe", func(ctx context.Context, r *Runner, j job.Job) error {
		_, err := r.Observe(ctx, j)
		return err
	}}
	log := call{"log", func(ctx context.Context, r *Runner, j job.Job) error {
		log, err := r.Log(ctx, j, "first_stage")
		if err == nil {
			err = log.Close()
		}
		return err
	}}
	release := call{"release", func(ctx context.Context, r *Runner, j job.Job) error { return r.Release(ctx, j) }}
	forget := call{"forget", func(ctx context.Context, r *Runner, j job.Job) error {
		return errors.Join(r.Held(ctx, time.Now(), func(string) error { return nil }), r.Forget(ctx, j.ID))
	}}
	discard := call{"discard", func(ctx context.Context, r *Runner, j job.Job) error { return r.Discard(ctx, j) }}
	stopAll := call{"stop", func(ctx context.Context, r *Runner, j job.Job) error {
		return stop(ctx, r, j.ID)
	}}
	all := []call{launch, observe, log, release, forget, discard, stopAll}
	granted := map[string][]call{
		"submit":    {launch, observe, release, forget, discard, stopAll},
		"status":    {log},
		"expire":    all,
		"jobupdate": all,
		"events":    {observe}, // it watches, too
		"setup":     nil,
		"bakta-job": nil,
	}
	for account, mine := range granted {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			config := accounts.Config(t, account)
			admin := c.runner(c.options)
			r, err := New(config, c.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range all {
				j := c.newJob()
				if call.name != "launch" {
					if _, err := admin.Launch(t.Context(), j); err != nil {
						t.Fatal(err)
					}
				}
				if call.name == "forget" { // there is nothing to do for a Job that goes on
					c.deleteJob(c.state(admin, j), metav1.DeletePropagationBackground)
				}
				if call.name == "log" {
					c.awaitPhase(admin, j, job.Active)
				}
				allowed := false
				for _, m := range mine {
					allowed = allowed || m.name == call.name
				}
				err := call.do(t.Context(), r, j)
				if allowed && err != nil {
					t.Errorf("%s: %v", call.name, err)
				}
				if !allowed && !apierrors.IsForbidden(err) {
					t.Errorf("%s is not denied: %v", call.name, err)
				}
				if err := admin.Discard(t.Context(), j); err != nil {
					t.Fatal(err)
				}
			}
			for name, err := range c.others(t.Context(), config) {
				if !apierrors.IsForbidden(err) {
					t.Errorf("%s is not denied: %v", name, err)
				}
			}
		})
	}
}

// others tries what no function has to do.
func (c *cluster) others(ctx context.Context, config *rest.Config) map[string]error {
	c.Helper()
	core, err := coreclient.NewForConfig(config)
	if err != nil {
		c.Fatal(err)
	}
	batch, err := batchclient.NewForConfig(config)
	if err != nil {
		c.Fatal(err)
	}
	denied := make(map[string]error)
	try := func(name string, err error) { denied[name] = err }
	ns := c.namespace
	_, err = core.Secrets(ns).Get(ctx, "s3", metav1.GetOptions{})
	try("reading a secret", err)
	_, err = core.Secrets(ns).List(ctx, metav1.ListOptions{})
	try("listing secrets", err)
	_, err = core.ConfigMaps(ns).List(ctx, metav1.ListOptions{})
	try("listing config maps", err)
	_, err = core.Pods(ns).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	try("making a pod", err)
	try("deleting a pod", core.Pods(ns).Delete(ctx, "x", metav1.DeleteOptions{}))
	try("deleting all pods", core.Pods(ns).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	_, err = core.Pods(ns).Patch(ctx, "x", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
	try("changing a pod", err)
	try("running something in a pod", core.RESTClient().Post().Namespace(ns).Resource("pods").Name("x").SubResource("exec").Do(ctx).Error())
	try("attaching to a pod", core.RESTClient().Post().Namespace(ns).Resource("pods").Name("x").SubResource("attach").Do(ctx).Error())
	try(
		"forwarding a port of a pod",
		core.RESTClient().Post().Namespace(ns).Resource("pods").Name("x").SubResource("portforward").Do(ctx).Error(),
	)
	_, err = core.ServiceAccounts(ns).CreateToken(ctx, "expire", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	try("impersonating another user", err)
	_, err = core.PersistentVolumeClaims(ns).List(ctx, metav1.ListOptions{})
	try("listing volume claims", err)
	_, err = core.Nodes().List(ctx, metav1.ListOptions{})
	try("listing nodes", err)
	_, err = core.Pods("kube-system").List(ctx, metav1.ListOptions{})
	try("listing another namespace's pods", err)
	_, err = batch.Jobs("default").Create(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	try("making a Job in another namespace", err)
	_, err = batch.Jobs(ns).Update(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.UpdateOptions{})
	try("replacing a Job", err)
	try("deleting all Jobs", batch.Jobs(ns).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	_, err = batch.CronJobs(ns).List(ctx, metav1.ListOptions{})
	try("listing cron jobs", err)
	return denied
}
