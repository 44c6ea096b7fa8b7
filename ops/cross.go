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
// well, or rule out those with −10⁹. Scores of some queries at a time are in memory; the backward pass computes them again. All spans are of one size; bias is [S, H, Rows, Keys] for S spans, [S, 1, Rows, Keys]
// when the heads share it, or nil.
func BiasedAttention(q, k, v, bias *Value, heads int, spans []Span) *Value {
	t, d := q.Tape(), q.Shape.Last()
	mustBe(k.Shape.Equal(v.Shape) && k.Shape.Last() == d && d%heads == 0, "crossattention", "q [N, H·K], k and v [M, H·K]", q, k, v)
	op := autograd.Node[crossOp](t)
	y := t.New(autograd.Wants(q, k, v, bias), q.Shape.Rows(), d)
	op.q, op.k, op.v, op.bias, op.y, op.heads, op.spans = q, k, v, bias, y, heads, spans
	if bias != nil {
		mustBe(len(bias.Shape) == 4 && bias.Shape[0] == len(spans) && (bias.Shape[1] == heads || bias.Shape[1] == 1), "biasedattention", "a bias [S, H, Rows, Keys]", q, k, bias)
	}
	if !y.Wanted() && op.rounded() {
		return y
	}
	op.kept = newKept(y, heads*q.Shape.Rows())
	op.each(func(b *crossBand) {
		mark := t.Mark()
		kernel.Gemm(t.Work, b.own(y.Data), op.scores(b, false), b.shared(v.Data), kernel.Epilogue{})
		t.Release(mark)
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
	kept             kept
}

// crossBand is head h of some rows of span i: the span's rows [from, from+rows).
type crossBand struct {
	o          *crossOp
	span       Span
	i, h       int
	from, rows int
	at         int // where the rows' numbers are kept
}

// each calls f for every band.
func (o *crossOp) each(f func(b *crossBand)) {
	b := crossBand{o: o}
	for b.i, b.span = range o.spans {
		for b.h = range o.heads {
			for b.from = 0; b.from < b.span.Rows; b.from += b.rows {
				b.rows = min(taskRows, b.span.Rows-b.from)
				f(&b)
				b.at += b.rows
			}
		}
	}
}

// rounded attends with operands rounded to bfloat16 and reports true; it does nothing where that is not asked for, no faster, or there is
// a bias.
func (o *crossOp) rounded() bool {
	if o.bias != nil {
		return false
	}
	b := crossBand{o: o}
	for b.i, b.span = range o.spans {
		for b.h = range o.heads {
			b.rows = b.span.Rows
			if !kernel.Attend(o.y.Tape().Work, b.own(o.y.Data), b.own(o.q.Data), b.shared(o.k.Data), b.shared(o.v.Data), o.scale(), nil, nil) && b.rows > 0 {
				return false
			}
		}
	}
	return true
}

// own is the head's columns of the queries, or of what they make, and shared those of the keys or values.
func (b *crossBand) own(x []float32) kernel.Mat {
	d := b.o.q.Shape.Last()
	return head(x, b.span.Row+b.from, b.rows, d, b.h, d/b.o.heads)
}

func (b *crossBand) shared(x []float32) kernel.Mat {
	d := b.o.q.Shape.Last()
	return head(x, b.span.Key, b.span.Keys, d, b.h, d/b.o.heads)
}

// bias is the band's part of a bias, or of its gradient.
func (b *crossBand) bias(x []float32) []float32 {
	n, of := b.span.Rows*b.span.Keys, b.o.bias.Shape[1]
	return x[(b.i*of+b.h%of)*n+b.from*b.span.Keys:][:b.rows*b.span.Keys]
}

func (o *crossOp) scale() float32 {
	return float32(1 / math.Sqrt(float64(o.q.Shape.Last()/o.heads)))
}

// scores are the probabilities of a band.
func (o *crossOp) scores(b *crossBand, again bool) kernel.Mat {
	t, keys, scale := o.y.Tape(), b.span.Keys, o.scale()
	p := kernel.M(t.Scratch(b.rows*keys), b.rows, keys)
	kernel.Gemm(t.Work, p, b.own(o.q.Data), b.shared(o.k.Data).T(), kernel.Epilogue{})
	if o.bias != nil {
		kernel.Axpy(1/scale, b.bias(o.bias.Data), p.Data)
	}
	o.kept.softmax(p.Data, b.at, b.rows, keys, scale, again)
	return p
}

// Backward implements autograd.Op.
func (o *crossOp) Backward() {
	t, scale, add := o.y.Tape(), o.scale(), kernel.Epilogue{Beta: 1}
	o.each(func(b *crossBand) {
		mark := t.Mark()
		keys := b.span.Keys
		p, ds := o.scores(b, true), kernel.M(t.Scratch(b.rows*keys), b.rows, keys)
		dy := b.own(o.y.Grad())
		kernel.Gemm(t.Work, ds, dy, b.shared(o.v.Data).T(), kernel.Epilogue{})
		if o.v.Wanted() {
			kernel.Gemm(t.Work, b.shared(o.v.Grad()), p.T(), dy, add)
		}
		kernel.SoftmaxRowsGrad(ds.Data, p.Data, ds.Data, b.rows, keys, keys, scale)
		if o.bias != nil && o.bias.Wanted() {
			kernel.Axpy(1/scale, ds.Data, b.bias(o.bias.Grad()))
		}
		if o.q.Wanted() {
			kernel.Gemm(t.Work, b.own(o.q.Grad()), ds, b.shared(o.k.Data), add)
		}
		if o.k.Wanted() {
			kernel.Gemm(t.Work, b.shared(o.k.Grad()), ds.T(), b.own(o.q.Data), add)
		}
		t.Release(mark)
	})
}
