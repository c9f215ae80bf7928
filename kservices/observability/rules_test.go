package observability

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

// healthy is an hour and a half of a healthy deployment, scraped every 30 s: a pod that sweeps continuously, and pods that
// live for one job each. In Prometheus's notation, 0+1x3 is 0 1 2 3, and _x3 is no sample three times.
// A line that ends in a backslash continues.
const healthy = `
sweeps_total{job="bakta/bakta-web", namespace="bakta", pod="expire-1", result="done"} 1 1+0.5x180
sweep_jobs_total{job="bakta/bakta-web", namespace="bakta", pod="expire-1", task="release", result="done"} 1+0.5x180
jobs_active{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="pending"} 0x180
jobs_active{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="init"} 0x60 1x120
jobs_active{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="running"} 1x180
http_request_duration_seconds_count{job="bakta/bakta-web", namespace="bakta", pod="submit-1", \
  route="/api/v1/job/start", status="200"} 10+1x180
http_request_duration_seconds_count{job="bakta/bakta-web", namespace="bakta", pod="submit-1", \
  route="/api/v1/job/start", status="500"} 0x100 1x80
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="submit-1", \
  route="/api/v1/job/start", status="200", le="0.1"} 10+1x180
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="submit-1", \
  route="/api/v1/job/start", status="200", le="+Inf"} 10+1x180
jobs_completed_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-1", workflow_kind="bakta", status="successful"} _x100 1x4
jobs_completed_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-2", workflow_kind="bakta", status="successful"} _x120 2x4
jobs_completed_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-3", workflow_kind="bakta", status="error"} _x140 1x4
jobs_failed_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-3", workflow_kind="bakta", code="bad_input"} _x140 9x4
job_outcome_delay_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-2", workflow_kind="bakta", le="1"} _x120 2x4
job_outcome_delay_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-2", workflow_kind="bakta", le="+Inf"} _x120 2x4
job_launches_total{job="bakta/bakta-web", namespace="bakta", pod="submit-1", workflow_kind="bakta", run="1", result="done"} 1 1x90 5x90
job_launches_total{job="bakta/bakta-web", namespace="bakta", pod="submit-1", workflow_kind="bakta", run="1", \
  result="unavailable"} _x170 1x10
events_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-2", event="update", outcome="handled"} _x120 7x4
events_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-2", event="update", outcome="deferred"} _x120 2x4
sweeps_total{job="another", namespace="other", pod="x", result="failed"} 0+100x180
`

// TestAlerts evaluates the rules every minute with Prometheus's engine, and checks the alerts at the end: none for a healthy
// deployment, and the right one for each fault.
func TestAlerts(t *testing.T) {
	for _, c := range []struct {
		name    string
		instead []string // beginnings of series of healthy, each with their new samples
		more    string
		want    []string
	}{
		{name: "all is well"},
		{name: "no sweeps", instead: []string{`sweeps_total{job="bakta/bakta-web"`, "1+0.5x100"}, want: []string{"BaktaWebNoSweep"}},
		{name: "nothing is scraped", instead: []string{"", ""}, want: []string{"BaktaWebNoSweep"}},
		{name: "sweeps fail", instead: []string{`sweeps_total{job="bakta/bakta-web"`, "1+0.5x140"},
			more: `sweeps_total{job="bakta/bakta-web", namespace="bakta", pod="expire-1", result="failed"} _x140 1+0.5x40`,
			want: []string{"BaktaWebSweepsFail"}},
		{name: "a call fails", more: `http_request_duration_seconds_count{job="bakta/bakta-web", namespace="bakta", pod="submit-1", ` +
			`route="/api/v1/job/init", status="503"} _x150 1+1x30`,
			want: []string{"BaktaWebRequestsFail"}},
		{name: "a call is slow", more: `
http_request_duration_seconds_count{job="bakta/bakta-web", namespace="bakta", pod="status-1", route="/api/v1/job/list", \
  status="200"} _x120 1+1x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="status-1", \
  route="/api/v1/job/list", status="200", le="5"} _x120 0x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="status-1", \
  route="/api/v1/job/list", status="200", le="10"} _x120 1+1x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="status-1", \
  route="/api/v1/job/list", status="200", le="+Inf"} _x120 1+1x60`,
			want: []string{"BaktaWebRequestsSlow"}},
		{name: "a call waits for a change", more: `
http_request_duration_seconds_count{job="bakta/bakta-web", namespace="bakta", pod="status-1", route="/api/v2/job/status", \
  status="200"} _x120 1+1x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="status-1", \
  route="/api/v2/job/status", status="200", le="10"} _x120 0x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="status-1", \
  route="/api/v2/job/status", status="200", le="+Inf"} _x120 1+1x60`},
		{name: "receivers of messages are slow, and some can't be sent to", more: `
http_request_duration_seconds_count{job="bakta/bakta-web", namespace="bakta", pod="notify-1", route="/deliveries", status="503"} \
  _x120 1+1x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="notify-1", route="/deliveries", status="503", le="10"} \
  _x120 0x60
http_request_duration_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="notify-1", route="/deliveries", status="503", \
  le="+Inf"} _x120 1+1x60`},
		{name: "events are deferred",
			more: `events_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-9", event="update", outcome="deferred"} _x160 9x20`,
			want: []string{"BaktaWebEventsDeferred"}},
		{name: "events don't come", instead: []string{"events_total", "_x180"}, want: []string{"BaktaWebEventsMissing"}},
		{name: "outcomes are late", instead: []string{"job_outcome_delay_seconds_bucket", "_x180"}, more: `
job_outcome_delay_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", le="60"} _x150 0x30
job_outcome_delay_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", le="120"} _x150 3x30
job_outcome_delay_seconds_bucket{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", le="+Inf"} _x150 3x30`,
			want: []string{"BaktaWebOutcomesLate"}},
		{name: "runs can't be launched", more: `job_launches_total{job="bakta/bakta-web", namespace="bakta", pod="expire-1", ` +
			`workflow_kind="bakta", run="1", result="failed"} _x150 1+1x30`,
			want: []string{"BaktaWebLaunchesFail"}},
		{name: "jobs fail", more: `jobs_failed_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-9", workflow_kind="bakta", ` +
			`code="out_of_memory"} _x150 3x4`,
			want: []string{"BaktaWebJobsFail"}},
		{name: "launches are owed",
			instead: []string{`jobs_active{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="pending"`,
				"0x100 2x80"},
			want: []string{"BaktaWebJobsOwed"}},
		{name: "jobs wait",
			instead: []string{`jobs_active{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="running"`,
				"1x100 0x80", `jobs_completed_total{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-2"`, "_x100 2x4"},
			want: []string{"BaktaWebJobsWait"}},
		{name: "only the sweep finds that jobs ran",
			instead: []string{`jobs_active{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="running"`,
				"1x100 0x80"},
			more: `jobs_completed_total{job="bakta/bakta-web", namespace="bakta", pod="expire-1", workflow_kind="bakta", status="successful"} ` +
				`_x100 1+0.25x80`},
		{name: "messages are not sent",
			more: `deliveries_unattempted_seconds{job="bakta/bakta-web", namespace="bakta", pod="expire-1"} 0x100 60+60x80`,
			want: []string{"BaktaWebDeliveriesOwed"}},
		{name: "calls can't be counted",
			more: `limit_uncounted_total{job="bakta/bakta-web", namespace="bakta", pod="status-1"} _x150 1+1x30`,
			want: []string{"BaktaWebCallsUncounted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := load(t, c.instead, c.more)
			if got := p.firing(t); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestShortLives: a pod that lives for one request is counted. Its counters are never scraped at 0, so Prometheus's
// increase() omits it.
func TestShortLives(t *testing.T) {
	p := load(t, nil, "")
	p.firing(t)
	for query, want := range map[string]float64{
		`sum(sum_over_time(bakta:jobs_completed:increase1m[1h]))`:                      4, // each of three pods, with 1, 2 and 1
		`sum(sum_over_time(bakta:jobs_completed:increase1m{status="successful"}[1h]))`: 3,
		`sum(increase(jobs_completed_total[1h]))`:                                      0,
		`sum(sum_over_time(bakta:http_requests:increase1m{status="200"}[1h]))`:         120, // two a minute, for an hour
		`sum(sum_over_time(bakta:sweeps:increase1m[1h]))`:                              60,  // without those of other jobs
	} {
		got := p.query(t, query, p.end)
		if len(got) != 1 || got[0].F != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

// TestFailedScrape: a scrape that fails marks the series of its pod as stale. What the pod has counted before does not count again.
func TestFailedScrape(t *testing.T) {
	const long = `{job="bakta/bakta-web", namespace="bakta", pod="jobupdate-9", event="update", outcome="deferred"}`
	for name, samples := range map[string]string{ // every 30 s
		"one scrape fails":               "50x99 stale 50x79",
		"scrapes fail for half an hour":  "50x79 " + strings.Repeat("stale ", 60) + "50x39",
		"Prometheus is away for a while": "50x79 _x59 50x39",
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, nil, "events_total"+long+" "+samples)
			if got := p.firing(t); len(got) != 0 {
				t.Errorf("%v fire", got)
			}
			if got := p.query(t, `max_over_time(bakta:events:increase1m{outcome="deferred"}[80m])`, p.end); len(got) != 1 || got[0].F != 2 {
				t.Errorf("in a minute, %v events were deferred, want the 2 of another pod", got)
			}
		})
	}
}

// TestSlowScrape: a scrape is stored with the time of its beginning. What a scrape that ends after an evaluation has read is counted.
func TestSlowScrape(t *testing.T) {
	p := load(t, []string{"", ""}, "")
	records, _ := rules(t)
	series := labels.FromStrings(model.MetricNameLabel, "sweeps_total", "job", "bakta/bakta-web", "namespace", "bakta",
		"pod", "expire-1", "result", "done")
	const minutes = 30
	for minute := 1; minute <= minutes; minute++ {
		at := time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)
		for _, r := range records {
			p.store(t, r.Record, p.query(t, r.Expr, at))
		}
		for _, scrape := range []time.Duration{-time.Second, 29 * time.Second} { // the first began before the evaluation
			a := p.storage.Appender(t.Context())
			if _, err := a.Append(0, series, at.Add(scrape).UnixMilli(), float64(minute)); err != nil {
				t.Fatal(err)
			}
			if err := a.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := time.Unix(0, 0).Add(minutes * time.Minute)
	got := p.query(t, "sum(sum_over_time(bakta:sweeps:increase1m[1h]))", end)
	if len(got) != 1 || got[0].F != minutes-1 { // the last one is read after the end
		t.Errorf("%v sweeps are counted, want %d", got, minutes-1)
	}
}

// prometheus is a storage with an engine.
type prometheus struct {
	storage interface {
		storage.Queryable
		storage.Appendable
	}
	engine *promql.Engine
	end    time.Time
}

// joined joins each line that ends in a backslash with the next one.
func joined(series string) string { return strings.ReplaceAll(series, "\\\n  ", "") }

// load fills a storage with the series of healthy, except those that instead replaces.
func load(t *testing.T, instead []string, more string) *prometheus {
	t.Helper()
	var script strings.Builder
	script.WriteString("load 30s\n")
	for line := range strings.Lines(joined(healthy)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		for i := 0; i < len(instead); i += 2 {
			if series, _, _ := strings.Cut(line, "} "); strings.HasPrefix(line, instead[i]) {
				line = series + "} " + instead[i+1]
			}
		}
		if !strings.HasSuffix(line, "} ") {
			script.WriteString("  " + line + "\n")
		}
	}
	script.WriteString(strings.TrimSpace(joined(more)) + "\n")
	s := promqltest.LoadedStorage(t, script.String())
	t.Cleanup(func() { s.Close() })
	return &prometheus{
		storage: s,
		engine:  promqltest.NewTestEngine(t, false, 0, 1_000_000),
		end:     time.Unix(0, 0).Add(90 * time.Minute),
	}
}

func (p *prometheus) query(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	q, err := p.engine.NewInstantQuery(t.Context(), p.storage, nil, expr, at)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	result := q.Exec(t.Context())
	v, err := result.Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return slices.Clone(v)
}

// firing evaluates all rules as Prometheus does, and returns the alerts that fire at the end.
func (p *prometheus) firing(t *testing.T) (names []string) {
	t.Helper()
	records, alerts := rules(t)
	since := make(map[string]time.Time) // by alert and labels
	for at := time.Unix(0, 0).Add(time.Minute); !at.After(p.end); at = at.Add(time.Minute) {
		for _, r := range records {
			p.store(t, r.Record, p.query(t, r.Expr, at))
		}
		still := make(map[string]time.Time)
		for _, r := range alerts {
			wait, err := model.ParseDuration(cmp.Or(r.For, "0s"))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range p.query(t, r.Expr, at) {
				key := r.Alert + s.Metric.String()
				still[key] = at
				if began, ok := since[key]; ok {
					still[key] = began
				}
				if at.Equal(p.end) && at.Sub(still[key]) >= time.Duration(wait) {
					names = append(names, r.Alert)
				}
			}
		}
		since = still
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *prometheus) store(t *testing.T, name string, v promql.Vector) {
	t.Helper()
	if len(v) == 0 {
		return
	}
	a := p.storage.Appender(context.Background())
	for _, s := range v {
		b := labels.NewBuilder(s.Metric)
		b.Set(model.MetricNameLabel, name)
		if _, err := a.Append(0, b.Labels(), s.T, s.F); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", name, err))
		}
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
}
