package kernel

import (
	"fmt"
	"math"
	"testing"
)

// Kernels by channels agree with the generic ones for any number of channels and rows, NaN and infinities included, and write nothing else.
func TestChannels(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for c := 1; c < 70; c++ {
			for _, n := range []int{1, 2, 5} {
				size := n * c
				for _, floor := range []float32{0, noFloor} {
					x, y, dy, res := noise(size, 1, 1), noise(size, 1, 2), noise(size, 1, 3), noise(size, 1, 4)
					a, b, k := noise(c, 1, 5), noise(c, 1, 6), noise(c, 1, 7)
					if c > 3 {
						x[c-1], dy[c-2], y[c-3], y[0] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0
					}
					type call func(out, second []float32)
					for name, f := range map[string][2]call{
						"moments": {func(s, q []float32) { channelMomentsGeneric(s[:c], q[:c], x, k, n, c) }, func(s, q []float32) { channelMoments(s[:c], q[:c], x, k, n, c) }},
						"affine":  {func(o, _ []float32) { channelAffineGeneric(o, x, a, b, n, c, floor) }, func(o, _ []float32) { channelAffine(o, x, a, b, n, c, floor) }},
						"affine, added": {func(o, _ []float32) { channelAffineAddGeneric(o, x, res, a, b, n, c, floor) },
							func(o, _ []float32) { channelAffineAdd(o, x, res, a, b, n, c, floor) }},
						"sums": {func(s, d []float32) { channelGradSumsGeneric(s[:c], d[:c], x, y, dy, a, n, c, floor) },
							func(s, d []float32) { channelGradSums(s[:c], d[:c], x, y, dy, a, n, c, floor) }},
						"gradient": {func(o, _ []float32) { channelGradGeneric(o, x, y, dy, a, b, k, n, c, floor) },
							func(o, _ []float32) { channelGrad(o, x, y, dy, a, b, k, n, c, floor) }},
						"gradient, added": {func(o, _ []float32) { channelGradAddGeneric(o, x, y, dy, a, b, k, n, c, floor) },
							func(o, _ []float32) { channelGradAdd(o, x, y, dy, a, b, k, n, c, floor) }},
						"above":        {func(o, _ []float32) { aboveGeneric(o, y, dy, floor) }, func(o, _ []float32) { above(o, y, dy, floor) }},
						"above, added": {func(o, _ []float32) { aboveAddGeneric(o, y, dy, floor) }, func(o, _ []float32) { aboveAdd(o, y, dy, floor) }},
					} {
						wantOut, wantSecond := noise(size, 1, 8), noise(size, 1, 9)
						out, intact := guarded(t, wantOut, c%5)
						second, intactToo := guarded(t, wantSecond, c%3)
						f[0](wantOut, wantSecond)
						f[1](out, second)
						intact()
						intactToo()
						alike(t, fmt.Sprintf("%s, %d rows of %d", name, n, c), wantOut, out)
						alike(t, fmt.Sprintf("%s, %d rows of %d, second result", name, n, c), wantSecond, second)
					}
				}
			}
		}
	})
}

// alike fails unless numbers agree up to rounding, and NaN with NaN.
func alike(t *testing.T, what string, want, got []float32) {
	t.Helper()
	for i, w := range want {
		g := got[i]
		if w != w && g != g || w == g || math.Abs(float64(w-g)) <= 2e-6*(4+math.Abs(float64(w))) {
			continue
		}
		t.Fatalf("%s: element %d is %g, want %g", what, i, g, w)
	}
}

// Windows of 2×2 and their gradients are the generic ones to the bit.
func TestPool2(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for c := 1; c < 70; c++ {
			for n := 1; n < 4; n++ {
				rs := 2*n*c + 3
				x := noise(2*rs, 1, 1)
				for i := range x {
					x[i] = float32(math.Round(float64(x[i]))) // equals
				}
				x[0] = float32(math.NaN())
				want := noise(n*c, 1, 2)
				y, intact := guarded(t, want, c%5)
				pool2Generic(want, x, rs, c, n)
				Pool2(y, x, rs, c, n)
				intact()
				alike(t, fmt.Sprintf("%d windows of %d", n, c), want, y)
				dy := noise(n*c, 1, 3)
				for _, add := range []bool{false, true} {
					want := noise(2*rs, 1, 4)
					got, intact := guarded(t, want, c%3)
					if add {
						pool2GradAddGeneric(want, x, y, dy, rs, c, n)
					} else {
						pool2GradGeneric(want, x, y, dy, rs, c, n)
					}
					Pool2Grad(got, x, y, dy, rs, c, n, add)
					intact()
					alike(t, fmt.Sprintf("gradient of %d windows of %d, added %t", n, c, add), want, got)
				}
			}
		}
	})
}

// Moments are right where sums of squares would cancel: far from zero, and where all rows but a few are the same.
func TestMoments(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for _, s := range []struct {
			rows, c int
			at, sd  float64
		}{{1, 3, 5, 1}, {7, 17, 0, 1}, {5000, 48, 1000, .1}, {20000, 5, -3, 2}, {300, 300, 1e-3, 1e-4}, {64, 16, 7, 0}} {
			x := noise(s.rows*s.c, s.sd, 1)
			for i := range x {
				x[i] += float32(s.at)
			}
			mean, variance := noise(s.c, 1, 2), noise(s.c, 1, 3)
			Moments(mean, variance, x, make([]float32, s.c))
			for j := range s.c {
				var m, v float64
				for i := j; i < len(x); i += s.c {
					m += float64(x[i]) / float64(s.rows)
				}
				for i := j; i < len(x); i += s.c {
					v += (float64(x[i]) - m) * (float64(x[i]) - m) / float64(s.rows)
				}
				if math.Abs(float64(mean[j])-m) > 1e-6*(math.Abs(m)+s.sd) || math.Abs(float64(variance[j])-v) > 1e-4*v {
					t.Fatalf("%v: column %d has mean %g and variance %g, want %g and %g", s, j, mean[j], variance[j], m, v)
				}
			}
		}
	})
}

func TestChannelsPanics(t *testing.T) {
	x := make([]float32, 12)
	for name, f := range map[string]func(){
		"rows":     func() { Affine(x, x, nil, x[:5], x[:5], false) },
		"shortcut": func() { Affine(x, x, x[:8], x[:4], x[:4], true) },
		"columns":  func() { AffineGrad(x, x, x, x, x[:4], x[:3], x[:4], true, true) },
		"moments":  func() { Moments(x[:4], x[:4], x, x[:3]) },
		"pool":     func() { Pool2(x[:3], x, 4, 2, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
