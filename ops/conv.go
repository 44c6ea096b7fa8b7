package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// bandFloats bounds the columns that a convolution lays out at a time (about 256 KiB), so that they stay in the
// second-level cache between being written and being multiplied.
const bandFloats = 64 << 10

// Conv2D is a convolution with a k×k kernel, stride s and zero padding (k−1)/2, channels last. x is [B, H, W, C]; w is
// [Out, k·k·C] with the kernel's rows, columns and input channels from outer to inner; bias is [Out] or nil. The result
// is [B, ⌈H/s⌉, ⌈W/s⌉, Out] for odd k. It is computed as matrix products over bands of unfolded rows (im2col).
func Conv2D(x, w, bias *Value, k, s int) *Value {
	mustBe(len(x.Shape) == 4 && k%2 == 1 && w.Shape.Last() == k*k*x.Shape[3], "conv2d", "[B, H, W, C] and [Out, k·k·C], k odd", x, w)
	t := x.Tape()
	out := w.Shape[0]
	y := t.New(autograd.Wants(x, w, bias), x.Shape[0], (x.Shape[1]+s-1)/s, (x.Shape[2]+s-1)/s, out)
	op := autograd.Node[convOp](t)
	*op = convOp{x, w, bias, y, k, s}
	op.forward()
	if y.Grad != nil {
		t.Push(op)
	}
	return y
}

type convOp struct {
	x, w, bias, y *Value
	k, s          int
}

// plain reports that the unfolded columns are the input itself.
func (o *convOp) plain() bool { return o.k == 1 && o.s == 1 }

// band is the number of output rows unfolded at a time.
func (o *convOp) band() int {
	return min(max(bandFloats/(o.y.Shape[2]*o.w.Shape.Last()), 1), o.y.Shape[1])
}

func (o *convOp) forward() {
	t := o.y.Tape()
	out, cols := o.w.Shape[0], o.w.Shape.Last()
	ep := kernel.Epilogue{}
	if o.bias != nil {
		ep.Bias = o.bias.Data
	}
	wt := kernel.M(o.w.Data, out, cols).T()
	if o.plain() {
		n := o.x.Shape.Rows()
		kernel.Gemm(t.Work, kernel.M(o.y.Data, n, out), kernel.M(o.x.Data, n, cols), wt, ep)
		return
	}
	oh, ow, band := o.y.Shape[1], o.y.Shape[2], o.band()
	mark := t.Mark()
	buf := t.Scratch(band * ow * cols)
	for b := range o.x.Shape[0] {
		for r := 0; r < oh; r += band {
			n := min(band, oh-r) * ow
			o.unfold(buf, b, r, min(band, oh-r))
			kernel.Gemm(t.Work, kernel.M(o.y.Data[(b*oh+r)*ow*out:], n, out), kernel.M(buf, n, cols), wt, ep)
		}
	}
	t.Release(mark)
}

// Backward implements autograd.Op.
func (o *convOp) Backward() {
	t := o.y.Tape()
	out, cols := o.w.Shape[0], o.w.Shape.Last()
	w, add := kernel.M(o.w.Data, out, cols), kernel.Epilogue{Beta: 1}
	if o.bias != nil && o.bias.Grad != nil {
		addRows(o.bias.Grad, o.y.Grad)
	}
	if o.plain() {
		n := o.x.Shape.Rows()
		dy := kernel.M(o.y.Grad, n, out)
		if o.w.Grad != nil {
			kernel.Gemm(t.Work, kernel.M(o.w.Grad, out, cols), dy.T(), kernel.M(o.x.Data, n, cols), add)
		}
		if o.x.Grad != nil {
			kernel.Gemm(t.Work, kernel.M(o.x.Grad, n, cols), dy, w, add)
		}
		return
	}
	oh, ow, band := o.y.Shape[1], o.y.Shape[2], o.band()
	mark := t.Mark()
	buf := t.Scratch(band * ow * cols)
	for b := range o.x.Shape[0] {
		for r := 0; r < oh; r += band {
			n := min(band, oh-r) * ow
			dy := kernel.M(o.y.Grad[(b*oh+r)*ow*out:], n, out)
			if o.w.Grad != nil {
				o.unfold(buf, b, r, n/ow)
				kernel.Gemm(t.Work, kernel.M(o.w.Grad, out, cols), dy.T(), kernel.M(buf, n, cols), add)
			}
			if o.x.Grad != nil {
				kernel.Gemm(t.Work, kernel.M(buf, n, cols), dy, w, kernel.Epilogue{})
				o.fold(buf, b, r, n/ow)
			}
		}
	}
	t.Release(mark)
}

// unfold writes, for output rows [r, r+n) of picture b, the k·k·C inputs under the kernel, one output pixel a row.
func (o *convOp) unfold(dst []float32, b, r, n int) {
	h, w, c, ow := o.x.Shape[1], o.x.Shape[2], o.x.Shape[3], o.y.Shape[2]
	k, pad, line := o.k, o.k/2, o.k*o.x.Shape[3]
	src := o.x.Data[b*h*w*c : (b+1)*h*w*c]
	at := 0
	for oy := r; oy < r+n; oy++ {
		for ox := range ow {
			x0 := ox*o.s - pad
			lo, hi := max(-x0, 0), min(w-x0, k) // kernel columns inside the picture
			for ky := range k {
				d := dst[at : at+line]
				at += line
				iy := oy*o.s - pad + ky
				if iy < 0 || iy >= h || hi <= lo {
					clear(d)
					continue
				}
				clear(d[:lo*c])
				copy(d[lo*c:hi*c], src[(iy*w+x0+lo)*c:])
				clear(d[hi*c:])
			}
		}
	}
}

// fold adds columns back onto the input's gradient, the transpose of unfold.
func (o *convOp) fold(src []float32, b, r, n int) {
	h, w, c, ow := o.x.Shape[1], o.x.Shape[2], o.x.Shape[3], o.y.Shape[2]
	k, pad, line := o.k, o.k/2, o.k*o.x.Shape[3]
	dst := o.x.Grad[b*h*w*c : (b+1)*h*w*c]
	at := 0
	for oy := r; oy < r+n; oy++ {
		for ox := range ow {
			x0 := ox*o.s - pad
			lo, hi := max(-x0, 0), min(w-x0, k)
			for ky := range k {
				if iy := oy*o.s - pad + ky; iy >= 0 && iy < h && hi > lo {
					kernel.AddTo(dst[(iy*w+x0+lo)*c:(iy*w+x0+hi)*c], src[at+lo*c:at+hi*c])
				}
				at += line
			}
		}
	}
}

// PixelShuffle turns channels into pixels: [B, H, W, r·r·C] → [B, r·H, r·W, C] (Shi et al. 2016), the channel index being
// (row in the cell, column in the cell, C) from outer to inner.
func PixelShuffle(x *Value, r int) *Value {
	b, h, w, c := x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]/(r*r)
	t := x.Tape()
	y := t.New(autograd.Wants(x), b, h*r, w*r, c)
	shuffle(y.Data, x.Data, b*h, w, c, r, false)
	if y.Grad != nil {
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
	shuffle(o.y.Grad, o.x.Grad, b*h, w, o.y.Shape[3], o.r, true)
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
