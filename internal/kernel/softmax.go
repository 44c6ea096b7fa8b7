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

// SoftmaxRowsKept is SoftmaxRows that keeps each row's largest element, scaled, in top and one over the sum of its exponentials in
// inv, so that SoftmaxRowsAgain can have the probabilities without their being kept.
func SoftmaxRowsKept(x, top, inv []float32, rows, cols, stride int, scale float32) {
	checkStride("SoftmaxRowsKept", rows, cols, stride, len(x))
	same("SoftmaxRowsKept", rows, len(top))
	same("SoftmaxRowsKept", rows, len(inv))
	for i := range rows {
		top[i], inv[i] = softmaxRow(x[i*stride:i*stride+cols], scale)
	}
}

// SoftmaxRowsAgain gives the very probabilities that SoftmaxRowsKept gave for the same x.
func SoftmaxRowsAgain(x, top, inv []float32, rows, cols, stride int, scale float32) {
	checkStride("SoftmaxRowsAgain", rows, cols, stride, len(x))
	same("SoftmaxRowsAgain", rows, len(top))
	same("SoftmaxRowsAgain", rows, len(inv))
	for i := range rows {
		softmaxAgain(x[i*stride:i*stride+cols], scale, top[i], inv[i])
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

func softmaxRowGeneric(x []float32, scale float32) (top, inv float32) {
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
	return m, s
}

func softmaxAgainGeneric(x []float32, scale, top, inv float32) {
	for i, v := range x {
		x[i] = expf(scale*v-top) * inv
	}
}

func softmaxGradRowGeneric(ds, p, dp []float32, scale float32) {
	s := dotGeneric(p, dp)
	for i, v := range p {
		ds[i] = scale * v * (dp[i] - s)
	}
}
