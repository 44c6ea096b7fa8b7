package kernel

import (
	"math"
	"testing"

	"fovea/internal/cpu"
)

// TestRoundBF16: whatever the layout of its operands, a product under RoundBF16 is that of the rounded matrices.
func TestRoundBF16(t *testing.T) {
	round := func(m Mat) Mat {
		out := M(make([]float32, m.Rows*m.Cols), m.Rows, m.Cols)
		for i := range m.Rows {
			for j := range m.Cols {
				var h [1]uint16
				ToBF16(h[:], []float32{m.Data[i*m.RS+j*m.CS]})
				FromBF16(out.Data[i*m.Cols+j:][:1], h[:])
			}
		}
		return out
	}
	for _, impl := range cpu.Impls("kernel") {
		t.Run(impl, func(t *testing.T) {
			defer cpu.Select("kernel", impl)()
			plain, rounding := NewWork(nil), NewWork(nil)
			rounding.RoundBF16()
			for la := range layouts {
				for lb := range layouts {
					for _, s := range [][3]int{{1, 1, 1}, {3, 17, 5}, {20, 33, 48}, {64, 40, 19}} {
						a, b := random(la, s[0], s[2], 1), random(lb, s[2], s[1], 2)
						got, want, exact := M(make([]float32, s[0]*s[1]), s[0], s[1]), M(make([]float32, s[0]*s[1]), s[0], s[1]), M(make([]float32, s[0]*s[1]), s[0], s[1])
						Gemm(rounding, got, a, b, Epilogue{})
						Gemm(plain, want, round(a), round(b), Epilogue{})
						Gemm(plain, exact, a, b, Epilogue{})
						same := true
						for i, v := range got.Data {
							if math.Abs(float64(v-want.Data[i])) > 1e-5 {
								t.Fatalf("%s × %s, %v: element %d is %g, want %g", layouts[la].name, layouts[lb].name, s, i, v, want.Data[i])
							}
							same = same && v == exact.Data[i]
						}
						if same && len(got.Data) > 1 {
							t.Errorf("%v: nothing was rounded", s)
						}
					}
				}
			}
		})
	}
}
