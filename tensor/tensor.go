// Package tensor provides dense row-major float32 arrays and the arena that they live in. Shapes are written outermost
// axis first. Dimension letters used throughout the program: B batch, T tokens, D width, H heads, K head dimension,
// V vocabulary, P patches.
package tensor

import "fmt"

// Shape is the size of each axis, outermost first.
type Shape []int

// Size is the number of elements.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports that two shapes have the same axes.
func (s Shape) Equal(o Shape) bool {
	if len(s) != len(o) {
		return false
	}
	for i := range s {
		if s[i] != o[i] {
			return false
		}
	}
	return true
}

// Last is the size of the innermost axis.
func (s Shape) Last() int { return s[len(s)-1] }

// Rows is the number of elements divided by the innermost axis: the rows when all leading axes are merged.
func (s Shape) Rows() int { return s[:len(s)-1].Size() }

// Tensor is a named-axis-free dense array: Data holds Shape.Size() values, row by row.
type Tensor struct {
	Shape Shape
	Data  []float32
}

// New makes a zero tensor on the heap.
func New(shape ...int) *Tensor {
	s := append(Shape(nil), shape...)
	return &Tensor{s, make([]float32, s.Size())}
}

// From wraps values; a wrong number of them is an error.
func From(data []float32, shape ...int) (*Tensor, error) {
	s := append(Shape(nil), shape...)
	if s.Size() != len(data) {
		return nil, fmt.Errorf("tensor: %d values do not fill shape %v", len(data), shape)
	}
	return &Tensor{s, data}, nil
}

// ShapeError reports operands that do not fit an operation. Inside a model that is a bug, so operations panic with it;
// the facade and the training loop turn the panic into an error.
type ShapeError struct {
	Op   string
	Args []Shape
	Want string
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s: shapes %v, want %s", e.Op, e.Args, e.Want)
}
