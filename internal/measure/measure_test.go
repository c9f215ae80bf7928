package measure

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSample(t *testing.T) {
	var s, twice Sample
	for i := range 1000 {
		s = append(s, time.Duration((i*7919)%1000)) // 0 to 999 in another order
		twice = append(twice, 2*s[i])
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 500, 0.99: 990, 1: 999} {
		if got := s.At(q); got != want {
			t.Errorf("at %g: %d, want %d", q, got, want)
		}
	}
	if low, high := Spread(twice, s, 0.99); low > 2 || high < 2 || low < 1.9 || high > 2.1 {
		t.Errorf("the ratio lies between %g and %g, want 2", low, high)
	}
}

// TestUnclear: a target inside the confidence interval is unclear, not missed.
func TestUnclear(t *testing.T) {
	for _, tt := range []struct {
		measured, low float64
		want          string
	}{
		{1.1, 0.8, "reached"},
		{1.3, 1.1, "unclear"},
		{1.3, 1.25, "MISSED"},
	} {
		if got := NewReport(io.Discard).Likely(tt.measured, tt.low, 1.2); got != tt.want {
			t.Errorf("%g, at least %g: %s, want %s", tt.measured, tt.low, got, tt.want)
		}
	}
}

func TestTurn(t *testing.T) {
	var order strings.Builder
	var functions []func() error
	for _, name := range []string{"a", "b", "c"} {
		functions = append(functions, func() error {
			order.WriteString(name)
			if name == "b" {
				time.Sleep(2 * time.Millisecond) // what is measured
			}
			return nil
		})
	}
	for first := range 4 {
		took, err := Turn(first, functions...)
		if err != nil {
			t.Fatal(err)
		}
		if len(took) != 3 || slices.Index(took, slices.Max(took)) != 1 || took[1] < 2*time.Millisecond {
			t.Errorf("the second function took 2 ms, measured: %v", took)
		}
	}
	if got := order.String(); got != "abcbcacababc" {
		t.Errorf("order %s", got)
	}
	broken := errors.New("broken")
	if _, err := Turn(0, func() error { return broken }, functions[0]); !errors.Is(err, broken) {
		t.Errorf("the error of a function: %v", err)
	}
}
