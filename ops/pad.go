package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// PadEnd puts rows of zeros under and columns of zeros right of pictures: [B, H, W, C] → [B, H+bottom, W+right, C].
func PadEnd(x *Value, bottom, right int) *Value {
	mustBe(len(x.Shape) == 4 && bottom >= 0 && right >= 0, "padend", "[B, H, W, C]", x)
	t, s := x.Tape(), x.Shape
	y := t.New(autograd.Wants(x), s[0], s[1]+bottom, s[2]+right, s[3])
	clear(y.Data)
	op := autograd.Node[padOp](t)
	*op = padOp{x, y}
	op.each(func(in, out, n int) { copy(y.Data[out:out+n], x.Data[in:in+n]) })
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type padOp struct{ x, y *Value }

// each calls f for every row of pixels: it begins at in of x and at out of y.
func (o *padOp) each(f func(in, out, n int)) {
	s, n, m := o.x.Shape, o.x.Shape[2]*o.x.Shape[3], o.y.Shape[2]*o.x.Shape[3]
	for i := range s[0] * s[1] {
		f(i*n, (i/s[1]*o.y.Shape[1]+i%s[1])*m, n)
	}
}

// Backward implements autograd.Op.
func (o *padOp) Backward() {
	o.each(func(in, out, n int) { kernel.AddTo(o.x.Grad()[in:in+n], o.y.Grad()[out:out+n]) })
}
