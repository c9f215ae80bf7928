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

// The protocols of metrics and traces. Prometheus is for metrics alone, Stdout for traces alone.
const (
	None       = metrics.ProtocolNone
	Prometheus = metrics.ProtocolPrometheus
	GRPC       = metrics.ProtocolGRPC
	HTTP       = metrics.ProtocolHTTPProtobuf
	Stdout     = tracing.ProtocolStdout
)

// scope names who measures.
const scope = "github.com/ag-computational-bio/bakta-web-backend"

// flushTime bounds Close: a collector that is down delays the end no longer.
const flushTime = 5 * time.Second

// Options say what is measured and where that goes.
type Options struct {
	Service  string // the function: "submit"
	Instance string // names this process, like no other

	Metrics Metrics
	Tracing Tracing
	Log     *slog.Logger // must be given

	// Workflows are the kinds that Active reports even when there are none.
	Workflows []string
	// Active counts the jobs that wait or run. It is called when a sweep ends. Nil: active jobs are not counted.
	Active func(context.Context) ([]Count, error)
}

// Metrics says how metrics leave the process.
type Metrics struct {
	Protocol string        // None, Prometheus, GRPC or HTTP
	Endpoint string        // HOST:PORT to be scraped at for Prometheus; URL of a collector for GRPC and HTTP
	Interval time.Duration // between two exports to a collector; 0 for OpenTelemetry's default, a minute
}

// Tracing says how traces leave the process.
type Tracing struct {
	Protocol     string  // None, GRPC, HTTP or Stdout
	Endpoint     string  // URL of a collector for GRPC and HTTP
	SamplingRate float64 // of the traces that begin here, 0 to 1; of others their caller decides, unless this is 0 or 1
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

// New returns a Telemetry. It makes no network call; with Prometheus it begins to listen.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Service == "" || o.Instance == "" || o.Log == nil {
		return nil, errors.New("telemetry needs to know who is measured, and a log")
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

// resource says who is measured; the environment's OTEL_RESOURCE_ATTRIBUTES says more. (Knative's own default panics
// without a variable that only its controllers have.)
func (o Options) resource() *resource.Resource {
	return resource.NewWithAttributes(semconv.SchemaURL,
		semconv.ServiceName("bakta-web-"+o.Service),
		semconv.ServiceInstanceID(o.Instance))
}

// Close sends what was measured and not sent yet. It belongs to the end of a process, when no request is in flight. A
// collector that does not accept it is logged, and does not make Close fail: nothing of a job is lost.
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
