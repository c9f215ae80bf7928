package observability

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// known contains the valid values of the labels, by metric and label. "*" means any value.
type known map[string]map[string][]string

// metrics reads the metrics of the functions. A test of the functions compares the same file with a scrape.
func metrics(t *testing.T) known {
	t.Helper()
	content, err := os.ReadFile("metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := known{
		// Metrics of Prometheus itself, and of its client for Go.
		"up":                            {},
		"process_resident_memory_bytes": {},
		"process_cpu_seconds_total":     {},
	}
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		may := make(map[string][]string)
		for _, label := range words[2:] {
			key, values, _ := strings.Cut(label, "=")
			may[key] = strings.Split(values, ",")
		}
		if words[1] != "histogram" {
			all[words[0]] = may
			continue
		}
		all[words[0]+"_count"], all[words[0]+"_sum"] = may, may
		buckets := map[string][]string{"le": {"*"}}
		for k, v := range may {
			buckets[k] = v
		}
		all[words[0]+"_bucket"] = buckets
	}
	for _, may := range all {
		// Labels that the scrape adds, see podmonitor.yaml.
		may["job"], may["namespace"], may["pod"], may["function"] = []string{"*"}, []string{"*"}, []string{"*"}, []string{"*"}
	}
	return all
}

// rule is a rule of a rule file.
type rule struct {
	Record, Alert, Expr string
	For                 string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (records, alerts []rule) {
	t.Helper()
	content, err := os.ReadFile("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Spec struct {
			Groups []struct {
				Name, Interval string
				Rules          []rule
			}
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Spec.Groups {
		if g.Interval != "1m" {
			t.Errorf("the group %s has an interval of %s, with which minutes are counted twice or not at all", g.Name, g.Interval)
		}
		for _, r := range g.Rules {
			if r.Record != "" {
				records = append(records, r)
			} else {
				alerts = append(alerts, r)
			}
		}
	}
	return records, alerts
}

// queries returns the dashboard's queries, by panel.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	content, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(content, &board); err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			// Grafana replaces these variables.
			expr := strings.NewReplacer("$__interval", "5m", "$__range", "1h", "$namespace", ".*").Replace(q.Expr)
			all[p.Title] = append(all[p.Title], expr)
			for _, label := range legend(q.LegendFormat) {
				if !strings.Contains(q.Expr, label) {
					t.Errorf("panel %q: the legend contains %s, which is not in the query's result", p.Title, label)
				}
			}
		}
	}
	return all
}

// legend returns the labels in a legend: {{these}}.
func legend(format string) (names []string) {
	for _, part := range strings.Split(format, "{{")[1:] {
		name, _, _ := strings.Cut(part, "}}")
		names = append(names, name)
	}
	return names
}

func parse(t *testing.T, where, expr string) parser.Expr {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v\n%s", where, err, expr)
	}
	return e
}

// check compares a query with the metrics: their names, their labels, and the values of those.
func (k known) check(t *testing.T, where, expr string) {
	t.Helper()
	e := parse(t, where, expr)
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		selector, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		may, exists := k[selector.Name]
		if !exists {
			t.Errorf("%s: unknown metric %s", where, selector.Name)
			return nil
		}
		for _, m := range selector.LabelMatchers {
			if m.Name == model.MetricNameLabel {
				continue
			}
			values, has := may[m.Name]
			switch {
			case !has:
				t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
			case slices.Contains(values, "*"):
			case !slices.ContainsFunc(values, m.Matches) || !slices.ContainsFunc(values, func(v string) bool { return !m.Matches(v) }) &&
				m.Value != ".*":
				t.Errorf("%s: %s matches none or all of %v", where, m, values)
			default:
				// Each alternative of a pattern must also be a valid value.
				for word := range strings.SplitSeq(m.Value, "|") {
					if !strings.ContainsAny(word, ".*[") && !slices.Contains(values, word) {
						t.Errorf("%s: %s contains %q, which is not one of %v", where, m, word, values)
					}
				}
			}
		}
		for _, p := range path {
			by, ok := p.(*parser.AggregateExpr)
			if !ok || by.Without {
				continue
			}
			for _, label := range by.Grouping {
				if _, has := may[label]; !has {
					t.Errorf("%s: %s has no label %s to group by", where, selector.Name, label)
				}
			}
		}
		return nil
	})
}

// record adds the metric of a recording rule, with the labels of its result.
func (k known) record(t *testing.T, r rule) {
	t.Helper()
	sum, ok := parse(t, r.Record, r.Expr).(*parser.AggregateExpr)
	if !ok {
		t.Fatalf("%s is not an aggregation", r.Record)
	}
	may := make(map[string][]string)
	parser.Inspect(sum, func(n parser.Node, _ []parser.Node) error {
		if selector, ok := n.(*parser.VectorSelector); ok {
			for _, label := range sum.Grouping {
				may[label] = k[selector.Name][label]
			}
		}
		return nil
	})
	k[r.Record] = may
}

// TestQueries parses every query of the rules and of the dashboard, and compares it with the metrics.
func TestQueries(t *testing.T) {
	known := metrics(t)
	records, alerts := rules(t)
	for _, r := range records {
		known.check(t, r.Record, r.Expr)
		known.record(t, r)
	}
	used := make(map[string]bool)
	use := func(where, expr string) {
		known.check(t, where, expr)
		parser.Inspect(parse(t, where, expr), func(n parser.Node, _ []parser.Node) error {
			if selector, ok := n.(*parser.VectorSelector); ok {
				used[selector.Name] = true
			}
			return nil
		})
	}
	for _, r := range alerts {
		use(r.Alert, r.Expr)
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", r.Alert)
		}
	}
	panels := queries(t)
	if len(panels) < 20 {
		t.Errorf("only %d panels have queries", len(panels))
	}
	for panel, exprs := range panels {
		for _, expr := range exprs {
			use("panel "+panel, expr)
		}
	}
	for _, r := range records {
		if !used[r.Record] {
			t.Errorf("no rule and no panel uses %s", r.Record)
		}
	}
}
