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
	if y.Grad != nil {
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
	o.each(from, to, func(out, in, tap int) {
		kernel.MulTo(o.y.Data[out:out+c], o.x.Data[in:in+c], o.taps[tap:tap+c])
	})
}

// each calls f for every pixel of rows [from, to) of the result and every tap of its kernel that lies in the picture, with the
// places of their channels.
func (o *depthwiseOp) each(from, to int, f func(out, in, tap int)) {
	g := &o.win
	out := from * g.ow * g.c
	for r := from; r < to; r++ {
		b, oy := r/g.oh, r%g.oh
		y0 := oy*g.s - g.pad
		top, bottom := max(-y0, 0), min(g.h-y0, g.k)
		for ox := range g.ow {
			x0 := ox*g.s - g.pad
			left, right := max(-x0, 0), min(g.w-x0, g.k)
			for ky := top; ky < bottom; ky++ {
				in, tap := ((b*g.h+y0+ky)*g.w+x0)*g.c, ky*g.k*g.c
				for kx := left; kx < right; kx++ {
					f(out, in+kx*g.c, tap+kx*g.c)
				}
			}
			out += g.c
		}
	}
}

// Backward implements autograd.Op.
func (o *depthwiseOp) Backward() {
	if o.bias != nil && o.bias.Grad != nil {
		addRows(o.bias.Grad, o.y.Grad)
	}
	t, c := o.y.Tape(), o.win.c
	mark := t.Mark()
	dw := t.Zeros(len(o.taps))
	o.each(0, o.x.Shape[0]*o.win.oh, func(out, in, tap int) {
		dy := o.y.Grad[out : out+c]
		if o.w.Grad != nil {
			kernel.MulTo(dw[tap:tap+c], o.x.Data[in:in+c], dy)
		}
		if o.x.Grad != nil {
			kernel.MulTo(o.x.Grad[in:in+c], o.taps[tap:tap+c], dy)
		}
	})
	if o.w.Grad != nil {
		swap(1, c, len(dw)/c, func(i, j int) { o.w.Grad[i] += dw[j] })
	}
	t.Release(mark)
}
