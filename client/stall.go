package client

import (
	"context"
	"errors"
	"time"
)

// stallTime is how long a transfer may stand still: a network that went away without a word shows no other way.
const stallTime = 2 * time.Minute

var errStalled = errors.New("nothing moved for two minutes")

// stalling returns a context that ends when moving wasn't called for stallTime.
func stalling(parent context.Context) (ctx context.Context, moving, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	timer := time.AfterFunc(stallTime, func() { cancel(errStalled) })
	return ctx, func() { timer.Reset(stallTime) }, func() { timer.Stop(); cancel(nil) }
}

// stalled tells a transfer that stood still from one that was ended by the caller: it may be tried again.
func stalled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return &transient{err: errStalled}
	}
	return err
}
