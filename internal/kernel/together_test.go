package kernel

import (
	"fmt"
	"testing"
)

// Products done together are those done one by one, whatever the formats and however many threads; and a steady run of them
// allocates nothing.
func TestMulTogether(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		for _, k := range []int{1, 31, 64, 576, 1000} {
			for _, rows := range []int{1, 3, 8} {
				x := M(noise(rows*k, 1, 1), rows, k)
				for _, w := range []*Work{NewWork(nil), NewWork(pool)} {
					alone := NewWork(nil)
					var products []Product
					var want []Mat
					for i, n := range []int{7, 192, 0, 333} {
						f, bias := noise(n*k, 1, uint64(i)), noise(n, 1, 9)
						if i == 1 {
							bias = nil
						}
						bytes, scale, four := make([]int8, n*k, n*k+Pad), make([]float32, n), NewInt4(n, k)
						half := make([]uint16, n*k)
						ToBF16(half, f)
						for r := range n {
							scale[r] = RoundInt8(bytes[r*k:(r+1)*k], f[r*k:(r+1)*k])
							four.SetRow(r, f[r*k:(r+1)*k])
						}
						add := func(p Product, one func(y Mat)) {
							p.Y, p.Bias = M(noise(rows*n, 1, 5), rows, n), bias
							y := M(noise(rows*n, 1, 6), rows, n)
							one(y)
							products, want = append(products, p), append(want, y)
						}
						for _, r := range []Rows{{N: n, K: k, F32: f}, {N: n, K: k, BF16: half}, {N: n, K: k, F16: half}} {
							add(Product{Rows: r}, func(y Mat) { MulRows(alone, y, x, r, bias) })
						}
						add(Product{Int8: bytes, Scale: scale}, func(y Mat) { MulInt8(alone, y, x, bytes, scale, bias) })
						add(Product{Int4: four}, func(y Mat) { MulInt4(alone, y, x, four, bias) })
					}
					MulTogether(w, x, products)
					for i, p := range products {
						alike(t, fmt.Sprintf("%d rows of %d, product %d", rows, k, i), want[i].Data, p.Y.Data)
					}
					if n := testing.AllocsPerRun(3, func() { MulTogether(w, x, products) }); n != 0 {
						t.Fatalf("%g allocations", n)
					}
				}
			}
		}
	})
}
