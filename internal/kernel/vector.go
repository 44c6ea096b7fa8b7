package kernel

import (
	"fmt"
	"math"
)

// same panics unless n equals want.
func same(fn string, want, n int) {
	if n != want {
		panicLen(fn, want, n)
	}
}

func panicLen(fn string, want, n int) {
	panic(fmt.Sprintf("kernel: %s: slices of %d and %d elements", fn, want, n))
}

// Add sets dst = a + b.
func Add(dst, a, b []float32) {
	same("Add", len(dst), len(a))
	same("Add", len(dst), len(b))
	add(dst, a, b)
}

// AddTo adds a to dst.
func AddTo(dst, a []float32) {
	same("AddTo", len(dst), len(a))
	addTo(dst, a)
}

// Axpy adds alpha·x to y.
func Axpy(alpha float32, x, y []float32) {
	same("Axpy", len(y), len(x))
	axpy(alpha, x, y)
}

// Scale multiplies dst by alpha.
func Scale(dst []float32, alpha float32) { scale(dst, alpha) }

// Mul sets dst = a ⊙ b.
func Mul(dst, a, b []float32) {
	same("Mul", len(dst), len(a))
	same("Mul", len(dst), len(b))
	mul(dst, a, b)
}

// MulTo adds a ⊙ b to dst.
func MulTo(dst, a, b []float32) {
	same("MulTo", len(dst), len(a))
	same("MulTo", len(dst), len(b))
	mulTo(dst, a, b)
}

// MaxTo sets dst = max(dst, a); NaN of either stays.
func MaxTo(dst, a []float32) {
	same("MaxTo", len(dst), len(a))
	maxTo(dst, a)
}

// MaxGrad adds dy to dx where x is the maximum y and given is 0, and makes given 1 there.
func MaxGrad(dx, given, x, y, dy []float32) {
	same("MaxGrad", len(dx), len(given))
	same("MaxGrad", len(dx), len(x))
	same("MaxGrad", len(dx), len(y))
	same("MaxGrad", len(dx), len(dy))
	maxGrad(dx, given, x, y, dy)
}

// Lerp moves dst towards src: dst += t·(src − dst). With t = 1 − decay it is an exponential moving average.
func Lerp(dst, src []float32, t float32) {
	same("Lerp", len(dst), len(src))
	lerp(dst, src, t)
}

// Dot returns Σ x·y.
func Dot(x, y []float32) float32 {
	same("Dot", len(x), len(y))
	return dot(x, y)
}

// Sum returns Σ x.
func Sum(x []float32) float32 { return sum(x) }

// SumSq returns Σ x².
func SumSq(x []float32) float32 { return sumSq(x) }

// Max returns the largest element. NaN elements are passed over; a slice without any number gives −Inf.
func Max(x []float32) float32 { return maxOf(x) }

// MaxAbs returns the largest |x|. NaN elements are passed over; a slice without any number gives 0.
func MaxAbs(x []float32) float32 { return maxAbs(x) }

// IsFinite reports whether x holds neither NaN nor ±Inf.
func IsFinite(x []float32) bool { return sumZero(x) == 0 }

// LogSumExp returns log Σ exp(x) without overflow. An empty slice gives −Inf.
func LogSumExp(x []float32) float32 {
	m := maxOf(x)
	if math.IsInf(float64(m), 0) { // all −Inf, all NaN, or a +Inf that would become Inf − Inf
		for _, v := range x {
			if v != v {
				return v
			}
		}
		return m
	}
	return m + float32(math.Log(float64(sumExp(x, m))))
}

func addGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func addToGeneric(dst, a []float32) {
	for i := range dst {
		dst[i] += a[i]
	}
}

func axpyGeneric(alpha float32, x, y []float32) {
	for i := range y {
		y[i] += alpha * x[i]
	}
}

func scaleGeneric(dst []float32, alpha float32) {
	for i := range dst {
		dst[i] *= alpha
	}
}

func mulGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// mulToGeneric rounds once, as the fused instruction does: a product of two floats is exact in double precision.
func mulToGeneric(dst, a, b []float32) {
	for i := range dst {
		dst[i] = float32(float64(dst[i]) + float64(a[i])*float64(b[i]))
	}
}

func maxToGeneric(dst, a []float32) {
	for i, v := range a {
		if v > dst[i] || v != v {
			dst[i] = v
		}
	}
}

func maxGradGeneric(dx, given, x, y, dy []float32) {
	for i, v := range x {
		if v == y[i] {
			if given[i] == 0 {
				dx[i] += dy[i]
			}
			given[i] = 1
		}
	}
}

func lerpGeneric(dst, src []float32, t float32) {
	for i := range dst {
		dst[i] += t * (src[i] - dst[i])
	}
}

// dotGeneric keeps four sums, for speed and because pairwise sums round less.
func dotGeneric(x, y []float32) float32 {
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func sumGeneric(x []float32) float32 {
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a := x[i : i+4 : i+4]
		s0 += a[0]
		s1 += a[1]
		s2 += a[2]
		s3 += a[3]
	}
	for ; i < len(x); i++ {
		s0 += x[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func sumSqGeneric(x []float32) float32 { return dotGeneric(x, x) }

func maxOfGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

func maxAbsGeneric(x []float32) float32 {
	var m float32
	for _, v := range x {
		if v = abs(v); v > m {
			m = v
		}
	}
	return m
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

// sumZeroGeneric returns Σ 0·x: zero when every element is finite, else NaN.
func sumZeroGeneric(x []float32) float32 {
	var s float32
	for _, v := range x {
		s += 0 * v
	}
	return s
}

// sumExpGeneric returns Σ exp(x − m).
func sumExpGeneric(x []float32, m float32) float32 {
	var s float32
	for _, v := range x {
		s += expf(v - m)
	}
	return s
}
