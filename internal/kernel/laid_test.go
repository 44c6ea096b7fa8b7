package kernel

import (
	"math/rand/v2"
	"testing"

	"fovea/internal/cpu"
)

// TestLay: a right-hand side that was laid out, in either slot, in memory that held another one before, gives what Gemm gives by it as it
// is, by every implementation, in float32 and rounded to bfloat16, by columns and by rows; laying out anew allocates nothing.
func TestLay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(rows, cols int) Mat {
		m := M(make([]float32, rows*cols), rows, cols)
		for i := range m.Data {
			m.Data[i] = rng.Float32() - .5
		}
		return m
	}
	for _, impl := range cpu.Impls("kernel") {
		restore := cpu.Select("kernel", impl)
		for _, rounded := range []bool{false, true} {
			w := NewWork(nil)
			if rounded {
				w.RoundBF16()
			}
			for i, c := range [][3]int{{70, 90, 200}, {1, 1, 1}, {33, 700, 31}, {40, 1601, 40}, {5, 17, 1600}} {
				m, k, n := c[0], c[1], c[2]
				a, b := random(m, k), random(k, n)
				if i%2 == 1 {
					b = random(n, k).T()
				}
				want, got := M(make([]float32, m*n), m, n), M(make([]float32, m*n), m, n)
				Gemm(w, want, a, b, Epilogue{})
				GemmPacked(w, got, a, w.Lay(i%2, b), Epilogue{})
				for j, v := range want.Data {
					if d := got.Data[j] - v; d > 1e-4 || d < -1e-4 {
						t.Fatalf("%s, rounded %v, %v: [%d] is %g, Gemm says %g", impl, rounded, c, j, got.Data[j], v)
					}
				}
				if n := testing.AllocsPerRun(3, func() { w.Lay(i%2, b) }); n > 0 {
					t.Errorf("%s, rounded %v, %v: %g allocations", impl, rounded, c, n)
				}
			}
		}
		restore()
	}
}
