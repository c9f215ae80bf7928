//go:build e2e

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/modfile"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// unstarted is how many jobs that are not started the callers of TestAlerts may have.
const unstarted = 20

// longestAlert bounds how long an alert takes to fire, or to be inactive again: those that are awaited at the shipped pace fire within
// 10 minutes, and at the quicker pace the longest one is BaktaWebEventsMissing, with 75 minutes as 6.
const longestAlert = 12 * time.Minute

// alerting is what TestAlerts has and finds.
type alerting struct {
	shipped, quick prometheus // with the shipped rules; with their quicker copy
	redeploy       func()     // restores what was deleted from the deployment
	fired          map[string]fired

	healthyFor     time.Duration // at the shipped pace
	counts, series *table        // nil until they are known
}

// fired is that an alert fired after a fault, at the quicker and at the shipped pace; the latter is 0 if it was not awaited.
type fired struct{ quick, shipped time.Duration }

// alertCase is a fault, and the alerts that fire because of it.
type alertCase struct {
	name      string
	provoke   func(a *alerting, s suite) (mend func())
	want      []string
	may       []string // those that also fire, depending on the moment
	atShipped bool     // at full size, the wanted ones are also awaited at the shipped pace
}

// alertCases has each alert once.
func alertCases() []alertCase {
	return []alertCase{
		{name: "programs crash", provoke: (*alerting).crash, want: []string{"BaktaWebJobsFail"}, atShipped: true},
		{name: "notify is missing", provoke: (*alerting).withoutNotify,
			want: []string{"BaktaWebDeliveriesOwed"}, may: []string{"BaktaWebSweepsFail"}},
		{name: "jobupdate is missing", provoke: (*alerting).withoutJobUpdate, want: []string{"BaktaWebEventsMissing", "BaktaWebOutcomesLate"}},
		{name: "S3 is slow", provoke: (*alerting).slowStorage, want: []string{"BaktaWebRequestsSlow"}},
		{name: "a quota forbids Kubernetes Jobs", provoke: (*alerting).forbidJobs,
			want: []string{"BaktaWebLaunchesFail", "BaktaWebJobsOwed"}, may: []string{"BaktaWebSweepsFail"}},
		{name: "no pod of a job is admitted", provoke: (*alerting).refusePod, want: []string{"BaktaWebJobsWait"}},
		{name: "MongoDB is cut off", provoke: (*alerting).cutMongo, atShipped: true,
			want: []string{"BaktaWebSweepsFail", "BaktaWebRequestsFail", "BaktaWebEventsDeferred", "BaktaWebCallsUncounted"},
			may:  []string{"BaktaWebRequestsSlow"}},
		{name: "the timer of the sweep is missing", provoke: (*alerting).withoutTimer, want: []string{"BaktaWebNoSweep"}},
	}
}

// Two real Prometheus servers watch the backend, as their operator configures them from kservices/observability: one with the shipped
// rules, one with a copy that is quicker (quickened). In a healthy deployment, whose functions start from zero and stop again, the
// counts are exact, no alert fires, and but for two no alert's condition is ever true. Then each alert fires because of its fault, and no
// other one; and each query of the dashboard has series. -test.run 'TestAlerts/MongoDB' runs one case; "the dashboard" needs all of them.
func TestAlerts(t *testing.T) {
	s := newSuite(t)
	s.needs("prometheus")
	s.needsGates()
	began := time.Now()
	a := &alerting{fired: make(map[string]fired)}
	const observed = "components: [%s/observability]\n"
	configured := func(config string) string {
		config = strings.Replace(config, "Notify:\n", "Notify:\n  AllowNetworks: ["+s.target.mongo.Hostname()+"]\n", 1)
		return config + fmt.Sprintf("Limits: {Caller: {Unstarted: %d, CallsPerMinute: 100000}}\n", unstarted)
	}
	s.varyBy(observed, configured)
	a.shipped = s.startPrometheus("main", "{matchExpressions: [{key: pace, operator: DoesNotExist}]}")
	a.checkCases(s)
	run := func(name string, test func(s suite)) {
		t.Run(name, func(t *testing.T) { test(suite{t, s.world}) })
	}
	run("healthy", a.healthy)

	a.redeploy = s.varyBy(observed+`patches:
  - target: {kind: PingSource, name: sweep}
    patch: '[{"op": "replace", "path": "/spec/schedule", "value": "*/5 * * * * *"}]' # a minute at the quicker pace
`, configured)
	for _, file := range []string{"podmonitor.yaml", "rules.yaml"} {
		shipped, err := os.ReadFile(filepath.Join(s.root, "kservices/observability", file))
		s.must(err)
		quick, err := quickened(string(shipped))
		s.must(err)
		s.applied(namespace, quick)
	}
	a.quick = s.startPrometheus("quick", "{matchLabels: {pace: quick}}")
	s.settle(a.quick)
	run("healthy at the quicker pace", a.healthyQuick)
	for _, c := range alertCases() {
		run(c.name, func(s suite) { a.test(s, c) })
	}
	run("all is over", func(s suite) { s.must(s.alertsBecome(a.quick.quiet)) })
	run("the dashboard", func(s suite) { a.dashboard(s, began) })
	s.report("prometheus", a.text(s, time.Since(began)))
}

// wanted returns the alerts of all cases.
func wanted() (names []string) {
	for _, c := range alertCases() {
		names = append(names, c.want...)
	}
	slices.Sort(names)
	return names
}

// checkCases checks that each alert that is shipped is wanted by one case.
func (a *alerting) checkCases(s suite) {
	s.Helper()
	states, err := a.shipped.alerts(s.Context())
	s.must(err)
	if shipped := slices.Sorted(maps.Keys(states)); !slices.Equal(shipped, wanted()) {
		s.Fatalf("the alerts are %v, and the cases want %v", shipped, wanted())
	}
}

// settle waits until the first minutes are over, in which no sweep was counted yet.
func (s suite) settle(p prometheus) {
	s.Helper()
	s.wait("a sweep to be counted", func(ctx context.Context) error {
		return p.has(ctx, `bakta:sweeps:increase1m{result="done"} > 0`)
	})
	s.wait("no alert", p.quiet)
}

// alertsBecome waits for a state of alerts.
func (s suite) alertsBecome(ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(s.Context(), longestAlert)
	defer cancel()
	return eventually(ctx, time.Second, ask)
}

// healthy runs jobs at the shipped pace, with every function at zero in between.
func (a *alerting) healthy(s suite) {
	s.settle(a.shipped)
	ran, refused := rounds(), 1
	counted := map[string]int{
		`bakta:jobs_submitted:increase1m`:                                  ran,
		`bakta:job_launches:increase1m{result="done"}`:                     ran,
		`bakta:jobs_completed:increase1m{status="successful"}`:             ran,
		`bakta:http_requests:increase1m{route="/api/v1/job/start"}`:        ran,
		`bakta:jobs_removed:increase1m{reason="owner"}`:                    ran + unstarted,
		`bakta:limit_refusals:increase1m`:                                  refused,
		`bakta:http_requests:increase1m{route="/api/v1/job/init"}`:         ran + unstarted + refused,
		`bakta:http_requests:increase1m{status=~"5..",route=~"/api/v1.*"}`: 0,
	}
	total := func(series string) (n float64) {
		s.wait("an answer of Prometheus", func(ctx context.Context) (err error) {
			n, err = a.shipped.number(ctx, "sum(sum_over_time("+series+"[1h]))")
			return err
		})
		return n
	}
	s.atZero(functions()...)
	before := make(map[string]float64)
	for series := range counted {
		before[series] = total(series)
	}
	from := time.Now()
	s.reachLimit() // a limit refuses a call, which is not a fault
	for range ran {
		r := s.run("after-5")
		s.becomes(r, "SUCCESSFUL")
		s.remove(r)
		s.atZero(functions()...)
	}
	s.drained("submit", "status", "jobupdate")
	now := time.Now()
	s.wait("the last minute to be counted", func(ctx context.Context) error { return a.shipped.counted(ctx, now) })
	table := newTable("series", "happened", "counted")
	for _, series := range slices.Sorted(maps.Keys(counted)) {
		want, got := counted[series], total(series)-before[series]
		table.row(series, strconv.Itoa(want), strconv.FormatFloat(got, 'g', -1, 64))
		if got != float64(want) {
			s.Errorf("%s is %g, want %d", series, got, want)
		}
	}
	scraped, err := a.shipped.scraped(s.Context(), from)
	s.must(err)
	for _, name := range functions() {
		if !slices.Contains(scraped, name) {
			s.Errorf("%s was not scraped, but %v", name, scraped)
		}
	}
	s.firedNone(a.shipped, from)
	active, err := a.shipped.were(s.Context(), pending, from)
	s.must(err)
	if active = slices.DeleteFunc(active, ofMoments); len(active) > 0 {
		s.Errorf("in a healthy deployment, the conditions of %v were true", active)
	}
	a.healthyFor, a.counts = time.Since(from), table
}

// ofMoments is true of alerts on the numbers of jobs that each sweep counts. A sweep that comes between a job's start and its launch, or
// between its launch and its pod, makes their condition true until the next one; so they have to last for half an hour.
func ofMoments(alert string) bool { return alert == "BaktaWebJobsOwed" || alert == "BaktaWebJobsWait" }

// drained waits until functions have no pods at all, so that their last scrapes are made.
func (s suite) drained(names ...string) {
	s.Helper()
	for _, name := range names {
		s.wait("the end of the pods of "+name, func(ctx context.Context) error {
			pods, err := s.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/service=" + name})
			if err == nil && len(pods.Items) > 0 {
				err = fmt.Errorf("there are %d", len(pods.Items))
			}
			return err
		})
	}
}

// remove deletes a job.
func (s suite) remove(r ref) {
	s.Helper()
	code, answer, err := s.call(s.Context(), http.MethodDelete, "/job/delete"+r.query(), nil)
	s.must(err)
	if code != http.StatusOK {
		s.Errorf("a deletion is answered %d: %v", code, answer)
	}
}

// reachLimit creates jobs until the limit refuses one, and deletes them.
func (s suite) reachLimit() {
	s.Helper()
	var made []ref
	for range unstarted {
		r, err := s.create(s.Context())
		s.must(err)
		made = append(made, r)
	}
	_, err := s.create(s.Context())
	if no := (*refused)(nil); !errors.As(err, &no) || no.code != http.StatusTooManyRequests {
		s.Errorf("with %d jobs that are not started, one more is answered %v", unstarted, err)
	}
	for _, r := range made {
		s.remove(r)
	}
}

// healthyQuick runs jobs at the quicker pace.
func (a *alerting) healthyQuick(s suite) {
	from := time.Now()
	for range 3 {
		r := s.run("after-5")
		s.becomes(r, "SUCCESSFUL")
		s.atZero("submit", "status", "jobupdate")
	}
	s.firedNone(a.quick, from)
}

func (s suite) firedNone(p prometheus, from time.Time) {
	s.Helper()
	fired, err := p.were(s.Context(), firing, from)
	s.must(err)
	if len(fired) > 0 {
		s.Errorf("in a healthy deployment, %v fired", fired)
	}
}

// test provokes alerts, waits until they fire, and mends the fault. No other alert may begin to fire meanwhile.
func (a *alerting) test(s suite, c alertCase) {
	before, err := a.quick.firing(s.Context())
	s.must(err)
	for _, name := range c.want {
		if slices.Contains(before, name) {
			s.Errorf("%s fires before", name)
		}
	}
	s.Cleanup(func() {
		if s.Failed() { // the fault may still be there
			a.redeploy()
		}
	})
	from := time.Now()
	mend := sync.OnceFunc(c.provoke(a, s))
	defer mend() // of a case that fails, too
	for name, after := range s.await(a.quick, c.want, from) {
		a.fired[name] = fired{quick: after}
		s.Logf("%s fires after %s", name, after.Round(time.Second))
	}
	if c.atShipped && full {
		for name, after := range s.await(a.shipped, c.want, from) {
			a.fired[name] = fired{quick: a.fired[name].quick, shipped: after}
			s.Logf("%s fires after %s at the shipped pace", name, after.Round(time.Second))
		}
	}
	mend()
	if len(c.may) > 0 { // so that none of them begins in the next case
		s.must(s.alertsBecome(func(ctx context.Context) error {
			states, err := a.quick.alerts(ctx)
			for _, name := range c.may {
				if states[name] == firing {
					err = errors.Join(err, fmt.Errorf("%s fires", name))
				}
			}
			return err
		}))
	}
	active, err := a.quick.were(s.Context(), firing, from)
	s.must(err)
	for _, name := range active { // one that fired before may last
		if !slices.Contains(slices.Concat(c.want, c.may, before), name) {
			s.Errorf("%s fires, too", name)
		}
	}
}

// await waits until alerts have fired, and returns after how long each did.
func (s suite) await(p prometheus, names []string, from time.Time) map[string]time.Duration {
	s.Helper()
	after := make(map[string]time.Duration)
	s.must(s.alertsBecome(func(ctx context.Context) error {
		states, err := p.alerts(ctx)
		for _, name := range names {
			if _, fired := after[name]; !fired && states[name] == firing {
				after[name] = time.Since(from)
			} else if !fired {
				err = errors.Join(err, fmt.Errorf("%s is %s", name, states[name]))
			}
		}
		return err
	}))
	return after
}

// dashboard checks that each query of the dashboard has a value in this run, by the shipped rules.
func (a *alerting) dashboard(s suite, began time.Time) {
	a.series = newTable("panel", "series of each query")
	for _, p := range s.panels() {
		var counts []string
		for _, query := range p.Targets {
			var n int
			s.wait("the series of "+p.Title, func(ctx context.Context) (err error) {
				n, err = a.shipped.seriesSince(ctx, query.Expr, began)
				return err
			})
			if n == 0 {
				s.Errorf("%s: %s has no series", p.Title, query.Expr)
			}
			counts = append(counts, strconv.Itoa(n))
		}
		a.series.row(p.Title, strings.Join(counts, ", "))
	}
}

// text is the report.
func (a *alerting) text(s suite, took time.Duration) string {
	s.Helper()
	after := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.Round(time.Second).String()
	}
	provoked := newTable("alert", "fault", "fired after", "at the shipped pace")
	for _, c := range alertCases() {
		for _, name := range c.want {
			if f, ok := a.fired[name]; ok {
				provoked.row(name, c.name, after(f.quick), after(f.shipped))
			}
		}
	}
	verdict := "Each check passed."
	if s.Failed() {
		verdict = "FAILED: the log of the test names what is not true."
	} else if a.counts == nil || a.series == nil || len(a.fired) < len(wanted()) {
		verdict = "INCOMPLETE: only a part of the test was selected, and the rest is left out."
	}
	var out strings.Builder
	fmt.Fprintf(&out, `# Prometheus beside the backend

This file is written by `+"`E2E_PARTS=prometheus make e2e-full`"+`: two Prometheus servers watch the backend on a cluster of
`+"`bin/cluster`"+`. The operator configures both, one by the objects of `+"`kservices/observability`"+`, the other by a copy of
them with the quicker pace: each interval, range, offset and "for" is divided by %d, and a sweep comes every 5 s.

On %s, commit %s, %d CPUs, in %s. %s
Go modules: Prometheus %s, its operator %s, Kubernetes %s, Knative Serving %s.
`,
		speedup, time.Now().UTC().Format(time.DateOnly), s.commit(), runtime.NumCPU(), took.Round(time.Minute), verdict,
		s.version("neighbours/prometheus", "github.com/prometheus/prometheus"),
		s.version("neighbours/prometheus-operator", "github.com/prometheus-operator/prometheus-operator"),
		s.version("parts", "k8s.io/kubernetes"), s.version("parts", "knative.dev/serving"))
	section := func(heading string, t *table) {
		if t != nil {
			fmt.Fprintf(&out, "\n%s\n\n```\n%s```\n", heading, t.text())
		}
	}
	section(fmt.Sprintf("In a healthy deployment, no alert fired, and but for those on waiting jobs none was pending, for %s at the\n"+
		"shipped pace, with each function at zero between two jobs. What was counted, of pods that lived for one job:",
		a.healthyFor.Round(time.Second)), a.counts)
	section("Each alert fired because of its fault, at the quicker pace, and no other alert began to fire:", provoked)
	section("Each query of the dashboard had series, at the shipped pace:", a.series)
	return out.String()
}

// version is that of a Go module which a module below e2e requires.
func (s suite) version(folder, path string) string {
	s.Helper()
	file := filepath.Join(s.root, "e2e", folder, "go.mod")
	text, err := os.ReadFile(file)
	s.must(err)
	mod, err := modfile.Parse(file, text, nil)
	s.must(err)
	for _, r := range mod.Require {
		if r.Mod.Path == path {
			return r.Mod.Version
		}
	}
	s.Fatalf("%s does not require %s", file, path)
	return ""
}
