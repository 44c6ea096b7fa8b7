package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// GELU is the Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016), element by element.
func GELU(x *Value) *Value { return unary(x, kernel.GELU, kernel.GELUGrad) }

// ReLU is max(x, 0), element by element.
func ReLU(x *Value) *Value { return unary(x, kernel.ReLU, kernel.ReLUGrad) }

// SiLU is x·sigmoid(x), element by element.
func SiLU(x *Value) *Value { return unary(x, kernel.SiLU, kernel.SiLUGrad) }

func unary(x *Value, f func(dst, x []float32), grad func(dx, x, dy []float32)) *Value {
	t := x.Tape()
	y := newLike(t, autograd.Wants(x), x, x.Shape.Last())
	f(y.Data, x.Data)
	if y.Grad != nil {
		op := autograd.Node[unaryOp](t)
		*op = unaryOp{x, y, grad}
		t.Push(op)
	}
	return y
}

type unaryOp struct {
	x, y *Value
	grad func(dx, x, dy []float32)
}

func (o *unaryOp) Backward() { o.grad(o.x.Grad, o.x.Data, o.y.Grad) }
