// Package ops implements the differentiable operations, forward and backward side by side, one family a file.
//
// Every operation reads Values, records itself on their tape when a gradient is wanted, and returns a new Value.
// Gradients are added, never overwritten, because a Value may be used more than once. Operands whose shapes do not fit
// are a bug in the caller and panic with *tensor.ShapeError.
package ops

import (
	"fovea/autograd"
	"fovea/tensor"
)

// Value is shorthand for a node of the computation.
type Value = autograd.Value

func mustBe(ok bool, op, want string, vs ...*Value) {
	if ok {
		return
	}
	e := &tensor.ShapeError{Op: op, Want: want}
	for _, v := range vs {
		if v != nil {
			e.Args = append(e.Args, append(tensor.Shape(nil), v.Shape...))
		}
	}
	panic(e)
}
