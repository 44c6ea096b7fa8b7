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
	act, dwide := t.Scratch(rows*inner), t.Scratch(rows*inner)
	kernel.Gemm(t.Work, kernel.M(dwide, rows, inner), dy, down, kernel.Epilogue{})
	dub := o.ub.Grad()
	for i := 0; i < rows*inner; i += inner { // row by row, so that it is still in the cache when it is added
		row := dwide[i : i+inner]
		kernel.GELUBackward(act[i:i+inner], row, o.wide[i:i+inner])
		if dub != nil {
			kernel.AddTo(dub, row)
		}
	}
	if o.down.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.down.Grad(), d, inner), dy.T(), kernel.M(act, rows, inner), add)
	}
	if o.up.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.up.Grad(), inner, d), kernel.M(dwide, rows, inner).T(), kernel.M(o.x.Data, rows, d), add)
	}
	if o.x.Wanted() {
		dx, ep := sumOf(o.x)
		kernel.Gemm(t.Work, kernel.M(dx, rows, d), kernel.M(dwide, rows, inner), kernel.M(o.up.Data, inner, d), ep)
	}
}

// FeedForwardPiece is how many of a feed-forward layer's inner units are worked out at a time for so many rows: all of them where
// their states fit in the second-level cache.
func FeedForwardPiece(rows, inner int) int {
	const floats, align = 128 << 10, 256 // of a piece of the wide states
	return min(max(floats/max(rows, 1)/align, 1)*align, inner)
}

// FeedForwardInto adds act(x·upᵀ + ub)·downᵀ + db to y, on a tape that does not train, so many of the Inner units at a time, whose states
// stay in the second-level cache: as a whole they would be written to and read from beyond it. x is [N, D], up is packed from
// [Inner, D], down from [Out, Inner], y is [N, Out]; either bias may be nil, and act works on each element by itself. It reports
// false, and does nothing, when a matrix is nil or has no parts of that size.
func FeedForwardInto(y, x *Value, piece int, up, down *kernel.Packed, ub, db *Value, act func(*Value) *Value) bool {
	if up == nil || down == nil || !up.Divides(0, piece) || !down.Divides(piece, 0) {
		return false
	}
	t, rows, d, inner := x.Tape(), x.Shape.Rows(), x.Shape.Last(), up.Cols()
	mustBe(!t.Train && up.Rows() == d && down.Rows() == inner && len(y.Data) == rows*down.Cols(), "feedforwardinto", "[N, Out] and [N, D] on a tape that does not train", y, x)
	in, out := kernel.M(x.Data, rows, d), kernel.M(y.Data, rows, down.Cols())
	last := kernel.Epilogue{Beta: 1, Bias: dataOf(db)}
	for j := 0; j < inner; j += piece {
		mark, end, first := t.Mark(), min(j+piece, inner), kernel.Epilogue{}
		wide := t.New(false, rows, end-j)
		if ub != nil {
			first.Bias = ub.Data[j:end]
		}
		kernel.GemmPart(t.Work, kernel.M(wide.Data, rows, end-j), in, up, 0, j, first)
		kernel.GemmPart(t.Work, out, kernel.M(act(wide.Spare()).Data, rows, end-j), down, j, 0, last)
		last.Bias = nil
		t.Release(mark)
	}
	return true
}
