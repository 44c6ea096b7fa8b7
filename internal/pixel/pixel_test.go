package pixel

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"fovea/internal/cpu"
)

// each runs f under every implementation that the machine has.
func each(t *testing.T, f func(t *testing.T)) {
	for _, name := range cpu.Impls("pixel") {
		t.Run(name, func(t *testing.T) {
			defer cpu.Select("pixel", name)()
			f(t)
		})
	}
}

func noise(rng *rand.Rand, n int) []uint8 {
	p := make([]uint8, n)
	for i := range p {
		p[i] = uint8(rng.Uint32())
		if rng.IntN(4) == 0 {
			p[i] = uint8(-(rng.IntN(2))) // black and white try the limits
		}
	}
	return p
}

// agree fails unless two functions write the same n elements, and nothing beside them.
func agree[T uint8 | uint16](t *testing.T, what string, n int, f, generic func(dst []T)) {
	t.Helper()
	const margin = 70
	got, want := make([]T, n+2*margin), make([]T, n+2*margin)
	for i := range got {
		got[i], want[i] = T(i*7), T(i*7)
	}
	f(got[margin : margin+n : margin+n])
	generic(want[margin : margin+n : margin+n])
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: element %d of %d is %d, want %d", what, i-margin, n, got[i], want[i])
		}
	}
}

func TestIDCT(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for blocks := range 13 {
			for _, kind := range []string{"usual", "sparse", "wild"} {
				coef, quant := make([]int16, 64*blocks), new([64]int16)
				for i := range quant {
					quant[i] = int16(1 + rng.IntN(255))
					if kind == "wild" {
						quant[i] = int16(rng.Uint32())
					}
				}
				for i := range coef {
					switch {
					case kind == "wild":
						coef[i] = int16(rng.Uint32())
					case kind == "usual" || rng.IntN(20) == 0:
						coef[i] = int16(rng.IntN(61) - 30)
					}
				}
				stride := 8*blocks + rng.IntN(9)
				if blocks == 0 {
					IDCT(nil, stride, nil, quant)
					continue
				}
				agree(t, fmt.Sprintf("%s, %d blocks", kind, blocks), 7*stride+8*blocks,
					func(d []uint8) { IDCT(d, stride, coef, quant) }, func(d []uint8) { idctGeneric(d, stride, coef, quant) })
			}
		}
	})
}

// Lone coefficients have transforms that can be said in a line.
func TestIDCTFlat(t *testing.T) {
	each(t, func(t *testing.T) {
		for _, dc := range []int16{0, 8, -8, 1016, -1024, 2000, -2000} {
			coef := make([]int16, 256)
			for b := range 4 {
				coef[64*b] = dc
			}
			dst := make([]uint8, 8*32)
			IDCT(dst, 32, coef, &[64]int16{1})
			want := uint8(max(min(int(dc)/8+128, 255), 0))
			if i := slices.IndexFunc(dst, func(v uint8) bool { return v != want }); i >= 0 {
				t.Errorf("DC %d: pixel %d is %d, want %d", dc, i, dst[i], want)
			}
		}
	})
}

func TestRows(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(2, 1))
		for n := range 200 {
			y, cb, cr := noise(rng, n), noise(rng, n), noise(rng, n)
			agree(t, "RGBFromYCC", 3*n, func(d []uint8) { RGBFromYCC(d, y, cb, cr) }, func(d []uint8) { rgbFromYCCGeneric(d, y, cb, cr) })
			agree(t, "Columns", n, func(d []uint16) { Columns(d, y, cb) }, func(d []uint16) { columnsGeneric(d, y, cb) })
			sum := make([]uint16, n+2)
			for i := range sum {
				sum[i] = uint16(rng.IntN(1021))
			}
			for _, r := range [][2]uint16{{8, 7}, {4, 8}} {
				agree(t, "Stretch", 2*n, func(d []uint8) { Stretch(d, sum, r[0], r[1]) }, func(d []uint8) { stretchGeneric(d, sum, r[0], r[1]) })
			}
		}
	})
}

// Every colour there is.
func TestColors(t *testing.T) {
	each(t, func(t *testing.T) {
		y, cb, cr := make([]uint8, 256), make([]uint8, 256), make([]uint8, 256)
		got, want := make([]uint8, 768), make([]uint8, 768)
		for i := range y {
			y[i] = uint8(i)
		}
		for c := range 1 << 16 {
			for i := range cb {
				cb[i], cr[i] = uint8(c), uint8(c>>8)
			}
			RGBFromYCC(got, y, cb, cr)
			rgbFromYCCGeneric(want, y, cb, cr)
			if !bytes.Equal(got, want) {
				t.Fatalf("chroma %d, %d", cb[0], cr[0])
			}
		}
	})
}

func TestInterleave(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 1))
		for n := range 70 {
			stride := n + rng.IntN(5)
			src := noise(rng, 15*stride+n)
			agree(t, "Interleave", Rows*n, func(d []uint8) { Interleave(d, src, stride, n) }, func(d []uint8) { interleaveGeneric(d, src, stride, n) })
			mixed := noise(rng, Rows*n)
			agree(t, "Separate", 15*stride+n, func(d []uint8) { Separate(d, mixed, stride, n) }, func(d []uint8) { separateGeneric(d, mixed, stride, n) })
		}
	})
}

func TestAcross(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(4, 1))
		for n := range 40 {
			for _, c := range []int{1, 3, 4} {
				in := 1 + rng.IntN(50)
				taps := Taps{make([]int, n), make([]int, n), 1 + rng.IntN(20), nil}
				taps.K = weights(rng, n*taps.Size)
				for i := range n {
					taps.Count[i] = rng.IntN(min(taps.Size, in) + 1)
					taps.Start[i] = rng.IntN(in - taps.Count[i] + 1)
				}
				src := noise(rng, in*c*Rows)
				agree(t, fmt.Sprintf("%d outputs of %d samples", n, c), n*c*Rows,
					func(d []uint8) { Across(d, src, &taps, c) }, func(d []uint8) { acrossGeneric(d, src, &taps, c) })
			}
		}
	})
}

// weights are of the size that filters have.
func weights(rng *rand.Rand, n int) []int32 {
	k := make([]int32, n)
	for i := range k {
		k[i] = int32(rng.NormFloat64() * (1 << (Precision - 3)))
	}
	return k
}

func TestDown(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 1))
		for n := range 300 {
			k := weights(rng, rng.IntN(14))
			src := noise(rng, n*len(k)+rng.IntN(3))
			agree(t, fmt.Sprintf("%d taps", len(k)), n, func(d []uint8) { Down(d, src, k) }, func(d []uint8) { downGeneric(d, src, k) })
		}
	})
}

// What does not fit together must not reach the assembly.
func TestMistakesPanic(t *testing.T) {
	b := make([]uint8, 64)
	for name, f := range map[string]func(){
		"IDCT: stride":        func() { IDCT(b, 4, make([]int16, 64), new([64]int16)) },
		"IDCT: short":         func() { IDCT(b[:63], 8, make([]int16, 64), new([64]int16)) },
		"IDCT: half a block":  func() { IDCT(b, 8, make([]int16, 32), new([64]int16)) },
		"colours":             func() { RGBFromYCC(b[:12], b[:4], b[:4], b[:3]) },
		"columns":             func() { Columns(make([]uint16, 4), b[:4], b[:3]) },
		"stretch":             func() { Stretch(b[:4], make([]uint16, 3), 8, 7) },
		"interleave":          func() { Interleave(b[:16], b[:15], 1, 1) },
		"separate":            func() { Separate(b[:15], b[:16], 1, 1) },
		"across: beyond":      func() { Across(b[:16], b[:32], &Taps{[]int{2}, []int{1}, 1, []int32{1}}, 1) },
		"across: two samples": func() { Across(b[:32], b[:32], &Taps{[]int{0}, []int{1}, 1, []int32{1}}, 2) },
		"down":                func() { Down(b[:33], b, []int32{1, 2}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
