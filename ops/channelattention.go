package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// ChannelAttention is attention in which channels are the tokens and pixels the features (DaViT, Ding et al. 2022, eq. 3).
// q, k and v are [B·T, G·C]: T tokens of each of b pictures, and g groups of C channels that see only their own group. For
// every picture and group, the result is v·softmax(qᵀ·k/√T)ᵀ, [B·T, G·C].
func ChannelAttention(q, k, v *Value, g, b int) *Value {
	t, d, rows := q.Tape(), q.Shape.Last(), q.Shape.Rows()
	mustBe(q.Shape.Equal(k.Shape) && k.Shape.Equal(v.Shape) && d%g == 0 && rows%b == 0, "channelattention", "q, k, v of one shape [B·T, G·C]", q, k, v)
	y := t.New(autograd.Wants(q, k, v), rows, d)
	op := autograd.Node[channelAttentionOp](t)
	op.q, op.k, op.v, op.y, op.groups, op.pictures, op.probs = q, k, v, y, g, b, op.probs[:0]
	c := d / g
	op.each(func(x func([]float32) kernel.Mat) {
		mark := t.Mark()
		p := t.Scratch(c * c)
		kernel.Gemm(t.Work, kernel.M(p, c, c), x(q.Data).T(), x(k.Data), kernel.Epilogue{})
		kernel.SoftmaxRows(p, c, c, c, op.scale())
		kernel.Gemm(t.Work, x(y.Data), x(v.Data), kernel.M(p, c, c).T(), kernel.Epilogue{})
		if y.Wanted() {
			op.probs = append(op.probs, p)
		} else {
			t.Release(mark)
		}
	})
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type channelAttentionOp struct {
	q, k, v, y       *Value
	groups, pictures int
	probs            [][]float32 // softmax of each picture and group, kept for the backward pass
}

func (o *channelAttentionOp) scale() float32 {
	return float32(1 / math.Sqrt(float64(o.q.Shape.Rows()/o.pictures)))
}

// each calls f for every picture and group with the view [T, C] that it has of a matrix.
func (o *channelAttentionOp) each(f func(x func([]float32) kernel.Mat)) {
	d, n := o.q.Shape.Last(), o.q.Shape.Rows()/o.pictures
	for b := range o.pictures {
		for g := range o.groups {
			f(func(x []float32) kernel.Mat { return head(x, b*n, n, d, g, d/o.groups) })
		}
	}
}

// Backward implements autograd.Op.
func (o *channelAttentionOp) Backward() {
	t, c := o.y.Tape(), o.q.Shape.Last()/o.groups
	add, next := kernel.Epilogue{Beta: 1}, 0
	o.each(func(x func([]float32) kernel.Mat) {
		mark := t.Mark()
		p, ds := kernel.M(o.probs[next], c, c), kernel.M(t.Scratch(c*c), c, c)
		next++
		dy := x(o.y.Grad())
		kernel.Gemm(t.Work, ds, dy.T(), x(o.v.Data), kernel.Epilogue{})
		if o.v.Wanted() {
			kernel.Gemm(t.Work, x(o.v.Grad()), dy, p, add)
		}
		kernel.SoftmaxRowsGrad(ds.Data, p.Data, ds.Data, c, c, c, o.scale())
		if o.q.Wanted() {
			kernel.Gemm(t.Work, x(o.q.Grad()), x(o.k.Data), ds.T(), add)
		}
		if o.k.Wanted() {
			kernel.Gemm(t.Work, x(o.k.Grad()), x(o.q.Data), ds, add)
		}
		t.Release(mark)
	})
}
