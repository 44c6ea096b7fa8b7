package kernel

import (
	"math"
	"testing"
)

// TestDepthRow compares a line of a depthwise convolution and its gradients with sums of float64, for channels that fill registers
// and that do not, strides, places that overlap and that do not, odd offsets, and numbers that are none.
func TestDepthRow(t *testing.T) {
	channels := append([]int{240, 672, 1000}, rowLengths[:20]...)
	eachImpl(t, func(t *testing.T) {
		for at, c := range channels {
			for _, k := range []int{1, 3, 4, 5} {
				n, step := 1+at%7, c*(1+at%2)
				far := (n-1)*step + k*c
				x, checkX := guarded(t, noise(far, 1, 1), 3)
				y, checkY := guarded(t, noise(n*c, 1, 2), 1)
				w, checkW := guarded(t, noise(k*c, 1, 3), 5)
				if c == 9 {
					x[0], x[far-1], y[4] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
				}
				// check adds products to what to holds, and bounds the error by what their sizes add up to.
				check := func(what string, to, a, b []float32, at func(x, y, w int) (to, a, b int), run func()) {
					t.Helper()
					want, size := make([]float64, len(to)), make([]float64, len(to))
					for i, v := range to {
						want[i], size[i] = float64(v), math.Abs(float64(v))
					}
					for i := range n {
						for j := range k {
							for ch := range c {
								o, l, r := at(i*step+j*c+ch, i*c+ch, j*c+ch)
								p := float64(a[l]) * float64(b[r])
								want[o] += p
								size[o] += math.Abs(p)
							}
						}
					}
					run()
					for i, v := range want {
						g := float64(to[i])
						if d := math.Abs(g - v); !(d <= 1e-6*size[i] || g == v || math.IsNaN(g) && math.IsNaN(v)) {
							t.Fatalf("%s, %d channels, %d taps: element %d is %g, want %g", what, c, k, i, g, v)
						}
					}
				}
				check("DepthRow", y, x, w, func(x, y, w int) (int, int, int) { return y, x, w }, func() { DepthRow(y, x, w, k, n, c, step) })
				check("DepthRowSpread", x, y, w, func(x, y, w int) (int, int, int) { return x, y, w }, func() { DepthRowSpread(x, y, w, k, n, c, step) })
				check("DepthRowGrad", w, x, y, func(x, y, w int) (int, int, int) { return w, x, y }, func() { DepthRowGrad(w, x, y, k, n, c, step) })
				for _, inside := range []func(){checkX, checkY, checkW} {
					inside()
				}
			}
		}
		DepthRow(nil, nil, nil, 3, 0, 0, 0)
	})
	defer func() {
		if recover() == nil {
			t.Error("a line that is too short is taken")
		}
	}()
	DepthRow(make([]float32, 8), make([]float32, 15), make([]float32, 12), 3, 2, 4, 4)
}
