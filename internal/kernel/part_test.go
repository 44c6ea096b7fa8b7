package kernel

import "testing"

// TestGemmPart: a product by a part of a packed matrix is, number for number, that by the packed part, with float32 and bfloat16; what
// begins where a panel or a group of factors does not, is refused, and so is what is larger than the matrix.
func TestGemmPart(t *testing.T) {
	const m, k, n = 37, 320, 200
	a := M(noise(m*k, 1, 1), m, k)
	b := M(noise(n*k, 1, 2), n, k).T()
	half := make([]uint16, n*k)
	ToBF16(half, b.Data)
	eachBF16(t, func(t *testing.T) {
		w := NewWork(nil)
		for name, whole := range map[string]*Packed{"float32": Pack(b), "bfloat16": PackBF16(half, n, k)} {
			if whole.data == nil {
				continue // widened when used
			}
			for _, at := range [][4]int{{0, k, 0, n}, {0, 160, 96, 50}, {96, 224, 0, 64}, {256, 64, 192, 8}} {
				k0, rows, n0, cols := at[0], at[1], at[2], at[3]
				left, part := a.Slice(0, m, k0, k0+rows), b.Slice(k0, k0+rows, n0, n0+cols)
				right := Pack(part)
				if name == "bfloat16" {
					of := make([]uint16, 0, rows*cols)
					for j := n0; j < n0+cols; j++ {
						of = append(of, half[j*k+k0:][:rows]...)
					}
					right = PackBF16(of, cols, rows)
				}
				if !whole.Divides(k0, n0) {
					t.Logf("%s: no part begins at %d, %d", name, k0, n0)
					continue
				}
				start := noise(m*cols, 1, 3)
				got, check := guarded(t, start, 1)
				want := append([]float32(nil), start...)
				ep := Epilogue{Beta: 1, Bias: noise(cols, 1, 4)}
				GemmPart(w, M(got, m, cols), left, whole, k0, n0, ep)
				check()
				GemmPacked(w, M(want, m, cols), left, right, ep)
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%s, from %d, %d: c[%d, %d] = %g, want %g", name, k0, n0, i/cols, i%cols, got[i], want[i])
					}
				}
			}
			for _, at := range [][2]int{{k + 1, 0}, {0, 1}, {-16, 0}} {
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s: a part from %v is taken", name, at)
						}
					}()
					GemmPart(w, M(make([]float32, m*8), m, 8), a.Slice(0, m, 0, 16), whole, at[0], at[1], Epilogue{})
				}()
			}
		}
	})
}
