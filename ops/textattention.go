package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// TextAttention is CachedAttention with a gradient: it reads whole texts at once, for training. q is [N, H·K], k and v are
// [N, G·K]; every row is in exactly one run, whose Text is not looked at. Scores of some queries at a time are in memory, of the keys that
// one of them sees; the backward pass computes them again. runs must stay as they are until the tape is reset.
func TextAttention(q, k, v *Value, heads, groups int, scale, limit float32, runs []Run) *Value {
	d := q.Shape.Last()
	mustBe(d%heads == 0 && heads%groups == 0 && k.Shape.Equal(v.Shape) && k.Shape.Last() == d/heads*groups && k.Shape.Rows() == q.Shape.Rows(),
		"textattention", "q [N, H·K], k and v [N, G·K] and H a multiple of G", q, k, v)
	t := q.Tape()
	y := t.New(autograd.Wants(q, k, v), q.Shape.Rows(), d)
	op := autograd.Node[textAttentionOp](t)
	*op = textAttentionOp{q, k, v, y, heads, groups, scale, limit, runs, newKept(y, heads*q.Shape.Rows())}
	op.each(func(b *textBand) {
		mark := t.Mark()
		s, _ := op.scores(b, false)
		kernel.Gemm(t.Work, b.own(y.Data), s, b.shared(op.v.Data), kernel.Epilogue{})
		t.Release(mark)
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
	kept          kept
}

// textBand is one head of queries [from, to) of a run, which see keys [lo, hi) of it.
type textBand struct {
	o                *textAttentionOp
	r                *Run
	h                int
	from, to, lo, hi int
	at               int // where the rows' numbers are kept
}

// own is the head's columns of the queries, or of what they make, and shared those of the keys or values that they see.
func (b *textBand) own(x []float32) kernel.Mat {
	d := b.o.q.Shape.Last()
	return head(x, b.r.Row+b.from, b.to-b.from, d, b.h, d/b.o.heads)
}

func (b *textBand) shared(x []float32) kernel.Mat {
	kd := b.o.q.Shape.Last() / b.o.heads
	return head(x, b.r.Row+b.lo, b.hi-b.lo, b.o.groups*kd, b.h/(b.o.heads/b.o.groups), kd)
}

// each calls f for every band.
func (o *textAttentionOp) each(f func(b *textBand)) {
	b := textBand{o: o}
	for i := range o.runs {
		b.r = &o.runs[i]
		for b.h = range o.heads {
			for b.from = 0; b.from < b.r.Rows; b.from = b.to {
				b.to = min(b.from+taskRows, b.r.Rows)
				b.lo, b.hi = b.r.sees(b.from)
				for i := b.from + 1; i < b.to; i++ {
					lo, hi := b.r.sees(i)
					b.lo, b.hi = min(b.lo, lo), max(b.hi, hi)
				}
				b.hi = min(b.hi, b.r.Rows)
				f(&b)
				b.at += b.to - b.from
			}
		}
	}
}

// scores are the probabilities [to−from, hi−lo] of a band, and tanh of the scores where those are limited and it is again.
func (o *textAttentionOp) scores(b *textBand, again bool) (s kernel.Mat, soft []float32) {
	t, rows, cols, scale := o.y.Tape(), b.to-b.from, b.hi-b.lo, o.scale
	s = kernel.M(t.Scratch(rows*cols), rows, cols)
	kernel.Gemm(t.Work, s, b.own(o.q.Data), b.shared(o.k.Data).T(), kernel.Epilogue{})
	if o.limit > 0 { // what is kept for the gradient is tanh itself
		kernel.Scale(s.Data, scale/o.limit)
		kernel.Tanh(s.Data, s.Data)
		scale = o.limit
		if again {
			soft = t.Scratch(rows * cols)
			copy(soft, s.Data)
		}
	}
	for i := range rows {
		from, to := b.r.sees(b.from + i)
		from, to = from-b.lo, min(to, b.r.Rows)-b.lo
		row := s.Row(i)
		o.kept.softmax(row[from:to], b.at+i, 1, to-from, scale, again)
		clear(row[:from])
		clear(row[to:])
	}
	return s, soft
}

// Backward implements autograd.Op.
func (o *textAttentionOp) Backward() {
	t, add := o.y.Tape(), kernel.Epilogue{Beta: 1}
	o.each(func(b *textBand) {
		mark := t.Mark()
		p, soft := o.scores(b, true)
		ds, dy := kernel.M(t.Scratch(len(p.Data)), p.Rows, p.Cols), b.own(o.y.Grad())
		kernel.Gemm(t.Work, ds, dy, b.shared(o.v.Data).T(), kernel.Epilogue{})
		if o.v.Wanted() {
			kernel.Gemm(t.Work, b.shared(o.v.Grad()), p.T(), dy, add)
		}
		// dS = scale·P ∘ (dP − Σ P∘dP): where P is 0 (unseen) it stays 0
		kernel.SoftmaxRowsGrad(ds.Data, p.Data, ds.Data, p.Rows, p.Cols, p.Cols, o.scale)
		for i, s := range soft { // limit·tanh(scale·x/limit) has the slope scale·(1 − tanh²)
			ds.Data[i] *= 1 - s*s
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

// kept are two numbers of each row of probabilities, from which they are computed again for the backward pass (Dao et al. 2022,
// "FlashAttention"); empty where there is none.
type kept struct{ top, inv []float32 }

// newKept has room for so many rows if y wants a gradient.
func newKept(y *Value, rows int) kept {
	if !y.Wanted() {
		return kept{}
	}
	t := y.Tape()
	return kept{t.Scratch(rows), t.Scratch(rows)}
}

// softmax turns rows of cols adjacent scores into probabilities, those of rows [at, at+rows) of what is kept, the first time or again.
func (k *kept) softmax(x []float32, at, rows, cols int, scale float32, again bool) {
	switch {
	case k.top == nil:
		kernel.SoftmaxRows(x, rows, cols, cols, scale)
	case again:
		kernel.SoftmaxRowsAgain(x, k.top[at:at+rows], k.inv[at:at+rows], rows, cols, cols, scale)
	default:
		kernel.SoftmaxRowsKept(x, k.top[at:at+rows], k.inv[at:at+rows], rows, cols, cols, scale)
	}
}
