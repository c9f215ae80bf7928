package settings

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "34560": 34560 * time.Second, "-5": -5 * time.Second, "720h": 720 * time.Hour, "1h30m": 90 * time.Minute,
		"30d": 720 * time.Hour, "0d": 0, "1d1s": 24*time.Hour + time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "30 d", "1.5d", "-1d", "1d-1h", "5w", "9223372036854775807", "106752d", "106751d24h", "1e3", "1dd",
		"1dh"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, int64(100*365*day)).Draw(t, "duration"))
		if got, err := ParseDuration(want.String()); err != nil || got != want {
			t.Errorf("%s was read as %s, %v", want, got, err)
		}
	})
}
