package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// statusOf returns the status that a caller gets for an error. Only this function translates the codes of lib/job to those of gRPC, which
// determine those of HTTP. An error that the caller cannot correct has a neutral text; its cause is logged.
func statusOf(err error) *status.Status {
	var e *job.Error
	if errors.As(err, &e) {
		if code := codeOf(e.Code); code != codes.Internal {
			return status.New(code, strings.ToValidUTF8(e.Message, "�"))
		}
	}
	// Only a status that is the error itself is written for the caller. A wrapped one is an answer of another server.
	if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return st.GRPCStatus()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "the call took too long; try again later")
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, "the caller cancelled the call")
	}
	return status.New(codes.Internal, "internal error; please contact the operators if it happens again")
}

func codeOf(code job.Code) codes.Code {
	switch code {
	case job.Invalid, job.TooLarge:
		return codes.InvalidArgument
	case job.NotFound:
		return codes.NotFound
	case job.WrongSecret:
		return codes.Unauthenticated
	case job.AlreadyExists:
		return codes.AlreadyExists
	case job.NotReady:
		return codes.FailedPrecondition
	case job.Exhausted:
		return codes.ResourceExhausted
	case job.Unavailable:
		return codes.Unavailable
	}
	return codes.Internal
}

// levelOf returns the level at which the end of a call is logged: error for what the operator has to correct, warning for what may be
// transient, information for errors of the caller.
func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.OK:
		return slog.LevelDebug
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted:
		return slog.LevelWarn
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	}
	return slog.LevelInfo
}
