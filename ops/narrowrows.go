package ops

import "fovea/internal/kernel"

// rows is the matrix as the kernels of few rows read it.
func (n *Narrow) rows() kernel.Rows {
	return kernel.Rows{N: n.Out, K: n.In, BF16: n.bf16, F16: n.f16}
}

// few computes y = x·wᵀ + bias where reading the weights is what it costs: for few rows, and by weights of 4 bits always.
// It reports false, and does nothing, when that is not the best way.
func (n *Narrow) few(w *kernel.Work, y, x kernel.Mat, bias *Value) bool {
	switch {
	case n.int4 != nil:
		kernel.MulInt4(w, y, x, n.int4, dataOf(bias))
	case n.int8 != nil && !n.many(x.Rows) && !n.passes(x.Rows):
		kernel.MulInt8(w, y, x, n.int8, n.scale, dataOf(bias))
	case x.Rows <= kernel.FewRows:
		kernel.MulRows(w, y, x, n.rows(), dataOf(bias))
	default:
		return false
	}
	return true
}

// dataOf is the data of a value that may be nil.
func dataOf(v *Value) []float32 {
	if v == nil {
		return nil
	}
	return v.Data
}
