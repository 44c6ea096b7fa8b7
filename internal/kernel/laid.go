package kernel

import "math"

// laid is a right-hand side in the layout of the micro-kernels, in memory that is used again for the next one.
type laid struct {
	buf    packBuf
	packed Packed
}

// Lay prepares b [K, N], of any strides, for several products by w with GemmPacked, in the precision that w multiplies in. Unlike
// Pack, it allocates nothing once its memory has grown: the result is w's own and holds until the same slot, 0 or 1, is laid out anew.
func (w *Work) Lay(slot int, b Mat) *Packed {
	b.check("Lay")
	l, shape := &w.laid[slot], gemmShape()
	if s, ok := bf16Shape(); w.bf16 && ok {
		shape = s
	} else if w.bf16 {
		b = w.rounded(b, &w.rb)
	}
	units := ceilDiv(b.Rows, shape.group)
	p := product{b: b, m: math.MaxInt, k: b.Rows, n: b.Cols, units: units, shape: shape}
	l.packed = Packed{k: b.Rows, n: b.Cols, shape: shape, bf16: w.bf16, data: p.rhs(&l.buf, 0, units, 0, b.Cols).data}
	return &l.packed
}
