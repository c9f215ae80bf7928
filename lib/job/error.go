package job

import (
	"errors"
	"fmt"
	"time"
)

// Error is an error that a caller can act on. Message is written for the caller. The cause is only logged. Errors of any other type are
// internal errors.
type Error struct {
	Code    Code
	Message string
	Retry   *Retry // of Exhausted: what is known of the limit; nil: nothing
	cause   error
}

// Retry describes a limit of the caller that refuses a call for now.
type Retry struct {
	Limit string        // its name, for programs
	After time.Duration // when the same call may succeed; positive
}

// Code sorts errors by what a caller can do about them.
type Code string

// The codes of errors.
const (
	Invalid       Code = "invalid"        // the request is not valid; repeating it does not help
	NotFound      Code = "not_found"      // what the request names does not exist
	WrongSecret   Code = "wrong_secret"   // the secret is not the job's; or the token of an event source is not valid
	BadToken      Code = "bad_token"      // the caller's token is not valid, or one is missing
	Forbidden     Code = "forbidden"      // the caller's token is valid, but does not allow the call
	AlreadyExists Code = "already_exists" // the job was already started with another configuration
	NotReady      Code = "not_ready"      // the job's state does not allow the call
	TooLarge      Code = "too_large"      // a limit is exceeded
	Exhausted     Code = "exhausted"      // too many requests; the caller may retry later
	Unavailable   Code = "unavailable"    // another service is down; the caller may retry later
)

// Errorf returns an error with a message for the caller.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because adds the cause, which is logged and not shown to the caller.
func (e *Error) Because(cause error) *Error {
	return &Error{Code: e.Code, Message: e.Message, Retry: e.Retry, cause: cause}
}

// Error returns the message and the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of the outermost Error in err's chain, or "" if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Is reports whether the outermost Error in err's chain has that code.
func Is(err error, code Code) bool { return code != "" && CodeOf(err) == code }
