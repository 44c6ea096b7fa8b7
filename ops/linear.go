package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// packedRows is the number of rows from which a packed weight is worth its memory.
const packedRows = 8

// Linear returns x·wᵀ + bias. x is [..., In], w is [Out, In], bias is [Out] or nil; the result is [..., Out].
func Linear(x, w, bias *Value) *Value {
	in, out := x.Shape.Last(), w.Shape[0]
	mustBe(len(w.Shape) == 2 && w.Shape[1] == in && (bias == nil || len(bias.Data) == out), "linear", "[..., In], [Out, In] and [Out]", x, w, bias)
	t := x.Tape()
	y := newLike(t, autograd.Wants(x, w, bias), x, out)
	ep := kernel.Epilogue{}
	if bias != nil {
		ep.Bias = bias.Data
	}
	rows := x.Shape.Rows()
	if rows <= kernel.FewRows && !t.Train {
		kernel.MulRows(t.Work, kernel.M(y.Data, rows, out), kernel.M(x.Data, rows, in), kernel.Rows{N: out, K: in, F32: w.Data}, ep.Bias)
		return y
	}
	var packed *kernel.Packed
	if rows >= packedRows {
		packed = w.Packed()
	}
	if packed != nil {
		kernel.GemmPacked(t.Work, kernel.M(y.Data, rows, out), kernel.M(x.Data, rows, in), packed, ep)
	} else {
		kernel.Gemm(t.Work, kernel.M(y.Data, rows, out), kernel.M(x.Data, rows, in), kernel.M(w.Data, out, in).T(), ep)
	}
	if y.Grad != nil {
		op := autograd.Node[linearOp](t)
		*op = linearOp{x, w, bias, y}
		t.Push(op)
	}
	return y
}

type linearOp struct{ x, w, bias, y *Value }

func (o *linearOp) Backward() {
	work := o.y.Tape().Work
	in, out, rows := o.x.Shape.Last(), o.w.Shape[0], o.x.Shape.Rows()
	dy := kernel.M(o.y.Grad, rows, out)
	add := kernel.Epilogue{Beta: 1}
	if o.x.Grad != nil {
		kernel.Gemm(work, kernel.M(o.x.Grad, rows, in), dy, kernel.M(o.w.Data, out, in), add)
	}
	if o.w.Grad != nil {
		kernel.Gemm(work, kernel.M(o.w.Grad, out, in), dy.T(), kernel.M(o.x.Data, rows, in), add)
	}
	if o.bias != nil && o.bias.Grad != nil {
		addRows(o.bias.Grad, o.y.Grad)
	}
}

// addRows adds every row of x to dst.
func addRows(dst, x []float32) {
	d := len(dst)
	for i := 0; i < len(x); i += d {
		kernel.AddTo(dst, x[i:i+d])
	}
}

// newLike makes a value with x's leading axes and a last axis of d.
func newLike(t *autograd.Tape, grad bool, x *Value, d int) *Value {
	s := x.Shape
	switch len(s) {
	case 1:
		return t.New(grad, d)
	case 2:
		return t.New(grad, s[0], d)
	case 3:
		return t.New(grad, s[0], s[1], d)
	}
	return t.New(grad, s[0], s[1], s[2], d)
}
