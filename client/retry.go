package client

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// retry repeats an attempt while its error is transient: until Options.Patience is over, counted from the last attempt that transferred
// data, or for that many tries (0: any number). It returns the last attempt's error, or the context's cause if the context ended.
func (c *Client) retry(ctx context.Context, tries uint, attempt func() (moved bool, err error)) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval = 200 * time.Millisecond
	pauses.MaxInterval = 10 * time.Second
	since := time.Now()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		moved, err := attempt()
		if err == nil {
			return struct{}{}, nil
		}
		if moved {
			since = time.Now()
			pauses.Reset()
		}
		var again *transient
		if !errors.As(err, &again) || !within(c.patienceWith(again), time.Since(since), again.after) {
			return struct{}{}, backoff.Permanent(err)
		}
		if again.after > 0 {
			err = &asked{again, &backoff.RetryAfterError{Duration: again.after}}
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0), backoff.WithNotify(c.notify))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return unasked(err)
}

// within reports whether a pause after the time that has passed is within the patience.
func within(patience, passed, pause time.Duration) bool {
	// Of two durations that are not negative, the difference can't overflow, as the sum can.
	return patience >= 0 && pause <= patience-passed
}

// limitPatience is longer than a limit of calls in a minute refuses calls.
const limitPatience = 2 * time.Minute

// patienceWith returns how long a call is repeated that ended with this error.
func (c *Client) patienceWith(t *transient) time.Duration {
	if after, limited := Limited(t); limited && after > 0 && c.options.Patience > 0 {
		return max(c.options.Patience, limitPatience)
	}
	return c.options.Patience
}

func (c *Client) notify(err error, pause time.Duration) {
	if c.options.OnRetry != nil {
		c.options.OnRetry(unasked(err), pause)
	}
}

// asked joins an error with the pause that the server asked for, in the type of the backoff library.
type asked struct {
	*transient
	pause *backoff.RetryAfterError
}

func (a *asked) Unwrap() []error { return []error{a.transient, a.pause} }

func unasked(err error) error {
	if a := (*asked)(nil); errors.As(err, &a) {
		return a.transient
	}
	return err
}
