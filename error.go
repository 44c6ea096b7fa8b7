package fovea

import (
	"errors"
	"fmt"
)

// Error is a failure with a stable code that programs can tell apart, such as "image.truncated" or "request.task".
// docs/reference/json.md lists the codes. Every error about a picture or a request is one; find it with errors.As.
type Error struct {
	Code string
	// BadInput says that the same input will fail again: do not retry.
	BadInput bool
	Hint     string // what to do about it, or ""
	Err      error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func badInput(code string, err error) error { return &Error{Code: code, BadInput: true, Err: err} }

// Code is the code of an error, "failed" when it has none.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "failed"
}

// errDamaged is a model whose answers are not numbers.
func errDamaged(model string) error {
	return &Error{Code: "model.damaged", Err: fmt.Errorf("fovea: the model %q answers with numbers that are not finite: its weights are damaged", model)}
}
