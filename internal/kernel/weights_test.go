package kernel

import (
	"math"
	"testing"
)

// TestPanels: bfloat16 and bytes lie as the tiles of AVX-512 read them, on any machine: element [unit, column] holds a group of neighbours of
// the column's row, the first one lowest, and zeros where the row has ended.
func TestPanels(t *testing.T) {
	for _, k := range []int{1, 2, 3, 5, 64, 577, 1030} {
		const n, nr = 37, 32
		half, bytes := make([]uint16, n*k), make([]int8, n*k)
		for i := range half {
			half[i], bytes[i] = uint16(3*i+1), int8(7*i+1)
		}
		for _, c := range []struct {
			name  string
			w     weights
			group int
			at    func(i int) uint32
		}{
			{"bfloat16", weights{half: half}, 2, func(i int) uint32 { return uint32(half[i]) }},
			{"bytes", weights{bytes: bytes}, 4, func(i int) uint32 { return uint32(uint8(bytes[i])) }},
		} {
			s := tileShape{nr: nr, group: c.group}
			units, bits := ceilDiv(k, c.group), 32/c.group
			var scratch []float32
			for _, part := range [][2]int{{0, units}, {units / 3, units - units/3}} { // first unit, number
				dst := make([]float32, part[1]*nr)
				for c0 := 0; c0 < n; c0 += nr {
					for i := range dst {
						dst[i] = float32(math.NaN()) // must be overwritten
					}
					c1 := min(c0+nr, n)
					c.w.panel(dst, &s, k, part[0], part[1], c0, c1, &scratch)
					for u := range part[1] {
						for col := c0; col < c1; col++ {
							want := uint32(0)
							for g := range c.group {
								if i := (part[0]+u)*c.group + g; i < k {
									want |= c.at(col*k+i) << (g * bits)
								}
							}
							if got := math.Float32bits(dst[u*nr+col-c0]); got != want {
								t.Fatalf("%s, k %d, units from %d: [%d, %d] is %#x, want %#x", c.name, k, part[0], u, col, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// TestNothingToMultiply: a product without rows leaves nothing behind for the next one.
func TestNothingToMultiply(t *testing.T) {
	w := NewWork(nil)
	q, scale := []int8{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 1}
	GemmInt8(w, Mat{Cols: 2, RS: 2, CS: 1}, Mat{Cols: 4, RS: 4, CS: 1}, q, scale, ShiftInt8(q, scale, 4), Epilogue{})
	GemmBF16(w, Mat{Cols: 2, RS: 2, CS: 1}, Mat{Cols: 4, RS: 4, CS: 1}, make([]uint16, 8), Epilogue{})
	got := []float32{0}
	Gemm(w, M(got, 1, 1), M([]float32{1.0001, 2}, 1, 2), M([]float32{3, 4}, 2, 1), Epilogue{})
	if want := float32(1.0001*3 + 8); abs(got[0]-want) > 1e-5 {
		t.Errorf("after products of no rows, 1.0001·3 + 2·4 is %v", got[0])
	}
}
