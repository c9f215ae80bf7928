package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"knative.dev/pkg/observability/metrics"
	"knative.dev/pkg/observability/semconv"
	"knative.dev/pkg/observability/tracing"
)

// The protocols of metrics and traces. Prometheus is only for metrics, Stdout only for traces.
const (
	None       = metrics.ProtocolNone
	Prometheus = metrics.ProtocolPrometheus
	GRPC       = metrics.ProtocolGRPC
	HTTP       = metrics.ProtocolHTTPProtobuf
	Stdout     = tracing.ProtocolStdout
)

// scope is the name of the instrumentation scope.
const scope = "github.com/ag-computational-bio/bakta-web-backend"

// flushTime bounds how long a collector that is down can delay Close.
const flushTime = 5 * time.Second

// Options configure what is measured and where it is sent.
type Options struct {
	Service  string // the function: "submit"
	Instance string // unique name of this process

	Metrics Metrics
	Tracing Tracing
	Log     *slog.Logger // required

	// Workflows are the kinds for which the gauge of active jobs is set even if there are none.
	Workflows []string
	// Active counts the jobs that wait or run. It is called after each sweep. Nil: active jobs are not counted.
	Active func(context.Context) ([]Count, error)
}

// Metrics configures the export of metrics.
type Metrics struct {
	Protocol string        // None, Prometheus, GRPC or HTTP
	Endpoint string        // for Prometheus the HOST:PORT to listen on; for GRPC and HTTP the URL of a collector
	Interval time.Duration // between two exports to a collector; 0 means OpenTelemetry's default, a minute
}

// Tracing configures the export of traces.
type Tracing struct {
	Protocol     string  // None, GRPC, HTTP or Stdout
	Endpoint     string  // URL of a collector for GRPC and HTTP
	SamplingRate float64 // 0 to 1, of traces that begin here; the caller decides for its traces, unless this is 0 or 1
}

// Enabled reports whether anything is measured.
func (o Options) Enabled() bool { return o.Metrics.Protocol != None || o.Tracing.Protocol != None }

// Telemetry measures a process. It is safe for concurrent use.
type Telemetry struct {
	options Options
	meters  *metrics.MeterProvider
	traces  *tracing.TracerProvider
	tracer  trace.Tracer
	instruments
}

// New returns a Telemetry. It makes no network call. With Prometheus it starts to listen.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Service == "" || o.Instance == "" || o.Log == nil {
		return nil, errors.New("telemetry needs Options.Service, Instance and Log")
	}
	who := o.resource()
	meters, err := metrics.NewMeterProvider(ctx,
		metrics.Config{Protocol: o.Metrics.Protocol, Endpoint: o.Metrics.Endpoint, ExportInterval: o.Metrics.Interval},
		sdkmetric.WithResource(who))
	if err != nil {
		return nil, fmt.Errorf("setting up metrics: %w", err)
	}
	traces, err := tracing.NewTracerProvider(ctx,
		tracing.Config{Protocol: o.Tracing.Protocol, Endpoint: o.Tracing.Endpoint, SamplingRate: o.Tracing.SamplingRate},
		sdktrace.WithResource(who))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("setting up traces: %w", err), meters.Shutdown(ctx))
	}
	t := &Telemetry{options: o, meters: meters, traces: traces, tracer: traces.Tracer(scope)}
	if t.instruments, err = newInstruments(meters.Meter(scope)); err != nil {
		return nil, errors.Join(fmt.Errorf("setting up metrics: %w", err), t.Close(ctx))
	}
	return t, nil
}

// resource describes this process; the environment variable OTEL_RESOURCE_ATTRIBUTES adds attributes. Knative's default resource panics
// without a variable that only its controllers have.
func (o Options) resource() *resource.Resource {
	return resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName("bakta-web-"+o.Service),
		semconv.ServiceInstanceID(o.Instance))
}

// Close sends what was not sent yet. It must be called at the end of a process, when no request is in flight. If the collector does not
// accept it, Close logs a warning and returns nil, because no job is affected.
func (t *Telemetry) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	done := make(chan error, 2)
	go func() { done <- t.traces.Shutdown(ctx) }()
	go func() { done <- t.meters.Shutdown(ctx) }()
	if err := errors.Join(<-done, <-done); err != nil {
		t.options.Log.WarnContext(ctx, "the last metrics or traces are lost", "error", err)
	}
	return nil
}
