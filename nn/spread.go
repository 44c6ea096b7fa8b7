package nn

import (
	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// spreadRows is about how many rows a thread takes at a time: tall enough for the products, and few enough for their states to stay
// in the second-level cache.
const spreadRows = 192

// spreads is the number of parts that each picture's rows are cut into so that threads can take whole rows through a block, or 0
// where the pass is not of that kind: rows see only their picture, nothing is trained, and there are threads to wait for.
func (p *Pass) spreads(x *Value) int {
	t, l := x.Tape(), p.Layout
	if t.Train || l == nil || p.Cache != nil || p.Experts != nil || len(l.Groups) > 0 || l.Images == 0 || x.Shape.Rows() != l.Images*l.Patches || !t.Work.Wide(len(x.Data)) {
		return 0
	}
	const least = 32 // rows; so many are multiplied as matrices, whatever the precision
	workers := t.Work.Workers()
	for n := max(l.Patches/spreadRows, 1); l.Patches/n >= least; n++ {
		if l.Images*n%workers == 0 {
			return n
		}
	}
	return 0
}

// whole reports that a thread can take a picture from end to end, and another one the next.
func (p *Pass) whole(x *Value) bool { return p.Keep == nil && p.spreads(x) == 1 }

// each calls f for every picture, side by side, with its rows of y and x and a pass of its own.
func (p *Pass) each(y, x *Value, f func(p *Pass, y, x *Value)) {
	n := p.Layout.Patches
	x.Tape().Side(p.Layout.Images, func(side *autograd.Tape, i int) {
		f(&Pass{Layout: &ops.Layout{Images: 1, Patches: n}}, side.Rows(y, i*n, (i+1)*n), side.Rows(x, i*n, (i+1)*n))
	})
}

// pictures runs the stack with each picture on one thread.
func (s *Stack) pictures(p *Pass, x *Value) *Value {
	y := x.Tape().New(false, x.Shape.Rows(), x.Shape.Last())
	p.each(y, x, func(p *Pass, y, x *Value) { copy(y.Data, s.Forward(p, x).Data) })
	return y
}

// spread is answer with the rows of every picture in so many parts: a thread takes a part from norm to keys and values, and, when
// all keys and values are there, from attention to the block's end. It waits for the others twice a block, and what it computes
// stays in its cache. Pictures that need not be cut go from end to end. Results are those of answer.
func (b *Block) spread(p *Pass, x *Value, parts int) *Value {
	t, n, d := x.Tape(), p.Layout.Patches, x.Shape.Last()
	y := t.New(false, x.Shape.Rows(), d)
	if p.whole(x) {
		p.each(y, x, b.alone)
		return y
	}
	mark := t.Mark()
	q, k, v := t.New(false, y.Shape...), t.New(false, y.Shape...), t.New(false, y.Shape...)
	rows := func(i int) (from, to int) { return i/parts*n + n*(i%parts)/parts, i/parts*n + n*(i%parts+1)/parts }
	t.Side(p.Layout.Images*parts, func(side *autograd.Tape, i int) {
		from, to := rows(i)
		b.Attn.project(side.Rows(q, from, to), side.Rows(k, from, to), side.Rows(v, from, to), b.Norm1.Forward(side.Rows(x, from, to)))
	})
	p.keep(k, v)
	t.Side(p.Layout.Images*parts, func(side *autograd.Tape, i int) {
		from, to := rows(i)
		first, out := i/parts*n, side.Rows(y, from, to)
		copy(out.Data, side.Rows(x, from, to).Data)
		h := ops.CrossAttention(side.Rows(q, from, to), side.Rows(k, first, first+n), side.Rows(v, first, first+n), b.Attn.Heads, []ops.Span{{Rows: to - from, Keys: n}})
		b.finish(p, out, h)
	})
	t.Release(mark)
	return y
}

// project sets q, k and v to what rows x ask for, offer and say.
func (a *Attention) project(q, k, v, x *Value) {
	for _, to := range []struct {
		y    *Value
		l    Linear
		norm *LayerNorm
	}{{q, a.Q, a.QNorm}, {k, a.K, a.KNorm}, {v, a.V, nil}} {
		if to.norm == nil {
			forwardInto(to.y, to.l, x, false)
		} else {
			copy(to.y.Data, to.norm.Forward(to.l.Forward(x)).Data)
		}
	}
}

// finish adds to y what attention found, h, mapped to its width, and then what the feed-forward layer makes of it.
func (b *Block) finish(p *Pass, y, h *Value) {
	t := y.Tape()
	mark := t.Mark()
	scaledInto(y, b.Attn.O, b.Scale1, h)
	t.Release(mark)
	if m, ok := b.MLP.(*MLP); ok {
		if x := b.Norm2.Forward(y); b.Scale2 != nil || !m.into(y, x) {
			scaledInto(y, m.Down, b.Scale2, m.Hidden(x))
		}
	} else {
		ops.AddInto(y, y, b.Scale2.Forward(b.MLP.Forward(p, b.Norm2.Forward(y))))
	}
	t.Release(mark)
}

// scaledInto adds s(l(x)) to y.
func scaledInto(y *Value, l Linear, s *Scale, x *Value) {
	if s == nil {
		forwardInto(y, l, x, true)
		return
	}
	ops.AddInto(y, y, s.Forward(l.Forward(x)))
}

// forwardInto is l(x) in y's place, or added to y, on a tape that does not train.
func forwardInto(y *Value, l Linear, x *Value, add bool) {
	t := x.Tape()
	d, ok := l.(*Dense)
	switch {
	case ok && d.narrow != nil:
		ops.NarrowLinearInto(y, x, d.narrow, use(t, d.Bias), add)
	case ok:
		ops.LinearInto(y, x, t.Use(d.Weight), use(t, d.Bias), add)
	case add:
		ops.AddInto(y, y, l.Forward(x))
	default:
		copy(y.Data, l.Forward(x).Data)
	}
}

// into adds m(x) to y if that is better done in pieces.
func (m *MLP) into(y, x *Value) bool {
	up, ok := m.Up.(*Dense)
	down, too := m.Down.(*Dense)
	if !ok || !too {
		return false
	}
	t, rows := x.Tape(), x.Shape.Rows()
	_, inner := up.Dims()
	piece := ops.FeedForwardPiece(rows, inner)
	return piece < inner && ops.FeedForwardInto(y, x, piece, up.packed(t, rows), down.packed(t, rows), use(t, up.Bias), use(t, down.Bias), m.act())
}

// packed is the copy of the layer's matrix by which products of so many rows go, or nil.
func (d *Dense) packed(t *autograd.Tape, rows int) *kernel.Packed {
	if d.narrow != nil {
		return d.narrow.Packed(rows)
	}
	return t.Use(d.Weight).Packed()
}
