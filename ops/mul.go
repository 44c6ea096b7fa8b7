package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Mul returns a·b element by element. Both have the same number of elements, or b is repeated along a's leading axes (a
// scale for each feature).
func Mul(a, b *Value) *Value {
	n, m := len(a.Data), len(b.Data)
	mustBe(m > 0 && n%m == 0, "mul", "b as large as a's trailing axes", a, b)
	t := a.Tape()
	y := newLike(t, autograd.Wants(a, b), a, a.Shape.Last())
	for i := 0; i < n; i += m {
		kernel.Mul(y.Data[i:i+m], a.Data[i:i+m], b.Data)
	}
	if y.Wanted() {
		op := autograd.Node[mulOp](t)
		*op = mulOp{a, b, y}
		t.Push(op)
	}
	return y
}

type mulOp struct{ a, b, y *Value }

// Backward implements autograd.Op.
func (o *mulOp) Backward() {
	t, m := o.y.Tape(), len(o.b.Data)
	mark := t.Mark()
	part := t.Scratch(m)
	for i := 0; i < len(o.y.Grad()); i += m {
		dy := o.y.Grad()[i : i+m]
		if o.a.Wanted() {
			kernel.Mul(part, dy, o.b.Data)
			kernel.AddTo(o.a.Grad()[i:i+m], part)
		}
		if o.b.Wanted() {
			kernel.Mul(part, dy, o.a.Data[i:i+m])
			kernel.AddTo(o.b.Grad(), part)
		}
	}
	t.Release(mark)
}
