package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Traceparent returns the W3C trace context of the current span, which a job stores; empty if there is none.
func (t *Telemetry) Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// Lifecycle is the interface of lib/lifecycle.
type Lifecycle interface {
	Launch(ctx context.Context, j job.Job) error
	Settle(ctx context.Context, j job.Job) error
	Remove(ctx context.Context, j job.Job) error
	Next(ctx context.Context, caller string) (bool, error)
}

// Lifecycle returns a Lifecycle that makes a span of each call. If the span belongs to another trace than the start of the job, it links to
// that: a sweep handles many jobs and belongs to none of their traces.
func (t *Telemetry) Lifecycle(l Lifecycle) Lifecycle {
	if t.options.Tracing.Protocol == None {
		return l
	}
	return traced{t, l}
}

type traced struct {
	t    *Telemetry
	next Lifecycle
}

func (l traced) Launch(ctx context.Context, j job.Job) error {
	return l.span(ctx, "launch", j, l.next.Launch)
}

func (l traced) Settle(ctx context.Context, j job.Job) error {
	return l.span(ctx, "settle", j, l.next.Settle)
}

func (l traced) Remove(ctx context.Context, j job.Job) error {
	return l.span(ctx, "remove", j, l.next.Remove)
}

func (l traced) Next(ctx context.Context, caller string) (bool, error) {
	ctx, span := l.t.tracer.Start(ctx, "next turn")
	defer span.End()
	got, err := l.next.Next(ctx, caller)
	if err != nil {
		span.SetStatus(codes.Error, result(err))
	}
	return got, err
}

func (l traced) span(ctx context.Context, name string, j job.Job, do func(context.Context, job.Job) error) error {
	options := []trace.SpanStartOption{trace.WithAttributes(jobID(j.ID), workflowLabel.String(j.Workflow), runLabel.Int(j.Run))}
	if j.Start != nil {
		if start := spanOf(j.Start.Trace); start.IsValid() && start.TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: start}))
		}
	}
	ctx, span := l.t.tracer.Start(ctx, name, options...)
	defer span.End()
	err := do(ctx, j)
	if err != nil {
		// Not its text, which is logged: causes of errors may contain secrets.
		span.SetStatus(codes.Error, result(err))
	}
	return err
}
