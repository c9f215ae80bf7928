package config

import (
	"strings"
	"testing"
)

// TestTelemetry has a row for each protocol, and for each mistake.
func TestTelemetry(t *testing.T) {
	for _, row := range []struct{ name, add, want string }{
		{"nothing", "", ""},
		{"scraped", "{Metrics: {Protocol: prometheus}}", ""},
		{"scraped elsewhere", `{Metrics: {Protocol: prometheus, Endpoint: "127.0.0.1:9999"}}`, ""},
		{"sent", `{Metrics: {Protocol: grpc, Endpoint: "http://c:4317", Interval: 10s}, Tracing: {Protocol: http/protobuf, Endpoint: ` +
			`"https://c.example/x", SamplingRate: 1}}`, ""},
		{"printed", "{Tracing: {Protocol: stdout}}", ""},
		{"an unknown protocol", "{Metrics: {Protocol: statsd}}",
			`Telemetry.Metrics.Protocol is "statsd"; write none, prometheus, grpc or http/protobuf`},
		{"an unknown protocol of traces", "{Tracing: {Protocol: prometheus}}",
			`Telemetry.Tracing.Protocol is "prometheus"; write none, grpc, http/protobuf or stdout`},
		{"the port of Knative", `{Metrics: {Protocol: prometheus, Endpoint: ":9090"}}`, "a port that Knative uses in the same pod"},
		{"the port of the function", `{Metrics: {Protocol: prometheus, Endpoint: ":8080"}}`, "the port that the function serves on"},
		{"no port", "{Metrics: {Protocol: prometheus, Endpoint: here}}", "write an address with a port above 1023"},
		{"no collector", "{Metrics: {Protocol: grpc}}", "Telemetry.Metrics.Endpoint is \"\"; write the collector's URL"},
		{"no URL to send to", "{Tracing: {Protocol: grpc, Endpoint: \"c:4317\"}}",
			"Telemetry.Tracing.Endpoint is \"c:4317\"; write the collector's URL"},
		{"a password", `{Tracing: {Protocol: grpc, Endpoint: "http://u:hunter2@c:4317"}}`,
			"Telemetry.Tracing.Endpoint contains a user name or a password"},
		{"too often", "{Metrics: {Interval: 1ms}}", "Telemetry.Metrics.Interval is 1ms; it must be at least a second"},
		{"more than all", "{Tracing: {SamplingRate: 2}}", "Telemetry.Tracing.SamplingRate is 2; it must be 0 to 1"},
		{"no number", "{Tracing: {SamplingRate: much}}", `Telemetry.Tracing.SamplingRate is "much"; write a number such as 0.1`},
		{"not a number", "{Tracing: {SamplingRate: NaN}}", "it must be 0 to 1"},
	} {
		cfg, _, err := parse("f.yaml", []byte(complete+"Telemetry: "+row.add), environment(nil), everything)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want something about %q", row.name, err, row.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error shows the password: %v", row.name, err)
		}
		if m := cfg.Telemetry.Metrics; m.Protocol == ProtocolPrometheus && m.Endpoint == "" {
			t.Errorf("%s: the address to scrape is empty", row.name)
		}
	}
}
