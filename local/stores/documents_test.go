package stores

import (
	"context"
	"log/slog"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/mongo/mongotest"
)

func TestDocumentsAreAJobStore(t *testing.T) {
	mongotest.Run(t, func(t *testing.T) mongotest.Store { return openJobs(t, t.TempDir()) })
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
