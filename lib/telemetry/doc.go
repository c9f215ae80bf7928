// Package telemetry measures what functions do: metrics for Prometheus or an OpenTelemetry collector, and traces,
// by Knative's own packages for both, so that a deployment is set up as Knative itself is.
//
// A Telemetry is an observer of a host's requests, a recorder of what becomes of jobs, and a wrapper of what
// moves them on. Those who are observed know none of it: each has an interface of its own that a Telemetry
// satisfies, and only the program that makes a Telemetry uses OpenTelemetry. Nothing here is global; what
// Knative's packages put into Prometheus's default registry is the one exception, so a process has one Telemetry
// with Prometheus.
//
// # Metrics
//
// See metrics.go for all of them. What a label may say is bounded: a route is one that the host serves or empty, a
// method of HTTP is a known one, a type of event is one of a few. No label names a job.
//
// # Traces
//
// A request is a span, a child of its caller's if it names one by W3C trace context. A job keeps the context of the call
// that started it, see Traceparent: its run hands it on, so that the run's own call is part of the same trace, and
// whatever else moves the job on is a span that is linked to it. A span contains routes, codes and ids of jobs; never a
// path that is not served, a query, a header or a body, since these hold secrets.
package telemetry
