package job

import (
	"errors"
	"fmt"
)

// Error is an error that has a meaning to a caller. Message is for the caller; the cause is for the log alone.
// Errors of any other type are internal.
type Error struct {
	Code    Code
	Message string
	cause   error
}

// Code sorts errors by what a caller can do about them.
type Code string

// The codes of errors.
const (
	Invalid       Code = "invalid"        // the request is wrong and stays wrong
	NotFound      Code = "not_found"      // there is no such thing
	WrongSecret   Code = "wrong_secret"   // the job is not the caller's
	AlreadyExists Code = "already_exists" // another start of the job came before
	NotReady      Code = "not_ready"      // the job's state does not allow it (yet, or any more)
	TooLarge      Code = "too_large"      // more than a limit allows
	Exhausted     Code = "exhausted"      // too much at once; later it may work
	Unavailable   Code = "unavailable"    // something that is needed is away; later it may work
)

// Errorf returns an error with a message for the caller.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because adds the cause, which is logged and never shown to the caller.
func (e *Error) Because(cause error) *Error {
	return &Error{Code: e.Code, Message: e.Message, cause: cause}
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
