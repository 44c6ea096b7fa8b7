package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"fovea/internal/memory"
)

// quantRow is a quantised row in memory of its own.
func quantRow(k int) []int8 {
	return memory.Make[int8](2*k + k/8 + quantBlock)
}

// TestQuantize: every implementation rounds to the same bytes, scales and sums, and none is further from x than half a step.
func TestQuantize(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for k := quantBlock; k <= 10*quantBlock; k += quantBlock {
			x := noise(k, 3, uint64(k))
			clear(x[:quantGroup]) // a group of nothing
			got, want := quantRow(k), quantRow(k)
			for i := range got {
				got[i] = 99
			}
			copy(want, got)
			quantize(got, x)
			quantizeGeneric(want, x, k)
			if !slices.Equal(got[:2*k+k/8], want[:2*k+k/8]) || !slices.Equal(got[2*k+k/8+4:], want[2*k+k/8+4:]) {
				t.Fatalf("%d numbers: rounded otherwise", k)
			}
			if a, b := *sumOf(got, k), *sumOf(want, k); !(math.Abs(float64(a-b)) <= 1e-4*float64(k)) {
				t.Fatalf("%d numbers: sum %g, want %g", k, a, b)
			}
			for i, v := range x {
				s := lanesOf(got, k)[i/4]
				if d := abs(float32(got[i])*s - v); !(d <= .5001*s) {
					t.Fatalf("number %d is %g, want %g ± %g", i, float32(got[i])*s, v, s/2)
				}
			}
		}
	})
}

// TestRoundInt8: the same bytes everywhere, for every length and offset, within half a step.
func TestRoundInt8(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for n := range 200 {
			x := noise(n, 2, uint64(n))
			buf := make([]int8, n+2)
			buf[0], buf[n+1] = 55, 66
			got, want := buf[1:n+1], make([]int8, n)
			scale := RoundInt8(got, x)
			if n > 0 {
				roundInt8Generic(want, x, 127/MaxAbs(x))
			}
			if !slices.Equal(got, want) || buf[0] != 55 || buf[n+1] != 66 {
				t.Fatalf("%d numbers: %d, want %d", n, got, want)
			}
			for i, v := range x {
				if d := abs(float32(got[i])*scale - v); !(d <= .5001*scale) {
					t.Fatalf("number %d is %g, want %g", i, float32(got[i])*scale, v)
				}
			}
		}
		for _, x := range [][]float32{{0, 0}, {1e-42, 0}, {float32(math.Inf(1)), 1}} {
			got := []int8{1, 2}
			if s := RoundInt8(got, x); s != 0 || got[0] != 0 || got[1] != 0 {
				t.Errorf("%g became %d times %g", x, got, s)
			}
		}
	})
}

// quantProduct is a product by weights of 8 or 4 bits, and the weights as float32.
type quantProduct struct {
	n, k int
	wide []float32
	mul  func(w *Work, y, x Mat, bias []float32)
}

func quantProducts(n, k int, seed uint64) map[string]quantProduct {
	w := noise(n*k, 1, seed)
	eight, scale, wide8 := make([]int8, n*k+Pad), make([]float32, n), make([]float32, n*k)
	for i := range eight {
		eight[i] = 77 // the padding must not count
	}
	four, wide4 := NewInt4(n, k), make([]float32, n*k)
	for i := range n {
		scale[i] = float32(i+1) / 127
		for j, v := range w[i*k : (i+1)*k] {
			eight[i*k+j] = int8(min(max(v*40, -127), 127))
			wide8[i*k+j] = float32(eight[i*k+j]) * scale[i]
		}
		four.SetRow(i, w[i*k:(i+1)*k])
		four.Row(wide4[i*k:(i+1)*k], i)
	}
	return map[string]quantProduct{
		"int8": {n, k, wide8, func(w *Work, y, x Mat, bias []float32) { MulInt8(w, y, x, eight[:n*k], scale, bias) }},
		"int4": {n, k, wide4, func(w *Work, y, x Mat, bias []float32) { MulInt4(w, y, x, four, bias) }},
	}
}

// TestMulQuantized: products are those of the rounded x and weights in double precision, for every tail, and near those of x
// itself.
func TestMulQuantized(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		one, two := NewWork(nil), NewWork(pool)
		for k := 0; k <= 200; k += 1 + k/70*6 {
			for _, n := range []int{1, 16, 17, 50} {
				for name, p := range quantProducts(n, k, uint64(k+1)) {
					m := 1 + (k+n)%11
					x, bias := noise(m*(k+3), 1, 7), noise(n, 1, 8)
					y, check := guarded(t, make([]float32, m*(n+2)), k%16)
					for i := range y {
						y[i] = sentinel
					}
					p.mul(one, Mat{y, m, n, n + 2, 1}, Mat{x, m, k, k + 3, 1}, bias)
					check()
					for i := range m {
						whole := ceilDiv(k, quantBlock) * quantBlock
						row := quantRow(whole)
						quantizeGeneric(row, x[i*(k+3):i*(k+3)+k], whole)
						for j := range n {
							want, exact, size, square := float64(bias[j]), float64(bias[j]), 1., 0.
							for l := range k {
								w := float64(p.wide[j*k+l])
								v := float64(row[l]) * float64(lanesOf(row, whole)[l/4]) * w
								want, size = want+v, size+math.Abs(v)
								exact, square = exact+float64(x[i*(k+3)+l])*w, square+w*w
							}
							got := float64(y[i*(n+2)+j])
							if !(math.Abs(got-want) <= 4e-6*size) { // plus 128: sums of both signs are larger than their difference
								t.Fatalf("%s, %d×%d×%d: element %d, %d is %g, want %g", name, m, n, k, i, j, got, want)
							}
							if !(math.Abs(got-exact) <= 1e-4+.05*math.Sqrt(square)) {
								t.Fatalf("%s, %d×%d×%d: element %d, %d is %g, want about %g", name, m, n, k, i, j, got, exact)
							}
						}
						if i < m-1 && math.Float32bits(y[i*(n+2)+n]) != math.Float32bits(sentinel) {
							t.Fatalf("%s, %d×%d×%d: wrote between rows", name, m, n, k)
						}
					}
				}
			}
		}
		for name, p := range quantProducts(700, 192, 3) {
			for _, m := range []int{1, 3, 4, 5, 40} {
				x, a, b := noise(m*192, 1, 4), make([]float32, m*700), make([]float32, m*700)
				p.mul(one, M(a, m, 700), M(x, m, 192), nil)
				p.mul(two, M(b, m, 700), M(x, m, 192), nil)
				if !slices.Equal(a, b) {
					t.Errorf("%s, %d rows: a pool changes the result", name, m)
				}
			}
			x, y := noise(192, 1, 4), make([]float32, 700)
			if n := testing.AllocsPerRun(10, func() { p.mul(two, M(y, 1, 700), M(x, 1, 192), nil) }); n != 0 {
				t.Errorf("%s: %g allocations", name, n)
			}
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				for _, at := range []int{0, 31, 32, 191} {
					x := noise(2*192, 1, 4)
					x[at] = float32(bad)
					y := make([]float32, 2*700)
					p.mul(one, M(y, 2, 700), M(x, 2, 192), nil)
					for i, v := range y {
						if (v == v) != (i >= 700) {
							t.Fatalf("%s, %g at %d: element %d is %g", name, bad, at, i, v)
						}
					}
				}
			}
		}
	})
}

// TestInt4: a weight is within half a step of its group, but for the largest of the other sign, which is cut off within one.
func TestInt4(t *testing.T) {
	const n, k = 20, 100
	w, q, row := noise(n*k, .05, 1), NewInt4(n, k), make([]float32, k)
	for i := range n {
		q.SetRow(i, w[i*k:(i+1)*k])
		q.Row(row, i)
		for j, v := range row {
			g := w[i*k+j/quantGroup*quantGroup : min(i*k+(j/quantGroup+1)*quantGroup, (i+1)*k)]
			if step := MaxAbs(g) / 8; !(abs(v-w[i*k+j]) <= 1.01*step) || abs(w[i*k+j]) < 6*step && !(abs(v-w[i*k+j]) <= .505*step) {
				t.Fatalf("weight %d of row %d is %g, want %g, step %g", j, i, v, w[i*k+j], step)
			}
		}
	}
	if got, most := q.Bytes(), 32*128*9/16; got > most {
		t.Errorf("%d bytes, at most %d", got, most)
	}
}

// TestFloatToHalf: every binary16 comes back, and what lies between two goes to the nearer, or the even one.
func TestFloatToHalf(t *testing.T) {
	for i := range 0x7c00 {
		h := uint16(i)
		if got := floatToHalf(Float16(h)); got != h {
			t.Fatalf("%04x became %04x", h, got)
		}
		if got := floatToHalf(-Float16(h)); got != h|0x8000 {
			t.Fatalf("-%04x became %04x", h, got)
		}
		if i+1 == 0x7c00 {
			break
		}
		a, b := Float16(h), Float16(h+1)
		if got := floatToHalf((a + b) / 2); got != h+h&1 {
			t.Fatalf("between %04x and the next: %04x", h, got)
		}
		if got := floatToHalf(math.Nextafter32((a+b)/2, b)); got != h+1 {
			t.Fatalf("nearer to the one after %04x: %04x", h, got)
		}
	}
	for f, want := range map[float64]uint16{65519: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, math.Inf(-1): 0xfc00} {
		if got := floatToHalf(float32(f)); got != want {
			t.Errorf("%g became %04x, want %04x", f, got, want)
		}
	}
	if got := floatToHalf(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("NaN became %04x", got)
	}
}

// BenchmarkMulQuantized streams weights that no cache holds; MB/s is what memory gives.
func BenchmarkMulQuantized(b *testing.B) {
	const n, k = 32 << 10, 2048
	eight, scale, four := make([]int8, n*k+Pad), make([]float32, n), NewInt4(n, k)
	for i := range eight { // pages of nothing would all be the same one
		eight[i] = int8(i % 127)
	}
	for i := range four.data {
		four.data[i] = byte(i % 50)
	}
	for _, threads := range []int{1, 2} {
		pool := NewPool(threads)
		w := NewWork(pool)
		for _, m := range []int{1, 2, 4, 8, 64} {
			x, y := noise(m*k, 1, 2), make([]float32, m*n)
			b.Run(fmt.Sprintf("int8/rows=%d/threads=%d", m, threads), func(b *testing.B) {
				b.SetBytes(n * k)
				for b.Loop() {
					MulInt8(w, M(y, m, n), M(x, m, k), eight[:n*k], scale, nil)
				}
				b.ReportMetric(float64(b.N)*2*float64(m)*n*k/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
			b.Run(fmt.Sprintf("int4/rows=%d/threads=%d", m, threads), func(b *testing.B) {
				b.SetBytes(int64(four.Bytes()))
				for b.Loop() {
					MulInt4(w, M(y, m, n), M(x, m, k), four, nil)
				}
				b.ReportMetric(float64(b.N)*2*float64(m)*n*k/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
		pool.Close()
	}
}
