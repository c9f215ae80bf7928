package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

// lostAfter is how long a pod may take to end after its deletion. One that takes longer is on a node that does not
// answer; Kubernetes keeps it until its Node object is deleted.
const lostAfter = 10 * time.Minute

// observe derives how a run does from its Job, nil if there is none, and the pods that carry its labels. The
// time is needed for one thing, telling a pod that ends from one that is lost.
//
// A Job and its pods are read one after the other, so they may be of different moments, and the counts in a
// Job's status lie between retries. So conditions of the Job come first, then what the newest pod does.
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

// view is what is known of a run at a moment.
type view struct {
	run    *batchv1.Job
	pods   []*corev1.Pod // of this Job and no other of its name, the oldest first
	stages []stageRef
	now    time.Time
}

func (v view) observe() job.Observation {
	// The conditions that announce the end are as good as those that confirm it: after them no pod is started
	// any more. Waiting for the confirmation costs seconds, and the pods of a Job that ran into its deadline,
	// with the logs in them.
	if c := v.condition(batchv1.JobComplete, batchv1.JobSuccessCriteriaMet); c != nil {
		return v.ended(c.LastTransitionTime.Time)
	}
	if c := v.condition(batchv1.JobFailed, batchv1.JobFailureTarget); c != nil {
		return v.failed(c)
	}
	for _, p := range v.pods {
		if outgrown(p) {
			// Kubernetes would try again, and no rule for a pod's failure can keep it from that: such an eviction has
			// no exit code and no condition of its own. But what filled the disk once does so again.
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
		// Somebody deleted the Job. It stands as long as its finalizer does, but no pod is started any more.
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

// ended describes a run that is over, as its newest pod left it.
func (v view) ended(since time.Time) job.Observation {
	o := job.Observation{Phase: job.Ended, Since: since}
	if p := v.newest(); p != nil {
		o.Stages = v.progress(p)
		o.Failure = outOfMemory(p, v.stages)
	}
	return o
}

// failed says why a Job failed.
func (v view) failed(c *batchv1.JobCondition) job.Observation {
	o := v.ended(c.LastTransitionTime.Time)
	p := v.newest()
	switch {
	case c.Reason == batchv1.JobReasonDeadlineExceeded:
		o.Failure = v.outOfTime("")
	case p == nil:
		// Its pods are gone, and the reason with them. A pod that fails on its own stays with its Job, so
		// somebody removed these.
		o.Interrupted = true
	default:
		o.Failure, o.Interrupted = v.cause(p)
	}
	return o
}

// between describes a run without a pod that runs or waits: there was none yet, or the next one is awaited.
func (v view) between() job.Observation {
	if v.run.Spec.Suspend != nil && *v.run.Spec.Suspend {
		o := job.Observation{Phase: job.Waiting, Since: v.run.CreationTimestamp.Time, Blocked: true, Waiting: "the Kubernetes Job is suspended"}
		if c := v.condition(batchv1.JobSuspended); c != nil {
			o.Since = c.LastTransitionTime.Time
		}
		if queue := v.run.Labels[queueLabel]; queue != "" {
			o.Waiting = fmt.Sprintf("it waits in the queue %q", queue)
		}
		return o
	}
	p := v.newest()
	switch {
	case p == nil:
		// Without a pod for long, something keeps Kubernetes from making one, such as a quota.
		return job.Observation{Phase: job.Waiting, Since: v.run.CreationTimestamp.Time, Blocked: true, Waiting: "its pod is not created yet"}
	case p.Status.Phase == corev1.PodSucceeded:
		// Its Job is about to say so.
		return job.Observation{Phase: job.Active, Since: endOf(p), Stages: v.progress(p), Failure: outOfMemory(p, v.stages)}
	default:
		return job.Observation{Phase: job.Waiting, Since: endOf(p), Waiting: "it was interrupted and is retried"}
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
	o.Stages = v.progress(p)
	if !slices.ContainsFunc(o.Stages, func(s job.Stage) bool { return s.Status != job.StagePending }) {
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
			}
		case s.State.Running != nil:
			o.Since = s.State.Running.StartedAt.Time
			o.Phase, o.Waiting = job.Active, ""
			if s.Name == stageIn {
				o.Phase, o.Waiting = job.Waiting, "its files are downloaded"
			}
			return o
		case s.State.Waiting != nil:
			if o.Phase == job.Waiting {
				o.Waiting = "its node prepares it"
			}
			if failure, text := v.stuck(s); failure != nil {
				o.Phase, o.Blocked, o.Waiting, o.Failure = job.Waiting, true, text, failure
			}
			return o
		}
	}
	if o.Waiting == "" && o.Phase == job.Waiting {
		o.Waiting = "its node prepares it"
	}
	return o
}

// stuck reports why a container can't start without a change from outside; nothing for one that is about to start.
func (v view) stuck(s corev1.ContainerStatus) (*job.Failure, string) {
	w := s.State.Waiting
	stage, _ := v.stageOf(s.Name)
	switch w.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
		// The first two alternate; the message should not.
		why := ""
		if w.Reason != "ErrImagePull" && w.Reason != "ImagePullBackOff" {
			why = " (" + w.Reason + ")"
		}
		f := internal(stage, "The image %s, which the job needs, can't be pulled%s.", s.Image, why)
		f.Code = job.BadImage
		return f, fmt.Sprintf("the image %s can't be pulled%s", s.Image, why)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError":
		f := internal(stage, "The container of the job could not be created (%s).", w.Reason)
		f.Code = job.Unschedulable
		return f, fmt.Sprintf("its container can't be created (%s)", w.Reason)
	}
	return nil, ""
}

// cause says why a pod failed, or that nothing of its own doing ended it.
func (v view) cause(p *corev1.Pod) (failure *job.Failure, interrupted bool) {
	if p.Status.Reason == reasonDeadline {
		return v.outOfTime(v.current(p)), false
	}
	if f := outOfMemory(p, v.stages); f != nil {
		return f, false
	}
	if outgrown(p) {
		return v.outOfDisk(p), false
	}
	if disrupted(p) || p.DeletionTimestamp != nil {
		return nil, true
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		t := s.State.Terminated
		if t == nil || t.ExitCode == 0 {
			continue
		}
		stage, isStage := v.stageOf(s.Name)
		switch {
		case t.Reason == "StartError" || t.Reason == "ContainerCannotRun":
			f := internal(stage, "The job's container could not be started.")
			f.Code = job.BadImage
			return f, false
		case isStage && t.ExitCode == stager.Usage:
			return internal(stage, "The job could not be run as it was configured."), false
		case t.Reason == "ContainerStatusUnknown" || isStage:
			// A stage's container ends with 0 whatever its program does. It was killed, and nothing above says why.
			return nil, true
		case s.Name == stageIn:
			return internal("", "The job's files could not be downloaded."), false
		case t.ExitCode == stager.RunFailed:
			return nil, false // the manifest has the reason
		case t.ExitCode == stager.Full:
			return internal("", "The results could not be stored, because the file storage is full."), false
		default:
			return internal("", "The results of the job could not be stored."), false
		}
	}
	// No container failed: the node rejected the pod, or lost it.
	return nil, p.Status.Reason != ""
}

// Reasons in a pod's status, as the kubelet writes them.
const (
	reasonDeadline = "DeadlineExceeded"
	reasonEvicted  = "Evicted"
	reasonOOM      = "OOMKilled"
)

// outOfMemory returns the failure of a stage that was killed at its memory limit, or nil. The kernel may have
// killed only one of its processes; the stager makes its container fail all the same.
func outOfMemory(p *corev1.Pod, stages []stageRef) *job.Failure {
	for _, s := range p.Status.InitContainerStatuses {
		i := slices.IndexFunc(stages, func(r stageRef) bool { return r.container == s.Name })
		if t := s.State.Terminated; i < 0 || t == nil || t.Reason != reasonOOM && t.ExitCode != stager.Memory {
			continue
		}
		limit := ""
		for _, c := range p.Spec.InitContainers {
			if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == s.Name {
				limit = " (" + q.String() + ")"
			}
		}
		return &job.Failure{Code: job.OutOfMemory, Stage: stages[i].name, Message: fmt.Sprintf(
			"The job needed more memory than it may use%s, in the stage %s. Large genomes, and assemblies of very many contigs, need more; please tell the operators.", limit, stages[i].name)}
	}
	return nil
}

// disrupted reports whether a pod was preempted or evicted, or ended with its node.
func disrupted(p *corev1.Pod) bool {
	c := podCondition(p, corev1.DisruptionTarget)
	return c != nil && c.Status == corev1.ConditionTrue
}

// outgrown reports whether a pod was evicted because it used more of the disk than it may. A node whose own disk
// is full evicts pods, too, but marks them as disrupted.
func outgrown(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodFailed && p.Status.Reason == reasonEvicted && !disrupted(p)
}

// outOfDisk is the failure of such a pod. The kubelet's own words are about volumes and containers; the limit in
// them is all that a user can do something with.
func (v view) outOfDisk(p *corev1.Pod) *job.Failure {
	limit, stage := "", v.current(p)
	for _, c := range p.Spec.InitContainers {
		if q, ok := c.Resources.Limits[corev1.ResourceEphemeralStorage]; ok && limit == "" {
			limit = " (" + q.String() + ")"
		}
	}
	where := ""
	if stage != "" {
		where = ", in the stage " + stage
	}
	return &job.Failure{Code: job.OutOfDisk, Stage: stage, Message: fmt.Sprintf(
		"The job needed more disk space than it may use%s%s. Large genomes, and assemblies of very many contigs, need more; please tell the operators.", limit, where)}
}

func (v view) outOfTime(stage string) *job.Failure {
	limit := ""
	if s := v.run.Spec.ActiveDeadlineSeconds; s != nil {
		limit = fmt.Sprintf(" (%s)", time.Duration(*s)*time.Second)
	}
	return &job.Failure{Code: job.OutOfTime, Stage: stage, Message: fmt.Sprintf(
		"The job waited and ran longer than it may%s, and was ended. Large genomes, and assemblies of very many contigs, take longer; please tell the operators.", limit)}
}

func internal(stage, format string, args ...any) *job.Failure {
	return &job.Failure{Code: job.Internal, Stage: stage, Message: fmt.Sprintf(format, args...) + " This is not a fault of your data; please tell the operators."}
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
	// A container that exited with 0 shows that its program ended, not how; the manifest will. Until then the
	// stage counts as running, unless there is a stage behind it, which does not show that either, but is what
	// will run from now on if anything does.
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

// over reports whether nothing of a pod runs, or will run.
func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// lost reports whether a pod was deleted so long ago that its node must be gone.
func lost(p *corev1.Pod, now time.Time) bool {
	return p.DeletionTimestamp != nil && now.Sub(p.DeletionTimestamp.Time) > lostAfter
}

// endOf returns when the last container of a pod ended.
func endOf(p *corev1.Pod) time.Time {
	at := p.CreationTimestamp.Time
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if t := s.State.Terminated; t != nil && t.FinishedAt.After(at) {
			at = t.FinishedAt.Time
		}
	}
	return at
}

func containerStatus(p *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func podCondition(p *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i, c := range p.Status.Conditions {
		if c.Type == t {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// schedulerText returns the scheduler's reason why no node was suitable. What follows them is about making
// room, which it could not.
func schedulerText(message string) string {
	text, _, _ := strings.Cut(message, ". ")
	return strings.TrimRight(strings.TrimSpace(text), ".")
}
