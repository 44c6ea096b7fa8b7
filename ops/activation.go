package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// GELU is the Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016), element by element.
func GELU(x *Value) *Value { return unary(x, kernel.GELU, kernel.GELUGrad) }

// GELUExact is x·Φ(x), with the normal distribution itself instead of its approximation (Hendrycks & Gimpel 2016).
func GELUExact(x *Value) *Value { return unary(x, kernel.GELUExact, kernel.GELUExactGrad) }

// QuickGELU is x·sigmoid(1.702·x), the form that CLIP has (Hendrycks & Gimpel 2016).
func QuickGELU(x *Value) *Value { return unary(x, quickGELU, quickGELUGrad) }

// Sigmoid is 1/(1+e⁻ˣ), element by element.
func Sigmoid(x *Value) *Value { return unary(x, kernel.Sigmoid, sigmoidGrad) }

// Tanh is the hyperbolic tangent, element by element.
func Tanh(x *Value) *Value { return unary(x, kernel.Tanh, tanhGrad) }

// ReLU is max(x, 0), element by element.
func ReLU(x *Value) *Value { return unary(x, kernel.ReLU, kernel.ReLUGrad) }

// ReLU6 is min(max(x, 0), 6), element by element (Howard et al. 2017). It works in place, so that a convolution and its
// activation keep one map and not two: x must come from an operation that does not look at its result again, such as a
// convolution, and nothing else may use x.
func ReLU6(x *Value) *Value {
	t := x.Tape()
	if n := len(x.Data); t.Work.Wide(n) {
		t.Work.Split(n, func(i, j int) { kernel.ReLU6(x.Data[i:j], x.Data[i:j]) })
	} else {
		kernel.ReLU6(x.Data, x.Data)
	}
	if x.Wanted() {
		op := autograd.Node[relu6Op](t)
		*op = relu6Op{x}
		t.Push(op)
	}
	return x
}

type relu6Op struct{ x *Value }

// Backward implements autograd.Op.
func (o *relu6Op) Backward() { kernel.ReLU6Grad(o.x.Grad(), o.x.Data) }

// SiLU is x·sigmoid(x), element by element.
func SiLU(x *Value) *Value { return unary(x, kernel.SiLU, kernel.SiLUGrad) }

func unary(x *Value, f func(dst, x []float32), grad func(dx, x, dy []float32)) *Value {
	t, y := x.Tape(), x
	if !x.IsSpare() {
		y = newLike(t, autograd.Wants(x), x, x.Shape.Last())
	}
	if n := len(x.Data); t.Work.Wide(n) {
		t.Work.Split(n, func(i, j int) { f(y.Data[i:j], x.Data[i:j]) })
	} else {
		f(y.Data, x.Data)
	}
	if y.Wanted() {
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

// Backward implements autograd.Op.
func (o *unaryOp) Backward() {
	dx, fresh := o.x.FirstGrad()
	eachPiece(len(dx), 1, func(i, j int) {
		if fresh {
			clear(dx[i:j])
		}
		o.grad(dx[i:j], o.x.Data[i:j], o.y.Grad()[i:j])
	})
}

// eachPiece calls f for pieces [i, j) of n rows of d elements that stay in the first-level cache: what one step over a piece writes,
// the next one still finds there.
func eachPiece(n, d int, f func(i, j int)) {
	const elements = 2048
	for i, step := 0, max(elements/d, 1); i < n; i += step {
		f(i, min(i+step, n))
	}
}
