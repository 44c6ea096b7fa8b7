package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// DepthwiseConv2D convolves every channel by itself with a k×k kernel, stride s and pad zeros on every side (Sifre & Mallat
// 2014). x is [B, H, W, C]; w holds a kernel for each channel, [C, 1, k, k] as published models store it; bias is [C] or nil.
// The result is [B, (H+2·pad−k)/s+1, (W+2·pad−k)/s+1, C].
func DepthwiseConv2D(x, w, bias *Value, k, s, pad int) *Value {
	mustBe(len(x.Shape) == 4 && w.Shape[0] == x.Shape[3] && len(w.Data) == k*k*x.Shape[3] && min(x.Shape[1], x.Shape[2])+2*pad >= k, "depthwiseconv2d", "[B, H, W, C] of a kernel's size and [C, 1, k, k]", x, w)
	return depthwise(x, w, bias, newWindow(x.Shape[1], x.Shape[2], x.Shape[3], k, s, pad))
}

// DepthwiseConv2DSame is DepthwiseConv2D with the padding of Conv2DSame; the result is [B, ⌈H/s⌉, ⌈W/s⌉, C].
func DepthwiseConv2DSame(x, w, bias *Value, k, s int) *Value {
	mustBe(len(x.Shape) == 4 && w.Shape[0] == x.Shape[3] && len(w.Data) == k*k*x.Shape[3], "depthwiseconv2d", "[B, H, W, C] and [C, 1, k, k]", x, w)
	return depthwise(x, w, bias, sameWindow(x.Shape[1], x.Shape[2], x.Shape[3], k, s))
}

func depthwise(x, w, bias *Value, g window) *Value {
	t := x.Tape()
	y := t.New(autograd.Wants(x, w, bias), x.Shape[0], g.oh, g.ow, g.c)
	op := autograd.Node[depthwiseOp](t)
	*op = depthwiseOp{x, w, bias, y, g, t.Scratch(len(w.Data))}
	swap(1, g.c, g.k*g.k, func(i, j int) { op.taps[j] = w.Data[i] })
	if rows := x.Shape[0] * g.oh; t.Work.Wide(len(y.Data)) {
		t.Work.Split(rows, op.forward)
	} else {
		op.forward(0, rows)
	}
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type depthwiseOp struct {
	x, w, bias, y *Value
	win           window
	taps          []float32 // the kernels, [k·k, C]
}

// forward computes rows [from, to) of the result, counted through the batch.
func (o *depthwiseOp) forward(from, to int) {
	c := o.win.c
	line := o.win.ow * c
	rows := o.y.Data[from*line : to*line]
	if o.bias == nil {
		clear(rows)
	} else {
		for i := 0; i < len(rows); i += c {
			copy(rows[i:i+c], o.bias.Data)
		}
	}
	o.win.lines(from, to, func(l depthLine) {
		kernel.DepthRow(l.y(o.y.Data), l.x(o.x.Data), l.w(o.taps), l.k, l.n, c, o.win.s*c)
	})
}

// Backward implements autograd.Op.
func (o *depthwiseOp) Backward() {
	if o.bias != nil && o.bias.Wanted() {
		addRows(o.bias.Grad(), o.y.Grad())
	}
	t, g, rows := o.y.Tape(), &o.win, o.x.Shape[0]*o.win.oh
	mark := t.Mark()
	if o.w.Wanted() {
		dw := t.Zeros(len(o.taps))
		g.lines(0, rows, func(l depthLine) {
			kernel.DepthRowGrad(l.w(dw), l.x(o.x.Data), l.y(o.y.Grad()), l.k, l.n, g.c, g.s*g.c)
		})
		swap(1, g.c, g.k*g.k, func(i, j int) { o.w.Grad()[i] += dw[j] })
	}
	switch {
	case !o.x.Wanted():
	case g.s == 1: // a convolution of dy by the kernel turned round, which writes every gradient once
		turned := t.Scratch(len(o.taps))
		for i := range g.k * g.k {
			copy(turned[i*g.c:(i+1)*g.c], o.taps[(g.k*g.k-1-i)*g.c:])
		}
		back := window{g.oh, g.ow, g.c, g.h, g.w, g.k, 1, g.k - 1 - g.pad}
		back.lines(0, o.x.Shape[0]*g.h, func(l depthLine) {
			kernel.DepthRow(l.y(o.x.Grad()), l.x(o.y.Grad()), l.w(turned), l.k, l.n, g.c, g.c)
		})
	default:
		g.lines(0, rows, func(l depthLine) {
			kernel.DepthRowSpread(l.x(o.x.Grad()), l.y(o.y.Grad()), l.w(o.taps), l.k, l.n, g.c, g.s*g.c)
		})
	}
	t.Release(mark)
}

// depthLine is n places of a line of a window's result, from element out on, the picture that they see by k taps, from in on, and
// the first of these taps.
type depthLine struct {
	out, in, tap, k, n int
	step, c            int
}

func (l *depthLine) y(y []float32) []float32 { return y[l.out : l.out+l.n*l.c] }
func (l *depthLine) x(x []float32) []float32 { return x[l.in : l.in+(l.n-1)*l.step+l.k*l.c] }
func (l *depthLine) w(w []float32) []float32 { return w[l.tap : l.tap+l.k*l.c] }

// lines calls f for every line of the kernel at rows [from, to) of the result, counted through the batch: for the places that see
// the whole of it at once, for those at the left and right edges tap by tap. Lines outside the picture are left out.
func (g *window) lines(from, to int, f func(l depthLine)) {
	lo := min((g.pad+g.s-1)/g.s, g.ow)
	hi := max((g.w-g.k+g.pad+g.s)/g.s, lo) // the first place that sees beyond the right edge
	hi = min(hi, g.ow)
	for r := from; r < to; r++ {
		b, y0 := r/g.oh, r%g.oh*g.s-g.pad
		for ky := max(-y0, 0); ky < min(g.h-y0, g.k); ky++ {
			row := (b*g.h + y0 + ky) * g.w
			line := func(ox, n, kx, k int) {
				f(depthLine{(r*g.ow + ox) * g.c, (row + ox*g.s - g.pad + kx) * g.c, (ky*g.k + kx) * g.c, k, n, g.s * g.c, g.c})
			}
			for ox := 0; ox < g.ow; ox++ {
				if ox == lo && hi > lo {
					line(lo, hi-lo, 0, g.k)
					ox = hi - 1
					continue
				}
				x0 := ox*g.s - g.pad
				for kx := max(-x0, 0); kx < min(g.w-x0, g.k); kx++ {
					line(ox, 1, kx, 1)
				}
			}
		}
	}
}
