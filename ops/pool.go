package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// MaxPool is the largest value under a k×k window that moves by s, channel by channel; what lies beyond the edge, pad pixels
// wide, counts for nothing. x is [B, H, W, C]; the result is [B, (H+2·pad−k)/s+1, (W+2·pad−k)/s+1, C]. pad is less than k.
func MaxPool(x *Value, k, s, pad int) *Value {
	mustBe(len(x.Shape) == 4 && pad < k && min(x.Shape[1], x.Shape[2])+2*pad >= k, "maxpool", "[B, H, W, C] of a window's size", x)
	t := x.Tape()
	g := newWindow(x.Shape[1], x.Shape[2], x.Shape[3], k, s, pad)
	y := t.New(autograd.Wants(x), x.Shape[0], g.oh, g.ow, g.c)
	op := autograd.Node[maxPoolOp](t)
	*op = maxPoolOp{x, y, g}
	if op.halves() {
		op.lines(func(out, in int) { kernel.Pool2(y.Data[out:], x.Data[in:], g.w*g.c, g.c, g.ow) })
	} else {
		for i := range y.Data {
			y.Data[i] = float32(math.Inf(-1))
		}
		op.each(func(out, in int) { kernel.MaxTo(y.Data[out:out+g.c], x.Data[in:in+g.c]) })
	}
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type maxPoolOp struct {
	x, y *Value
	win  window
}

// halves reports that windows are of 2 × 2 pixels and share none, and that none is left over.
func (o *maxPoolOp) halves() bool {
	g := &o.win
	return g.k == 2 && g.s == 2 && g.pad == 0 && g.h%2 == 0 && g.w%2 == 0
}

// lines calls f for every line of y, which begins at out, and the two lines of x under it, which begin at in.
func (o *maxPoolOp) lines(f func(out, in int)) {
	g := &o.win
	for i := range o.x.Shape[0] * g.oh {
		f(i*g.ow*g.c, 2*i*g.w*g.c)
	}
}

// each calls f for every pixel of y and every pixel of x under its window: their channels begin at out and in.
func (o *maxPoolOp) each(f func(out, in int)) {
	g, out := &o.win, 0
	for b := range o.x.Shape[0] {
		for oy := range g.oh {
			for ox := range g.ow {
				y0, x0 := oy*g.s-g.pad, ox*g.s-g.pad
				for y := max(y0, 0); y < min(y0+g.k, g.h); y++ {
					for x := max(x0, 0); x < min(x0+g.k, g.w); x++ {
						f(out, ((b*g.h+y)*g.w+x)*g.c)
					}
				}
				out += g.c
			}
		}
	}
}

// Backward implements autograd.Op. Of several equal largest values the first gets the gradient.
func (o *maxPoolOp) Backward() {
	t, c := o.y.Tape(), o.win.c
	if o.halves() {
		g, dy := &o.win, o.y.Grad()
		dx, fresh := o.x.FirstGrad()
		o.lines(func(out, in int) {
			kernel.Pool2Grad(dx[in:], o.x.Data[in:], o.y.Data[out:], dy[out:], g.w*g.c, c, g.ow, !fresh)
		})
		return
	}
	mark := t.Mark()
	given := t.Zeros(len(o.y.Data)) // 1 where the gradient has gone on
	o.each(func(out, in int) {
		kernel.MaxGrad(o.x.Grad()[in:in+c], given[out:out+c], o.x.Data[in:in+c], o.y.Data[out:out+c], o.y.Grad()[out:out+c])
	})
	t.Release(mark)
}
