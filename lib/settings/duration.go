package settings

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errDuration = errors.New("is not a duration; write whole seconds (2592000), hours or minutes (720h, 90m) or days (30d)")

// ParseDuration parses a whole number of seconds, a Go duration, or days, optionally followed by a Go duration:
// "30d", "1d12h".
func ParseDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return scale(seconds, time.Second)
	}
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	} else if rest == "" {
		rest = "0"
	}
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil {
		return 0, errDuration
	}
	whole, err := scale(n, day)
	if err != nil {
		return 0, err
	}
	part, err := time.ParseDuration(rest)
	if err != nil || found && (part < 0 || n < 0) {
		return 0, errDuration
	}
	if part > 0 && whole > math.MaxInt64-part {
		return 0, errDuration
	}
	return whole + part, nil
}

func scale(n int64, unit time.Duration) (time.Duration, error) {
	if limit := math.MaxInt64 / int64(unit); n > limit || n < -limit {
		return 0, errDuration
	}
	return time.Duration(n) * unit, nil
}
