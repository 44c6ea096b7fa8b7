package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// trained are bfloat16 as trained weights are: normal, each row with a spread of its own, and here and there a tiny one, a zero and one
// below the least normal number.
func trained(n, k int, seed uint64) []uint16 {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := make([]uint16, n*k)
	for o := range n {
		spread := math.Ldexp(.02, rng.IntN(9)-4)
		row := make([]float32, k)
		for i := range row {
			row[i] = float32(rng.NormFloat64() * spread)
		}
		ToBF16(w[o*k:(o+1)*k], row)
	}
	for range n * k / (2 * bf12Aside) {
		at := rng.IntN(len(w))
		w[at] = []uint16{w[at]&0x807f | uint16(1+rng.IntN(90))<<7, 0, 0x8000, 0x8003}[rng.IntN(4)]
	}
	return w
}

// TestBF12: weights in 12 bits give the products that they give in 16, for every number of rows, a pool and several widths, and leave
// what lies between rows of y alone.
func TestBF12(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		one, two := NewWork(nil), NewWork(pool)
		if !hasBF12() {
			if PackBF12(one, trained(2, 64, 1), 2, 64) != nil {
				t.Error("packed where nothing is gained")
			}
			t.Skip("weights stay in 16 bits without AVX-512")
		}
		for _, k := range []int{64, 128, 192, 576} {
			for _, n := range []int{1, 2, 37, 300} {
				w := trained(n, k, uint64(n+k))
				b := PackBF12(two, w, n, k)
				if b == nil {
					t.Fatalf("%d×%d: not packed", n, k)
				}
				if n*k > 10*bf12Aside && len(b.aside) == 0 {
					t.Fatalf("%d×%d: nothing stands aside", n, k)
				}
				for m := 1; m <= 9; m++ {
					x, bias := noise(m*(k+3), 1, 7), noise(n, 1, 8)
					y, check := guarded(t, make([]float32, m*(n+2)), k%16)
					for i := range y {
						y[i] = sentinel
					}
					r := Rows{N: n, K: k, BF12: b}
					MulRows(one, Mat{y, m, n, n + 2, 1}, Mat{x, m, k, k + 3, 1}, r, bias)
					check()
					again := make([]float32, len(y))
					MulRows(two, Mat{again, m, n, n + 2, 1}, Mat{x, m, k, k + 3, 1}, r, bias)
					for i := range m {
						for j := range n {
							want, size := float64(bias[j]), math.Abs(float64(bias[j]))
							for l := range k {
								p := float64(x[i*(k+3)+l]) * float64(fromBF16One(w[j*k+l]))
								want, size = want+p, size+math.Abs(p)
							}
							got := y[i*(n+2)+j]
							if !(math.Abs(float64(got)-want) <= 1e-6*size) {
								t.Fatalf("%d×%d×%d: element %d, %d is %g, want %g", m, n, k, i, j, got, want)
							}
							if again[i*(n+2)+j] != got {
								t.Fatalf("%d×%d×%d: a pool changes the result", m, n, k)
							}
						}
						if i < m-1 && math.Float32bits(y[i*(n+2)+n]) != math.Float32bits(sentinel) {
							t.Fatalf("%d×%d×%d: wrote between rows", m, n, k)
						}
					}
				}
			}
		}
		x, y, b := noise(576, 1, 4), make([]float32, 700), PackBF12(one, trained(700, 576, 3), 700, 576)
		if n := testing.AllocsPerRun(10, func() { MulRows(two, M(y, 1, 700), M(x, 1, 576), Rows{N: 700, K: 576, BF12: b}, nil) }); n != 0 {
			t.Errorf("%g allocations", n)
		}
	})
}

// TestBF12Exact: every number comes back bit for bit: a row of x with a single 1 reads a column.
func TestBF12Exact(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		if !hasBF12() {
			t.Skip("weights stay in 16 bits without AVX-512")
		}
		const k = 64
		w := make([]uint16, 0, 254*k)
		for top := 16; top < 255; top++ { // rows whose largest exponents are all that there are, each with all that stay with it
			for l := range k {
				w = append(w, uint16(l&1)<<15|uint16(top-(l>>1)%bf12Window)<<7|uint16(l*2+top)&127)
			}
		}
		n := len(w) / k
		b := PackBF12(NewWork(nil), w, n, k)
		if b == nil || len(b.aside) > 0 {
			t.Fatal("not packed, or something stands aside")
		}
		for l := range k {
			x, y := make([]float32, k), make([]float32, n)
			x[l] = 1
			MulRows(NewWork(nil), M(y, 1, n), M(x, 1, k), Rows{N: n, K: k, BF12: b}, nil)
			for o, got := range y {
				if want := fromBF16One(w[o*k+l]); got != want {
					t.Fatalf("row %d, element %d: %g, want %g", o, l, got, want)
				}
			}
		}
	})
}

// TestPackBF12: packing is the same bytes as in Go, and refuses what does not fit.
func TestPackBF12(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for k := bf12Chunk; k <= 5*bf12Chunk; k += bf12Chunk {
			w := trained(1, k, uint64(k))
			if got, want := topBF16(w), topBF16Generic(w); got != want {
				t.Fatalf("largest exponent %d, want %d", got, want)
			}
			for base := range 256 {
				got, want := make([]byte, k/bf12Chunk*bf12Bytes+1), make([]byte, k/bf12Chunk*bf12Bytes)
				for i, v := range w { // 16 exponents from base on, and less
					w[i] = v&0x807f | uint16(max(min(base+i%17-1, 255), 0))<<7
				}
				got[len(want)] = 77
				a, b := packBF12(got[:len(want)], w, base), packBF12Generic(want, w, base)
				if a != b || !slices.Equal(got[:len(want)], want) || got[len(want)] != 77 {
					t.Fatalf("%d elements, base %d: least %d, want %d; or other bytes", k, base, a, b)
				}
			}
		}
		if !hasBF12() {
			return
		}
		work := NewWork(nil)
		for name, spoil := range map[string]func(w []uint16){
			"infinity": func(w []uint16) { w[100] = 0x7f80 },
			"NaN":      func(w []uint16) { w[100] = 0xffc0 },
			"zeros":    func(w []uint16) { clear(w[64:]) },
		} {
			w := trained(4, 64, 1)
			if PackBF12(work, w, 4, 64) == nil {
				t.Error("not packed")
			}
			if spoil(w); PackBF12(work, w, 4, 64) != nil {
				t.Errorf("packed with %s", name)
			}
		}
		if PackBF12(work, make([]uint16, 4*65), 4, 65) != nil || PackBF12(work, nil, 0, 64) != nil {
			t.Error("packed rows of 65, or none")
		}
	})
}

// BenchmarkBF12 reads weights that no cache holds, in 16 and in 12 bits; MB/s counts 16 both times. And what packing takes.
func BenchmarkBF12(b *testing.B) {
	const n, k = 160 << 10, 576
	w := make([]uint16, n*k)
	ToBF16(w, noise(n*k, .02, 1))
	for _, threads := range []int{1, 2} {
		pool := NewPool(threads)
		work := NewWork(pool)
		packed := PackBF12(work, w, n, k)
		if packed == nil {
			b.Skip("weights stay in 16 bits without AVX-512")
		}
		for _, m := range []int{1, 2, 3, 4, 8} {
			x, y := noise(m*k, 1, 2), make([]float32, m*n)
			for name, r := range map[string]Rows{"16": {N: n, K: k, BF16: w}, "12": {N: n, K: k, BF12: packed}} {
				b.Run(fmt.Sprintf("bits=%s/rows=%d/threads=%d", name, m, threads), func(b *testing.B) {
					b.SetBytes(2 * n * k)
					for b.Loop() {
						MulRows(work, M(y, m, n), M(x, m, k), r, nil)
					}
				})
			}
		}
		b.Run(fmt.Sprintf("pack/threads=%d", threads), func(b *testing.B) {
			b.SetBytes(2 * n * k)
			for b.Loop() {
				PackBF12(work, w, n, k)
			}
		})
		pool.Close()
	}
}
