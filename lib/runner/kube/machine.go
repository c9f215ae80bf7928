package kube

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
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

// machine is what a run asks of the machine that it runs on.
type machine struct {
	labels map[string]string
	taints []corev1.Toleration // that it tolerates
}

// machine merges what all stages of a run ask of a machine: they share it.
func (r *Runner) machine(s stage.Spec) (machine, error) {
	var stages []string
	for _, c := range s.Stages {
		stages = append(stages, c.Stage)
	}
	labels, err := r.options.MergeSelectors(stages)
	if err != nil {
		return machine{}, err
	}
	taints := slices.Clone(r.options.Tolerations)
	for _, name := range stages {
		for _, t := range r.options.Programs[name].Tolerations {
			if !slices.ContainsFunc(taints, func(known corev1.Toleration) bool { return known == t }) {
				taints = append(taints, t)
			}
		}
	}
	return machine{labels: labels, taints: taints}, nil
}

// MergeSelectors returns the labels that a machine has to have which runs those stages one after the other. The
// error names what asks for different values of one label: no machine could run them.
func (o Options) MergeSelectors(stages []string) (map[string]string, error) {
	merged := maps.Clone(o.NodeSelector)
	by := make(map[string]string) // label to the stage that asks for it
	for _, name := range stages {
		for _, label := range slices.Sorted(maps.Keys(o.Programs[name].NodeSelector)) {
			value := o.Programs[name].NodeSelector[label]
			if other, twice := merged[label]; twice && other != value {
				first := "the stage " + by[label]
				if by[label] == "" {
					first = "every job"
				}
				return nil, fmt.Errorf("%s asks for machines with %s=%s and the stage %s for %s=%s, and a job's stages run on one machine", first, label, other, name, label, value)
			}
			if merged == nil {
				merged = make(map[string]string)
			}
			if _, known := merged[label]; !known {
				merged[label], by[label] = value, name
			}
		}
	}
	return merged, nil
}

// valid reports what keeps a label or taint from being one.
func valid(key, value string) error {
	if problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}
