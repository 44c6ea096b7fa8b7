package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// packedRows is the number of rows from which a packed weight is worth its memory.
const packedRows = 8

// Linear returns x·wᵀ + bias. x is [..., In], w is [Out, In], bias is [Out] or nil; the result is [..., Out].
func Linear(x, w, bias *Value) *Value { return LinearAdd(nil, x, w, bias) }

// LinearAdd returns res + x·wᵀ + bias: Linear and the addition of a shortcut res [..., Out] in one; a nil res is none.
func LinearAdd(res, x, w, bias *Value) *Value {
	in, out := x.Shape.Last(), w.Shape[0]
	mustBe(len(w.Shape) == 2 && w.Shape[1] == in && (bias == nil || len(bias.Data) == out), "linear", "[..., In], [Out, In] and [Out]", x, w, bias)
	rows := x.Shape.Rows()
	mustBe(res == nil || len(res.Data) == rows*out, "linear", "a shortcut [..., Out]", res, x, w)
	t := x.Tape()
	y := newLike(t, autograd.Wants(res, x, w, bias), x, out)
	if rows <= kernel.FewRows && !t.Train {
		kernel.MulRows(t.Work, kernel.M(y.Data, rows, out), kernel.M(x.Data, rows, in), kernel.Rows{N: out, K: in, F32: w.Data}, dataOf(bias))
		if res != nil {
			kernel.AddTo(y.Data, res.Data)
		}
		return y
	}
	linear(y, x, w, shortcut(res, bias, rows, out))
	if y.Wanted() {
		op := autograd.Node[linearOp](t)
		*op = linearOp{res, x, w, bias, y}
		t.Push(op)
	}
	return y
}

// linear multiplies by a matrix, by its packed copy where there is one.
func linear(y, x, w *Value, ep kernel.Epilogue) {
	in, out, rows, work := x.Shape.Last(), w.Shape[0], x.Shape.Rows(), x.Tape().Work
	if rows >= packedRows {
		if packed := w.Packed(); packed != nil {
			kernel.GemmPacked(work, kernel.M(y.Data, rows, out), kernel.M(x.Data, rows, in), packed, ep)
			return
		}
	}
	kernel.Gemm(work, kernel.M(y.Data, rows, out), kernel.M(x.Data, rows, in), kernel.M(w.Data, out, in).T(), ep)
}

// LinearInto is Linear whose result takes y's place, or is added to y, on a tape that does not train.
func LinearInto(y, x, w, bias *Value, add bool) {
	t := x.Tape()
	mustBe(len(w.Shape) == 2 && w.Shape[1] == x.Shape.Last() && len(y.Data) == x.Shape.Rows()*w.Shape[0] && !t.Train, "linearinto", "[..., Out], [..., In] and [Out, In] on a tape that does not train", y, x, w)
	if x.Shape.Rows() <= kernel.FewRows {
		into(t, y, add, func() *Value { return Linear(x, w, bias) })
		return
	}
	linear(y, x, w, kernel.Epilogue{Bias: dataOf(bias), Beta: betaOf(add)})
}

// into puts what f makes in y's place, or adds it, and gives back f's memory.
func into(t *autograd.Tape, y *Value, add bool, f func() *Value) {
	m := t.Mark()
	if z := f(); add {
		kernel.AddTo(y.Data, z.Data)
	} else {
		copy(y.Data, z.Data)
	}
	t.Release(m)
}

func betaOf(add bool) float32 {
	if add {
		return 1
	}
	return 0
}

// shortcut is the epilogue that adds a bias and a shortcut, either of which may be nil.
func shortcut(res, bias *Value, rows, out int) kernel.Epilogue {
	ep := kernel.Epilogue{Bias: dataOf(bias)}
	if res != nil {
		ep.Residual = kernel.M(res.Data, rows, out)
	}
	return ep
}

type linearOp struct{ res, x, w, bias, y *Value }

func (o *linearOp) Backward() {
	if o.res != nil {
		give(o.res, o.y.Grad())
	}
	work := o.y.Tape().Work
	in, out, rows := o.x.Shape.Last(), o.w.Shape[0], o.x.Shape.Rows()
	dy := kernel.M(o.y.Grad(), rows, out)
	add := kernel.Epilogue{Beta: 1}
	if o.x.Wanted() {
		dx, ep := sumOf(o.x)
		kernel.Gemm(work, kernel.M(dx, rows, in), dy, kernel.M(o.w.Data, out, in), ep)
	}
	if o.w.Wanted() {
		kernel.Gemm(work, kernel.M(o.w.Grad(), out, in), dy.T(), kernel.M(o.x.Data, rows, in), add)
	}
	if o.bias != nil && o.bias.Wanted() {
		addRows(o.bias.Grad(), o.y.Grad())
	}
}

// give adds d to v's gradient, where one is wanted.
func give(v *Value, d []float32) {
	if g, fresh := v.FirstGrad(); fresh {
		copy(g, d)
	} else if g != nil {
		kernel.AddTo(g, d)
	}
}

// sumOf is v's gradient and how a product is added to it.
func sumOf(v *Value) ([]float32, kernel.Epilogue) {
	g, fresh := v.FirstGrad()
	return g, kernel.Epilogue{Beta: betaOf(!fresh)}
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
