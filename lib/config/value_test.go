package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestParseQuantity(t *testing.T) {
	for text, want := range map[string]int64{
		"4": 4000, "+4": 4000, "0": 0, "500m": 500, "0.5": 500, ".5": 500, "5.": 5000, "1k": 1e6, "4000Mi": 4000 << 20 * 1000,
		"4G": 4e12, "1e3": 1e6, "1E3": 1e6, "12e-1": 1200, "1n": 1, "1500u": 2, "8Pi": 8 << 50 * 1000,
		"": -1, "four": -1, "-1": -1, "1 Gi": -1, "1MB": -1, "1mi": -1, "9Pi": -1, "1E": -1, "8Ei": -1, "1e99": -1, "1e": -1, ".": -1,
		"NaN": -1, "0x10": -1, "1_000": -1,
	} {
		q, err := ParseQuantity(text)
		if (err != nil) != (want < 0) || err == nil && (q.Milli() != want || q.String() != text) {
			t.Errorf("ParseQuantity(%q) = %d, %v; want %d", text, q.Milli(), err, want)
		}
	}
}

func TestSecretShowsNowhere(t *testing.T) {
	const hidden = "hunter2"
	cfg := Default()
	cfg.Database.Password, cfg.Database.URI = hidden, "mongodb://u:"+hidden+"@h"
	cfg.Objectstorage.S3.AccessKey, cfg.Objectstorage.S3.SecretKey = hidden, hidden
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %q", cfg, cfg, cfg, cfg.Database.Password, cfg.Database.Password)
	if err := json.NewEncoder(&out).Encode(cfg); err != nil {
		t.Fatal(err)
	}
	slog.New(
		slog.NewJSONHandler(&out, nil),
	).Info(
		"text",
		"config",
		cfg,
		"secret",
		cfg.Database.Password,
		"uri",
		cfg.Database.ConnectionString(),
	)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "config", cfg, "secret", cfg.Database.Password)
	if strings.Contains(out.String(), hidden) {
		t.Errorf("the secret shows:\n%s", &out)
	}
	if !strings.Contains(out.String(), redacted) {
		t.Errorf("nothing says that there is a secret:\n%s", &out)
	}
	if cfg.Database.Password.Reveal() != hidden {
		t.Errorf("Reveal returns %q", cfg.Database.Password.Reveal())
	}
}

func TestLinkOrigins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s3   S3
		want []string
	}{
		{S3{}, nil},
		{S3{Endpoint: "http://minio:9000", PathStyle: true}, []string{"http://minio:9000"}},
		{S3{Endpoint: "http://minio:9000", PublicEndpoint: "https://s3.example.org/", PathStyle: true}, []string{"https://s3.example.org"}},
		{S3{PublicEndpoint: "https://s3.example.org:8443"}, []string{"https://s3.example.org:8443", "https://*.s3.example.org:8443"}},
		{S3{PublicEndpoint: "https://192.0.2.1:8443"}, []string{"https://192.0.2.1:8443"}},
		{S3{Endpoint: "https://s3.eu-central-1.amazonaws.com"}, []string{"https://*.amazonaws.com"}},
		{S3{Endpoint: "https://s3.eu-central-1.amazonaws.com", PathStyle: true}, []string{"https://*.amazonaws.com"}},
	} {
		if got := tt.s3.LinkOrigins(); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.s3, got, tt.want)
		}
	}
}
