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

// ParseNodeSelector reads labels of nodes, each written as label=value.
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
			return nil, fmt.Errorf("%q: the label is given twice", text)
		}
		if err := valid(label, value); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		selector[label] = value
	}
	return selector, nil
}

// ParseTolerations reads taints of nodes as they are written for kubectl: key=value:effect, key:effect for
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

// node is what a run requires of the node that it runs on.
type node struct {
	labels map[string]string
	taints []corev1.Toleration // that it tolerates
}

// node merges what all stages of a run require of a node, because they share it.
func (r *Runner) node(s stage.Spec) (node, error) {
	var stages []string
	for _, c := range s.Stages {
		stages = append(stages, c.Stage)
	}
	labels, err := r.options.MergeSelectors(stages)
	if err != nil {
		return node{}, err
	}
	taints := slices.Clone(r.options.Tolerations)
	for _, name := range stages {
		for _, t := range r.options.Programs[name].Tolerations {
			if !slices.ContainsFunc(taints, func(known corev1.Toleration) bool { return known == t }) {
				taints = append(taints, t)
			}
		}
	}
	return node{labels: labels, taints: taints}, nil
}

// MergeSelectors returns the labels that the node of these stages must have. The error names the stages that require
// different values of one label: no node could run them.
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
				return nil, fmt.Errorf(
					"%s requires nodes with %s=%s and the stage %s requires %s=%s, but all stages of a job run on one node",
					first,
					label,
					other,
					name,
					label,
					value,
				)
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
