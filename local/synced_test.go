package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/local/access"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
)

// noted is a store of files that notes what is done.
type noted struct {
	stage.Files
	mu    sync.Mutex
	steps []string
}

func (n *noted) note(step string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.steps = append(n.steps, step)
}

func (n *noted) Put(_ context.Context, key string, _ io.Reader, size int64) (job.File, error) {
	n.note(key[strings.LastIndex(key, "/")+1:])
	return job.File{Key: key, Size: size, ETag: "e"}, nil
}

// ended returns a run that has written two results, and its records.
func ended(t *testing.T) (stage.Spec, stage.Records) {
	t.Helper()
	s := stage.Spec{
		Job: "0d9f5f1c-5b0a-4a53-8f5e-1c5e2f1b7a10", Run: 1, Dir: filepath.Join(t.TempDir(), "run"),
		Stages:  []stage.Command{{Stage: "bakta", Title: "Bakta", Argv: []string{"bakta"}}},
		Results: []stage.Expected{{Ending: "json", Path: "out/bakta/result.json"}, {Ending: "tsv", Path: "out/bakta/result.tsv"}},
	}
	if err := os.MkdirAll(filepath.Join(s.Dir, "out", "bakta"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Results {
		if err := os.WriteFile(filepath.Join(s.Dir, r.Path), []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	done := stage.Record{Result: stage.Result{Name: "bakta", Status: job.StageSucceeded}}
	return s, stage.Records{Stages: map[string]stage.Record{"bakta": done}}
}

func TestResultsAreOnTheDiskBeforeTheirManifest(t *testing.T) {
	t.Parallel()
	s, records := ended(t)
	n := &noted{}
	files := syncedFiles{n, func() error { n.note("sync"); return nil }}
	m, err := stage.Store(t.Context(), files, s, records)
	if err != nil || m.Outcome != stage.Succeeded || len(m.Files) != 2 {
		t.Fatalf("store: %+v, %v", m, err)
	}
	if len(n.steps) < 2 {
		t.Fatalf("steps: %v", n.steps)
	}
	slices.Sort(n.steps[:2]) // results are stored at the same time
	if want := []string{"result.json", "result.tsv", "sync", "manifest.json"}; !slices.Equal(n.steps, want) {
		t.Errorf("steps: %v, want %v", n.steps, want)
	}
}

func TestNoManifestOfResultsThatMayBeLost(t *testing.T) {
	t.Parallel()
	s, records := ended(t)
	n := &noted{}
	broken := &fs.PathError{Op: "syncfs", Path: "/data", Err: syscall.EIO}
	files := syncedFiles{n, func() error { n.note("sync"); return broken }}
	if _, err := stage.Store(t.Context(), files, s, records); !errors.Is(err, syscall.EIO) {
		t.Errorf("store: %v, want the error of the disk", err)
	}
	// The disk reports an error once, so a second sync could not be trusted.
	if len(n.steps) != 3 || n.steps[2] != "sync" {
		t.Errorf("steps: %v, want two results and one sync", n.steps)
	}
}

// Runs use the embedded store by syncedFiles.
func TestEmbeddedStoreSyncs(t *testing.T) {
	data := t.TempDir()
	o := Options{Listen: "127.0.0.1:0", Data: data, Log: slog.New(slog.DiscardHandler)}
	policy, err := access.New([]string{"127.0.0.1"}, nil, o.Log)
	if err != nil {
		t.Fatal(err)
	}
	disk, err := space.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	_, ofRuns, closeFiles, err := openFiles(t.Context(), o, policy, disk)
	if err != nil {
		t.Fatal(err)
	}
	synced, ok := ofRuns.(syncedFiles)
	if !ok {
		t.Fatalf("runs use a %T", ofRuns)
	}
	if err := synced.sync(); err != nil {
		t.Errorf("sync: %v", err)
	}
	if err := closeFiles(); err != nil {
		t.Error(err)
	}
	var local *fs.PathError
	if err := synced.sync(); !errors.As(err, &local) || local.Path != filepath.Join(data, "objects", "buckets") {
		t.Errorf("sync of a closed store: %v, want an error of the disk with its path", err)
	}
}
