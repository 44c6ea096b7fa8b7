package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// ConvTranspose2D is the transpose of a convolution with a k×k kernel, stride s and padding pad: every pixel of x adds a
// k×k patch to the result (Zeiler et al. 2010, "deconvolution"). x is [B, H, W, C]; w is [C, k·k·Out] with the kernel's
// rows, columns and output channels from outer to inner; bias is [Out] or nil. The result is
// [B, (H−1)·s−2·pad+k, (W−1)·s−2·pad+k, Out].
func ConvTranspose2D(x, w, bias *Value, k, s, pad int) *Value {
	c := x.Shape.Last()
	out := w.Shape.Last() / (k * k)
	mustBe(len(x.Shape) == 4 && w.Shape[0] == c && w.Shape.Last() == k*k*out, "convtranspose2d", "[B, H, W, C] and [C, k·k·Out]", x, w)
	t := x.Tape()
	g := newWindow((x.Shape[1]-1)*s-2*pad+k, (x.Shape[2]-1)*s-2*pad+k, out, k, s, pad)
	y := t.New(autograd.Wants(x, w, bias), x.Shape[0], g.h, g.w, out)
	clear(y.Data)
	if bias != nil {
		for i := 0; i < len(y.Data); i += out {
			copy(y.Data[i:i+out], bias.Data)
		}
	}
	op := autograd.Node[deconvOp](t)
	*op = deconvOp{x, w, bias, y, g}
	op.forward()
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type deconvOp struct {
	x, w, bias, y *Value
	win           window // over the result, with the places of x
}

// forward goes over bands of rows of x's pictures.
func (o *deconvOp) forward() {
	t, g, c, width := o.y.Tape(), &o.win, o.w.Shape[0], o.w.Shape.Last()
	band := g.band()
	mark := t.Mark()
	cols := t.Scratch(band * g.ow * width)
	for b := range o.x.Shape[0] {
		for r := 0; r < g.oh; r += band {
			n := min(band, g.oh-r) * g.ow
			x := kernel.M(o.x.Data[(b*g.oh+r)*g.ow*c:], n, c)
			kernel.Gemm(t.Work, kernel.M(cols, n, width), x, kernel.M(o.w.Data, c, width), kernel.Epilogue{})
			g.fold(g.picture(o.y.Data, b), cols, r, n/g.ow)
		}
	}
	t.Release(mark)
}

// Backward implements autograd.Op.
func (o *deconvOp) Backward() {
	t, add := o.y.Tape(), kernel.Epilogue{Beta: 1}
	if o.bias != nil && o.bias.Wanted() {
		addRows(o.bias.Grad(), o.y.Grad())
	}
	c, width, n := o.w.Shape[0], o.w.Shape.Last(), o.x.Shape.Rows()
	dc := o.win.patches(o.y.Grad())
	if o.w.Wanted() {
		kernel.GemmByPatches(t.Work, kernel.M(o.w.Grad(), c, width), kernel.M(o.x.Data, n, c).T(), dc, add)
	}
	if o.x.Wanted() {
		kernel.GemmPatches(t.Work, kernel.M(o.x.Grad(), n, c), dc, kernel.M(o.w.Data, c, width).T(), add)
	}
}

// ChannelsLast turns a kernel as PyTorch stores it, [A, C, k, k], into [A, k·k·C], as Conv2D and ConvTranspose2D take it.
func ChannelsLast(w *Value) *Value {
	mustBe(len(w.Shape) == 4, "channelslast", "[A, C, k, k]", w)
	t := w.Tape()
	a, c, n := w.Shape[0], w.Shape[1], w.Shape[2]*w.Shape[3]
	y := t.New(autograd.Wants(w), a, n*c)
	swap(a, c, n, func(i, j int) { y.Data[j] = w.Data[i] })
	if y.Wanted() {
		op := autograd.Node[channelsLastOp](t)
		*op = channelsLastOp{w, y}
		t.Push(op)
	}
	return y
}

type channelsLastOp struct{ x, y *Value }

// Backward implements autograd.Op.
func (o *channelsLastOp) Backward() {
	s := o.x.Shape
	swap(s[0], s[1], s[2]*s[3], func(i, j int) { o.x.Grad()[i] += o.y.Grad()[j] })
}

// swap calls f with the place of every element in [a, c, n] and in [a, n, c].
func swap(a, c, n int, f func(i, j int)) {
	for b := range a {
		for i := range c {
			for j := range n {
				f((b*c+i)*n+j, (b*n+j)*c+i)
			}
		}
	}
}
