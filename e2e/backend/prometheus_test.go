//go:build e2e

package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

const (
	firing  = string(promv1.AlertStateFiring)
	pending = string(promv1.AlertStatePending)
)

// prometheus is a Prometheus that the operator has started.
type prometheus struct{ promv1.API }

// startPrometheus has the operator start a Prometheus for the objects that are selected, until the test ends. It waits until the rules
// are loaded and a function is scraped.
func (s suite) startPrometheus(name, selector string) prometheus {
	s.Helper()
	text, err := os.ReadFile("testdata/prometheus.yaml")
	s.must(err)
	const shipped = "{matchExpressions: [{key: pace, operator: DoesNotExist}]}"
	manifest := strings.NewReplacer("NAME", name, shipped, selector).Replace(string(text))
	s.applied("monitoring", manifest)
	core := s.core.RESTClient().(*rest.RESTClient)
	at := core.Get().Namespace("monitoring").Resource("pods").Name("http:prometheus-" + name + "-0:9090").SubResource("proxy").URL()
	client, err := api.NewClient(api.Config{Address: at.String(), Client: core.Client})
	s.must(err)
	p := prometheus{promv1.NewAPI(client)}
	s.wait("Prometheus "+name+" to load the rules and scrape a function", func(ctx context.Context) error {
		states, err := p.alerts(ctx)
		if err == nil && len(states) == 0 {
			err = errors.New("it has no rules")
		}
		if err != nil {
			return err
		}
		return p.has(ctx, "up == 1")
	})
	return p
}

// applied creates objects in a namespace, and deletes them when the test ends.
func (s suite) applied(in, manifest string) {
	s.Helper()
	_, err := s.kubectl(s.Context(), manifest, "--namespace="+in, "apply", "-f", "-")
	s.must(err)
	s.Cleanup(func() {
		_, err := s.kubectl(context.Background(), manifest, "--namespace="+in, "delete", "--ignore-not-found", "-f", "-")
		if err != nil {
			s.Error(err)
		}
	})
}

// vector evaluates an expression.
func (p prometheus) vector(ctx context.Context, expr string) (model.Vector, error) {
	got, _, err := p.Query(ctx, expr, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	vector, ok := got.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%s is a %s, not a vector", expr, got.Type())
	}
	return vector, nil
}

// has is an error if an expression has no series.
func (p prometheus) has(ctx context.Context, expr string) error {
	got, err := p.vector(ctx, expr)
	if err == nil && len(got) == 0 {
		err = fmt.Errorf("%s has no series", expr)
	}
	return err
}

// number is the value of an expression with one series, 0 if it has none.
func (p prometheus) number(ctx context.Context, expr string) (float64, error) {
	got, err := p.vector(ctx, expr)
	if err != nil || len(got) == 0 {
		return 0, err
	}
	return float64(got[0].Value), nil
}

// alerts returns the state of each alert that is loaded: inactive, pending or firing. It is an error if a rule can't be evaluated.
func (p prometheus) alerts(ctx context.Context) (map[string]string, error) {
	loaded, err := p.Rules(ctx, nil)
	if err != nil {
		return nil, err
	}
	states := make(map[string]string)
	var broken []error
	for _, group := range loaded.Groups {
		for _, r := range group.Rules {
			switch r := r.(type) {
			case promv1.AlertingRule:
				states[r.Name] = r.State
				if r.Health == promv1.RuleHealthBad {
					broken = append(broken, fmt.Errorf("evaluating %s: %s", r.Name, r.LastError))
				}
			case promv1.RecordingRule:
				if r.Health == promv1.RuleHealthBad {
					broken = append(broken, fmt.Errorf("evaluating %s: %s", r.Name, r.LastError))
				}
			}
		}
	}
	return states, errors.Join(broken...)
}

// firing returns the alerts that fire.
func (p prometheus) firing(ctx context.Context) (names []string, err error) {
	states, err := p.alerts(ctx)
	for name, state := range states {
		if state == firing {
			names = append(names, name)
		}
	}
	return names, err
}

// quiet is an error while an alert is pending or fires.
func (p prometheus) quiet(ctx context.Context) error {
	states, err := p.alerts(ctx)
	for name, state := range states {
		if state != string(promv1.AlertStateInactive) {
			err = errors.Join(err, fmt.Errorf("%s is %s", name, state))
		}
	}
	return err
}

// were returns the alerts that were in a state at any time since.
func (p prometheus) were(ctx context.Context, state string, since time.Time) ([]string, error) {
	got, err := p.vector(ctx, fmt.Sprintf(`max by (alertname) (max_over_time(ALERTS{alertstate=%q}[%s]))`, state, rangeSince(since)))
	return labelValues(got, model.AlertNameLabel), err
}

// rangeSince is the range from a time until now.
func rangeSince(t time.Time) string { return fmt.Sprintf("%ds", int(time.Since(t).Seconds())+1) }

// labelValues are the values of a label, in order.
func labelValues(vector model.Vector, label model.LabelName) (values []string) {
	for _, series := range vector {
		values = append(values, string(series.Metric[label]))
	}
	slices.Sort(values)
	return values
}

// counted is an error until the recording rules have counted the minute in which a time lies. They do so a quarter of a minute late.
func (p prometheus) counted(ctx context.Context, at time.Time) error {
	loaded, err := p.Rules(ctx, nil)
	if err != nil {
		return err
	}
	for _, group := range loaded.Groups {
		for _, r := range group.Rules {
			late := at.Add(15 * time.Second)
			if r, ok := r.(promv1.RecordingRule); ok && r.LastEvaluation.Before(late) {
				return fmt.Errorf("%s was evaluated at %s, not after %s", r.Name, r.LastEvaluation, late)
			}
		}
	}
	return nil
}

// scraped returns the functions whose metrics port was scraped at any time since.
func (p prometheus) scraped(ctx context.Context, since time.Time) ([]string, error) {
	got, err := p.vector(ctx, fmt.Sprintf(`count by (function) (max_over_time(up{namespace=%q, instance=~".+:9464"}[%s]) == 1)`,
		namespace, rangeSince(since)))
	return labelValues(got, "function"), err
}

// panel is a panel of the dashboard with its queries.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

// panels returns those of the dashboard that have queries.
func (s suite) panels() []panel {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.root, "kservices/observability/dashboard.json"))
	s.must(err)
	var board struct{ Panels []panel }
	s.must(json.Unmarshal(text, &board))
	return slices.DeleteFunc(board.Panels, func(p panel) bool { return len(p.Targets) == 0 }) // a row has none
}

// seriesSince returns how many series a query of the dashboard has with a value since a time, as Grafana asks for a namespace and an hour.
// What a query says where there is no data is not counted.
func (p prometheus) seriesSince(ctx context.Context, expr string, since time.Time) (n int, err error) {
	filled := strings.NewReplacer("$__interval", "1m", "$__range", "1h", "$namespace", namespace, " or vector(0)", "").Replace(expr)
	got, _, err := p.QueryRange(ctx, filled, promv1.Range{Start: since, End: time.Now(), Step: 30 * time.Second})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filled, err)
	}
	matrix, ok := got.(model.Matrix)
	if !ok {
		return 0, fmt.Errorf("%s is a %s, not a matrix", filled, got.Type())
	}
	for _, series := range matrix {
		if slices.ContainsFunc(series.Values, func(v model.SamplePair) bool { return !math.IsNaN(float64(v.Value)) }) {
			n++
		}
	}
	return n, nil
}
