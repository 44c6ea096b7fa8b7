package train

import (
	"context"
	"fmt"
)

// Interrupted is returned by Run when its context ended. The run can go on from Snapshot.
type Interrupted struct {
	Step     int    // steps done
	Snapshot string // path; "" when the run takes none
	Cause    error  // context.Cause
}

func (e *Interrupted) Error() string {
	if e.Snapshot == "" {
		return fmt.Sprintf("train: interrupted after step %d: %v; nothing was saved because the run has no output folder", e.Step, e.Cause)
	}
	return fmt.Sprintf("train: interrupted after step %d: %v; saved %s: resume (--resume) to go on from there", e.Step, e.Cause, e.Snapshot)
}

// Unwrap lets errors.Is find context.Canceled and whatever cause the context had.
func (e *Interrupted) Unwrap() []error { return []error{context.Canceled, e.Cause} }

// NonFinite is returned by Run when a loss or a gradient is NaN or infinite. Parameters were not changed by that step.
type NonFinite struct {
	Step     int    // the step that failed, counted from 1
	What     string // `part "mask" of the loss is NaN`
	Snapshot string // last good one; "" if there is none
}

func (e *NonFinite) Error() string {
	remedy := "start again with a lower lr"
	if e.Snapshot != "" {
		remedy = fmt.Sprintf("resume from %s with a lower lr (and Override \"lr\")", e.Snapshot)
	}
	return fmt.Sprintf("train: step %d: %s; %s", e.Step, e.What, remedy)
}

// PanicError is a panic inside the objective, the data reader or the evaluation: a bug there, such as a *tensor.ShapeError.
type PanicError struct {
	Step  int    // counted from 1
	Where string // "replica 1", "evaluation"
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("train: step %d: %s: panic: %v", e.Step, e.Where, e.Value)
}

// Unwrap is the panic's value when that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
