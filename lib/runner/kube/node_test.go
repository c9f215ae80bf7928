package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestParseNodeSelector(t *testing.T) {
	for name, tt := range map[string]struct {
		texts []string
		want  map[string]string // nil: refused
	}{
		"two":            {[]string{"pool=jobs", "example.org/disk=fast"}, map[string]string{"pool": "jobs", "example.org/disk": "fast"}},
		"an empty value": {[]string{"pool="}, map[string]string{"pool": ""}},
		"no value":       {[]string{"pool"}, nil},
		"no label":       {[]string{"=jobs"}, nil},
		"twice":          {[]string{"pool=a", "pool=b"}, nil},
		"a bad label":    {[]string{"a b=c"}, nil},
		"a value of two": {[]string{"pool=a=b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseNodeSelector(tt.texts)
			if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.want != nil) {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	if got, err := ParseNodeSelector(nil); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestParseTolerations(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want *corev1.Toleration // nil: refused
	}{
		"all":               {"owner=bio:NoExecute", &corev1.Toleration{Key: "owner", Operator: "Equal", Value: "bio", Effect: "NoExecute"}},
		"any value":         {"jobs:NoSchedule", &corev1.Toleration{Key: "jobs", Operator: "Exists", Effect: "NoSchedule"}},
		"any effect":        {"owner=bio", &corev1.Toleration{Key: "owner", Operator: "Equal", Value: "bio"}},
		"any at all":        {"example.org/jobs", &corev1.Toleration{Key: "example.org/jobs", Operator: "Exists"}},
		"an unknown effect": {"jobs:Never", nil},
		"an empty effect":   {"jobs:", nil},
		"no key":            {":NoSchedule", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var want []corev1.Toleration
			if tt.want != nil {
				want = append(want, *tt.want)
			}
			got, err := ParseTolerations([]string{tt.text})
			if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (tt.want != nil) {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
