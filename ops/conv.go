package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Conv2D is a convolution with a k×k kernel, stride s and zero padding (k−1)/2, channels last. x is [B, H, W, C]; w is
// [Out, k·k·C] with the kernel's rows, columns and input channels from outer to inner; bias is [Out] or nil. The result
// is [B, ⌈H/s⌉, ⌈W/s⌉, Out] for odd k. It is computed as one matrix product, which reads the picture through the kernel
// (kernel.Patches), or, while training, by Winograd's filtering (kernel.ConvWinograd), where that fits.
func Conv2D(x, w, bias *Value, k, s int) *Value {
	mustBe(k%2 == 1, "conv2d", "an odd kernel", x, w)
	return Conv2DPad(x, w, bias, k, s, (k-1)/2)
}

// Conv2DPad is Conv2D with any kernel and pad zeros on every side; the result is [B, (H+2·pad−k)/s+1, (W+2·pad−k)/s+1, Out],
// and pixels at the right and bottom that fill no kernel are left out. With k = s and no padding it embeds patches.
func Conv2DPad(x, w, bias *Value, k, s, pad int) *Value {
	mustBe(len(x.Shape) == 4 && w.Shape.Last() == k*k*x.Shape[3] && min(x.Shape[1], x.Shape[2])+2*pad >= k, "conv2d", "[B, H, W, C] of a kernel's size and [Out, k·k·C]", x, w)
	return convolve(x, w, bias, newWindow(x.Shape[1], x.Shape[2], x.Shape[3], k, s, pad))
}

// Conv2DSame is Conv2D with TensorFlow's "SAME" padding, which differs from Conv2D's for strides above 1: where the zeros do not
// divide evenly, the last one comes after the picture. The result is [B, ⌈H/s⌉, ⌈W/s⌉, Out].
func Conv2DSame(x, w, bias *Value, k, s int) *Value {
	mustBe(len(x.Shape) == 4 && w.Shape.Last() == k*k*x.Shape[3], "conv2d", "[B, H, W, C] and [Out, k·k·C]", x, w)
	return convolve(x, w, bias, sameWindow(x.Shape[1], x.Shape[2], x.Shape[3], k, s))
}

func convolve(x, w, bias *Value, g window) *Value {
	t := x.Tape()
	y := t.New(autograd.Wants(x, w, bias), x.Shape[0], g.oh, g.ow, w.Shape[0])
	op := autograd.Node[convOp](t)
	*op = convOp{x, w, bias, y, g, nil}
	op.forward()
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type convOp struct {
	x, w, bias, y *Value
	win           window
	kernels       []float32 // transformed, where the convolution goes by Winograd's filtering
}

// minWinograd is the number of channels, before or after, below which transforms cost more than they save.
const minWinograd = 16

func (o *convOp) forward() {
	t := o.y.Tape()
	out, cols := o.w.Shape[0], o.w.Shape.Last()
	if p := o.win.patches(o.x.Data); t.Train && o.bias == nil && p.Winograd() && out%2 == 0 && min(p.C, out) >= minWinograd && t.Work.Workers() == 1 {
		o.kernels = t.Scratch(kernel.WinogradParts * out * p.C)
		kernel.WinogradKernels(t.Work, o.kernels, o.w.Data, out, p.C)
		kernel.ConvWinograd(t.Work, o.y.Data, p, o.kernels, out, false, false)
		return
	}
	ep := kernel.Epilogue{}
	if o.bias != nil {
		ep.Bias = o.bias.Data
	}
	wt := kernel.M(o.w.Data, out, cols).T()
	if o.win.plain() {
		n := o.x.Shape.Rows()
		kernel.Gemm(t.Work, kernel.M(o.y.Data, n, out), kernel.M(o.x.Data, n, cols), wt, ep)
		return
	}
	n := o.y.Shape.Rows()
	kernel.GemmPatches(t.Work, kernel.M(o.y.Data, n, out), o.win.patches(o.x.Data), wt, ep)
}

// Backward implements autograd.Op.
func (o *convOp) Backward() {
	t := o.y.Tape()
	out, cols := o.w.Shape[0], o.w.Shape.Last()
	w, add := kernel.M(o.w.Data, out, cols), kernel.Epilogue{Beta: 1}
	if o.bias != nil && o.bias.Wanted() {
		addRows(o.bias.Grad(), o.y.Grad())
	}
	if o.win.plain() {
		n := o.x.Shape.Rows()
		dy := kernel.M(o.y.Grad(), n, out)
		if o.w.Wanted() {
			kernel.Gemm(t.Work, kernel.M(o.w.Grad(), out, cols), dy.T(), kernel.M(o.x.Data, n, cols), add)
		}
		if o.x.Wanted() {
			dx, ep := sumOf(o.x)
			kernel.Gemm(t.Work, kernel.M(dx, n, cols), dy, w, ep)
		}
		return
	}
	if o.kernels != nil {
		o.backwardWinograd()
		return
	}
	n := o.y.Shape.Rows()
	dy := kernel.M(o.y.Grad(), n, out)
	if o.w.Wanted() {
		kernel.GemmByPatches(t.Work, kernel.M(o.w.Grad(), out, cols), dy.T(), o.win.patches(o.x.Data), add)
	}
	switch {
	case !o.x.Wanted():
	case o.win.s == 1 && o.win.pad < o.win.k:
		o.spread()
	default:
		o.spreadBands(w)
	}
}

func (o *convOp) backwardWinograd() {
	t, out, c := o.y.Tape(), o.w.Shape[0], o.win.c
	if o.w.Wanted() {
		mark := t.Mark()
		du := t.Scratch(len(o.kernels))
		kernel.ConvWinogradGrad(t.Work, du, o.y.Grad(), o.win.patches(o.x.Data), out)
		kernel.WinogradKernelsGrad(t.Work, o.w.Grad(), du, out, c)
		t.Release(mark)
	}
	if o.x.Wanted() {
		back := o.win
		back.c = out
		dx, fresh := o.x.FirstGrad()
		kernel.ConvWinograd(t.Work, dx, back.patches(o.y.Grad()), o.kernels, c, true, !fresh)
	}
}

// spread adds the gradient of x for stride 1: a convolution of the result's gradient by the same kernels, turned by half a turn.
func (o *convOp) spread() {
	t, out, c, taps := o.y.Tape(), o.w.Shape[0], o.win.c, o.win.k*o.win.k
	mark := t.Mark()
	turned := t.Scratch(taps * out * c) // [k·k·Out, C]
	for i := range out {
		for tap := range taps {
			copy(turned[((taps-1-tap)*out+i)*c:][:c], o.w.Data[(i*taps+tap)*c:])
		}
	}
	back := window{o.win.oh, o.win.ow, out, o.win.h, o.win.w, o.win.k, 1, o.win.k - 1 - o.win.pad}
	dx, ep := sumOf(o.x)
	kernel.GemmPatches(t.Work, kernel.M(dx, o.x.Shape.Rows(), c), back.patches(o.y.Grad()), kernel.M(turned, taps*out, c), ep)
	t.Release(mark)
}

// spreadBands adds the gradient of x for any stride: what belongs to a place is added to the picture under the kernel.
func (o *convOp) spreadBands(w kernel.Mat) {
	t, out, cols := o.y.Tape(), w.Rows, w.Cols
	oh, ow, band := o.win.oh, o.win.ow, o.win.band()
	mark := t.Mark()
	buf := t.Scratch(band * ow * cols)
	for b := range o.x.Shape[0] {
		for r := 0; r < oh; r += band {
			n := min(band, oh-r) * ow
			dy := kernel.M(o.y.Grad()[(b*oh+r)*ow*out:], n, out)
			kernel.Gemm(t.Work, kernel.M(buf, n, cols), dy, w, kernel.Epilogue{})
			o.win.fold(o.win.picture(o.x.Grad(), b), buf, r, n/ow)
		}
	}
	t.Release(mark)
}

// PixelShuffle turns channels into pixels: [B, H, W, r·r·C] → [B, r·H, r·W, C] (Shi et al. 2016), the channel index being
// (row in the cell, column in the cell, C) from outer to inner.
func PixelShuffle(x *Value, r int) *Value {
	b, h, w, c := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]/(r*r)
	t := x.Tape()
	y := t.New(autograd.Wants(x), b, h*r, w*r, c)
	shuffle(y.Data, x.Data, b*h, w, c, r, false)
	if y.Wanted() {
		op := autograd.Node[shuffleOp](t)
		*op = shuffleOp{x, y, r}
		t.Push(op)
	}
	return y
}

type shuffleOp struct {
	x, y *Value
	r    int
}

func (o *shuffleOp) Backward() {
	b, h, w := o.x.Shape[0], o.x.Shape[1], o.x.Shape[2]
	shuffle(o.y.Grad(), o.x.Grad(), b*h, w, o.y.Shape[3], o.r, true)
}

// shuffle copies coarse cells to fine pixels, or adds fine pixels to coarse cells when back.
func shuffle(fine, coarse []float32, rows, w, c, r int, back bool) {
	for i := range rows {
		for x := range w {
			for ry := range r {
				f := fine[((i*r+ry)*w*r+x*r)*c:][:r*c]
				g := coarse[((i*w+x)*r+ry)*r*c:][:r*c]
				if back {
					kernel.AddTo(g, f)
				} else {
					copy(f, g)
				}
			}
		}
	}
}
