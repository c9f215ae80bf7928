//go:build !linux

package space

import (
	"errors"
	"math"
)

// diskSpace returns no limit: a backend runs only on Linux.
func diskSpace(string) (free, total int64, err error) { return math.MaxInt64, math.MaxInt64, nil }

func (d *Disk) fill(int64) error { return errors.ErrUnsupported }
