package server

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// statusOf returns the status that a caller gets for an error. Only this function translates the codes of lib/job to those of gRPC, which
// determine those of HTTP. An error that the caller cannot correct has a neutral text; its cause is logged.
func statusOf(err error) *status.Status {
	var e *job.Error
	if errors.As(err, &e) {
		if code := codeOf(e.Code); code != codes.Internal {
			return detailed(status.New(code, strings.ToValidUTF8(e.Message, "�")), e.Retry)
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

// domain is where the reasons and the names of limits in details of errors are defined: this API.
const domain = "bakta-web"

// detailed adds what is known of the limit that refuses a call, as details of google.rpc.
func detailed(st *status.Status, r *job.Retry) *status.Status {
	if r == nil {
		return st
	}
	with, err := st.WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(r.After)},
		&errdetails.QuotaFailure{
			Violations: []*errdetails.QuotaFailure_Violation{{Subject: "caller", Description: st.Message(), QuotaId: r.Limit}},
		},
		&errdetails.ErrorInfo{Reason: "LIMIT_OF_CALLER", Domain: domain, Metadata: map[string]string{"limit": r.Limit}},
	)
	if err != nil {
		return st // these messages can always be marshalled
	}
	return with
}

// retryAfter returns the value of the header field Retry-After: whole seconds, at least one.
func retryAfter(st *status.Status) string {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			seconds := math.Ceil(info.GetRetryDelay().AsDuration().Seconds())
			return strconv.Itoa(max(1, int(seconds)))
		}
	}
	return "5"
}

func codeOf(code job.Code) codes.Code {
	switch code {
	case job.Invalid, job.TooLarge:
		return codes.InvalidArgument
	case job.NotFound:
		return codes.NotFound
	case job.WrongSecret, job.BadToken:
		return codes.Unauthenticated
	case job.Forbidden:
		return codes.PermissionDenied
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
