package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// GridAttention is attention within grids of h × w tokens, whose scores know how far a key lies from its query, down and
// across (decomposed relative positions, Li et al. 2022, MViTv2): softmax(q·kᵀ/√K + q·Rʰ + q·Rʷ)·v, head by head. q, k and v are
// [G·h·w, H·K], grid after grid, row by row; down is [2h−1, K] and across [2w−1, K]: row i of down is for keys that lie h−1−i
// rows below their query. The result is as large as q. Scores of some queries at a time are in memory; the backward pass
// computes them again.
func GridAttention(q, k, v, down, across *Value, heads, h, w int) *Value {
	t, d := q.Tape(), q.Shape.Last()
	mustBe(q.Shape.Equal(k.Shape) && k.Shape.Equal(v.Shape) && d%heads == 0 && q.Shape.Rows()%(h*w) == 0 && down.Shape.Equal([]int{2*h - 1, d / heads}) && across.Shape.Equal([]int{2*w - 1, d / heads}),
		"gridattention", "q, k, v [G·h·w, H·K], [2h−1, K] and [2w−1, K]", q, k, v, down, across)
	y := t.New(autograd.Wants(q, k, v, down, across), q.Shape.Rows(), d)
	op := autograd.Node[gridOp](t)
	*op = gridOp{q: q, k: k, v: v, down: down, across: across, y: y, heads: heads, h: h, w: w, kept: newKept(y, heads*q.Shape.Rows())}
	op.each(func(row, from, to, head int) {
		mark := t.Mark()
		p := op.scores(row, from, to, head, false)
		n := h * w
		kernel.Gemm(t.Work, op.part(y.Data, row+from, to-from, head), kernel.M(p, to-from, n), op.part(v.Data, row, n, head), kernel.Epilogue{})
		t.Release(mark)
	})
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type gridOp struct {
	q, k, v, down, across, y *Value
	heads, h, w              int
	kept                     kept
}

// bandScores bounds the scores that are computed at a time (4 MiB).
const bandScores = 1 << 20

// each calls f for bands of queries: rows [from, to) of the grid that begins at row.
func (o *gridOp) each(f func(row, from, to, head int)) {
	n := o.h * o.w
	band := min(max(bandScores/n, 1), n)
	for row := 0; row < o.q.Shape.Rows(); row += n {
		for head := range o.heads {
			for from := 0; from < n; from += band {
				f(row, from, min(from+band, n), head)
			}
		}
	}
}

// part is one head's columns of rows of a matrix like q.
func (o *gridOp) part(x []float32, row, rows, h int) kernel.Mat {
	d := o.q.Shape.Last()
	return head(x, row, rows, d, h, d/o.heads)
}

func (o *gridOp) scale() float32 {
	return float32(1 / math.Sqrt(float64(o.q.Shape.Last()/o.heads)))
}

// scores are the probabilities [to−from, h·w] of a band.
func (o *gridOp) scores(row, from, to, head int, again bool) []float32 {
	t, n, rows, scale := o.y.Tape(), o.h*o.w, to-from, o.scale()
	kd := o.down.Shape[1]
	p := t.Scratch(rows * n)
	mark := t.Mark()
	q := o.part(o.q.Data, row+from, rows, head)
	kernel.Gemm(t.Work, kernel.M(p, rows, n), q, o.part(o.k.Data, row, n, head).T(), kernel.Epilogue{})
	down, across := t.Scratch(rows*(2*o.h-1)), t.Scratch(rows*(2*o.w-1))
	kernel.Gemm(t.Work, kernel.M(down, rows, 2*o.h-1), q, kernel.M(o.down.Data, 2*o.h-1, kd).T(), kernel.Epilogue{})
	kernel.Gemm(t.Work, kernel.M(across, rows, 2*o.w-1), q, kernel.M(o.across.Data, 2*o.w-1, kd).T(), kernel.Epilogue{})
	for i := range rows {
		y, x := (from+i)/o.w, (from+i)%o.w
		for ky := range o.h {
			line, a := p[i*n+ky*o.w:i*n+(ky+1)*o.w], down[i*(2*o.h-1)+y-ky+o.h-1]
			b := across[i*(2*o.w-1)+x:][:o.w] // of keys from the right edge to the left
			for kx := range line {
				line[kx] += (a + b[o.w-1-kx]) / scale
			}
		}
	}
	t.Release(mark)
	o.kept.softmax(p, row*o.heads+head*n+from, rows, n, scale, again)
	return p
}

// Backward implements autograd.Op.
func (o *gridOp) Backward() {
	t, n, scale := o.y.Tape(), o.h*o.w, o.scale()
	kd, add := o.down.Shape[1], kernel.Epilogue{Beta: 1}
	o.each(func(row, from, to, head int) {
		mark := t.Mark()
		rows := to - from
		p, ds := kernel.M(o.scores(row, from, to, head, true), rows, n), kernel.M(t.Scratch(rows*n), rows, n)
		dy, q := o.part(o.y.Grad(), row+from, rows, head), o.part(o.q.Data, row+from, rows, head)
		kernel.Gemm(t.Work, ds, dy, o.part(o.v.Data, row, n, head).T(), kernel.Epilogue{})
		if o.v.Wanted() {
			kernel.Gemm(t.Work, o.part(o.v.Grad(), row, n, head), p.T(), dy, add)
		}
		kernel.SoftmaxRowsGrad(ds.Data, p.Data, ds.Data, rows, n, n, scale)
		down, across := kernel.M(t.Zeros(rows*(2*o.h-1)), rows, 2*o.h-1), kernel.M(t.Zeros(rows*(2*o.w-1)), rows, 2*o.w-1)
		for i := range rows {
			y, x := (from+i)/o.w, (from+i)%o.w
			for j, g := range ds.Data[i*n : (i+1)*n] {
				down.Data[i*(2*o.h-1)+y-j/o.w+o.h-1] += g / scale
				across.Data[i*(2*o.w-1)+x-j%o.w+o.w-1] += g / scale
			}
		}
		for _, b := range []struct {
			table *Value
			grad  kernel.Mat
		}{{o.down, down}, {o.across, across}} {
			if o.q.Wanted() {
				kernel.Gemm(t.Work, o.part(o.q.Grad(), row+from, rows, head), b.grad, kernel.M(b.table.Data, b.grad.Cols, kd), add)
			}
			if b.table.Wanted() {
				kernel.Gemm(t.Work, kernel.M(b.table.Grad(), b.grad.Cols, kd), b.grad.T(), q, add)
			}
		}
		if o.q.Wanted() {
			kernel.Gemm(t.Work, o.part(o.q.Grad(), row+from, rows, head), ds, o.part(o.k.Data, row, n, head), add)
		}
		if o.k.Wanted() {
			kernel.Gemm(t.Work, o.part(o.k.Grad(), row, n, head), ds.T(), q, add)
		}
		t.Release(mark)
	})
}
