package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// Call begins the span of a call of something that a function needs. The name is one of a few. What it returns ends the
// span, with the call's error.
func (t *Telemetry) Call(ctx context.Context, name string) (context.Context, func(error)) {
	if t.options.Tracing.Protocol == None {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, result(err)) // its text may hold anything
		}
		span.End()
	}
}

// Transport returns a transport whose requests are spans, under the name of what is asked. They contain method and status, and
// no URL: that of a link is a key. The receiver does not learn the trace, because it is not part of it.
func (t *Telemetry) Transport(name string, next http.RoundTripper) http.RoundTripper {
	if t.options.Tracing.Protocol == None {
		return next
	}
	return transport{t, name, next}
}

type transport struct {
	t    *Telemetry
	name string
	next http.RoundTripper
}

// RoundTrip sends a request. The span ends with the header of the answer.
func (r transport) RoundTrip(request *http.Request) (*http.Response, error) {
	method := known(request.Method)
	ctx, span := r.t.tracer.Start(request.Context(), r.name+" "+method, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("http.request.method", method)))
	defer span.End()
	response, err := r.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		span.SetStatus(codes.Error, result(err))
		return nil, err
	}
	span.SetAttributes(semconv.HTTPResponseStatusCode(response.StatusCode))
	if response.StatusCode >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(response.StatusCode))
	}
	return response, nil
}

// CloseIdleConnections is what http.Client asks of a transport.
func (r transport) CloseIdleConnections() {
	if c, ok := r.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
