package ops

import "fovea/autograd"

// Clamp cuts every element to lo … hi; NaN stays.
func Clamp(x *Value, lo, hi float32) *Value {
	t := x.Tape()
	y := newLike(t, autograd.Wants(x), x, x.Shape.Last())
	for i, v := range x.Data {
		y.Data[i] = min(max(v, lo), hi)
	}
	if y.Wanted() {
		op := autograd.Node[clampOp](t)
		*op = clampOp{x, y}
		t.Push(op)
	}
	return y
}

type clampOp struct{ x, y *Value }

// Backward implements autograd.Op: what was cut has no gradient.
func (o *clampOp) Backward() {
	for i, v := range o.x.Data {
		if v == o.y.Data[i] {
			o.x.Grad()[i] += o.y.Grad()[i]
		}
	}
}

// ScaleShift returns s·x + b for numbers s and b, of one element each.
func ScaleShift(x, s, b *Value) *Value {
	mustBe(len(s.Data) == 1 && len(b.Data) == 1, "scaleshift", "one element each", s, b)
	t := x.Tape()
	y := newLike(t, autograd.Wants(x, s, b), x, x.Shape.Last())
	k, c := s.Data[0], b.Data[0]
	for i, v := range x.Data {
		y.Data[i] = k*v + c
	}
	if y.Wanted() {
		op := autograd.Node[scaleShiftOp](t)
		*op = scaleShiftOp{x, s, b, y}
		t.Push(op)
	}
	return y
}

type scaleShiftOp struct{ x, s, b, y *Value }

// Backward implements autograd.Op.
func (o *scaleShiftOp) Backward() {
	ds, db := 0., 0.
	for i, g := range o.y.Grad() {
		if o.x.Wanted() {
			o.x.Grad()[i] += g * o.s.Data[0]
		}
		ds, db = ds+float64(g)*float64(o.x.Data[i]), db+float64(g)
	}
	if o.s.Wanted() {
		o.s.Grad()[0] += float32(ds)
	}
	if o.b.Wanted() {
		o.b.Grad()[0] += float32(db)
	}
}
