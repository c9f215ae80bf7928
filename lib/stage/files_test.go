package stage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTransferThatFailsLate: the time for retries begins with the first failure. A transfer that takes longer is repeated, too.
func TestTransferThatFailsLate(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		takes time.Duration // each try
		fails int           // so many tries
		tries int
		ends  bool // with success
	}{
		"a long transfer, cut off once":      {takes: 11 * time.Minute, fails: 1, tries: 2, ends: true},
		"a long transfer, cut off each time": {takes: 11 * time.Minute, fails: 100, tries: 2},
		"a short one, cut off once":          {takes: time.Second, fails: 1, tries: 2, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				_, err := retry(t.Context(), uploadTimeout, 1<<30, func(context.Context) (int, error) {
					time.Sleep(row.takes)
					if tries++; tries <= row.fails {
						return 0, errors.New("cut off")
					}
					return 0, nil
				})
				if tries != row.tries || (err == nil) != row.ends {
					t.Errorf("%d tries, %v", tries, err)
				}
			})
		})
	}
}

// TestTransferThatFailsAtOnce is repeated for about the time that it may, and no longer.
func TestTransferThatFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := retry(t.Context(), downloadTimeout, 1, func(context.Context) (int, error) { return 0, errors.New("away") })
		if took := time.Since(began); err == nil || took < downloadTimeout || took > downloadTimeout+time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}
