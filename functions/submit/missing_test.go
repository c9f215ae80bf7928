package submit_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// missing is a storage without the bucket.
type missing struct{ links }

func (missing) Missing(context.Context) bool { return true }

// A job whose files have no place is neither stored nor given links: some stores would make the bucket when a user uploads.
func TestMissingBucket(t *testing.T) {
	t.Parallel()
	f, err := submit.New(submit.Deps{
		Jobs: none{}, Files: missing{}, Launcher: launched{}, Offered: workflow.Catalogue(),
		Retention: time.Hour, UploadTTL: time.Hour, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := f.Init(t.Context(), submit.Init{API: 2, Workflow: workflow.Bakta})
	if !job.Is(err, job.Unavailable) || made.ID != "" {
		t.Errorf("%+v, %v", made, err)
	}
}

// none is a store of jobs that has none, and takes none.
type none struct{ submit.Jobs }

func (none) Unstarted(context.Context, time.Time, int) (int, error) { return 0, nil }
