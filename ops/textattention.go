package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// TextAttention is CachedAttention with a gradient: it reads whole texts at once, for training. q is [N, H·K], k and v are
// [N, G·K]; every row is in exactly one run, whose Text is not looked at. The memory that it takes grows with the square of a
// text's length. runs must stay as they are until the tape is reset.
func TextAttention(q, k, v *Value, heads, groups int, scale, limit float32, runs []Run) *Value {
	d := q.Shape.Last()
	mustBe(d%heads == 0 && heads%groups == 0 && k.Shape.Equal(v.Shape) && k.Shape.Last() == d/heads*groups && k.Shape.Rows() == q.Shape.Rows(),
		"textattention", "q [N, H·K], k and v [N, G·K] and H a multiple of G", q, k, v)
	t := q.Tape()
	y := t.New(autograd.Wants(q, k, v), q.Shape.Rows(), d)
	op := autograd.Node[textAttentionOp](t)
	*op = textAttentionOp{q, k, v, y, heads, groups, scale, limit, runs, op.probs[:0], op.soft[:0]}
	op.each(func(r *Run, q, k, v, y func([]float32) kernel.Mat) {
		mark := t.Mark()
		n := r.Rows
		s := kernel.M(t.Scratch(n*n), n, n)
		kernel.Gemm(t.Work, s, q(op.q.Data), k(op.k.Data).T(), kernel.Epilogue{})
		scale, soft := scale, []float32(nil)
		if limit > 0 { // what is kept for the gradient is tanh itself
			kernel.Scale(s.Data, scale/limit)
			kernel.Tanh(s.Data, s.Data)
			scale = limit
			if y := op.y; y.Wanted() {
				soft = t.Scratch(n * n)
				copy(soft, s.Data)
			}
		}
		for i := range n {
			from, to := r.sees(i)
			row := s.Row(i)
			kernel.SoftmaxRows(row[from:], 1, to-from, to-from, scale)
			clear(row[:from])
			clear(row[to:])
		}
		kernel.Gemm(t.Work, y(op.y.Data), s, v(op.v.Data), kernel.Epilogue{})
		if !op.y.Wanted() {
			t.Release(mark)
			return
		}
		op.probs, op.soft = append(op.probs, s.Data), append(op.soft, soft)
	})
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type textAttentionOp struct {
	q, k, v, y    *Value
	heads, groups int
	scale, limit  float32
	runs          []Run
	probs, soft   [][]float32 // of each run and head: the softmax, and tanh of the scores when they are limited
}

// each calls f for every run and head with the views of its rows and columns in q, k, v and y.
func (o *textAttentionOp) each(f func(r *Run, q, k, v, y func(x []float32) kernel.Mat)) {
	d := o.q.Shape.Last()
	kd, share := d/o.heads, o.heads/o.groups
	for i := range o.runs {
		r := &o.runs[i]
		for h := range o.heads {
			own := func(x []float32) kernel.Mat { return head(x, r.Row, r.Rows, d, h, kd) }
			shared := func(x []float32) kernel.Mat { return head(x, r.Row, r.Rows, o.groups*kd, h/share, kd) }
			f(r, own, shared, shared, own)
		}
	}
}

// Backward implements autograd.Op.
func (o *textAttentionOp) Backward() {
	t, next, add := o.y.Tape(), 0, kernel.Epilogue{Beta: 1}
	o.each(func(r *Run, q, k, v, y func([]float32) kernel.Mat) {
		mark := t.Mark()
		n := r.Rows
		p, soft := kernel.M(o.probs[next], n, n), o.soft[next]
		next++
		ds, dy := kernel.M(t.Scratch(n*n), n, n), y(o.y.Grad())
		kernel.Gemm(t.Work, ds, dy, v(o.v.Data).T(), kernel.Epilogue{})
		if o.v.Wanted() {
			kernel.Gemm(t.Work, v(o.v.Grad()), p.T(), dy, add)
		}
		// dS = scale·P ∘ (dP − Σ P∘dP): where P is 0 (unseen) it stays 0
		kernel.SoftmaxRowsGrad(ds.Data, p.Data, ds.Data, n, n, n, o.scale)
		for i, s := range soft { // limit·tanh(scale·x/limit) has the slope scale·(1 − tanh²)
			ds.Data[i] *= 1 - s*s
		}
		if o.q.Wanted() {
			kernel.Gemm(t.Work, q(o.q.Grad()), ds, k(o.k.Data), add)
		}
		if o.k.Wanted() {
			kernel.Gemm(t.Work, k(o.k.Grad()), ds.T(), q(o.q.Data), add)
		}
		t.Release(mark)
	})
}
