package kube

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

// stuck reports why a container can't start without a change from outside; nothing for one that is about to start.
func (v view) stuck(s corev1.ContainerStatus) (*job.Failure, string) {
	w := s.State.Waiting
	stage, _ := v.stageOf(s.Name)
	switch w.Reason {
	case "ErrImagePull",
		"ImagePullBackOff",
		"InvalidImageName",
		"ErrImageNeverPull",
		"ImageInspectError",
		"RegistryUnavailable",
		"SignatureValidationFailed":
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

// cause returns why a pod failed, or that it was interrupted from outside.
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
		switch {
		case t.Reason == "StartError" || t.Reason == "ContainerCannotRun":
			stage, _ := v.stageOf(s.Name)
			f := internal(stage, "The job's container could not be started.")
			f.Code = job.BadImage
			return f, false
		case t.Reason == "ContainerStatusUnknown":
			return nil, true
		}
		return v.exited(s.Name, t.ExitCode)
	}
	// No container failed: the node rejected the pod, or lost it.
	return nil, p.Status.Reason != ""
}

// exited returns why a container failed that exited with a code other than 0, or that it was interrupted from outside.
func (v view) exited(container string, code int32) (failure *job.Failure, interrupted bool) {
	stage, isStage := v.stageOf(container)
	switch {
	case isStage && code == stager.Usage:
		return internal(stage, "The job could not be run as it was configured."), false
	case isStage && code == stager.Memory:
		return outOfMemoryIn(stageRef{name: stage, container: container}, &v.run.Spec.Template.Spec), false
	case code == stager.Stopped || isStage:
		// It was stopped from outside. A stage's container exits with 0 whatever its program does. So it was killed, for none of the
		// reasons that its pod would state, or its node has failed it (no space, a process that can't be ended). Another node may run it.
		return nil, true
	case container == stageIn:
		return internal("", "The job's files could not be downloaded."), false
	case code == stager.RunFailed:
		return nil, false // the manifest has the reason
	case code == stager.Full:
		return internal("", "The results could not be stored, because the object storage is full."), false
	}
	return internal("", "The results of the job could not be stored."), false
}

// exitMessage is how Kubernetes says in a failed Job's condition which container decided that (1.35, pkg/controller/job).
var exitMessage = regexp.MustCompile(`^Container (\S+) for pod \S+ failed with exit code (\d+) `)

// verdict returns why a Job failed by its pod failure policy, when the pod is gone, by the message of the Job's condition. Of a stage that
// was killed it does not say why. Then the run counts as interrupted: the next one shows whether it lacks memory.
func (v view) verdict(message string) (failure *job.Failure, interrupted bool) {
	found := exitMessage.FindStringSubmatch(message)
	if found == nil {
		return nil, true
	}
	code, err := strconv.ParseInt(found[2], 10, 32)
	if err != nil {
		return nil, true
	}
	return v.exited(found[1], int32(code))
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
		return outOfMemoryIn(stages[i], &p.Spec)
	}
	return nil
}

// outOfMemoryIn is the failure of a stage that needed more memory than its container has.
func outOfMemoryIn(stage stageRef, pod *corev1.PodSpec) *job.Failure {
	limit := ""
	for _, c := range pod.InitContainers {
		if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == stage.container {
			limit = " (" + q.String() + ")"
		}
	}
	return &job.Failure{Code: job.OutOfMemory, Stage: stage.name, Message: fmt.Sprintf(
		"The job needed more memory than it may use%s, in the stage %s. %s need more; please contact the operators.",
		limit, stage.name, large)}
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

// outOfDisk is the failure of such a pod. Of the kubelet's message, which is about volumes and containers, only the limit is
// useful to a user.
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
		"The job needed more disk space than it may use%s%s. %s need more; please contact the operators.", limit, where, large)}
}

func (v view) outOfTime(stage string) *job.Failure {
	limit := ""
	if s := v.run.Spec.ActiveDeadlineSeconds; s != nil {
		limit = fmt.Sprintf(" (%s)", time.Duration(*s)*time.Second)
	}
	return &job.Failure{Code: job.OutOfTime, Stage: stage, Message: fmt.Sprintf(
		"The job waited and ran longer than it may%s, and was ended. %s take longer; please contact the operators.", limit, large)}
}

// large is the usual reason why a run needs more of anything.
const large = "Large genomes, and assemblies of very many contigs,"

// internal returns a failure for which the input is not to blame.
func internal(stage, format string, args ...any) *job.Failure {
	return &job.Failure{
		Code:    job.Internal,
		Stage:   stage,
		Message: fmt.Sprintf(format, args...) + " This is not a fault of your data; please contact the operators.",
	}
}
