package limit

import (
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// TestRefusalOfAnotherClock: when a call may be tried again does not depend on the clock of the process that refuses it.
func TestRefusalOfAnotherClock(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // by the store's clock
	w := store.Window{Name: CallsPerMinute, Length: time.Minute, Limit: 1, Calls: 1}
	l := &Limiter{o: Options{Limits: settings.Caller{CallsPerMinute: 1}}}
	for _, ahead := range []time.Duration{0, time.Second, 2 * time.Minute, -2 * time.Minute} {
		used := store.Used{
			Refused: CallsPerMinute, Skew: -ahead,
			Windows: map[string][]store.WindowCount{CallsPerMinute: {{Bucket: w.Bucket(noon), Count: 1}}},
		}
		got := l.refusal(store.Use{At: noon.Add(ahead), Windows: []store.Window{w}}, used).Retry.After
		if want := 65 * time.Second; (got - want).Abs() > time.Second {
			t.Errorf("by a clock that is ahead by %s: again in %s, want %s", ahead, got, want)
		}
	}
}
