package kube

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// over reports whether no container of a pod runs, or will run.
func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// lost reports whether a pod was deleted so long ago that its node must have stopped answering. Its containers may run on.
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

// schedulerText returns the scheduler's reason why no node was suitable. The rest of its message is about preemption, which
// did not help either.
func schedulerText(message string) string {
	text, _, _ := strings.Cut(message, ". ")
	return strings.TrimRight(strings.TrimSpace(text), ".")
}
