package ops

import "fovea/internal/kernel"

// rows is the matrix as the kernels of few rows read it.
func (n *Narrow) rows() kernel.Rows {
	return kernel.Rows{N: n.Out, K: n.In, BF16: n.bf16, F16: n.f16}
}

// few computes y = x·wᵀ + bias for few rows, which costs reading the weights once. It reports false, and does nothing, when
// that is not the best way.
func (n *Narrow) few(w *kernel.Work, y, x kernel.Mat, bias *Value) bool {
	if x.Rows > kernel.FewRows || n.bf16 == nil && n.f16 == nil {
		return false
	}
	kernel.MulRows(w, y, x, n.rows(), dataOf(bias))
	return true
}

// dataOf is the data of a value that may be nil.
func dataOf(v *Value) []float32 {
	if v == nil {
		return nil
	}
	return v.Data
}
