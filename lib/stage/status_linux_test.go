package stage

import (
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestStatusWhileItChanges reads records that are replaced all the time.
func TestStatusWhileItChanges(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	s := spec(dir, shell("true"), second("true"))
	done := make(chan error, 1)
	go func() {
		var err error
		for range 300 {
			if err == nil {
				err = write(Dir(dir), "stage-bakta", stageRecord{Result: Result{Name: "bakta", Status: job.StageRunning}})
			}
		}
		done <- err
	}()
	for {
		got, err := Status(s)
		if err != nil || len(got) != 2 || got[0].Name != "bakta" || got[1] != (Result{Name: "second", Status: job.StagePending}) {
			t.Fatalf("Status: %+v, %v", got, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			if got, err := Status(s); err != nil || got[0].Status != job.StageRunning {
				t.Errorf("Status at last: %+v, %v", got, err)
			}
			return
		default:
		}
	}
}
