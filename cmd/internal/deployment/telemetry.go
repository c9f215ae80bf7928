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
	"github.com/ag-computational-bio/bakta-web-backend/lib/telemetry"
)

// Measure begins to measure the function of that name, if the configuration says so. It comes before all other parts are
// made. Where nothing is measured, nothing of it is made.
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
	// There is no other way to learn that a collector is down.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		d.Log.Warn("metrics or traces could not be sent", "error", err)
	}))
	d.telemetry = measured
	d.closers = append(d.closers, measured.Close) // the first is closed last
	return nil
}

// active counts the jobs that wait or run. Each is checked again within the time that is added here.
func (d *Deployment) active(ctx context.Context) ([]telemetry.Count, error) {
	if d.jobs == nil {
		return nil, nil
	}
	found, err := d.jobs.Active(ctx, time.Now().Add(settings.Default().RecheckInterval+inFlight+time.Minute))
	counts := make([]telemetry.Count, 0, len(found))
	for _, c := range found {
		counts = append(counts, telemetry.Count(c))
	}
	return counts, err
}

// measured returns a lifecycle that is traced.
func (d *Deployment) measured(l functions.Lifecycle) functions.Lifecycle {
	return d.telemetry.Lifecycle(l)
}

// call returns the observer of calls of the store of jobs; nil if nothing is measured.
func (d *Deployment) call() func(context.Context, string) (context.Context, func(error)) {
	if d.telemetry == nil {
		return nil
	}
	return d.telemetry.Call
}

// around returns what goes around the transport to something of that name; nil for nothing.
func (d *Deployment) around(name string) func(http.RoundTripper) http.RoundTripper {
	if d.telemetry == nil {
		return nil
	}
	return func(next http.RoundTripper) http.RoundTripper { return d.telemetry.Transport(name, next) }
}

// observer returns the observer of requests; nil if nothing is measured.
func (d *Deployment) observer() server.Observer {
	if d.telemetry == nil {
		return nil
	}
	return observer{d.telemetry}
}

// observer is a telemetry as a server knows it.
type observer struct{ *telemetry.Telemetry }

func (o observer) End(ctx context.Context, r server.Request) {
	o.Telemetry.End(ctx, telemetry.Request(r))
}

func (o observer) Event(ctx context.Context, kind string, outcome server.Outcome) {
	o.Telemetry.Event(ctx, kind, string(outcome))
}
