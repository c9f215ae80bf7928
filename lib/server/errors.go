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

// statusOf says what a caller is told about an error. It is the only place where the codes of lib/job become
// codes of gRPC, and with those HTTP's. What the caller can't do anything about has a neutral text; its cause
// goes to the log.
func statusOf(err error) *status.Status {
	var e *job.Error
	if errors.As(err, &e) {
		if code := codeOf(e.Code); code != codes.Internal {
			return status.New(code, strings.ToValidUTF8(e.Message, "�"))
		}
	}
	// Only a status that is the error itself is meant for the caller. A wrapped one is what some other server
	// told us.
	if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return st.GRPCStatus()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "this took too long; please try again later")
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, "the call was given up by the caller")
	}
	return status.New(codes.Internal, "internal error; please tell the operators if it happens again")
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

// levelOf says how loud a call's end is in the log: the operator's faults are errors, what may pass by itself
// is a warning, and the caller's faults are no more than news.
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
