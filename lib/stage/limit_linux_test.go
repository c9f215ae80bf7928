package stage

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestRunEndsAProgramThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script string
		limit  time.Duration // enough for it to begin
		late   bool
	}{
		"it ends on SIGTERM":  {"echo begun; exec sleep 600", 2 * time.Second, true},
		"it has to be killed": {"trap '' TERM; echo begun; while :; do sleep 1; done", 2 * time.Second, true},
		"it is in time":       {"echo begun", time.Hour, false},
		"there is no limit":   {"echo begun", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			got, err := Run(
				t.Context(),
				shell(tt.script),
				dir,
				Options{Environ: Environment(os.Environ()), Limit: tt.limit, Grace: 50 * time.Millisecond},
			)
			if err != nil {
				t.Fatal(err)
			}
			rec, _, err := readStage(Dir(dir), "bakta")
			if err != nil {
				t.Fatal(err)
			}
			log := text(t, Dir(dir).Log("bakta"))
			if !strings.Contains(log, "begun\n") {
				t.Errorf("log: %q", log)
			}
			if !tt.late {
				if got.Status != job.StageSucceeded || rec.Failure != nil {
					t.Errorf("%+v, %+v", got, rec.Failure)
				}
				return
			}
			if got.Status != job.StageFailed || got.Signal == "" {
				t.Errorf("%+v", got)
			}
			if rec.Failure == nil || rec.Failure.Code != job.OutOfTime || rec.Failure.Stage != "bakta" ||
				!strings.Contains(rec.Failure.Message, tt.limit.String()) {
				t.Errorf("failure %+v", rec.Failure)
			}
			if !strings.Contains(log, rec.Failure.Message) {
				t.Errorf("log: %q", log)
			}
		})
	}
}

// TestRunCutOffIsNotLate checks that a stage that was interrupted did not run out of time.
func TestRunCutOffIsNotLate(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the machine is needed")
	go func() {
		await(t, "the program's start", func() bool {
			rec, _, err := readStage(Dir(dir), "bakta")
			return err == nil && rec.Status == job.StageRunning
		})
		cancel(stop)
	}()
	_, err := Run(ctx, shell("exec sleep 600"), dir, Options{Environ: Environment(os.Environ()), Limit: time.Hour, Grace: time.Second})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	rec, _, err := readStage(Dir(dir), "bakta")
	if err != nil || rec.over() {
		t.Errorf("%+v, %v", rec, err)
	}
}
