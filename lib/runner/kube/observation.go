package kube

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// lostAfter is how long a pod may take to end after its deletion. One that takes longer is on a node that does not
// answer; Kubernetes keeps it until its Node object is deleted.
const lostAfter = 10 * time.Minute

// observe derives the state of a run from its Job, nil if there is none, and the pods with its labels. It needs the time only
// to distinguish a pod that ends from one that is lost.
//
// A Job and its pods are read one after the other, so they may be of different moments, and the counts in a Job's status are
// wrong between retries. So the conditions of the Job count first, and then the state of the newest pod.
func observe(run *batchv1.Job, pods []corev1.Pod, now time.Time) job.Observation {
	if run == nil {
		return job.Observation{Phase: job.Absent}
	}
	v := view{run: run, now: now, stages: stagesOf(run)}
	for i := range pods {
		if owner := ownerOf(&pods[i]); owner == run.UID {
			v.pods = append(v.pods, &pods[i])
		}
	}
	slices.SortStableFunc(v.pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return v.observe()
}

// view is the state of a run's objects at a moment.
type view struct {
	run    *batchv1.Job
	pods   []*corev1.Pod // those that this Job owns, the oldest first
	stages []stageRef
	now    time.Time
}

func (v view) observe() job.Observation {
	// The conditions that announce the end count as those that confirm it: after them no pod is started any more. Waiting
	// for the confirmation would cost seconds and, if the Job ran into its deadline, its pods with their logs.
	if c := v.condition(batchv1.JobComplete, batchv1.JobSuccessCriteriaMet); c != nil {
		return v.ended(c.LastTransitionTime.Time)
	}
	if c := v.condition(batchv1.JobFailed, batchv1.JobFailureTarget); c != nil {
		return v.failed(c)
	}
	for _, p := range v.pods {
		if outgrown(p) {
			// Kubernetes would retry, and no pod failure policy can prevent that: such an eviction sets no exit code and
			// no condition. But a run that has filled the disk will fill it again.
			return job.Observation{Phase: job.Ended, Since: endOf(p), Stages: v.progress(p), Failure: v.outOfDisk(p)}
		}
	}
	live := v.live()
	if live != nil && lost(live, v.now) {
		o := v.ended(live.DeletionTimestamp.Time)
		o.Interrupted = true
		return o
	}
	if live != nil {
		return v.of(live)
	}
	if v.run.DeletionTimestamp != nil {
		// The Job was deleted from outside. It exists as long as its finalizer, but no pod is started any more.
		o := v.ended(v.run.DeletionTimestamp.Time)
		o.Interrupted = len(v.pods) == 0 || v.newest().Status.Phase != corev1.PodSucceeded
		return o
	}
	return v.between()
}

// condition returns the first of the conditions that is true.
func (v view) condition(types ...batchv1.JobConditionType) *batchv1.JobCondition {
	for _, t := range types {
		for i, c := range v.run.Status.Conditions {
			if c.Type == t && c.Status == corev1.ConditionTrue {
				return &v.run.Status.Conditions[i]
			}
		}
	}
	return nil
}

// live returns the newest pod that has not ended.
func (v view) live() *corev1.Pod {
	for _, p := range slices.Backward(v.pods) {
		if !over(p) {
			return p
		}
	}
	return nil
}

// newest returns the newest pod, nil if there is none.
func (v view) newest() *corev1.Pod {
	if len(v.pods) == 0 {
		return nil
	}
	return v.pods[len(v.pods)-1]
}

// ended describes a run that has ended, by its newest pod.
func (v view) ended(since time.Time) job.Observation {
	o := job.Observation{Phase: job.Ended, Since: since}
	if p := v.newest(); p != nil {
		o.Stages = v.progress(p)
		o.Failure = outOfMemory(p, v.stages)
	}
	return o
}

// failed describes the run of a Job that failed.
func (v view) failed(c *batchv1.JobCondition) job.Observation {
	o := v.ended(c.LastTransitionTime.Time)
	p := v.newest()
	switch {
	case c.Reason == batchv1.JobReasonDeadlineExceeded && p != nil && !job.AnyBegun(o.Stages):
		o.Failure = &job.Failure{Code: job.Unschedulable, Message: "The job did not begin within the time in which it may wait and run. " +
			"This is not a fault of your data; please tell the operators."}
	case c.Reason == batchv1.JobReasonDeadlineExceeded:
		o.Failure = v.outOfTime("")
	case p == nil && c.Reason == batchv1.JobReasonPodFailurePolicy:
		o.Failure, o.Interrupted = v.verdict(c.Message)
	case p == nil:
		// Its pods are gone, and the reason with them. A pod that fails stays as long as its Job, so these were deleted from
		// outside.
		o.Interrupted = true
	default:
		o.Failure, o.Interrupted = v.cause(p)
	}
	return o
}

// between describes a run without a pod that runs or waits: before the first pod, or between two.
func (v view) between() job.Observation {
	if suspended(v.run) {
		o := job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "the Kubernetes Job is suspended"}
		if c := v.condition(batchv1.JobSuspended); c != nil {
			o.Since = c.LastTransitionTime.Time
		} else {
			o.Since = v.recent(v.run.CreationTimestamp.Time, v.resumed())
		}
		if queue := v.run.Labels[queueLabel]; queue != "" {
			o.Waiting = fmt.Sprintf("it waits in the queue %q", queue)
		}
		return o
	}
	p := v.newest()
	switch {
	case p == nil:
		// If this lasts, something prevents Kubernetes from creating a pod, such as a quota. A Job that was resumed is marked as suspended
		// until Kubernetes has written its new start, and has not waited for its pod yet.
		return job.Observation{
			Phase: job.Waiting, Since: v.recent(v.run.CreationTimestamp.Time, v.resumed()),
			Blocked: v.condition(batchv1.JobSuspended) == nil, Waiting: "its pod is not created yet",
		}
	case p.Status.Phase == corev1.PodSucceeded:
		// The Job's condition follows.
		return job.Observation{Phase: job.Active, Since: endOf(p), Stages: v.progress(p), Failure: outOfMemory(p, v.stages)}
	default:
		return job.Observation{
			Phase: job.Waiting, Since: v.recent(endOf(p), v.resumed()), Blocked: true, Waiting: "it was interrupted and is retried",
		}
	}
}

// resumed returns when a Job was last resumed, or began; zero if it did not yet.
func (v view) resumed() time.Time {
	var at time.Time
	if s := v.run.Status.StartTime; s != nil {
		at = s.Time
	}
	for _, c := range v.run.Status.Conditions {
		if c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionFalse && c.LastTransitionTime.After(at) {
			at = c.LastTransitionTime.Time
		}
	}
	return at
}

// recentTime is how precise the time is since when a run has no pod.
const recentTime = time.Minute

// recent returns the last of the times, if it is hardly over, else zero. A run without a pod looks the same before its first pod and after
// one that ran for days and was deleted. So these times only say when it was the earliest, and are of use while it makes no difference.
func (v view) recent(times ...time.Time) time.Time {
	at := slices.MaxFunc(times, time.Time.Compare)
	if v.now.Sub(at) > recentTime {
		return time.Time{}
	}
	return at
}

// suspended reports whether a Job may have no pods at present.
func suspended(run *batchv1.Job) bool { return run.Spec.Suspend != nil && *run.Spec.Suspend }

// first sets a time that is not set yet.
func first(t *time.Time, at time.Time) {
	if t.IsZero() {
		*t = at
	}
}

// of describes a run by its pod, which has not ended.
func (v view) of(p *corev1.Pod) job.Observation {
	o := job.Observation{Phase: job.Waiting, Since: p.CreationTimestamp.Time, Failure: outOfMemory(p, v.stages)}
	scheduled := podCondition(p, corev1.PodScheduled)
	if scheduled == nil || scheduled.Status != corev1.ConditionTrue {
		o.Waiting = "it waits for a node"
		if scheduled != nil && scheduled.Status == corev1.ConditionFalse {
			o.Since, o.Blocked = scheduled.LastTransitionTime.Time, true
			if text := schedulerText(scheduled.Message); text != "" {
				o.Waiting = text
			}
		}
		return o
	}
	o.Since = scheduled.LastTransitionTime.Time
	if o.Stages = v.progress(p); !job.AnyBegun(o.Stages) {
		o.Stages = nil
	}
	// The containers run one after the other: all before the current one have ended with 0.
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		switch {
		case s.State.Terminated != nil:
			if at := s.State.Terminated.FinishedAt.Time; at.After(o.Since) {
				o.Since = at
			}
			if s.Name != stageIn {
				o.Phase = job.Active
				first(&o.Began, s.State.Terminated.StartedAt.Time)
			}
		case s.State.Running != nil:
			o.Since = s.State.Running.StartedAt.Time
			o.Phase, o.Waiting = job.Active, ""
			if s.Name == stageIn {
				o.Phase, o.Waiting = job.Waiting, "its files are downloaded"
			} else {
				first(&o.Began, s.State.Running.StartedAt.Time)
			}
			return o
		case s.State.Waiting != nil:
			if o.Phase == job.Waiting { // if this lasts, a volume can't be mounted, or the network of the pod not be made
				o.Waiting, o.Blocked = "its node prepares it", true
			}
			if failure, text := v.stuck(s); failure != nil {
				// Kubernetes does not say when it failed first: a good pull of a large image may have taken long before.
				o.Phase, o.Blocked, o.Waiting, o.Failure, o.Since = job.Waiting, true, text, failure, time.Time{}
			}
			return o
		}
	}
	if o.Waiting == "" && o.Phase == job.Waiting {
		o.Waiting, o.Blocked = "its node prepares it", true
	}
	return o
}

// progress returns the states of the stages, by their containers in a pod.
func (v view) progress(p *corev1.Pod) []job.Stage {
	stages := make([]job.Stage, len(v.stages))
	last := -1 // the last stage whose container ended with 0
	for i, ref := range v.stages {
		stages[i] = job.Stage{Name: ref.name, Status: job.StagePending}
		s := containerStatus(p, ref.container)
		switch {
		case s == nil:
		case s.State.Running != nil:
			stages[i].Status = job.StageRunning
		case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
			stages[i].Status = job.StageFailed
		case s.State.Terminated != nil:
			stages[i].Status = job.StageSucceeded
			last = i
		}
	}
	// A stage's container exits with 0 whatever its program does; only the manifest shows the outcome. Until then the last
	// stage counts as running. An earlier stage counts as succeeded, because the next one runs now if any does.
	if last >= 0 && last == len(stages)-1 {
		stages[last].Status = job.StageRunning
	}
	return stages
}

// current returns the stage whose container was not done when the pod ended, "" if there is none.
func (v view) current(p *corev1.Pod) string {
	for _, ref := range v.stages {
		if s := containerStatus(p, ref.container); s != nil && s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
			return ref.name
		}
	}
	return ""
}

func (v view) stageOf(container string) (string, bool) {
	for _, ref := range v.stages {
		if ref.container == container {
			return ref.name, true
		}
	}
	return "", false
}
