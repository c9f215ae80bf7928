package backend_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// speedup is by how much the time of alerts is shortened, so that each can be tested.
const speedup = 12

// lasting are the durations of a PodMonitor and of rules: each interval, each for, each range, each offset.
var lasting = regexp.MustCompile(`((?:interval|for): |\[|offset )(\d+)([smh])`)

// quickened returns a manifest with each duration divided by speedup: an hour becomes 5 minutes, a minute 5 s, and a scrape comes
// every 1.25 s. Values that are compared with seconds remain: how long requests, outcomes and deliveries take does not depend on
// how often Prometheus asks. Nothing else is changed but the name, and a label by which a Prometheus of its own selects the copy.
func quickened(manifest string) (string, error) {
	var wrong error
	text := lasting.ReplaceAllStringFunc(manifest, func(found string) string {
		parts := lasting.FindStringSubmatch(found)
		d, err := time.ParseDuration(parts[2] + parts[3])
		wrong = errors.Join(wrong, err)
		return fmt.Sprintf("%s%dms", parts[1], (d / speedup).Milliseconds())
	})
	o := object{}
	if err := errors.Join(wrong, yaml.Unmarshal([]byte(text), &o)); err != nil {
		return "", err
	}
	o.in("metadata")["name"] = "bakta-web-quick"
	o.in("metadata")["labels"] = object{"pace": "quick"}
	out, err := yaml.Marshal(o)
	return string(out), err
}

// TestQuickened checks that durations are divided, and nothing else.
func TestQuickened(t *testing.T) {
	const manifest = `metadata: {name: bakta-web}
spec:
  interval: 15s
  rules:
    - expr: sum_over_time(a{b="[1]m"}[1h] offset 75s) > 900 and last_over_time(c[5m]) > 0
      for: 30m
      summary: "for 10 minutes"
`
	const want = `metadata:
  labels:
    pace: quick
  name: bakta-web-quick
spec:
  interval: 1250ms
  rules:
  - expr: sum_over_time(a{b="[1]m"}[300000ms] offset 6250ms) > 900 and last_over_time(c[25000ms])
      > 0
    for: 150000ms
    summary: for 10 minutes
`
	if got, err := quickened(manifest); err != nil || got != want {
		t.Errorf("%v:\n%s", err, got)
	}
}
