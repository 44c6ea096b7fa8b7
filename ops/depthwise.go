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
	t := x.Tape()
	g := newWindow(x.Shape[1], x.Shape[2], x.Shape[3], k, s, pad)
	y := t.New(autograd.Wants(x, w, bias), x.Shape[0], g.oh, g.ow, g.c)
	op := autograd.Node[depthwiseOp](t)
	*op = depthwiseOp{x, w, bias, y, g, t.Scratch(len(w.Data))}
	swap(1, g.c, k*k, func(i, j int) { op.taps[j] = w.Data[i] })
	clear(y.Data)
	if bias != nil {
		for i := 0; i < len(y.Data); i += g.c {
			copy(y.Data[i:i+g.c], bias.Data)
		}
	}
	op.each(func(out, in, tap int, line []float32) {
		kernel.Mul(line, x.Data[in:in+g.c], op.taps[tap:tap+g.c])
		kernel.AddTo(y.Data[out:out+g.c], line)
	})
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

// each calls f for every pixel of the result and every tap of its kernel that lies in the picture, with the places of their
// channels and room for one pixel.
func (o *depthwiseOp) each(f func(out, in, tap int, line []float32)) {
	g, t := &o.win, o.y.Tape()
	mark := t.Mark()
	line := t.Scratch(g.c)
	out := 0
	for b := range o.x.Shape[0] {
		for oy := range g.oh {
			for ox := range g.ow {
				for ky := range g.k {
					y := oy*g.s - g.pad + ky
					if y < 0 || y >= g.h {
						continue
					}
					x0 := ox*g.s - g.pad
					for kx := max(-x0, 0); kx < min(g.w-x0, g.k); kx++ {
						f(out, ((b*g.h+y)*g.w+x0+kx)*g.c, (ky*g.k+kx)*g.c, line)
					}
				}
				out += g.c
			}
		}
	}
	t.Release(mark)
}

// Backward implements autograd.Op.
func (o *depthwiseOp) Backward() {
	if o.bias != nil && o.bias.Grad != nil {
		addRows(o.bias.Grad, o.y.Grad)
	}
	t, c := o.y.Tape(), o.win.c
	mark := t.Mark()
	dw := t.Zeros(len(o.taps))
	o.each(func(out, in, tap int, line []float32) {
		dy := o.y.Grad[out : out+c]
		if o.w.Grad != nil {
			kernel.Mul(line, o.x.Data[in:in+c], dy)
			kernel.AddTo(dw[tap:tap+c], line)
		}
		if o.x.Grad != nil {
			kernel.Mul(line, o.taps[tap:tap+c], dy)
			kernel.AddTo(o.x.Grad[in:in+c], line)
		}
	})
	if o.w.Grad != nil {
		swap(1, c, len(dw)/c, func(i, j int) { o.w.Grad[i] += dw[j] })
	}
	t.Release(mark)
}
