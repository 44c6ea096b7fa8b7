package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Join puts the rows of a and b side by side: [N, A] and [N, B] → [N, A+B].
func Join(a, b *Value) *Value {
	n, da, db := a.Shape.Rows(), a.Shape.Last(), b.Shape.Last()
	mustBe(b.Shape.Rows() == n, "join", "as many rows", a, b)
	t := a.Tape()
	y := t.New(autograd.Wants(a, b), n, da+db)
	for i := range n {
		row := y.Data[i*(da+db):]
		copy(row, a.Data[i*da:(i+1)*da])
		copy(row[da:], b.Data[i*db:(i+1)*db])
	}
	if y.Wanted() {
		op := autograd.Node[joinOp](t)
		*op = joinOp{a, b, y}
		t.Push(op)
	}
	return y
}

type joinOp struct{ a, b, y *Value }

// Backward implements autograd.Op.
func (o *joinOp) Backward() {
	da, db := o.a.Shape.Last(), o.b.Shape.Last()
	for i := range o.y.Shape[0] {
		row := o.y.Grad()[i*(da+db):]
		if o.a.Wanted() {
			kernel.AddTo(o.a.Grad()[i*da:(i+1)*da], row[:da])
		}
		if o.b.Wanted() {
			kernel.AddTo(o.b.Grad()[i*db:(i+1)*db], row[da:da+db])
		}
	}
}
