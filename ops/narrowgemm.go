package ops

import (
	"sync"

	"fovea/internal/kernel"
)

// narrowCopy is a narrow matrix in the layout of the kernels, or what laying it out anew needs.
type narrowCopy struct {
	fixed  bool
	once   sync.Once
	packed *kernel.Packed
	shift  []float32         // of bytes
	words  *kernel.Int4Words // of halves of them
}

// Fix lets products use a copy of the matrix in the kernels' own layout, made at the first one of many rows; it takes as
// much memory again.
func (n *Narrow) Fix() { n.fast.fixed = true }

// many reports whether a product of so many rows is one of matrices by a copy of the weights.
func (n *Narrow) many(rows int) bool {
	return rows >= packedRows && n.fast.fixed && (n.int8 == nil || rows >= int8Rows && n.In <= kernel.MaxInt8)
}

// passes reports whether a product of so many rows is one of matrices by bytes, or halves of them, that are laid out as it goes.
func (n *Narrow) passes(rows int) bool {
	if n.int4 != nil {
		return rows >= passRows && n.int4.HasWords()
	}
	return n.int8 != nil && !n.fast.fixed && rows >= passRows && n.In <= kernel.MaxInt8
}

const (
	// int8Rows is the number of rows from which the product of matrices of bytes is the faster one.
	int8Rows = 16
	// passRows is likewise when the bytes have to be laid out for it.
	passRows = 64
)

// gemm computes y = x·wᵀ with an epilogue for many rows by bfloat16 or bytes, with x rounded to them, too. It reports false, and
// does nothing, when widening the weights is the better way.
func (n *Narrow) gemm(w *kernel.Work, y, x kernel.Mat, ep kernel.Epilogue) bool {
	if x.Rows < packedRows || n.bf16 == nil && n.f16 == nil && n.int8 == nil && n.int4 == nil {
		return false
	}
	if n.int4 != nil {
		if !n.passes(x.Rows) {
			return false
		}
		n.fast.once.Do(func() { n.fast.words = n.int4.Words(w) })
		kernel.GemmInt4(w, y, x, n.fast.words, ep)
		return true
	}
	if packed := n.Packed(x.Rows); packed != nil {
		kernel.GemmPacked(w, y, x, packed, ep)
		return true
	}
	if n.passes(x.Rows) {
		n.fast.once.Do(func() { n.fast.shift = kernel.ShiftInt8(n.int8, n.scale, n.In) })
		kernel.GemmInt8(w, y, x, n.int8, n.scale, n.fast.shift, ep)
		return true
	}
	if n.bf16 == nil {
		return n.f16 != nil && kernel.GemmF16(w, y, x, n.f16, ep)
	}
	kernel.GemmBF16(w, y, x, n.bf16, ep)
	return true
}

func (n *Narrow) pack() {
	if n.int8 != nil {
		n.fast.packed = kernel.PackInt8(n.int8, n.scale, n.Out, n.In)
		return
	}
	half := n.bf16
	if half == nil {
		half = make([]uint16, n.Out*n.In)
		row := make([]float32, n.In)
		for o := range n.Out {
			n.widen(row, o, o+1)
			kernel.ToBF16(half[o*n.In:(o+1)*n.In], row)
		}
	}
	n.fast.packed = kernel.PackBF16(half, n.Out, n.In)
}

// Packed is the copy by which products of so many rows go, or nil where there is none.
func (n *Narrow) Packed(rows int) *kernel.Packed {
	if !n.many(rows) || n.int4 != nil {
		return nil
	}
	if n.fast.once.Do(n.pack); !n.fast.packed.Fits() { // another implementation of the kernels was chosen since
		return nil
	}
	return n.fast.packed
}
