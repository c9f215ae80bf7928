package kube

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestObserveVariants changes captures to situations that can't be produced, or only for a moment.
func TestObserveVariants(t *testing.T) {
	const killed = "killed with its stager"
	state := func(c *capture, container string) *corev1.ContainerStatus {
		return containerStatus(&c.Pods[len(c.Pods)-1], container)
	}
	ended := func(c *capture, container, reason string, code int32) {
		s := state(c, container)
		s.State = corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, FinishedAt: c.Pods[0].CreationTimestamp},
		}
	}
	for name, tt := range map[string]struct {
		of     string
		change func(*capture)
		want   job.Observation
	}{
		"the Job is about to say Complete": {"completed", func(c *capture) {
			c.Job.Status.Conditions = nil
		}, job.Observation{Phase: job.Active, Stages: stages(job.StageSucceeded, job.StageRunning)}},
		"the Job has announced Complete": {"completed", func(c *capture) {
			c.Job.Status.Conditions = []batchv1.JobCondition{{
				Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, LastTransitionTime: c.Job.CreationTimestamp,
			}}
		}, job.Observation{Phase: job.Ended, Stages: stages(job.StageSucceeded, job.StageRunning)}},
		"a condition that is not true": {"first stage runs", func(c *capture) {
			c.Job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionFalse}}
		}, job.Observation{Phase: job.Active, Stages: stages(job.StageRunning, job.StagePending)}},
		"the Job has announced Failed": {killed, func(c *capture) {
			c.Job.Status.Conditions = []batchv1.JobCondition{{
				Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue,
				Reason: batchv1.JobReasonPodFailurePolicy, LastTransitionTime: c.Job.CreationTimestamp,
			}}
		}, job.Observation{Phase: job.Ended, Interrupted: true, Stages: stages(job.StageFailed, job.StagePending)}},
		"the pod failed and the Job has not seen it": {killed, func(c *capture) {
			c.Job.Status.Conditions = nil
		}, job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "it was interrupted and is retried"}},
		"killed at the limit of memory, stager and all": {killed, func(c *capture) {
			ended(c, "first-stage", "OOMKilled", exitKilled)
		}, job.Observation{Phase: job.Ended, Failure: outOfMemory64, Stages: stages(job.StageFailed, job.StagePending)}},
		"its node forgot its container": {killed, func(c *capture) {
			ended(c, "first-stage", "ContainerStatusUnknown", exitKilled)
		}, job.Observation{Phase: job.Ended, Interrupted: true, Stages: stages(job.StageFailed, job.StagePending)}},
		"its container can't be started": {killed, func(c *capture) {
			ended(c, "first-stage", "StartError", 128)
		}, job.Observation{Phase: job.Ended, Stages: stages(job.StageFailed, job.StagePending),
			Failure: &job.Failure{Code: job.BadImage, Stage: "first_stage",
				Message: "The job's container could not be started. " + contactOperators}}},
		"its command line is wrong": {killed, func(c *capture) {
			ended(c, "first-stage", "Error", 2)
		}, job.Observation{Phase: job.Ended, Stages: stages(job.StageFailed, job.StagePending),
			Failure: &job.Failure{Code: job.Internal, Stage: "first_stage",
				Message: "The job could not be run as it was configured. " + contactOperators}}},
		"its files can't be downloaded": {killed, func(c *capture) {
			ended(c, "stage-in", "Error", 1)
			state(c, "first-stage").State = corev1.ContainerState{}
		}, job.Observation{Phase: job.Ended, Stages: stages(job.StagePending, job.StagePending),
			Failure: &job.Failure{Code: job.Internal, Message: "The job's files could not be downloaded. " + contactOperators}}},
		"its results can't be stored": {"refused", func(c *capture) {
			ended(c, "stage-out", "Error", 1)
		}, job.Observation{Phase: job.Ended, Stages: stages(job.StageSucceeded, job.StageRunning),
			Failure: &job.Failure{Code: job.Internal, Message: "The results of the job could not be stored. " + contactOperators}}},
		"its node did not take it": {"pod deleted once too often", func(c *capture) {
			p := captured(t, "unschedulable").Pods[0]
			p.OwnerReferences[0].UID = c.Job.UID
			p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfcpu"}
			c.Pods = []corev1.Pod{p}
		}, job.Observation{Phase: job.Ended, Interrupted: true, Stages: stages(job.StagePending, job.StagePending)}},
		"it was preempted": {killed, func(c *capture) {
			c.Pods[0].Status.Conditions = append(c.Pods[0].Status.Conditions,
				corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue})
		}, job.Observation{Phase: job.Ended, Interrupted: true, Stages: stages(job.StageFailed, job.StagePending)}},
		"its node prepares it": {"stage-in runs", func(c *capture) {
			prepared := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
			for i := range c.Pods[0].Status.InitContainerStatuses {
				c.Pods[0].Status.InitContainerStatuses[i].State = prepared
			}
		}, job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "its node prepares it"}},
		"its node has reported nothing yet": {"stage-in runs", func(c *capture) {
			c.Pods[0].Status.InitContainerStatuses, c.Pods[0].Status.ContainerStatuses = nil, nil
		}, job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "its node prepares it"}},
		"its node did not prepare it in time": {"stage-in runs", func(c *capture) {
			for i := range c.Pods[0].Status.InitContainerStatuses {
				c.Pods[0].Status.InitContainerStatuses[i].State = corev1.ContainerState{
					Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"},
				}
			}
			c.Job.Status.Conditions = []batchv1.JobCondition{{
				Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonDeadlineExceeded,
				LastTransitionTime: c.Job.CreationTimestamp,
			}}
		}, job.Observation{Phase: job.Ended, Stages: stages(job.StagePending, job.StagePending), Failure: &job.Failure{
			Code: job.Unschedulable, Message: "The job did not begin within the time in which it may wait and run. This is not a fault of your " +
				"data; please tell the operators.",
		}}},
		"resumed, and Kubernetes has not seen it": {"pod not allowed", func(c *capture) {
			c.Job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}}
		}, job.Observation{Phase: job.Waiting, Waiting: "its pod is not created yet"}},
		"the scheduler has reported nothing yet": {"unschedulable", func(c *capture) {
			c.Pods[0].Status.Conditions = nil
		}, job.Observation{Phase: job.Waiting, Waiting: "it waits for a node"}},
		"suspended without a queue": {"suspended", func(c *capture) {
			delete(c.Job.Labels, queueLabel)
		}, job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "the Kubernetes Job is suspended"}},
		"the second stage's image can't be pulled": {"second stage runs", func(c *capture) {
			s := state(c, "second-stage")
			s.Image, s.State = "fold:1", corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
		}, job.Observation{Phase: job.Waiting, Blocked: true, Waiting: "the image fold:1 can't be pulled",
			Stages: stages(job.StageSucceeded, job.StagePending),
			Failure: &job.Failure{Code: job.BadImage, Stage: "second_stage",
				Message: "The image fold:1, which the job needs, can't be pulled. " + contactOperators}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := captured(t, tt.of)
			tt.change(&c)
			if diff := cmp.Diff(tt.want, observe(c.Job, c.Pods, c.Now), sinceIgnored(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSinceResumed: a Job that was resumed waits for its pod since then, not since it was created.
func TestSinceResumed(t *testing.T) {
	c := captured(t, "pod not allowed")
	resumed := metav1.NewTime(c.Now.Add(-time.Second).Truncate(time.Second))
	c.Job.CreationTimestamp, c.Job.Status.StartTime = metav1.NewTime(c.Now.Add(-30*time.Hour)), &resumed
	if got := observe(c.Job, c.Pods, c.Now); !got.Blocked || !got.Since.Equal(resumed.Time) {
		t.Errorf("it waits since %s, want %s; %+v", got.Since, resumed, got)
	}
}
