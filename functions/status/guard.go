package status

import (
	"log/slog"
	"runtime/debug"
)

// guarded does something in a goroutine of its own, and ends a panic of it: the server recovers those of its own goroutines alone, and
// one of another ends the process with all calls that wait in it.
func guarded(log *slog.Logger, doing string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			log.Error(doing+" panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do()
}
