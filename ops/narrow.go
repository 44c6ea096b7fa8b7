package ops

import (
	"math"

	"fovea/internal/kernel"
)

// Narrow is a matrix [Out, In] of weights that take one or two bytes each. They become float32 panel by panel, when they are
// multiplied by.
type Narrow struct {
	Out, In int

	bf16  []uint16
	int8  []int8
	scale []float32 // of int8: one for each row
}

// NewBF16 rounds a matrix [out, in] to bfloat16.
func NewBF16(w []float32, out, in int) *Narrow {
	n := &Narrow{Out: out, In: in, bf16: make([]uint16, out*in)}
	kernel.ToBF16(n.bf16, w)
	return n
}

// NewInt8 rounds a matrix [out, in] to 255 steps a row, symmetric around 0, the largest of which is the row's largest weight
// (Wu et al. 2020, per-channel scales).
func NewInt8(w []float32, out, in int) *Narrow {
	n := &Narrow{Out: out, In: in, int8: make([]int8, out*in), scale: make([]float32, out)}
	for o := range out {
		row, q := w[o*in:(o+1)*in], n.int8[o*in:(o+1)*in]
		s := kernel.MaxAbs(row) / 127
		if n.scale[o] = s; s == 0 {
			continue
		}
		for i, v := range row {
			q[i] = int8(math.RoundToEven(float64(v / s)))
		}
	}
	return n
}

// Bytes is the memory that the matrix takes.
func (n *Narrow) Bytes() int { return 2*len(n.bf16) + len(n.int8) + 4*len(n.scale) }

// widen writes rows [from, to) as float32.
func (n *Narrow) widen(dst []float32, from, to int) {
	if n.bf16 != nil {
		kernel.FromBF16(dst, n.bf16[from*n.In:to*n.In])
		return
	}
	for o := from; o < to; o++ {
		kernel.DequantInt8(dst[(o-from)*n.In:(o-from+1)*n.In], n.int8[o*n.In:(o+1)*n.In], n.scale[o])
	}
}

// panelFloats bounds the weights that are widened at a time (256 KiB), so that they are still in the second-level cache when
// they are multiplied by.
const panelFloats = 64 << 10

// NarrowLinear is Linear by a narrow matrix: x·wᵀ + bias for x [..., In], bias [Out] or nil. It passes no gradients on and
// is for tapes that do not train.
func NarrowLinear(x *Value, w *Narrow, bias *Value) *Value {
	t := x.Tape()
	mustBe(x.Shape.Last() == w.In && !t.Train && (bias == nil || len(bias.Data) == w.Out), "narrowlinear", "[..., In] on a tape that does not train, and [Out]", x, bias)
	y, rows := newLike(t, false, x, w.Out), x.Shape.Rows()
	step := min(max(panelFloats/w.In, 1), w.Out)
	mark := t.Mark()
	panel := t.Scratch(step * w.In)
	in, out := kernel.M(x.Data, rows, w.In), kernel.M(y.Data, rows, w.Out)
	for o := 0; o < w.Out; o += step {
		end := min(o+step, w.Out)
		w.widen(panel[:(end-o)*w.In], o, end)
		ep := kernel.Epilogue{}
		if bias != nil {
			ep.Bias = bias.Data[o:end]
		}
		kernel.Gemm(t.Work, out.Slice(0, rows, o, end), in, kernel.M(panel, end-o, w.In).T(), ep)
	}
	t.Release(mark)
	return y
}
