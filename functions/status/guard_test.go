package status

import (
	"log/slog"
	"strings"
	"testing"
)

// TestGuarded: a panic is logged with what panicked, and goes no further.
func TestGuarded(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	done := false
	guarded(log, "a read", func() { done = true })
	if !done || said.Len() > 0 {
		t.Errorf("done: %t, said %q", done, said.String())
	}
	guarded(log, "a read", func() { panic("at the disco") })
	if got := said.String(); !strings.Contains(got, "a read panicked") || !strings.Contains(got, "at the disco") ||
		!strings.Contains(got, "guard_test.go") {
		t.Errorf("said %q", got)
	}
}
