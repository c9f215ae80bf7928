package kube

import (
	"context"
	"errors"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// heldPage is how many Jobs are read at once. Each has some 10 KB.
const heldPage = 200

// Held finds the Jobs that still have the finalizer. Usually there are none: an outcome is recorded within seconds.
func (r *Runner) Held(ctx context.Context, before time.Time, visit func(id string) error) error {
	return r.held(ctx, before, heldPage, visit)
}

func (r *Runner) held(ctx context.Context, before time.Time, page int64, visit func(id string) error) error {
	next := ""
	for {
		call, cancel := context.WithTimeout(ctx, apiserver.CallTime)
		list, err := r.jobs.List(call, metav1.ListOptions{LabelSelector: Selector, Limit: page, Continue: next})
		cancel()
		if err != nil {
			return apiserver.Unavailable(err, "listing Jobs")
		}
		for i := range list.Items {
			at, over := overSince(&list.Items[i])
			if !over || at.After(before) || !slices.Contains(list.Items[i].Finalizers, finalizer) {
				continue
			}
			id, err := job.ParseID(list.Items[i].Labels[jobLabel])
			if err != nil {
				continue // another program's Job, with labels like ours
			}
			if err := visit(id); err != nil {
				return err
			}
		}
		if next = list.Continue; next == "" {
			return nil
		}
	}
}

// Forget removes the finalizer of the Jobs of a job that does not exist any more. It deletes nothing, and does not touch a
// Job that still runs or waits: such a Job ends by its deadline. It costs one small read for each run that a job may
// have.
func (r *Runner) Forget(ctx context.Context, id string) error {
	var failures []error
	for run := 1; run <= job.MaxRuns; run++ {
		object, err := r.get(ctx, job.Job{ID: id, Run: run})
		if job.Is(err, job.NotFound) {
			continue
		}
		if err == nil {
			if _, over := overSince(object); over {
				err = r.release(ctx, object)
			}
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// overSince returns since when a Job has ended or, after a deletion or its JobTTL, is being deleted.
func overSince(object *batchv1.Job) (time.Time, bool) {
	v := view{run: object}
	if c := v.condition(batchv1.JobComplete, batchv1.JobFailed); c != nil {
		return c.LastTransitionTime.Time, true
	}
	if object.DeletionTimestamp != nil {
		return object.DeletionTimestamp.Time, true
	}
	return time.Time{}, false
}
