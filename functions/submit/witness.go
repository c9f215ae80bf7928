package submit

import "context"

// Witness is told of jobs that are made and started. Its methods return at once.
type Witness interface {
	// Created is told of a job that was made.
	Created(ctx context.Context, workflow string)
	// Started is told of a job that was started, once, by the start that won.
	Started(ctx context.Context, workflow string)
	// Traceparent returns the W3C trace context of a call, for the job that it starts to keep; empty for none.
	Traceparent(ctx context.Context) string
}

// nobody is the witness of a function that has none.
type nobody struct{}

func (nobody) Created(context.Context, string)    {}
func (nobody) Started(context.Context, string)    {}
func (nobody) Traceparent(context.Context) string { return "" }
