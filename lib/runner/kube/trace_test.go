package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestTrace holds that a Job carries the trace of its start, and that of its containers the one that calls the backend
// knows it, and no other.
func TestTrace(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, want := range []string{"", trace} {
		j := testJob()
		j.Start.Trace = want
		object, err := newRunner(t, testOptions()).Object(j)
		if err != nil {
			t.Fatal(err)
		}
		if got := object.Annotations[traceAnnotation]; got != want {
			t.Errorf("the annotation is %q, not %q", got, want)
		}
		pod := object.Spec.Template.Spec
		for _, c := range append(pod.InitContainers, pod.Containers...) {
			known := ""
			for _, e := range c.Env {
				if e == (corev1.EnvVar{Name: "TRACEPARENT", Value: trace}) {
					known = trace
				}
			}
			if should := c.Name == stageOut && want != ""; should != (known != "") {
				t.Errorf("%s knows the trace %q of a job with %q", c.Name, known, want)
			}
		}
	}
}

// TestCaller: policies of a cluster can distinguish the jobs of callers, where callers have limits.
func TestCaller(t *testing.T) {
	for _, want := range []string{"", "00112233445566778899aabbccddeeff"} {
		j := testJob()
		j.Start.Caller = want
		object, err := newRunner(t, testOptions()).Object(j)
		if err != nil {
			t.Fatal(err)
		}
		for _, labels := range []map[string]string{object.Labels, object.Spec.Template.Labels} {
			if got, ok := labels[callerLabel]; got != want || ok != (want != "") {
				t.Errorf("the label is %q, not %q", got, want)
			}
		}
	}
}
