package client

import (
	"context"
	"errors"
	"time"
)

// stallTime is how long a transfer may make no progress. A network that silently drops packets causes no other error.
const stallTime = 2 * time.Minute

var errStalled = errors.New("no data was transferred for two minutes")

// stalling returns a context that ends if moving is not called for stallTime.
func stalling(parent context.Context) (ctx context.Context, moving, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	timer := time.AfterFunc(stallTime, func() { cancel(errStalled) })
	return ctx, func() { timer.Reset(stallTime) }, func() { timer.Stop(); cancel(nil) }
}

// stalled returns a transient error if the transfer stalled, else err: the caller may have ended it.
func stalled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return &transient{err: errStalled}
	}
	return err
}
