// Package testcollector is an OpenTelemetry collector for tests: it receives OTLP by gRPC and keeps what it receives.
package testcollector

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Collector keeps the spans and metrics that it receives.
type Collector struct {
	URL string

	mu       sync.Mutex
	spans    []*trace.Span
	metrics  []*metrics.Metric
	services map[string]bool // names of the services that have sent data
}

// Start starts a collector for the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{URL: "http://" + l.Addr().String(), services: make(map[string]bool)}
	s := grpc.NewServer()
	tracepb.RegisterTraceServiceServer(s, traces{c: c})
	metricspb.RegisterMetricsServiceServer(s, numbers{c: c})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return c
}

// Spans returns the received spans, in the order of their arrival.
func (c *Collector) Spans() []*trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Metrics returns the names of the received metrics, each once, sorted.
func (c *Collector) Metrics() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, m := range c.metrics {
		names = append(names, m.GetName())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Sent reports whether a service of that name has sent data.
func (c *Collector) Sent(service string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.services[service]
}

func (c *Collector) from(attributes []*common.KeyValue) {
	for _, a := range attributes {
		if a.GetKey() == "service.name" {
			c.services[a.GetValue().GetStringValue()] = true
		}
	}
}

type traces struct {
	tracepb.UnimplementedTraceServiceServer
	c *Collector
}

func (s traces) Export(_ context.Context, r *tracepb.ExportTraceServiceRequest) (*tracepb.ExportTraceServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, of := range r.GetResourceSpans() {
		s.c.from(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			s.c.spans = append(s.c.spans, scope.GetSpans()...)
		}
	}
	return &tracepb.ExportTraceServiceResponse{}, nil
}

type numbers struct {
	metricspb.UnimplementedMetricsServiceServer
	c *Collector
}

func (s numbers) Export(_ context.Context, r *metricspb.ExportMetricsServiceRequest) (*metricspb.ExportMetricsServiceResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, of := range r.GetResourceMetrics() {
		s.c.from(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeMetrics() {
			s.c.metrics = append(s.c.metrics, scope.GetMetrics()...)
		}
	}
	return &metricspb.ExportMetricsServiceResponse{}, nil
}
