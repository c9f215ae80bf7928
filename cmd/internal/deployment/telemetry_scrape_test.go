package deployment

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// families returns a scrape.
func (w *world) families() map[string]*dto.MetricFamily {
	w.Helper()
	response, err := http.Get("http://" + w.scrape + "/metrics")
	must(w, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(w, err)
	w.scraped = string(content)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(content))
	must(w, err)
	return families
}

// counted waits until a series has a value, which for a histogram is the number of its values. A request is counted when it
// has ended, which is after its client has the response.
func (w *world) counted(series string, want float64) {
	w.Helper()
	deadline := time.Now().Add(patience)
	for {
		var got []string
		for name, f := range w.families() {
			for _, m := range f.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					if !strings.HasPrefix(l.GetName(), "otel_") {
						labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
					}
				}
				value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
				this := fmt.Sprintf("%s{%s}", name, strings.Join(labels, ","))
				if this == series && value == want {
					return
				}
				if strings.HasPrefix(series, name+"{") {
					got = append(got, fmt.Sprint(this, " ", value))
				}
			}
		}
		if time.Now().After(deadline) {
			w.Errorf("%s is not %v. There are:\n%s", series, want, strings.Join(got, "\n"))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// documented compares the scraped metrics with the list.
func (w *world) documented() {
	w.Helper()
	content, err := os.ReadFile("../../../kservices/observability/metrics.txt")
	must(w, err)
	families := w.families()
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		name := words[0]
		f := families[name]
		if f == nil {
			w.Errorf("%s is documented and does not exist", name)
			continue
		}
		delete(families, name)
		if kind := strings.ToLower(f.GetType().String()); kind != words[1] {
			w.Errorf("%s is a %s", name, kind)
		}
		documented := make(map[string][]string)
		for _, label := range words[2:] {
			key, values, _ := strings.Cut(label, "=")
			documented[key] = strings.Split(values, ",")
		}
		for _, m := range f.GetMetric() {
			seen := make(map[string]bool)
			for _, l := range m.GetLabel() {
				key, value := l.GetName(), l.GetValue()
				seen[key] = true
				switch allowed := documented[key]; {
				case strings.HasPrefix(key, "otel_scope_"):
				case allowed == nil:
					w.Errorf("%s has an undocumented label %s", name, key)
				case key == "route" && value != "" && !slices.Contains(w.routes, value):
					w.Errorf("%s has a route that the server does not serve: %q", name, value)
				case !slices.Contains(allowed, "*") && !slices.Contains(allowed, value):
					w.Errorf("%s has an undocumented value: %s=%q", name, key, value)
				}
			}
			for key := range documented {
				if !seen[key] {
					w.Errorf("%s lacks its label %s", name, key)
				}
			}
		}
	}
	for name, f := range families {
		// Prometheus's client adds metrics of the process and of the Go runtime.
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && !strings.HasPrefix(name, "promhttp_") &&
			name != "target_info" {
			w.Errorf("%s %s is not documented", name, f.GetType())
		}
	}
}
