package status

import (
	"context"
	"log/slog"
	"runtime/debug"
)

// guard, deferred, ends a panic: the server recovers those of its own goroutines alone, and one of another ends the process with all calls
// that wait in it.
func guard(ctx context.Context, log *slog.Logger, doing string) {
	if p := recover(); p != nil {
		log.ErrorContext(ctx, doing+" panicked", "panic", p, "stack", string(debug.Stack()))
	}
}
