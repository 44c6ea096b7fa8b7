package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// FeedForward returns res + GELU(x·upᵀ + ub)·downᵀ + db, a transformer's feed-forward layer with its shortcut, for training: of the
// wide states only those before the activation are kept, and their gradients live no longer than the backward pass of the layer.
// x and res are [N, D], up is [Inner, D], down is [D, Inner].
func FeedForward(res, x, up, ub, down, db *Value) *Value {
	t, rows, d, inner := x.Tape(), x.Shape.Rows(), x.Shape.Last(), up.Shape[0]
	mustBe(up.Shape.Equal([]int{inner, d}) && down.Shape.Equal([]int{d, inner}) && len(ub.Data) == inner && len(db.Data) == d && len(res.Data) == rows*d,
		"feedforward", "[N, D], [N, D], [Inner, D], [Inner], [D, Inner] and [D]", res, x, up, ub, down, db)
	y := newLike(t, autograd.Wants(res, x, up, ub, down, db), x, d)
	o := autograd.Node[feedForwardOp](t)
	*o = feedForwardOp{res, x, up, ub, down, db, y, t.Scratch(rows * inner)}
	kernel.Gemm(t.Work, kernel.M(o.wide, rows, inner), kernel.M(x.Data, rows, d), kernel.M(up.Data, inner, d).T(), kernel.Epilogue{Bias: ub.Data})
	mark := t.Mark()
	act := t.Scratch(rows * inner)
	kernel.GELU(act, o.wide)
	kernel.Gemm(t.Work, kernel.M(y.Data, rows, d), kernel.M(act, rows, inner), kernel.M(down.Data, d, inner).T(), shortcut(res, db, rows, d))
	t.Release(mark)
	if y.Wanted() {
		t.Push(o)
	}
	return y
}

type feedForwardOp struct {
	res, x, up, ub, down, db, y *Value
	wide                        []float32 // x·upᵀ + ub
}

// Backward implements autograd.Op.
func (o *feedForwardOp) Backward() {
	t, rows, d, inner := o.y.Tape(), o.x.Shape.Rows(), o.x.Shape.Last(), o.up.Shape[0]
	add := kernel.Epilogue{Beta: 1}
	dy, down := kernel.M(o.y.Grad(), rows, d), kernel.M(o.down.Data, d, inner)
	give(o.res, o.y.Grad())
	if o.db.Wanted() {
		addRows(o.db.Grad(), o.y.Grad())
	}
	mark := t.Mark()
	defer t.Release(mark)
	act, dact := t.Scratch(rows*inner), t.Scratch(rows*inner)
	if o.down.Wanted() {
		kernel.GELU(act, o.wide)
		kernel.Gemm(t.Work, kernel.M(o.down.Grad(), d, inner), dy.T(), kernel.M(act, rows, inner), add)
	}
	kernel.Gemm(t.Work, kernel.M(dact, rows, inner), dy, down, kernel.Epilogue{})
	dwide := act
	for i := range rows { // row by row, so that it is still in the cache when it is added to
		at, end := i*inner, (i+1)*inner
		clear(dwide[at:end])
		kernel.GELUGrad(dwide[at:end], o.wide[at:end], dact[at:end])
	}
	if o.ub.Wanted() {
		addRows(o.ub.Grad(), dwide)
	}
	if o.up.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.up.Grad(), inner, d), kernel.M(dwide, rows, inner).T(), kernel.M(o.x.Data, rows, d), add)
	}
	if o.x.Wanted() {
		dx, ep := sumOf(o.x)
		kernel.Gemm(t.Work, kernel.M(dx, rows, d), kernel.M(dwide, rows, inner), kernel.M(o.up.Data, inner, d), ep)
	}
}
