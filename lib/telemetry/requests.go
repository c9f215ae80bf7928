package telemetry

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// Request describes a request that has ended.
type Request struct {
	Route  string // the registered path or gRPC method; empty if there is none
	Method string // of HTTP
	Call   string // the API's method, also if called by REST; empty if there is none
	Job    string // id of the job that it was about; empty if it was about none, or several
	Status int    // of HTTP; for gRPC, the status that REST would have
	Took   time.Duration
}

// request is stored in the context of a request.
type request struct{ api string }

type requestKey struct{}

func requestOf(ctx context.Context) request {
	r, _ := ctx.Value(requestKey{}).(request)
	return r
}

// apiOf returns the version of the API that a path of REST or gRPC belongs to.
func apiOf(path string) string {
	for _, version := range []string{"v1", "v2"} {
		if strings.Contains(path, "/"+version+"/") || strings.Contains(path, "."+version+".") {
			return version
		}
	}
	return ""
}

// methods are the known values of the label method.
var methods = []string{
	http.MethodGet,
	http.MethodHead,
	http.MethodPost,
	http.MethodPut,
	http.MethodPatch,
	http.MethodDelete,
	http.MethodOptions,
}

func known(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return "other"
}

// Begin begins the span of a request. It returns the context for serving the request, and the ids of trace and span; empty if there is no
// trace.
func (t *Telemetry) Begin(r *http.Request) (ctx context.Context, traceID, spanID string) {
	ctx = context.WithValue(r.Context(), requestKey{}, request{api: apiOf(r.URL.Path)})
	if t.options.Tracing.Protocol == None {
		return ctx, "", ""
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	ctx = contextOf(ctx, r.Header.Get("Traceparent"), r.Header.Get("Tracestate"))
	// The event contains the trace that it belongs to. The request contains the trace of its delivery, which may be repeated.
	if event := spanOf(r.Header.Get("Ce-Traceparent")); event.IsValid() {
		if parent := trace.SpanContextFromContext(ctx); !parent.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, event)
		} else if parent.TraceID() != event.TraceID() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: event}))
		}
	}
	ctx, span := t.tracer.Start(ctx, known(r.Method), options...)
	if c := span.SpanContext(); c.IsValid() {
		return ctx, c.TraceID().String(), c.SpanID().String()
	}
	return ctx, "", ""
}

// End ends a request's span and counts the request. The context is that of Begin.
func (t *Telemetry) End(ctx context.Context, r Request) {
	r.Method = known(r.Method)
	t.requests.Record(ctx, r.Took.Seconds(), labels(routeLabel.String(r.Route), methodLabel.String(r.Method), statusLabel.Int(r.Status)))
	span := trace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	name := r.Method
	if r.Route != "" {
		name += " " + r.Route
	}
	span.SetName(name)
	facts := []attribute.KeyValue{
		semconv.HTTPRoute(r.Route),
		semconv.HTTPResponseStatusCode(r.Status),
		attribute.String("http.request.method", r.Method),
	}
	if r.Call != "" {
		facts = append(facts, attribute.String("rpc.method", strings.TrimPrefix(r.Call, "/")))
	}
	if r.Job != "" {
		facts = append(facts, jobID(r.Job))
	}
	span.SetAttributes(facts...)
	if r.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(r.Status))
	}
}

// Event counts an event by its type and outcome.
func (t *Telemetry) Event(ctx context.Context, kind, outcome string) {
	t.events.Add(ctx, 1, labels(eventLabel.String(eventOf(kind)), outcomeLabel.String(outcome)))
}

// eventOf returns the label of an event's type. The type itself may be any text, because any client in the cluster may send events.
func eventOf(kind string) string {
	switch kind {
	case "dev.knative.apiserver.resource.add", "dev.knative.apiserver.ref.add":
		return "add"
	case "dev.knative.apiserver.resource.update", "dev.knative.apiserver.ref.update":
		return "update"
	case "dev.knative.apiserver.resource.delete", "dev.knative.apiserver.ref.delete":
		return "delete"
	case "dev.knative.sources.ping":
		return "ping"
	}
	return "other"
}

func jobID(id string) attribute.KeyValue { return attribute.String("bakta.job", id) }

// w3c reads and writes W3C trace context, without baggage, which may be any text.
var w3c propagation.TraceContext

func contextOf(ctx context.Context, traceparent, tracestate string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return w3c.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
}

// spanOf returns the span of a traceparent; an invalid one for any other text.
func spanOf(traceparent string) trace.SpanContext {
	return trace.SpanContextFromContext(contextOf(context.Background(), traceparent, ""))
}
