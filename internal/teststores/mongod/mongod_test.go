package mongod

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestServerTakesWritesUntilStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cache, err := filepath.Abs("../../../.cache")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(ctx, cache, t.TempDir(), 0.25)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(s.URI))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Database("d").Collection("c").InsertOne(ctx, bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Errorf("insert: %v", err)
	}
	if err := client.Disconnect(ctx); err != nil {
		t.Error(err)
	}
	pid := s.process.PID()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %d still exists: %v", pid, err)
	}
}

func TestFetchRefusesWhatDoesNotRun(t *testing.T) {
	t.Setenv(versionEnv, defaultVersion)
	cache := t.TempDir()
	program := filepath.Join(cache, "mongod-"+defaultVersion, "mongod")
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho no such library >&2\nexit 127\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), cache, t.TempDir(), 0.25)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"MONGODB_URI", "no such library"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestVersionIsUnknown(t *testing.T) {
	t.Setenv(versionEnv, "1.0")
	if _, err := Start(t.Context(), t.TempDir(), t.TempDir(), 0.25); err == nil || !strings.Contains(err.Error(), "use one of 6.0.27, 6.0.5") {
		t.Errorf("%v, want the versions that there are", err)
	}
}
