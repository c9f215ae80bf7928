package deployment

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/telemetry"
)

// Measure starts metrics and traces of the function of that name, if the configuration enables them. Call it before all
// other methods. With both disabled, it does nothing.
func (d *Deployment) Measure(ctx context.Context, name string) error {
	m, t := d.Telemetry.Metrics, d.Telemetry.Tracing
	if m.Protocol == config.ProtocolNone && t.Protocol == config.ProtocolNone {
		return nil
	}
	o := telemetry.Options{
		Service: name, Instance: d.Holder, Log: d.Log, Active: d.active,
		Metrics: telemetry.Metrics(m), Tracing: telemetry.Tracing(t),
	}
	for _, w := range d.Offered() {
		o.Workflows = append(o.Workflows, w.Kind)
	}
	measured, err := telemetry.New(ctx, o)
	if err != nil {
		return err
	}
	// OpenTelemetry reports failed exports only here.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		d.Log.Warn("exporting metrics or traces failed", "error", err)
	}))
	d.telemetry = measured
	d.closers = append(d.closers, measured.Close) // closers run in reverse order
	return nil
}

// active counts the jobs that wait or run. Each of them is due for a check before the time that this function computes.
func (d *Deployment) active(ctx context.Context) ([]telemetry.Count, error) {
	if d.jobs == nil {
		return nil, nil
	}
	found, err := d.jobs.Active(ctx, time.Now().Add(settings.Default().RecheckInterval+inFlight+time.Minute))
	if err == nil && d.limiter != nil && d.limiter.Turns() {
		var turns []mongo.Count
		turns, err = d.jobs.ActiveTurns(ctx)
		found = append(found, turns...)
	}
	counts := make([]telemetry.Count, 0, len(found))
	for _, c := range found {
		counts = append(counts, telemetry.Count(c))
	}
	return counts, err
}

// measured returns the lifecycle with traces.
func (d *Deployment) measured(l functions.Lifecycle) functions.Lifecycle {
	return d.telemetry.Lifecycle(l)
}

// call returns the observer of calls to MongoDB, or nil without telemetry.
func (d *Deployment) call() func(context.Context, string) (context.Context, func(error)) {
	if d.telemetry == nil {
		return nil
	}
	return d.telemetry.Call
}

// around returns a function that adds telemetry to the transport to a service of that name, or nil without telemetry.
func (d *Deployment) around(name string) func(http.RoundTripper) http.RoundTripper {
	if d.telemetry == nil {
		return nil
	}
	return func(next http.RoundTripper) http.RoundTripper { return d.telemetry.Transport(name, next) }
}

// observer returns the observer of requests, or nil without telemetry.
func (d *Deployment) observer() server.Observer {
	if d.telemetry == nil {
		return nil
	}
	return observer{d.telemetry}
}

// observer adapts a Telemetry to server.Observer.
type observer struct{ *telemetry.Telemetry }

func (o observer) End(ctx context.Context, r server.Request) {
	o.Telemetry.End(ctx, telemetry.Request(r))
}

func (o observer) Event(ctx context.Context, kind string, outcome server.Outcome) {
	o.Telemetry.Event(ctx, kind, string(outcome))
}
