package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// LayerNorm normalises the last axis to mean 0 and variance 1, then scales by g and shifts by b (Ba et al. 2016).
// x is [..., D], g is [D], b is [D] or nil. The last axis may also be a multiple of D: a head-wise norm sees
// [T, H·K] as rows of K.
func LayerNorm(x, g, b *Value, eps float32) *Value {
	d := len(g.Data)
	mustBe(x.Shape.Last()%d == 0 && (b == nil || len(b.Data) == d), "layernorm", "[..., D], [D] and [D]", x, g, b)
	t, rows := x.Tape(), len(x.Data)/d
	y := newLike(t, autograd.Wants(x, g, b), x, x.Shape.Last())
	var bias []float32
	if b != nil {
		bias = b.Data
	}
	mean, rstd := t.Scratch(rows), t.Scratch(rows)
	if t.Work.Wide(len(x.Data)) {
		t.Work.Split(rows, func(i, j int) {
			kernel.LayerNormRows(y.Data[i*d:j*d], mean[i:j], rstd[i:j], x.Data[i*d:j*d], g.Data, bias, j-i, d, eps)
		})
	} else {
		kernel.LayerNormRows(y.Data, mean, rstd, x.Data, g.Data, bias, rows, d, eps)
	}
	if y.Wanted() {
		op := autograd.Node[layerNormOp](t)
		*op = layerNormOp{x, g, b, y, mean, rstd}
		t.Push(op)
	}
	return y
}

type layerNormOp struct {
	x, g, b, y *Value
	mean, rstd []float32
}

func (o *layerNormOp) Backward() {
	d := len(o.g.Data)
	t := o.y.Tape()
	m := t.Mark()
	dx, fresh := o.x.FirstGrad()
	dg, db := o.g.Grad(), []float32(nil)
	if dx == nil {
		dx, fresh = t.Scratch(len(o.x.Data)), true
	}
	if dg == nil {
		dg = t.Zeros(d)
	}
	if o.b != nil {
		if db = o.b.Grad(); db == nil {
			db = t.Zeros(d)
		}
	}
	dy := o.y.Grad()
	eachPiece(len(dx)/d, d, func(i, j int) {
		if fresh {
			clear(dx[i*d : j*d])
		}
		kernel.LayerNormRowsGrad(dx[i*d:j*d], dg, db, dy[i*d:j*d], o.x.Data[i*d:j*d], o.g.Data, o.mean[i:j], o.rstd[i:j], j-i, d)
	})
	t.Release(m)
}

// Normalize scales every row of the last axis to unit length: x/√(Σx² + 1e-12).
func Normalize(x *Value) *Value {
	d, t := x.Shape.Last(), x.Tape()
	y := newLike(t, autograd.Wants(x), x, d)
	inv := t.Scratch(x.Shape.Rows())
	for i := range inv {
		r := x.Data[i*d : (i+1)*d]
		inv[i] = 1 / sqrt(kernel.SumSq(r)+1e-12)
		out := y.Data[i*d : (i+1)*d]
		copy(out, r)
		kernel.Scale(out, inv[i])
	}
	if y.Wanted() {
		op := autograd.Node[normalizeOp](t)
		*op = normalizeOp{x, y, inv}
		t.Push(op)
	}
	return y
}

type normalizeOp struct {
	x, y *Value
	inv  []float32
}

func (o *normalizeOp) Backward() {
	d := o.x.Shape.Last()
	for i, s := range o.inv {
		y, dy, dx := o.y.Data[i*d:(i+1)*d], o.y.Grad()[i*d:(i+1)*d], o.x.Grad()[i*d:(i+1)*d]
		kernel.Axpy(s, dy, dx)
		kernel.Axpy(-s*kernel.Dot(y, dy), y, dx)
	}
}
