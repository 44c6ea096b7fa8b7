package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// JoinAll puts the rows of several values side by side: [..., A], [..., B], … → [..., A+B+…]. All have the leading axes of the
// first.
func JoinAll(xs ...*Value) *Value {
	rows, d := xs[0].Shape.Rows(), 0
	for _, x := range xs {
		mustBe(x.Shape.Rows() == rows, "joinall", "as many rows", xs...)
		d += x.Shape.Last()
	}
	t := xs[0].Tape()
	y := newLike(t, autograd.Wants(xs...), xs[0], d)
	at := 0
	for _, x := range xs {
		n := x.Shape.Last()
		for i := range rows {
			copy(y.Data[i*d+at:i*d+at+n], x.Data[i*n:(i+1)*n])
		}
		if y.Wanted() && x.Wanted() {
			op := autograd.Node[columnsOp](t)
			*op = columnsOp{whole: y, part: x, at: at}
			t.Push(op)
		}
		at += n
	}
	return y
}

// Columns are columns [from, to) of x: [..., D] → [..., to−from].
func Columns(x *Value, from, to int) *Value {
	d, n := x.Shape.Last(), to-from
	mustBe(from >= 0 && from < to && to <= d, "columns", "columns that are there", x)
	t := x.Tape()
	y := newLike(t, autograd.Wants(x), x, n)
	for i := range x.Shape.Rows() {
		copy(y.Data[i*n:(i+1)*n], x.Data[i*d+from:])
	}
	if y.Wanted() {
		op := autograd.Node[columnsOp](t)
		*op = columnsOp{whole: x, part: y, at: from, cut: true}
		t.Push(op)
	}
	return y
}

// columnsOp stands for part being the columns of whole from at on: put there, or cut from there.
type columnsOp struct {
	whole, part *Value
	at          int
	cut         bool
}

// Backward implements autograd.Op.
func (o *columnsOp) Backward() {
	d, n := o.whole.Shape.Last(), o.part.Shape.Last()
	for i := range o.whole.Shape.Rows() {
		w, p := o.whole.Grad()[i*d+o.at:i*d+o.at+n], o.part.Grad()[i*n:(i+1)*n]
		if o.cut {
			kernel.AddTo(w, p)
		} else {
			kernel.AddTo(p, w)
		}
	}
}
