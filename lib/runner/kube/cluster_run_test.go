//go:build e2e

package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// killer is the network of a process that is killed at one of its requests: before it sends the request, or after the answer
// and before it reads that. It sends no further requests.
type killer struct {
	next  http.RoundTripper
	at    int64
	sent  bool // the request is carried out before the process dies
	count atomic.Int64
}

var errKilled = errors.New("killed")

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	switch n := k.count.Add(1); {
	case n > k.at || n == k.at && !k.sent:
		return nil, errKilled
	case n == k.at:
		response, err := k.next.RoundTrip(r)
		if err == nil {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		return nil, errKilled
	}
	return k.next.RoundTrip(r)
}

// TestClusterKilledAnywhere kills each call at each of its requests, before and after the request took effect. Repeating the
// call must be enough.
func TestClusterKilledAnywhere(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.options.Specs = shell(hang, result)
	r := c.runner(c.options)
	launched := func(j job.Job) {
		if _, err := r.Launch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	calls := []struct {
		name   string
		before func(job.Job)
		call   func(*Runner, context.Context, job.Job) error
		after  func(job.Job, capture) error
	}{
		{
			name: "launch", before: func(job.Job) {},
			call: func(r *Runner, ctx context.Context, j job.Job) error {
				name, err := r.Launch(ctx, j)
				if err == nil && name != job.ObjectName(j.ID, 1) {
					err = fmt.Errorf("it is called %s", name)
				}
				return err
			},
			after: func(j job.Job, s capture) error {
				if s.Job == nil || len(s.Pods) > 1 {
					return errors.New("there is no Job, or more than one pod")
				}
				return nil
			},
		},
		{
			name: "launch again", before: launched,
			call: func(r *Runner, ctx context.Context, j job.Job) error {
				_, err := r.Launch(ctx, j)
				return err
			},
			after: func(j job.Job, s capture) error { return nil },
		},
		{
			name: "release", before: launched,
			call: func(r *Runner, ctx context.Context, j job.Job) error { return r.Release(ctx, j) },
			after: func(j job.Job, s capture) error {
				if s.Job == nil || s.Job.DeletionTimestamp != nil || len(s.Job.Finalizers) > 0 {
					return fmt.Errorf("the Job is %+v", s.Job)
				}
				return nil
			},
		},
		{
			name: "discard", before: launched,
			call: func(r *Runner, ctx context.Context, j job.Job) error { return r.Discard(ctx, j) },
			after: func(j job.Job, s capture) error {
				if s.Job != nil {
					return fmt.Errorf("the Job is %+v", s.Job)
				}
				return nil
			},
		},
		{
			name: "stop", before: launched,
			call: func(r *Runner, ctx context.Context, j job.Job) error {
				return stop(ctx, r, j.ID)
			},
			after: func(j job.Job, s capture) error {
				for _, p := range s.Pods {
					if !over(&p) {
						return fmt.Errorf("the pod %s runs", p.Name)
					}
				}
				if s.Job != nil {
					return fmt.Errorf("the Job is %+v", s.Job)
				}
				return nil
			},
		},
	}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			for at := int64(1); ; at++ {
				over := false
				for _, sent := range []bool{false, true} {
					j := c.newJob()
					call.before(j)
					k := &killer{at: at, sent: sent}
					config := rest.CopyConfig(c.config)
					config.Wrap(func(next http.RoundTripper) http.RoundTripper { k.next = next; return k })
					doomed, err := New(config, c.options)
					if err != nil {
						t.Fatal(err)
					}
					err = call.call(doomed, t.Context(), j)
					if err == nil {
						over = true // it needs fewer requests
						if k.count.Load() >= at {
							t.Errorf("request %d: killed, and yet it succeeded", at)
						}
					} else if !errors.Is(err, errKilled) || !job.Is(err, job.Unavailable) {
						t.Fatalf("request %d, sent %t: %v", at, sent, err)
					}
					if err := call.call(r, t.Context(), j); err != nil {
						t.Fatalf("request %d, sent %t: again: %v", at, sent, err)
					}
					if err := call.after(j, c.state(r, j)); err != nil {
						t.Errorf("request %d, sent %t: %v", at, sent, err)
					}
					if err := r.Discard(t.Context(), j); err != nil {
						t.Fatal(err)
					}
				}
				if over {
					t.Logf("%d requests", at-1)
					return
				}
			}
		})
	}
}

func TestClusterLaunchMeetsOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.options.Specs = shell(hang, result)
	r := c.runner(c.options)

	t.Run("a Job of another program", func(t *testing.T) {
		j := c.newJob()
		object, err := r.Object(j)
		if err != nil {
			t.Fatal(err)
		}
		object.Labels[jobLabel] = "another"
		object.Spec.Template.Labels[jobLabel] = "another"
		if _, err := r.jobs.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if name, err := r.Launch(t.Context(), j); !job.Is(err, job.Unavailable) {
			t.Errorf("launched as %s, %v", name, err)
		}
		// The other calls find no run, and do not change the Job.
		if seen, err := r.Observe(t.Context(), j); err != nil || seen.Phase != job.Absent {
			t.Errorf("%+v, %v", seen, err)
		}
		if err := errors.Join(r.Release(t.Context(), j), r.Discard(t.Context(), j), stop(t.Context(), r, j.ID)); err != nil {
			t.Error(err)
		}
		there, err := r.jobs.Get(t.Context(), object.Name, metav1.GetOptions{})
		if err != nil || there.DeletionTimestamp != nil || len(there.Finalizers) == 0 {
			t.Errorf("it is %+v, %v", there, err)
		}
	})
	t.Run("its own, on its way out", func(t *testing.T) {
		j := c.newJob()
		if _, err := r.Launch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		before := c.awaitPhase(r, j, job.Active)
		c.deleteJob(before, metav1.DeletePropagationBackground)
		// It is found, and not made again while its pod runs.
		name, err := r.Launch(t.Context(), j)
		if after := c.state(r, j); err != nil || name != before.Job.Name || after.Job.UID != before.Job.UID || len(after.Pods) != 1 {
			t.Errorf("launched as %s, %v:\n%s", name, err, dump(after))
		}
		// When its pod is gone, too, it is reported as interrupted, and the launch of the next run discards it.
		c.deletePod(before)
		s := c.awaitPhase(r, j, job.Ended)
		if seen := observe(s.Job, s.Pods, s.Now); !seen.Interrupted {
			t.Errorf("%+v", seen)
		}
		if name, err := r.Launch(t.Context(), j); err != nil || name != before.Job.Name {
			t.Errorf("launched as %s, %v", name, err)
		}
		if err := r.Discard(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		c.awaitPhase(r, j, job.Absent)
	})
}

// TestClusterForget has Jobs of jobs that do not exist any more. Those that have ended are released, and the others are not
// changed.
func TestClusterForget(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r, complete := c.launch(c.options, fine, result)
	_, failed := c.launch(c.options, "exit 1", result)
	_, running := c.launch(c.options, hang, result)
	_, deleted := c.launch(c.options, hang, result)
	_, first := c.launch(c.options, fine, result)
	second := first
	second.Run = 2
	if _, err := r.Launch(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	over := func(s capture) bool {
		_, over := overSince(s.Job)
		return over
	}
	c.awaitPhase(r, running, job.Active)
	c.deleteJob(c.awaitPhase(r, deleted, job.Active), metav1.DeletePropagationBackground)
	for _, j := range []job.Job{complete, failed, deleted, first, second} {
		c.await(r, j, "its end", over)
	}
	held := func(before time.Time) map[string]bool {
		t.Helper()
		ids := make(map[string]bool)
		err := r.Held(t.Context(), before, func(id string) error { ids[id] = true; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	want := map[string]bool{complete.ID: true, failed.ID: true, deleted.ID: true, second.ID: true}
	if diff := cmp.Diff(want, held(time.Now().Add(time.Minute))); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	pages := make(map[string]bool)
	if err := r.held(t.Context(), time.Now().Add(time.Minute), 1, func(id string) error { pages[id] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Errorf("held, read one by one (-want +got):\n%s", diff)
	}
	for _, j := range []job.Job{complete, failed, deleted, second, running, {ID: uuid.NewString()}} {
		if err := r.Forget(t.Context(), j.ID); err != nil {
			t.Error(err)
		}
	}
	if ids := held(time.Now().Add(time.Minute)); len(ids) != 0 {
		t.Errorf("still held: %v", ids)
	}
	c.awaitPhase(r, deleted, job.Absent)
	if s := c.state(r, complete); s.Job == nil || s.Job.DeletionTimestamp != nil {
		t.Errorf("a complete Job is kept until its TTL, for inspection:\n%s", dump(s))
	}
	s := c.state(r, running)
	if seen := observe(s.Job, s.Pods, s.Now); seen.Phase != job.Active || len(s.Job.Finalizers) != 1 || s.Job.DeletionTimestamp != nil {
		t.Errorf("a running one: %+v\n%s", seen, dump(s))
	}
}

func TestClusterLog(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r, j := c.launch(c.options, "echo from the first; echo and its errors >&2", hang)
	read := func(stage string) string {
		t.Helper()
		log, err := r.Log(t.Context(), j, stage)
		if job.Is(err, job.NotFound) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		text, err := io.ReadAll(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	wait := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(waitTime); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited for %s", what)
			}
		}
	}
	if text := read("second_stage"); text != "" {
		t.Errorf("before it began: %q", text)
	}
	wait("the first stage's log", func() bool {
		text := read("first_stage")
		return strings.HasPrefix(text, "First Command: /bin/sh -c ") && strings.Contains(text, "from the first\n") &&
			strings.Contains(text, "and its errors\n")
	})
	wait("the live log of the second stage", func() bool {
		return strings.HasPrefix(read("second_stage"), "Second Command: ") && strings.HasSuffix(read("second_stage"), "begun\n")
	})
	// The pod is killed before stage-out. Its log is there until the log of the next pod replaces it.
	s := c.state(r, j)
	c.deletePod(s)
	c.await(r, j, "another pod's first stage", func(now capture) bool {
		return slices.ContainsFunc(now.Pods, func(p corev1.Pod) bool {
			stage := containerStatus(&p, "first-stage")
			return p.Name != s.Pods[0].Name && stage != nil && (stage.State.Running != nil || stage.State.Terminated != nil)
		})
	})
	wait("the new pod's log", func() bool { return strings.HasSuffix(read("second_stage"), "begun\n") })
	if text := read("no_such_stage"); text != "" {
		t.Errorf("an unknown stage: %q", text)
	}
	if err := stop(t.Context(), r, j.ID); err != nil {
		t.Fatal(err)
	}
	wait("the end of the log", func() bool { return read("first_stage") == "" })
}

// TestClusterKeepsTheEnd checks that a Job that has ended and expired exists until it is released.
func TestClusterKeepsTheEnd(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.options.JobTTL = 0
	r, j := c.launch(c.options, fine, result)
	// Kubernetes wants to remove it as soon as it is complete.
	c.await(r, j, "a complete Job on its way out", func(s capture) bool {
		return s.Job != nil && s.Job.DeletionTimestamp != nil && s.Job.Status.CompletionTime != nil
	})
	if seen, err := r.Observe(t.Context(), j); err != nil || seen.Phase != job.Ended {
		t.Errorf("%+v, %v", seen, err)
	}
	for range 2 {
		if err := r.Release(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	c.awaitPhase(r, j, job.Absent)
	content, err := c.files.Get(t.Context(), job.ManifestKey(j.ID, j.Run), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	m, err := stage.ReadManifest(content)
	if err != nil || m.Outcome != stage.Succeeded {
		t.Errorf("%+v, %v", m, err)
	}
}

// stop stops a job and waits for the end of its pods.
func stop(ctx context.Context, r *Runner, id string) error {
	for {
		err := r.Stop(ctx, id)
		if !job.Is(err, job.NotReady) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestClusterNodeGone stops the kubelet, which is which looks like a lost node from outside.
func TestClusterNodeGone(t *testing.T) {
	c := newCluster(t)
	r, j := c.launch(c.options, hang, result)
	s := c.awaitPhase(r, j, job.Active)
	kubelet := processOf(t, "kubelet")
	if err := syscall.Kill(kubelet, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(kubelet, syscall.SIGCONT)
	c.evict(s)
	s = c.await(r, j, "the pod's deletion", func(s capture) bool { return s.Pods[0].DeletionTimestamp != nil })
	if seen := observe(s.Job, s.Pods, s.Now); seen.Phase != job.Active {
		t.Errorf("at first: %+v", seen)
	}
	s.Now = s.Pods[0].DeletionTimestamp.Add(lostAfter + time.Second)
	if *update {
		c.write("node gone", s)
	}
	if seen := observe(s.Job, s.Pods, s.Now); seen.Phase != job.Ended || !seen.Interrupted {
		t.Errorf("at last: %+v", seen)
	}
	// The pod may run on, and store results. It is not over before its node says so.
	c.options.Now = func() time.Time { return s.Now }
	r = c.runner(c.options)
	if err := r.Stop(t.Context(), j.ID); !job.Is(err, job.NotReady) {
		t.Errorf("stopped while its node does not answer: %v", err)
	}
	if err := syscall.Kill(kubelet, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.await(r, j, "the end of the pod", func(s capture) bool { return len(s.Pods) == 0 })
	if err := r.Stop(t.Context(), j.ID); err != nil {
		t.Error(err)
	}
}

// processOf returns the process of that name in this network namespace.
func processOf(t *testing.T, name string) int {
	t.Helper()
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		comm, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue
		}
		dir := filepath.Dir(path)
		if there, err := os.Readlink(filepath.Join(dir, "ns/net")); err == nil && there == here {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no process %s", name)
	return 0
}
