package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in the repository are those that the generators write.
func TestGenerated(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), filepath.Join("..", ".."), true); err != nil {
		t.Error(err)
	}
}

// The check names every file that differs, and generating repairs them all.
func TestCheckTells(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "proto"), os.DirFS(filepath.Join("..", "..", "proto"))); err != nil {
		t.Fatal(err)
	}
	tools, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools, filepath.Join(root, "tools")); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(root, "proto", "v1", name) }
	change := []error{
		os.WriteFile(file("old.pb.go"), nil, 0o600),
		os.WriteFile(file("jobs.pb.go"), []byte("package protov1"), 0o600),
		os.Remove(file("jobs.pb.gw.go")),
	}
	for _, err := range change {
		if err != nil {
			t.Fatal(err)
		}
	}

	err = run(t.Context(), root, true)
	if err == nil {
		t.Fatal("the check finds nothing")
	}
	for _, want := range []string{"proto/v1/old.pb.go is no longer generated", "proto/v1/jobs.pb.go is out of date",
		"proto/v1/jobs.pb.gw.go is missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the check does not say %q:\n%v", want, err)
		}
	}
	if err := run(t.Context(), root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), root, true); err != nil {
		t.Error("after generating:", err)
	}
}
