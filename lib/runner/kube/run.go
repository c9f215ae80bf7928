package kube

import (
	"context"
	"encoding/json"
	"errors"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// Launch creates the Job of the run. A Job that exists already was created by an earlier call, which may have been killed
// before its caller recorded it: the name belongs to this run only. Its labels are checked all the same.
func (r *Runner) Launch(ctx context.Context, j job.Job) (string, error) {
	object, err := r.Object(j)
	if err != nil {
		return "", err
	}
	call, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	_, err = r.jobs.Create(call, object, metav1.CreateOptions{})
	if err == nil {
		return object.Name, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		// The Job may have been created and the answer lost. The next call finds it.
		return "", apiserver.Unavailable(err, "creating the Job %s", object.Name)
	}
	there, err := r.jobs.Get(call, object.Name, metav1.GetOptions{})
	switch {
	case err != nil: // also if it was deleted in between: the next call creates it
		return "", apiserver.Unavailable(err, "reading the Job %s, which exists", object.Name)
	case !ours(there, j):
		return "", apiserver.Unavailable(
			errors.New("its labels are not those of this run"),
			"a Job of another program has the name %s",
			object.Name,
		)
	}
	// It may be about to disappear: created, and deleted from outside before its launch was recorded. Its pod may still run, so
	// the Job must not be created again under the same name. It counts as launched, and Observe will report it as interrupted.
	return there.Name, nil
}

// Observe derives the state of the run from its Job and its pods.
func (r *Runner) Observe(ctx context.Context, j job.Job) (job.Observation, error) {
	object, err := r.get(ctx, j)
	if job.Is(err, job.NotFound) {
		return observe(nil, nil, r.options.Now()), nil
	}
	if err != nil {
		return job.Observation{}, err
	}
	var pods []corev1.Pod
	if !podless(object) {
		if pods, err = r.list(ctx, labels.Set{jobLabel: object.Labels[jobLabel], runLabel: object.Labels[runLabel]}); err != nil {
			return job.Observation{}, err
		}
	}
	return observe(object, pods, r.options.Now()), nil
}

// podless reports whether a Job waits in a queue and never had a pod. Thousands may wait, and each of their events is observed.
func podless(object *batchv1.Job) bool {
	s := object.Status
	return object.Spec.Suspend != nil && *object.Spec.Suspend && s.StartTime == nil &&
		s.Active == 0 && s.Failed == 0 && s.Succeeded == 0 && (s.Terminating == nil || *s.Terminating == 0)
}

// get returns the Job of the run, or a job.NotFound error.
func (r *Runner) get(ctx context.Context, j job.Job) (*batchv1.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	name := job.ObjectName(j.ID, j.Run)
	object, err := r.jobs.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apiserver.Absent(err) || err == nil && !ours(object, j):
		return nil, job.Errorf(job.NotFound, "there is no Job %s", name)
	case err != nil:
		return nil, apiserver.Unavailable(err, "reading the Job %s", name)
	}
	return object, nil
}

// Release removes the finalizer from the run's Job, so that Kubernetes deletes the Job after its JobTTL. A Job that was suspended
// between the end of its run and its own end is deleted at once: it would never end, or execute the run again when it is resumed.
func (r *Runner) Release(ctx context.Context, j job.Job) error {
	for {
		object, err := r.get(ctx, j)
		if job.Is(err, job.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, over := overSince(object); !over && suspended(object) {
			return r.discard(ctx, object)
		}
		if released, err := r.tryRelease(ctx, object); released || err != nil {
			return err
		}
		// The Job was changed since it was read: it may have been suspended.
	}
}

// release removes our finalizer from a Job that is deleted or over.
func (r *Runner) release(ctx context.Context, object *batchv1.Job) error {
	for {
		if released, err := r.tryRelease(ctx, object); released || err != nil {
			return err
		}
		// If another object has its name now, that one must not be changed.
		call, cancel := context.WithTimeout(ctx, apiserver.CallTime)
		again, err := r.jobs.Get(call, object.Name, metav1.GetOptions{})
		cancel()
		if apiserver.Absent(err) || err == nil && again.UID != object.UID {
			return nil
		}
		if err != nil {
			return apiserver.Unavailable(err, "reading the Job %s", object.Name)
		}
		object = again
	}
}

// tryRelease removes our finalizer from a Job, as long as the Job is as it was read. It reports false if the Job was changed since.
func (r *Runner) tryRelease(ctx context.Context, object *batchv1.Job) (bool, error) {
	patch, needed := unfinalize(object)
	if !needed {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	_, err := r.jobs.Patch(ctx, object.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	switch {
	case apierrors.IsConflict(err):
		return false, nil
	case err == nil, apiserver.Absent(err):
		return true, nil
	}
	return false, apiserver.Unavailable(err, "releasing the Job %s", object.Name)
}

// unfinalize returns the patch that removes only our finalizer from a Job, and whether that is needed. Kubernetes refuses the
// patch with a conflict if the Job was changed since it was read: the patch replaces the whole list, and other programs
// may add their finalizers to it.
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

// discard deletes a Job. If this process is killed between the two steps, the Job remains, marked as deleted, and its pods
// run on. The next call finds it and takes the second step.
func (r *Runner) discard(ctx context.Context, object *batchv1.Job) error {
	call, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	err := r.jobs.Delete(call, object.Name, metav1.DeleteOptions{
		PropagationPolicy: ptr(metav1.DeletePropagationBackground), // the client's default leaves pods running
		Preconditions:     &metav1.Preconditions{UID: &object.UID},
	})
	switch {
	case apiserver.Absent(err) || apierrors.IsConflict(err): // it was deleted; another object may have its name
		return nil
	case err != nil:
		return apiserver.Unavailable(err, "deleting the Job %s", object.Name)
	}
	// The deletion changed it, so the object that was read before can't be patched any more.
	object, err = r.jobs.Get(call, object.Name, metav1.GetOptions{})
	switch {
	case apiserver.Absent(err):
		return nil
	case err != nil:
		return apiserver.Unavailable(err, "reading the Job %s", object.Name)
	}
	return r.release(ctx, object)
}

// Stop deletes all Jobs of a job, and does not wait for the end of their pods, which have half a minute to end: while one of
// them may still run, the error is job.NotReady. That is so, too, for a pod on a node that does not answer: the node may have lost only
// the API server, so that the pod still stores its results. Kubernetes keeps such a pod until the node answers or its Node object is
// deleted.
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
		if !over(&pods[i]) {
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
	call, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	list, err := r.jobs.List(call, metav1.ListOptions{LabelSelector: labels.Set{jobLabel: id}.String()})
	if err != nil {
		return apiserver.Unavailable(err, "listing the Jobs of job %s", id)
	}
	var failures []error
	for i := range list.Items {
		failures = append(failures, r.discard(ctx, &list.Items[i]))
	}
	return errors.Join(failures...)
}

// list returns the pods with these labels.
func (r *Runner) list(ctx context.Context, set labels.Set) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	list, err := r.pods.List(ctx, metav1.ListOptions{LabelSelector: set.String()})
	if err != nil {
		return nil, apiserver.Unavailable(err, "listing pods")
	}
	return list.Items, nil
}
