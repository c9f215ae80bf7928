package stage

import (
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TestRecordsWhileTheyChange reads records that are replaced all the time.
func TestRecordsWhileTheyChange(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	s := spec(dir, shell("true"), second("true"))
	done := make(chan error, 1)
	go func() {
		var err error
		for range 300 {
			if err == nil {
				err = record(t, dir, Record{Result: Result{Name: "bakta", Status: job.StageRunning}})
			}
		}
		done <- err
	}()
	for {
		got, err := ReadRecords(s)
		if _, second := got.Stages["second"]; err != nil || len(got.Stages) > 1 || second {
			t.Fatalf("ReadRecords: %+v, %v", got, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			if got, err := ReadRecords(s); err != nil || got.Stages["bakta"].Status != job.StageRunning {
				t.Errorf("ReadRecords at last: %+v, %v", got, err)
			}
			return
		default:
		}
	}
}
