package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// Span says that the Rows rows of the queries from Row on see the Keys rows of keys and values from Key on.
type Span struct{ Row, Rows, Key, Keys int }

// CrossAttention returns softmax(q·kᵀ/√K)·v, head by head, where queries and keys are different sequences (Vaswani et al.
// 2017, encoder–decoder attention). q is [N, H·K], k and v are [M, H·K]; the result is [N, H·K]. Every row of q is in
// exactly one span; spans must stay as they are until the tape is reset.
func CrossAttention(q, k, v *Value, heads int, spans []Span) *Value {
	return BiasedAttention(q, k, v, nil, heads, spans)
}

// BiasedAttention is CrossAttention with numbers added to the scores: softmax(q·kᵀ/√K + bias)·v. They favour keys that lie
// well, or rule out those with −10⁹. All spans are of one size; bias is [S, H, Rows, Keys] for S spans, [S, 1, Rows, Keys]
// when the heads share it, or nil.
func BiasedAttention(q, k, v, bias *Value, heads int, spans []Span) *Value {
	t, d := q.Tape(), q.Shape.Last()
	mustBe(k.Shape.Equal(v.Shape) && k.Shape.Last() == d && d%heads == 0, "crossattention", "q [N, H·K], k and v [M, H·K]", q, k, v)
	op := autograd.Node[crossOp](t)
	y := t.New(autograd.Wants(q, k, v, bias), q.Shape.Rows(), d)
	op.q, op.k, op.v, op.bias, op.y, op.heads, op.spans, op.probs = q, k, v, bias, y, heads, spans, op.probs[:0]
	if bias != nil {
		mustBe(len(bias.Shape) == 4 && bias.Shape[0] == len(spans) && (bias.Shape[1] == heads || bias.Shape[1] == 1), "biasedattention", "a bias [S, H, Rows, Keys]", q, k, bias)
	}
	kd := d / heads
	scale := float32(1 / math.Sqrt(float64(kd)))
	op.each(func(i, h int, s Span) {
		mark := t.Mark()
		p := t.Scratch(s.Rows * s.Keys)
		kernel.Gemm(t.Work, kernel.M(p, s.Rows, s.Keys), head(q.Data, s.Row, s.Rows, d, h, kd), head(k.Data, s.Key, s.Keys, d, h, kd).T(), kernel.Epilogue{})
		if bias != nil {
			kernel.Axpy(1/scale, op.block(bias.Data, i, h), p)
		}
		kernel.SoftmaxRows(p, s.Rows, s.Keys, s.Keys, scale)
		kernel.Gemm(t.Work, head(y.Data, s.Row, s.Rows, d, h, kd), kernel.M(p, s.Rows, s.Keys), head(v.Data, s.Key, s.Keys, d, h, kd), kernel.Epilogue{})
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

type crossOp struct {
	q, k, v, bias, y *Value
	heads            int
	spans            []Span
	probs            [][]float32 // softmax of each span and head, kept for the backward pass
}

func (o *crossOp) each(f func(i, h int, s Span)) {
	for i, s := range o.spans {
		for h := range o.heads {
			f(i, h, s)
		}
	}
}

// block is the part of a bias, or of its gradient, that belongs to span i and head h.
func (o *crossOp) block(b []float32, i, h int) []float32 {
	n, of := o.spans[i].Rows*o.spans[i].Keys, o.bias.Shape[1]
	return b[(i*of+h%of)*n:][:n]
}

// Backward implements autograd.Op.
func (o *crossOp) Backward() {
	t, d := o.y.Tape(), o.q.Shape.Last()
	kd := d / o.heads
	scale := float32(1 / math.Sqrt(float64(kd)))
	add, next := kernel.Epilogue{Beta: 1}, 0
	o.each(func(i, h int, s Span) {
		mark := t.Mark()
		p, ds := kernel.M(o.probs[next], s.Rows, s.Keys), kernel.M(t.Scratch(s.Rows*s.Keys), s.Rows, s.Keys)
		next++
		dy := head(o.y.Grad(), s.Row, s.Rows, d, h, kd)
		kernel.Gemm(t.Work, ds, dy, head(o.v.Data, s.Key, s.Keys, d, h, kd).T(), kernel.Epilogue{})
		if o.v.Wanted() {
			kernel.Gemm(t.Work, head(o.v.Grad(), s.Key, s.Keys, d, h, kd), p.T(), dy, add)
		}
		kernel.SoftmaxRowsGrad(ds.Data, p.Data, ds.Data, s.Rows, s.Keys, s.Keys, scale)
		if o.bias != nil && o.bias.Wanted() {
			kernel.Axpy(1/scale, ds.Data, o.block(o.bias.Grad(), i, h))
		}
		if o.q.Wanted() {
			kernel.Gemm(t.Work, head(o.q.Grad(), s.Row, s.Rows, d, h, kd), ds, head(o.k.Data, s.Key, s.Keys, d, h, kd), add)
		}
		if o.k.Wanted() {
			kernel.Gemm(t.Work, head(o.k.Grad(), s.Key, s.Keys, d, h, kd), ds.T(), head(o.q.Data, s.Row, s.Rows, d, h, kd), add)
		}
		t.Release(mark)
	})
}
