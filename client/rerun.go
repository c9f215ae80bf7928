package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/grpc/codes"
)

// Rerun is a request to run a job again, as a new job with the same files.
type Rerun struct {
	Job Ref // the old job; it must have been started
	// RequestKey stands for the new job: a repeated request with the same key returns the same one. It must be a secret of 16 to
	// 128 visible ASCII characters, such as a random UUID.
	RequestKey string
	Config     *Config // all options of the new job; nil: those of the old one
	Name       string  // empty: that of the old job
}

// Rerun starts a new job with the files of an old one, and returns it with the warnings about them. The server copies the
// files. The call may be repeated: after an error that Transient reports, the new job may exist or not, and the same request
// finds it or makes it. An older server does not have the call: the error is an *Error with codes.Unimplemented.
func (v *V2) Rerun(ctx context.Context, r Rerun) (Made, []Warning, error) {
	request := struct {
		Job        wireRef `json:"job"`
		RequestKey string  `json:"request_key"`
		Config     *Config `json:"config,omitempty"`
		Name       string  `json:"name,omitempty"`
	}{wireRef(r.Job), r.RequestKey, r.Config, r.Name}
	var answer struct {
		Job      wireRef   `json:"job"`
		Workflow string    `json:"workflow_kind"`
		Warnings []Warning `json:"warnings"`
	}
	if err := v.call(ctx, http.MethodPost, "/job/rerun", nil, request, &answer); err != nil {
		var refusal *Error
		// An older server has nothing at this path; the other 404 is about the job.
		if errors.As(err, &refusal) && refusal.Message != jobNotFound &&
			(refusal.Code == codes.Unimplemented || slices.Contains(noSuchCall, refusal.Status)) {
			return Made{}, nil, &Error{Status: refusal.Status, Code: codes.Unimplemented, Message: "running the job again: " + v.c.server +
				" can't do that: it is an older server; submit the file again"}
		}
		return Made{}, nil, fmt.Errorf("running the job again: %w", err)
	}
	if err := v.c.checkID(answer.Job.ID); err != nil {
		return Made{}, nil, err
	}
	return Made{Job: Ref(answer.Job), Workflow: answer.Workflow}, answer.Warnings, nil
}

// jobNotFound is the text of the second version's error about a job that does not exist.
const jobNotFound = "Job not found"
