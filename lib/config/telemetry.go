package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Telemetry is how a function exports metrics and traces.
type Telemetry struct {
	Metrics Metrics
	Tracing Tracing
}

// Metrics is how a function exports metrics.
type Metrics struct {
	Protocol string        // none, prometheus, grpc or http/protobuf
	Endpoint string        // address that Prometheus scrapes, or URL of a collector
	Interval time.Duration // between two exports to a collector
}

// Tracing is how a function exports traces.
type Tracing struct {
	Protocol     string  // none, grpc, http/protobuf or stdout
	Endpoint     string  // URL of a collector
	SamplingRate float64 // fraction of the traces that begin here and are exported
}

// The protocols of telemetry.
const (
	ProtocolNone       = "none"
	ProtocolPrometheus = "prometheus"
	ProtocolGRPC       = "grpc"
	ProtocolHTTP       = "http/protobuf"
	ProtocolStdout     = "stdout"
)

// DefaultScrape is the default address that Prometheus scrapes. The port is OpenTelemetry's default for that purpose.
const DefaultScrape = ":9464"

// taken are ports of Knative's queue-proxy container, which shares the pod's network with the function.
var taken = []string{"8008", "8012", "8013", "8022", "8112", "9090", "9091"}

func checkTelemetry(cfg *Config, found *findings) {
	m, t := cfg.Telemetry.Metrics, cfg.Telemetry.Tracing
	switch m.Protocol {
	case ProtocolNone:
	case ProtocolPrometheus:
		checkScrape(cfg, found)
	case ProtocolGRPC, ProtocolHTTP:
		checkCollector("Telemetry.Metrics.Endpoint", m.Endpoint, found)
	default:
		found.bad("Telemetry.Metrics.Protocol", "is %q; write none, prometheus, grpc or http/protobuf", m.Protocol)
	}
	checkTime("Telemetry.Metrics.Interval", m.Interval, found)
	switch t.Protocol {
	case ProtocolNone, ProtocolStdout:
	case ProtocolGRPC, ProtocolHTTP:
		checkCollector("Telemetry.Tracing.Endpoint", t.Endpoint, found)
	default:
		found.bad("Telemetry.Tracing.Protocol", "is %q; write none, grpc, http/protobuf or stdout", t.Protocol)
	}
	if r := t.SamplingRate; !(r >= 0 && r <= 1) {
		found.bad("Telemetry.Tracing.SamplingRate", "is %v; it must be 0 to 1", r)
	}
}

// checkScrape checks the address that Prometheus scrapes.
func checkScrape(cfg *Config, found *findings) {
	const key = "Telemetry.Metrics.Endpoint"
	address := cfg.Telemetry.Metrics.Endpoint
	_, port, err := net.SplitHostPort(address)
	_, serving, _ := net.SplitHostPort(cfg.Listen)
	switch {
	case err != nil || !isPort(port) || len(port) < 4:
		found.bad(key, "is %q; write an address with a port above 1023, such as %s", address, DefaultScrape)
	case slices.Contains(taken, port):
		found.bad(key, "is %q, a port that Knative uses in the same pod; %s is free", address, DefaultScrape)
	case port == serving:
		found.bad(key, "is %q, the port that the function serves on; use another", address)
	}
}

// checkCollector checks the URL of a collector.
func checkCollector(key, text string, found *findings) {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil:
		// The value is not part of the message.
		found.bad(key, "contains a user name or a password; "+
			"set the collector's credentials in the environment variable OTEL_EXPORTER_OTLP_HEADERS")
	case err != nil || !isOrigin(strings.TrimSuffix(text, u.Path)):
		found.bad(key, "is %q; write the collector's URL, such as http://collector.monitoring:4317", text)
	}
}
