package submit

import "context"

// Recorder records jobs that are created and started. Its methods return at once.
type Recorder interface {
	// Created records a new job.
	Created(ctx context.Context, workflow string)
	// Started records a job that was started, once, by the start that won.
	Started(ctx context.Context, workflow string)
	// Traceparent returns the W3C trace context of a call, for the job that it starts to keep; empty for none.
	Traceparent(ctx context.Context) string
}

// noRecorder is the recorder of a function that has none.
type noRecorder struct{}

func (noRecorder) Created(context.Context, string)    {}
func (noRecorder) Started(context.Context, string)    {}
func (noRecorder) Traceparent(context.Context) string { return "" }
