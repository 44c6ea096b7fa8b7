package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Add returns a + b. Both have the same number of elements, or b is repeated along a's leading axes (a bias, a table of
// positions).
func Add(a, b *Value) *Value {
	n, m := len(a.Data), len(b.Data)
	mustBe(m > 0 && n%m == 0, "add", "b as large as a's trailing axes", a, b)
	t := a.Tape()
	y := newLike(t, autograd.Wants(a, b), a, a.Shape.Last())
	if n == m && t.Work.Wide(n) {
		t.Work.Split(n, func(i, j int) { kernel.Add(y.Data[i:j], a.Data[i:j], b.Data[i:j]) })
	} else {
		for i := 0; i < n; i += m {
			kernel.Add(y.Data[i:i+m], a.Data[i:i+m], b.Data)
		}
	}
	if y.Wanted() {
		op := autograd.Node[addOp](t)
		*op = addOp{a, b, y}
		t.Push(op)
	}
	return y
}

// AddInto sets y = a + b, all of one size, on a tape that does not train; y may be a or b.
func AddInto(y, a, b *Value) {
	t, n := y.Tape(), len(y.Data)
	mustBe(len(a.Data) == n && len(b.Data) == n && !t.Train, "addinto", "one size, on a tape that does not train", y, a, b)
	if t.Work.Wide(n) {
		t.Work.Split(n, func(i, j int) { kernel.Add(y.Data[i:j], a.Data[i:j], b.Data[i:j]) })
		return
	}
	kernel.Add(y.Data, a.Data, b.Data)
}

type addOp struct{ a, b, y *Value }

func (o *addOp) Backward() {
	give(o.a, o.y.Grad())
	switch {
	case len(o.b.Data) == len(o.y.Data):
		give(o.b, o.y.Grad())
	case o.b.Wanted():
		addRows(o.b.Grad(), o.y.Grad())
	}
}

// Sum returns Σ weights[i]·xs[i] of scalars, the total of several losses. A nil term counts as zero; at least one term
// must be given.
func Sum(t *autograd.Tape, xs []*Value, weights []float32) *Value {
	y := t.New(autograd.Wants(xs...), 1)
	y.Data[0] = 0
	for i, x := range xs {
		if x != nil {
			y.Data[0] += weights[i] * x.Data[0]
		}
	}
	if y.Wanted() {
		for i, x := range xs {
			if x != nil && x.Wanted() {
				op := autograd.Node[sumOp](t)
				*op = sumOp{x, y, weights[i]}
				t.Push(op)
			}
		}
	}
	return y
}

type sumOp struct {
	x, y *Value
	w    float32
}

func (o *sumOp) Backward() { o.x.Grad()[0] += o.w * o.y.Grad()[0] }

// Scale returns s·x.
func Scale(x *Value, s float32) *Value {
	t := x.Tape()
	y := newLike(t, autograd.Wants(x), x, x.Shape.Last())
	copy(y.Data, x.Data)
	kernel.Scale(y.Data, s)
	if y.Wanted() {
		op := autograd.Node[scaleOp](t)
		*op = scaleOp{x, y, s}
		t.Push(op)
	}
	return y
}

type scaleOp struct {
	x, y *Value
	s    float32
}

func (o *scaleOp) Backward() { kernel.Axpy(o.s, o.y.Grad(), o.x.Grad()) }
