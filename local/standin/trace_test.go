package standin

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestTrace: the trace has each run that began, and which of them succeeded. The help and the version are not runs.
func TestTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	t.Setenv("BAKTA_STAND_IN_TRACE", path)
	if events, err := ReadTrace(path); len(events) > 0 || err != nil {
		t.Fatalf("before the first run: %v, %v", events, err)
	}
	genome := play(t, "bakta", demoGenome).mustSucceed(t)
	play(t, "bakta", "--version", demoGenome)
	proteins := play(t, "bakta_proteins", write(t, "proteins.faa", proteinsFASTA)).mustSucceed(t)
	t.Setenv("BAKTA_STAND_IN_FAIL", "error")
	failed := play(t, "bakta", demoGenome)
	events, err := ReadTrace(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []Traced
	for _, e := range events {
		if len(got) > 0 && e.At.Before(got[len(got)-1].At) || e.At.IsZero() {
			t.Errorf("the time of %+v is wrong", e)
		}
		e.At = time.Time{}
		got = append(got, e)
	}
	want := []Traced{
		{Event: Began, Program: "bakta", Dir: genome.dir}, {Event: Succeeded, Program: "bakta", Dir: genome.dir},
		{Event: Began, Program: "bakta_proteins", Dir: proteins.dir}, {Event: Succeeded, Program: "bakta_proteins", Dir: proteins.dir},
		{Event: Began, Program: "bakta", Dir: failed.dir},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
