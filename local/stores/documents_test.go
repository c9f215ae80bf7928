package stores

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/storetest"
)

func TestDocumentsAreAJobStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Jobs { return openJobs(t, t.TempDir()) })
}

// TestDirectoriesOfAnyName opens stores in directories that users may have.
func TestDirectoriesOfAnyName(t *testing.T) {
	for _, name := range []string{
		"with space", "Bäckerhefe 酵母", "a&b=c", "quote's \"double\"", "(brackets)", "Upper.Case",
		strings.Repeat("long/", 50) + "name",
	} {
		dir := filepath.Join(t.TempDir(), filepath.FromSlash(name))
		id := uuid.NewString()
		if err := openJobs(t, filepath.Join(dir, "documents")).Insert(t.Context(), job.Job{ID: id}); err != nil {
			t.Errorf("%q: insert: %v", name, err)
		}
		if found, err := filepath.Glob(filepath.Join(dir, "documents", "*.sqlite")); len(found) == 0 {
			t.Errorf("%q: the data are elsewhere: %v", name, err)
		}
		o := openObjects(t, filepath.Join(dir, "objects"), "127.0.0.1:0")
		if _, err := openFiles(t, o).Put(t.Context(), "a", strings.NewReader("x"), 1); err != nil {
			t.Errorf("%q: put: %v", name, err)
		}
		closeObjects(t, o)
	}
}

func TestDirectoriesOfUnfitNames(t *testing.T) {
	for _, name := range []string{"what?", "#1", "50%", "a%41b"} {
		dir := filepath.Join(t.TempDir(), name)
		if d, err := OpenDocuments(dir, slog.Default()); err == nil {
			d.Close()
			t.Errorf("%q was opened", name)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: the error does not name the directory: %v", name, err)
		}
	}
}

func openJobs(t *testing.T, dir string) *mongo.Store {
	t.Helper()
	d, err := OpenDocuments(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := mongo.New(mongo.Options{URI: d.URI, Database: "bakta", MaxPoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
