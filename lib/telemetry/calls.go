package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// Call begins the span of a call to another service. The name must be one of a few. The returned function ends the span, with the call's
// error.
func (t *Telemetry) Call(ctx context.Context, name string) (context.Context, func(error)) {
	if t.options.Tracing.Protocol == None {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, result(err)) // not its text, which may contain anything
		}
		span.End()
	}
}

// Transport returns a transport that makes a span of each request, under the name of the service. The span contains method and status, but
// no URL, because that of a link is a key. The trace context is not sent, because the service is not part of the trace.
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

// CloseIdleConnections implements the interface that http.Client uses.
func (r transport) CloseIdleConnections() {
	if c, ok := r.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
