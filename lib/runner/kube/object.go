package kube

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/podlog"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

// Labels, annotations and the finalizer. Jobs and their pods have the labels.
const (
	domain        = "bakta.computational.bio"
	jobLabel      = podlog.JobLabel
	runLabel      = podlog.RunLabel
	workflowLabel = domain + "/workflow"
	callerLabel   = domain + "/caller" // key of who started the job, where callers have limits

	// Selector finds all Jobs and pods of this backend.
	Selector = "app.kubernetes.io/part-of=bakta-web,app.kubernetes.io/component=job"

	// stagesAnnotation holds the names of the run's stages, in the order of their containers. The names of containers differ:
	// they have no underscores.
	stagesAnnotation = domain + "/stages"

	// finalizer keeps a Job until its outcome is stored, even if it is deleted from outside. A deletion in the background keeps
	// the pods as well. After the Job's TTL, Kubernetes deletes in the foreground: the pods first.
	finalizer = domain + "/outcome"

	// traceAnnotation holds the W3C trace context of the call that started the job, if that was traced.
	traceAnnotation = domain + "/traceparent"

	queueLabel = "kueue.x-k8s.io/queue-name"
)

// Object returns the Job of a job's run. It depends only on the options and on j, and is identical byte by byte each time. It
// contains no secret, and no presigned link.
func (r *Runner) Object(j job.Job) (*batchv1.Job, error) {
	spec, err := r.options.Specs(j, RunDir)
	if err != nil {
		return nil, fmt.Errorf("specifying run %d of job %s: %w", j.Run, j.ID, err)
	}
	if spec.Job != j.ID || spec.Run != j.Run || spec.Dir != RunDir {
		return nil, fmt.Errorf("the spec is of run %d of job %s in %s, not of run %d of job %s in %s",
			spec.Run, spec.Job, spec.Dir, j.Run, j.ID, RunDir)
	}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	pod, err := r.pod(spec)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{
		"app.kubernetes.io/name":       "bakta-web-job",
		"app.kubernetes.io/part-of":    "bakta-web",
		"app.kubernetes.io/component":  "job",
		"app.kubernetes.io/managed-by": "bakta-web-backend",
		jobLabel:                       j.ID,
		runLabel:                       strconv.Itoa(j.Run),
		workflowLabel:                  j.Workflow,
	}
	if j.Start != nil && j.Start.Caller != "" {
		labels[callerLabel] = j.Start.Caller
	}
	var names []string
	for _, c := range spec.Stages {
		names = append(names, c.Stage)
	}
	object := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:        job.ObjectName(j.ID, j.Run),
			Namespace:   r.options.Namespace,
			Labels:      maps.Clone(labels),
			Annotations: map[string]string{stagesAnnotation: strings.Join(names, ",")},
			Finalizers:  []string{finalizer},
		},
		Spec: batchv1.JobSpec{
			Parallelism:  ptr[int32](1),
			Completions:  ptr[int32](1),
			BackoffLimit: ptr(r.options.Retries),
			// The last resort for a run that waits or hangs for ever. It is long, because the time of waiting counts. Usually
			// the stager ends a stage that takes too long, so that stage-out can store its log.
			ActiveDeadlineSeconds:   ptr(seconds(r.options.Deadline)*int64(len(spec.Stages)) + seconds(r.options.PendingTimeout)),
			TTLSecondsAfterFinished: ptr(int32(seconds(r.options.JobTTL))), //nolint:gosec // int32 holds 68 years
			PodFailurePolicy:        policy(spec),
			Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
	if j.Start != nil && j.Start.Trace != "" {
		object.Annotations[traceAnnotation] = j.Start.Trace
		// The run's calls of the backend belong to that trace. Programs, which read users' files, don't get it.
		out := &object.Spec.Template.Spec.Containers[0]
		out.Env = append(out.Env, corev1.EnvVar{Name: "TRACEPARENT", Value: j.Start.Trace})
	}
	if r.options.Queue != "" {
		object.Labels[queueLabel] = r.options.Queue
		object.Spec.Suspend = ptr(true) // Kueue resumes it when its turn has come
	}
	return object, nil
}

// policy returns which failed pods are retried. The first rule that matches counts.
//
// A pod that matches no rule is retried up to the Job's backoffLimit: its stager could not reach the store, or the pod was
// deleted from outside before its first container ran.
func policy(spec stage.Spec) *batchv1.PodFailurePolicy {
	rules := []batchv1.PodFailurePolicyRule{
		{
			// Its node is gone, or the pod was preempted. The run did not cause it.
			Action: batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
				{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
			},
		},
		{
			// The pod was deleted from outside, or the Job was suspended: Kubernetes counts the pods of a suspended Job as failed
			// ones (1.35, pkg/controller/job). So a Job that Kueue preempts again and again would fail in the end.
			Action: batchv1.PodFailurePolicyActionIgnore,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				Operator: batchv1.PodFailurePolicyOnExitCodesOpIn,
				Values:   []int32{stager.Stopped},
			},
		},
		// The program refused its input, and would refuse it again: the manifest has the reason. Or the object storage stayed full: another
		// run would need as much space again, beside what this one has stored.
		fail(stageOut, stager.RunFailed, stager.Full, stager.Usage),
		fail(stageIn, stager.Usage),
	}
	for _, c := range spec.Stages {
		// The program was killed at its memory limit, with or without its stager. It would need as much again.
		rules = append(rules, fail(podlog.ContainerName(c.Stage), stager.Usage, stager.Memory, exitKilled))
	}
	return &batchv1.PodFailurePolicy{Rules: rules}
}

// exitKilled is the exit code of a container that was ended by SIGKILL.
const exitKilled = 128 + 9

func fail(container string, codes ...int32) batchv1.PodFailurePolicyRule {
	slices.Sort(codes) // else Kubernetes refuses the Job
	return batchv1.PodFailurePolicyRule{
		Action: batchv1.PodFailurePolicyActionFailJob,
		OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
			ContainerName: &container,
			Operator:      batchv1.PodFailurePolicyOnExitCodesOpIn,
			Values:        codes,
		},
	}
}

// stageRef is a stage with the name of its container.
type stageRef struct{ name, container string }

// stagesOf returns the stages of a Job that Object returned.
func stagesOf(run *batchv1.Job) []stageRef {
	var refs []stageRef
	for name := range strings.SplitSeq(run.Annotations[stagesAnnotation], ",") {
		if name != "" {
			refs = append(refs, stageRef{name: name, container: podlog.ContainerName(name)})
		}
	}
	return refs
}

// ours reports whether a Job was created by this backend for this run.
func ours(object *batchv1.Job, j job.Job) bool {
	return object.Labels[jobLabel] == j.ID && object.Labels[runLabel] == strconv.Itoa(j.Run)
}

// ownerOf returns the UID of the Job that owns a pod.
func ownerOf(p *corev1.Pod) types.UID {
	if owner := metav1.GetControllerOf(p); owner != nil && owner.Kind == "Job" {
		return owner.UID
	}
	return ""
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func ptr[T any](v T) *T { return &v }
