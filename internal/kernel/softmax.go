package kernel

import (
	"fmt"
	"math"
)

// SoftmaxRows replaces each row of x by softmax(scale·row), in place. Row i is x[i*stride : i*stride+cols]; what lies between
// rows is left alone. −Inf marks a masked element and gives exactly 0; a row of nothing but −Inf gives NaN, as in PyTorch.
// Probabilities below e⁻⁸⁷·⁷ of the row's largest become 0.
func SoftmaxRows(x []float32, rows, cols, stride int, scale float32) {
	checkStride("SoftmaxRows", rows, cols, stride, len(x))
	for i := range rows {
		softmaxRow(x[i*stride:i*stride+cols], scale)
	}
}

// SoftmaxRowsGrad is the gradient of SoftmaxRows by its input: ds = scale·p·(dp − Σ p·dp) for each row, where p is what
// SoftmaxRows returned and dp the gradient by it. All three have the layout of SoftmaxRows' x. ds is overwritten; it may be
// dp or p.
func SoftmaxRowsGrad(ds, p, dp []float32, rows, cols, stride int, scale float32) {
	checkStride("SoftmaxRowsGrad", rows, cols, stride, min(len(ds), len(p), len(dp)))
	for i := range rows {
		j, k := i*stride, i*stride+cols
		softmaxGradRow(ds[j:k], p[j:k], dp[j:k], scale)
	}
}

func checkStride(fn string, rows, cols, stride, n int) {
	if rows < 0 || cols < 0 || stride < cols || rows > 0 && n < (rows-1)*stride+cols {
		panic(fmt.Sprintf("kernel: %s: %d elements for %d rows of %d, stride %d", fn, n, rows, cols, stride))
	}
}

func softmaxRowGeneric(x []float32, scale float32) {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v *= scale; v > m {
			m = v
		}
	}
	var s float32
	for i, v := range x {
		e := expf(scale*v - m)
		x[i] = e
		s += e
	}
	s = 1 / s
	for i := range x {
		x[i] *= s
	}
}

func softmaxGradRowGeneric(ds, p, dp []float32, scale float32) {
	s := dotGeneric(p, dp)
	for i, v := range p {
		ds[i] = scale * v * (dp[i] - s)
	}
}
