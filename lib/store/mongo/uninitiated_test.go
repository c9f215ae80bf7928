package mongo_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/mongod"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
)

// A replica set that was never initiated is said to be one, and the error is still one that may pass.
func TestUninitiated(t *testing.T) {
	t.Parallel()
	root, err := teststores.Root()
	if err != nil {
		t.Fatal(err)
	}
	server, err := mongod.StartUninitiated(t.Context(), filepath.Join(root, ".cache"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	s, err := mongo.New(mongo.Options{URI: server.URI, Database: "d", Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		err := s.Ping(t.Context())
		if job.CodeOf(err) != job.Unavailable {
			t.Fatalf("the error is %v", err)
		}
		if strings.Contains(err.Error(), "has no configuration yet") && strings.Contains(err.Error(), "rs.initiate()") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the error is %v", err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
