package kube

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ParseNodeSelector reads labels of machines, each written as label=value.
func ParseNodeSelector(texts []string) (map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	selector := make(map[string]string, len(texts))
	for _, text := range texts {
		label, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not label=value", text)
		}
		if _, twice := selector[label]; twice {
			return nil, fmt.Errorf("%q: the label stands there twice", text)
		}
		if err := valid(label, value); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		selector[label] = value
	}
	return selector, nil
}

// ParseTolerations reads taints of machines as they are written for kubectl: key=value:effect, key:effect for
// any value, key=value or key for any effect.
func ParseTolerations(texts []string) ([]corev1.Toleration, error) {
	var tolerations []corev1.Toleration
	for _, text := range texts {
		taint, effect, hasEffect := strings.Cut(text, ":")
		key, value, hasValue := strings.Cut(taint, "=")
		t := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffect(effect)}
		if hasValue {
			t.Operator, t.Value = corev1.TolerationOpEqual, value
		}
		switch t.Effect {
		case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		default:
			if hasEffect {
				return nil, fmt.Errorf("%q: the effect is NoSchedule, PreferNoSchedule or NoExecute", text)
			}
		}
		if err := valid(key, value); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		tolerations = append(tolerations, t)
	}
	return tolerations, nil
}

// valid reports what keeps a label or taint from being one.
func valid(key, value string) error {
	if problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}
