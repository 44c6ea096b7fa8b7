package hub

import (
	"errors"
	"fmt"
)

// Kinds of failures, for errors.Is.
var (
	ErrName       = errors.New("no name of a model on the hub")
	ErrMissing    = errors.New("not in the cache")
	ErrIncomplete = errors.New("only part of it is in the cache")
	ErrNotFound   = errors.New("not found on the hub")
	ErrDenied     = errors.New("access denied")
	ErrUnsafe     = errors.New("refused as unsafe")
	ErrDigest     = errors.New("wrong digest")
	ErrPickle     = errors.New("weights in pickle files only")
	ErrTooLarge   = errors.New("too large")
	ErrNoSpace    = errors.New("no space left")
	ErrNetwork    = errors.New("the hub cannot be reached")
	ErrCache      = errors.New("the cache cannot be used")
)

// hintMirror is what to do about a hub that does not behave like one.
const hintMirror = "HF_ENDPOINT should be a hub or a full mirror of it"

// Error is a failure of one of the kinds above, with what to do about it.
type Error struct {
	Kind error
	Msg  string
	Hint string // "" when there is nothing to say
	Err  error  // the cause, or nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("hub: %s: %v", e.Msg, e.Err)
	}
	return "hub: " + e.Msg
}

// Unwrap gives the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err != nil {
		return []error{e.Kind, e.Err}
	}
	return []error{e.Kind}
}

// Retry reports that the same call may succeed later.
func (e *Error) Retry() bool {
	return errors.Is(e.Kind, ErrNetwork) || errors.Is(e.Kind, ErrNoSpace) || errors.Is(e.Kind, ErrDigest)
}

func fail(kind error, hint, format string, args ...any) *Error {
	return &Error{Kind: kind, Hint: hint, Msg: fmt.Sprintf(format, args...)}
}

func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}
