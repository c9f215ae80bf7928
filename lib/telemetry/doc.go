// Package telemetry provides the metrics and traces of functions: metrics for Prometheus or an OpenTelemetry collector, and traces. It uses
// Knative's packages for both, so a deployment is configured like Knative itself.
//
// A Telemetry observes the requests of a server, records what happens to jobs, and wraps the lifecycle. The packages that it measures do
// not depend on it: each defines an interface that a Telemetry implements, and only the programs use OpenTelemetry. There is no global
// state, except for Prometheus's default registry, which Knative's packages use, so a process has at most one Telemetry with Prometheus.
//
// # Metrics
//
// metrics.go lists all metrics. The values of labels are bounded: a route is one that the server has, or empty; an HTTP method is a known
// one; a type of event is one of a few. No label contains a job's id.
//
// # Traces
//
// A request is a span, a child of the span in its W3C trace context, if it has one. A job stores the context of the call that started it,
// see Traceparent. Its run sends that context, so the calls of the run are part of the same trace. Other operations on the job are spans
// that link to it. A span contains routes, codes and ids of jobs. It never contains an unknown path, a query, a header field or a body,
// because these may contain secrets.
package telemetry
