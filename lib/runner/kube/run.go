package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// callTime is how long the API server has to answer a call.
const callTime = 15 * time.Second

// Launch makes the Job of the run. A Job that stands there already is this run's, made by a call before this
// one that was killed before it could record it: its name can only be this run's, and its labels are checked
// all the same.
func (r *Runner) Launch(ctx context.Context, j job.Job) (string, error) {
	object, err := r.Object(j)
	if err != nil {
		return "", err
	}
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err = r.jobs.Create(call, object, metav1.CreateOptions{})
	if err == nil {
		return object.Name, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		// The Job may have been made and the answer lost. The next call finds it.
		return "", unavailable(err, "making the Job %s", object.Name)
	}
	there, err := r.jobs.Get(call, object.Name, metav1.GetOptions{})
	switch {
	case err != nil: // also if it is gone by now: the next call makes it
		return "", unavailable(err, "reading the Job %s, which exists", object.Name)
	case !ours(there, j):
		return "", unavailable(errors.New("its labels are not ours"), "the name %s is taken by a Job of somebody else", object.Name)
	}
	// It may be on its way out: made, and deleted by somebody before its launch was recorded. Its pod may still
	// run, so it must not be created again under the same name. It was launched, and who observes it finds that it
	// was interrupted.
	return there.Name, nil
}

// Observe says how the run does.
func (r *Runner) Observe(ctx context.Context, j job.Job) (job.Observation, error) {
	object, err := r.get(ctx, j)
	if job.Is(err, job.NotFound) {
		return observe(nil, nil, r.options.Now()), nil
	}
	if err != nil {
		return job.Observation{}, err
	}
	pods, err := r.list(ctx, labels.Set{jobLabel: object.Labels[jobLabel], runLabel: object.Labels[runLabel]})
	if err != nil {
		return job.Observation{}, err
	}
	return observe(object, pods, r.options.Now()), nil
}

// get returns the Job of the run, or a job.NotFound error.
func (r *Runner) get(ctx context.Context, j job.Job) (*batchv1.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	name := job.ObjectName(j.ID, j.Run)
	object, err := r.jobs.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && !ours(object, j):
		return nil, job.Errorf(job.NotFound, "there is no Job %s", name)
	case err != nil:
		return nil, unavailable(err, "reading the Job %s", name)
	}
	return object, nil
}

// Release takes the finalizer off the run's Job, so that Kubernetes may remove it when its time has come.
func (r *Runner) Release(ctx context.Context, j job.Job) error {
	object, err := r.get(ctx, j)
	if job.Is(err, job.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.release(ctx, object)
}

// release takes our finalizer off a Job.
func (r *Runner) release(ctx context.Context, object *batchv1.Job) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	for {
		patch, needed := unfinalize(object)
		if !needed {
			return nil
		}
		_, err := r.jobs.Patch(ctx, object.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case !apierrors.IsConflict(err):
			return unavailable(err, "releasing the Job %s", object.Name)
		}
		// Somebody else changed it in between. If it's another object of that name by now, that one is not ours
		// to touch.
		again, err := r.jobs.Get(ctx, object.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && again.UID != object.UID {
			return nil
		}
		if err != nil {
			return unavailable(err, "reading the Job %s", object.Name)
		}
		object = again
	}
}

// unfinalize returns the patch that takes our finalizer, and no other, off a Job, and whether there is any need
// for it. The patch is refused with a conflict if the Job was changed since it was read: a list can only be
// replaced as a whole, and others put their finalizers there, too.
func unfinalize(object *batchv1.Job) ([]byte, bool) {
	others := []string{}
	for _, f := range object.Finalizers {
		if f != finalizer {
			others = append(others, f)
		}
	}
	if len(others) == len(object.Finalizers) {
		return nil, false
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": object.UID, "resourceVersion": object.ResourceVersion, "finalizers": others,
	}})
	return patch, err == nil
}

// Discard deletes the run's Job with its pods. It doesn't wait for their end.
func (r *Runner) Discard(ctx context.Context, j job.Job) error {
	object, err := r.get(ctx, j)
	if job.Is(err, job.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.discard(ctx, object)
}

// discard deletes a Job. Killed between its two steps, the Job stands, marked as deleted, and its pods go on;
// the next call finds it and takes the second step.
func (r *Runner) discard(ctx context.Context, object *batchv1.Job) error {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := r.jobs.Delete(call, object.Name, metav1.DeleteOptions{
		PropagationPolicy: ptr(metav1.DeletePropagationBackground), // the client's default leaves pods running
		Preconditions:     &metav1.Preconditions{UID: &object.UID},
	})
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err): // gone, or another object by now
		return nil
	case err != nil:
		return unavailable(err, "deleting the Job %s", object.Name)
	}
	// The deletion changed it, so the object that was read before can't be patched any more.
	object, err = r.jobs.Get(call, object.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return unavailable(err, "reading the Job %s", object.Name)
	}
	return r.release(ctx, object)
}

// Stop deletes all Jobs of a job, and does not wait for the end of their pods, which get half a minute to end: while
// one of them still runs, the error is job.NotReady. Nil means that no container of the job runs any more, with one
// exception: a node that has not answered for ten minutes may still run one, unnoticed.
func (r *Runner) Stop(ctx context.Context, id string) error {
	if err := r.discardAll(ctx, id); err != nil {
		return err
	}
	pods, err := r.list(ctx, labels.Set{jobLabel: id})
	if err != nil {
		return err
	}
	running := 0
	for i := range pods {
		if !over(&pods[i]) && !lost(&pods[i], r.options.Now()) {
			running++
		}
	}
	if running > 0 {
		return job.Errorf(job.NotReady, "%d pods of job %s still end", running, id)
	}
	return nil
}

// discardAll deletes all Jobs of a job.
func (r *Runner) discardAll(ctx context.Context, id string) error {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	list, err := r.jobs.List(call, metav1.ListOptions{LabelSelector: labels.Set{jobLabel: id}.String()})
	if err != nil {
		return unavailable(err, "listing the Jobs of job %s", id)
	}
	var failures []error
	for i := range list.Items {
		failures = append(failures, r.discard(ctx, &list.Items[i]))
	}
	return errors.Join(failures...)
}

// unavailable returns the error for a call that came to nothing, nil if there was none. Whatever the API server
// says, it may say something else when the cluster or the deployment was repaired, so callers may come again.
func unavailable(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(doing+": %w", append(args, job.Errorf(job.Unavailable, "Kubernetes can't do this at the moment").Because(err))...)
}
