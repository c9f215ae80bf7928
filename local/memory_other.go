//go:build !linux

package local

import "log/slog"

// shrink does nothing: a backend runs only on Linux.
func shrink(*slog.Logger) {}
