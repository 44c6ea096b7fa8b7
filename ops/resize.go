package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Taps says how one axis is resized: sample i of the result is the sum of Weight[i][j] times sample At[i][j] of In samples.
type Taps struct {
	In     int
	At     [][]int32
	Weight [][]float32
}

// Resize changes height and width of x [B, H, W, C] by linear interpolation of whatever kind the taps of its rows and
// columns express; the result is [B, len(rows.At), len(cols.At), C]. Tables of positions are fitted to other pictures by
// it, and maps of features enlarged.
func Resize(x *Value, rows, cols *Taps) *Value {
	mustBe(len(x.Shape) == 4 && x.Shape[1] == rows.In && x.Shape[2] == cols.In, "resize", "[B, H, W, C] of the taps' input size", x)
	t := x.Tape()
	b, h, c, oh, ow := x.Shape[0], x.Shape[1], x.Shape[3], len(rows.At), len(cols.At)
	y := t.New(autograd.Wants(x), b, oh, ow, c)
	op := autograd.Node[resizeOp](t)
	*op = resizeOp{x, y, rows, cols}
	mark := t.Mark()
	mid := t.Zeros(b * h * ow * c)
	clear(y.Data)
	cols.apply(mid, x.Data, b*h, c, false)
	rows.apply(y.Data, mid, b, ow*c, false)
	t.Release(mark)
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type resizeOp struct {
	x, y       *Value
	rows, cols *Taps
}

// Backward implements autograd.Op.
func (o *resizeOp) Backward() {
	t := o.y.Tape()
	b, h, c, ow := o.x.Shape[0], o.x.Shape[1], o.x.Shape[3], o.y.Shape[2]
	mark := t.Mark()
	mid := t.Zeros(b * h * ow * c)
	o.rows.apply(mid, o.y.Grad(), b, ow*c, true)
	o.cols.apply(o.x.Grad(), mid, b*h, c, true)
	t.Release(mark)
}

// apply resizes the middle axis of src [n, In, c] into dst [n, Out, c], adding; back takes it the transposed way.
func (s *Taps) apply(dst, src []float32, n, c int, back bool) {
	out := len(s.At)
	for b := range n {
		for i, at := range s.At {
			for j, k := range at {
				in, o := (b*s.In+int(k))*c, (b*out+i)*c
				if back {
					kernel.Axpy(s.Weight[i][j], src[o:o+c], dst[in:in+c])
				} else {
					kernel.Axpy(s.Weight[i][j], src[in:in+c], dst[o:o+c])
				}
			}
		}
	}
}
