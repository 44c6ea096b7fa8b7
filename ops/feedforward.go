package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// FeedForward returns res + GELU(x·upᵀ + ub)·downᵀ + db, a transformer's feed-forward layer with its shortcut, for training: of the
// wide states only those before the activation are kept, and the others and their gradients are there for a block of rows at a time.
// x and res are [N, D], up is [Inner, D], down is [D, Inner].
func FeedForward(res, x, up, ub, down, db *Value) *Value {
	t, rows, d, inner := x.Tape(), x.Shape.Rows(), x.Shape.Last(), up.Shape[0]
	mustBe(up.Shape.Equal([]int{inner, d}) && down.Shape.Equal([]int{d, inner}) && len(ub.Data) == inner && len(db.Data) == d && len(res.Data) == rows*d,
		"feedforward", "[N, D], [N, D], [Inner, D], [Inner], [D, Inner] and [D]", res, x, up, ub, down, db)
	y := newLike(t, autograd.Wants(res, x, up, ub, down, db), x, d)
	o := autograd.Node[feedForwardOp](t)
	*o = feedForwardOp{res, x, up, ub, down, db, y, t.Scratch(rows * inner)}
	o.forward()
	if y.Wanted() {
		t.Push(o)
	}
	return y
}

type feedForwardOp struct {
	res, x, up, ub, down, db, y *Value
	wide                        []float32 // x·upᵀ + ub
}

// block is how many rows are worked out at a time, through both products and back: as many as leave wide states in the second-level
// cache, but not so few that adding to the gradients of weights costs more, or all of them where several threads share each product.
func (o *feedForwardOp) block() int {
	const floats, least = 128 << 10, 160
	rows, inner := o.x.Shape.Rows(), o.up.Shape[0]
	if o.y.Tape().Work.Workers() > 1 {
		return rows
	}
	most := max(floats/inner, least)
	n := max((rows+most-1)/most, 1)
	return (rows + n - 1) / n
}

func (o *feedForwardOp) forward() {
	t, rows, d, inner := o.x.Tape(), o.x.Shape.Rows(), o.x.Shape.Last(), o.up.Shape[0]
	step := o.block()
	up, down := t.Work.Lay(0, kernel.M(o.up.Data, inner, d).T()), t.Work.Lay(1, kernel.M(o.down.Data, d, inner).T())
	mark := t.Mark()
	act := t.Scratch(step * inner)
	for r := 0; r < rows; r += step {
		n := min(step, rows-r)
		at, wide := r*d, o.wide[r*inner:(r+n)*inner]
		kernel.GemmPacked(t.Work, kernel.M(wide, n, inner), kernel.M(o.x.Data[at:], n, d), up, kernel.Epilogue{Bias: o.ub.Data})
		kernel.GELU(act[:n*inner], wide)
		kernel.GemmPacked(t.Work, kernel.M(o.y.Data[at:], n, d), kernel.M(act, n, inner), down,
			kernel.Epilogue{Bias: o.db.Data, Residual: kernel.M(o.res.Data[at:], n, d)})
	}
	t.Release(mark)
}

// Backward implements autograd.Op.
func (o *feedForwardOp) Backward() {
	t, rows, d, inner := o.y.Tape(), o.x.Shape.Rows(), o.x.Shape.Last(), o.up.Shape[0]
	give(o.res, o.y.Grad())
	if o.db.Wanted() {
		addRows(o.db.Grad(), o.y.Grad())
	}
	var dx []float32
	var ep kernel.Epilogue
	if o.x.Wanted() {
		dx, ep = sumOf(o.x)
	}
	step, add := o.block(), kernel.Epilogue{Beta: 1}
	up, down := t.Work.Lay(0, kernel.M(o.up.Data, inner, d)), t.Work.Lay(1, kernel.M(o.down.Data, d, inner))
	mark := t.Mark()
	act, dwide := t.Scratch(step*inner), t.Scratch(step*inner)
	for r := 0; r < rows; r += step {
		n := min(step, rows-r)
		x, dy := kernel.M(o.x.Data[r*d:], n, d), kernel.M(o.y.Grad()[r*d:], n, d)
		act, dwide := kernel.M(act, n, inner), kernel.M(dwide, n, inner)
		kernel.GemmPacked(t.Work, dwide, dy, down, kernel.Epilogue{})
		o.activate(act, dwide, o.wide[r*inner:])
		if o.down.Wanted() {
			kernel.Gemm(t.Work, kernel.M(o.down.Grad(), d, inner), dy.T(), act, add)
		}
		if o.up.Wanted() {
			kernel.Gemm(t.Work, kernel.M(o.up.Grad(), inner, d), dwide.T(), x, add)
		}
		if dx != nil {
			kernel.GemmPacked(t.Work, kernel.M(dx[r*d:], n, d), dwide, up, ep)
		}
	}
	t.Release(mark)
}

// activate sets act to the activation of the wide states and turns its gradient into theirs, whose sums are the bias's, row by row, so
// that a row is still in the first-level cache when it is added.
func (o *feedForwardOp) activate(act, d kernel.Mat, wide []float32) {
	db := o.ub.Grad()
	for i := range d.Rows {
		row := d.Row(i)
		kernel.GELUBackward(act.Row(i), row, wide[i*d.Cols:(i+1)*d.Cols])
		if db != nil {
			kernel.AddTo(db, row)
		}
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
