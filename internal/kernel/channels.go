package kernel

import (
	"fmt"
	"math"
)

// Batch norms and pools: data of so many places, c channels each.

// rowsAtOnce is the number of rows of c elements, of some lists at a time, that stay in the first-level cache.
func rowsAtOnce(c int) int { return max(2048/max(c, 1), 1) }

// noFloor is a floor that nothing falls below.
var noFloor = float32(math.Inf(-1))

func floorOf(relu bool) float32 {
	if relu {
		return 0
	}
	return noFloor
}

// Moments sets mean and variance, which is biased, of every column of x [rows, c], in one pass over x: sums are of differences from the
// mean of some rows, so that they do not cancel, and those of pieces are added up. shift is scratch of c elements.
func Moments(mean, variance, x, shift []float32) {
	const sample = 32
	c := len(mean)
	checkChannels("Moments", c, x, nil, variance)
	same("Moments", c, len(shift))
	clear(mean)
	clear(variance)
	if len(x) == 0 {
		return
	}
	rows := len(x) / c
	clear(shift)
	some := min(rows, sample)
	for i := range some {
		r := rows * i / some * c
		addTo(shift, x[r:r+c])
	}
	scale(shift, 1/float32(some))
	eachPiece(rows, c, func(i, j int) { channelMoments(mean, variance, x[i*c:j*c], shift, j-i, c) })
	for j, s := range mean {
		s /= float32(rows)
		mean[j] = shift[j] + s
		variance[j] = variance[j]/float32(rows) - s*s
		if variance[j] < 0 { // by rounding
			variance[j] = 0
		}
	}
}

// eachPiece calls f for pieces of n rows of c elements that stay in the first-level cache.
func eachPiece(n, c int, f func(i, j int)) {
	step := rowsAtOnce(c)
	for i := 0; i < n; i += step {
		f(i, min(i+step, n))
	}
}

// Affine sets y = x·mul + add + res for x [rows, c], mul and add [c]; res has x's size or is nil. With relu, what is below zero becomes zero.
func Affine(y, x, res, mul, add []float32, relu bool) {
	c, floor := len(mul), floorOf(relu)
	checkChannels("Affine", c, y, x, add)
	if res != nil {
		same("Affine", len(x), len(res))
	}
	if c == 0 {
		return
	}
	eachPiece(len(x)/c, c, func(i, j int) {
		if res == nil {
			channelAffine(y[i*c:j*c], x[i*c:j*c], mul, add, j-i, c, floor)
		} else {
			channelAffineAdd(y[i*c:j*c], x[i*c:j*c], res[i*c:j*c], mul, add, j-i, c, floor)
		}
	})
}

// AffineSums adds, column by column, Σ g to sum and Σ g·(x − mean) to dot, where g is dy, or, with relu, dy where y > 0 and else 0.
func AffineSums(sum, dot, x, y, dy, mean []float32, relu bool) {
	c, floor := len(sum), floorOf(relu)
	checkChannels("AffineSums", c, x, y, dot)
	checkChannels("AffineSums", c, x, dy, mean)
	if c == 0 {
		return
	}
	eachPiece(len(x)/c, c, func(i, j int) {
		channelGradSums(sum, dot, x[i*c:j*c], y[i*c:j*c], dy[i*c:j*c], mean, j-i, c, floor)
	})
}

// AffineGrad sets dx to a·g + b·x + k, or adds it, for a, b and k [c] and g as for AffineSums.
func AffineGrad(dx, x, y, dy, a, b, k []float32, relu, add bool) {
	c, floor := len(a), floorOf(relu)
	checkChannels("AffineGrad", c, x, y, b)
	checkChannels("AffineGrad", c, dx, dy, k)
	if c == 0 {
		return
	}
	same("AffineGrad", len(x), len(dx))
	eachPiece(len(x)/c, c, func(i, j int) {
		if add {
			channelGradAdd(dx[i*c:j*c], x[i*c:j*c], y[i*c:j*c], dy[i*c:j*c], a, b, k, j-i, c, floor)
		} else {
			channelGrad(dx[i*c:j*c], x[i*c:j*c], y[i*c:j*c], dy[i*c:j*c], a, b, k, j-i, c, floor)
		}
	})
}

// Above sets dst to dy where y > 0 and else to 0, or adds that: the gradient that passes a ReLU whose result is y.
func Above(dst, y, dy []float32, add bool) {
	same("Above", len(dst), len(y))
	same("Above", len(dst), len(dy))
	if add {
		aboveAdd(dst, y, dy, 0)
	} else {
		above(dst, y, dy, 0)
	}
}

func checkChannels(fn string, c int, x, y, row []float32) {
	if c > 0 && len(x)%c != 0 || y != nil && len(x) != len(y) || len(row) != c {
		panic(fmt.Sprintf("kernel: %s: %d and %d elements of %d channels, and %d", fn, len(x), len(y), c, len(row)))
	}
}

// Pool2 sets y [n, c] to the largest of each 2×2 window, channel by channel; NaN stays. x has two lines of 2n places, rs elements apart.
func Pool2(y, x []float32, rs, c, n int) {
	checkPool("Pool2", len(y), len(x), rs, c, n)
	if n > 0 && c > 0 {
		pool2(y, x, rs, c, n)
	}
}

// Pool2Grad is the gradient of Pool2: dx, laid out as x, becomes dy at the first of each window that equals y, and 0 elsewhere, or that
// is added.
func Pool2Grad(dx, x, y, dy []float32, rs, c, n int, add bool) {
	checkPool("Pool2Grad", len(y), len(x), rs, c, n)
	checkPool("Pool2Grad", len(dy), len(dx), rs, c, n)
	switch {
	case n == 0 || c == 0:
	case add:
		pool2GradAdd(dx, x, y, dy, rs, c, n)
	default:
		pool2Grad(dx, x, y, dy, rs, c, n)
	}
}

func checkPool(fn string, y, x, rs, c, n int) {
	if c < 0 || n < 0 || rs < 0 || y < n*c || n > 0 && x < rs+2*n*c {
		panic(fmt.Sprintf("kernel: %s: %d windows of %d channels, lines %d apart, in %d and %d elements", fn, n, c, rs, x, y))
	}
}
