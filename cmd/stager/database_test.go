package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// TestDatabaseOfTheConfiguration copies a database from the bucket that a configuration file names, and from another one
// that a flag names.
func TestDatabaseOfTheConfiguration(t *testing.T) {
	buckets := make(map[string]teststores.S3)
	for _, name := range []string{"configured", "given"} {
		b := teststores.Bucket(t)
		buckets[name] = b
		store, err := s3.New(s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if err := store.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), "bakta/6.0/version.json", strings.NewReader(name), int64(len(name))); err != nil {
			t.Fatal(err)
		}
	}
	b := buckets["configured"]
	t.Setenv("AWS_ACCESS_KEY_ID", b.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", b.SecretKey)
	file := func(bucket string) string {
		path := filepath.Join(t.TempDir(), "config.yaml")
		text := fmt.Sprintf("Objectstorage: {S3: {Endpoint: %q, Region: %q, DBBucket: %q}}\n", b.Endpoint, b.Region, bucket)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		name string
		args []string
		want string // content of the database in the volume; or
		err  string
	}{
		{"the file's bucket", []string{"--configfile", file(b.Bucket)}, "configured", ""},
		{"its short form", []string{"-c", file(b.Bucket)}, "configured", ""},
		{"a flag takes precedence", []string{"-c", file(b.Bucket), "--s3-bucket", buckets["given"].Bucket}, "given", ""},
		{"a flag instead of it", []string{"-c", file(""), "--s3-bucket", buckets["given"].Bucket}, "given", ""},
		{"no bucket", []string{"-c", file("")}, "", "Objectstorage.S3.DBBucket"},
		{"no file", []string{"-c", filepath.Join(t.TempDir(), "none.yaml")}, "", "none.yaml"},
	} {
		dir := t.TempDir()
		err := runDatabase(t.Context(), append(tt.args, "--dir", dir, "--version", "6.0", "--prefix", "bakta/6.0"), slog.New(slog.DiscardHandler))
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want something about %s", tt.name, err, tt.err)
			}
			continue
		}
		if got, readErr := os.ReadFile(filepath.Join(dir, "db", "version.json")); err != nil || string(got) != tt.want {
			t.Errorf("%s: the volume holds %q, %v, %v, want %q", tt.name, got, readErr, err, tt.want)
		}
	}
}

// TestOverlaysNameOneBucket compares the bucket that the Job of an overlay reads with the one of its configuration.
func TestOverlaysNameOneBucket(t *testing.T) {
	files, err := filepath.Glob("../../kservices/overlays/*/database/kustomization.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d overlays, %v", len(files), err)
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, err := config.Load(filepath.Join(filepath.Dir(path), "..", "config.yaml"), func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		s := cfg.Objectstorage.S3
		for _, want := range []string{"--s3-bucket=" + s.DBBucket, "--s3-endpoint=" + s.Endpoint, "--s3-region=" + s.Region} {
			if !strings.Contains(string(content), want+"\n") && !strings.HasSuffix(string(content), want) {
				t.Errorf("%s lacks %s, which is in the overlay's configuration", path, want)
			}
		}
	}
}
