package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// rowsOf are weights in each number format that MulRows reads, and the same as float32.
func rowsOf(format string, n, k int, seed uint64) (r Rows, wide []float32) {
	wide = noise(n*k, 1, seed)
	r = Rows{N: n, K: k}
	switch format {
	case "F32":
		r.F32 = wide
	case "BF16":
		r.BF16 = make([]uint16, n*k+1)[1:] // at an odd multiple of two bytes
		ToBF16(r.BF16, wide)
		FromBF16(wide, r.BF16)
	case "F16":
		r.F16 = make([]uint16, n*k+1)[1:]
		for i, v := range wide {
			r.F16[i] = uint16(math.Float32bits(v)>>16&0x8000 | uint32(7+i%24)<<10 | uint32(i*37)&1023)
		}
		FromF16(wide, r.F16)
	}
	return r, wide
}

var rowFormats = []string{"F32", "BF16", "F16"}

// TestMulRows: products of few rows are those of double precision, for every tail of a row, number of rows, width of y and x,
// and with a pool the same bits.
func TestMulRows(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		one, two := NewWork(nil), NewWork(pool)
		for _, format := range rowFormats {
			for k := 0; k <= 150; k++ {
				for _, n := range []int{1, 2, 37} {
					m := 1 + (k+n)%11
					r, wide := rowsOf(format, n, k, uint64(k+1))
					x, bias := noise(m*(k+3), 1, 7), noise(n, 1, 8)
					y, check := guarded(t, make([]float32, m*(n+2)), k%16)
					for i := range y {
						y[i] = sentinel
					}
					MulRows(one, Mat{y, m, n, n + 2, 1}, Mat{x, m, k, k + 3, 1}, r, bias)
					check()
					for i := range m {
						for j := range n {
							want, size := float64(bias[j]), 1.
							for l := range k {
								p := float64(x[i*(k+3)+l]) * float64(wide[j*k+l])
								want, size = want+p, size+math.Abs(p)
							}
							if got := y[i*(n+2)+j]; !(math.Abs(float64(got)-want) <= 1e-6*size) {
								t.Fatalf("%s, %d×%d×%d: element %d, %d is %g, want %g", format, m, n, k, i, j, got, want)
							}
						}
						if i < m-1 && math.Float32bits(y[i*(n+2)+n]) != math.Float32bits(sentinel) {
							t.Fatalf("%s, %d×%d×%d: wrote between rows", format, m, n, k)
						}
					}
				}
			}
			r, _ := rowsOf(format, 700, 96, 3)
			for m := 1; m <= FewRows; m++ {
				x, a, b := noise(m*96, 1, 4), make([]float32, m*700), make([]float32, m*700)
				MulRows(one, M(a, m, 700), M(x, m, 96), r, nil)
				MulRows(two, M(b, m, 700), M(x, m, 96), r, nil)
				if !slices.Equal(a, b) {
					t.Errorf("%s, %d rows: a pool changes the result", format, m)
				}
			}
			x, y := noise(96, 1, 4), make([]float32, 700)
			if n := testing.AllocsPerRun(10, func() { MulRows(two, M(y, 1, 700), M(x, 1, 96), r, nil) }); n != 0 {
				t.Errorf("%s: %g allocations", format, n)
			}
		}
	})
}

// TestMulRowsSpecials: NaN and infinities come through, in their own rows alone.
func TestMulRowsSpecials(t *testing.T) {
	inf := float32(math.Inf(1))
	eachImpl(t, func(t *testing.T) {
		for _, format := range rowFormats {
			for _, k := range []int{1, 16, 63, 64, 100} {
				for at := range k {
					r, _ := rowsOf(format, 3, k, 5)
					switch format {
					case "F32":
						r.F32[k+at] = inf
					case "BF16":
						r.BF16[k+at] = 0x7f80
					case "F16":
						r.F16[k+at] = 0x7c00
					}
					x, y := noise(k, 1, 6), make([]float32, 3)
					MulRows(NewWork(nil), M(y, 1, 3), M(x, 1, k), r, nil)
					if want := inf * x[at]; y[1] != want || !IsFinite(y[:1]) || !IsFinite(y[2:]) {
						t.Fatalf("%s, infinity at %d of %d: %g", format, at, k, y)
					}
					x[at] = float32(math.NaN())
					MulRows(NewWork(nil), M(y, 1, 3), M(x, 1, k), r, nil)
					if IsFinite(y[:1]) || IsFinite(y[1:2]) || IsFinite(y[2:]) {
						t.Fatalf("%s, NaN at %d of %d: %g", format, at, k, y)
					}
				}
			}
		}
	})
}

// TestFromF16: all of the 65,536 numbers.
func TestFromF16(t *testing.T) {
	src := make([]uint16, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	want := make([]float32, len(src))
	fromF16Generic(want, src)
	eachImpl(t, func(t *testing.T) {
		for n := range 70 {
			got, check := guarded(t, make([]float32, n), n%16)
			FromF16(got, src[15350:15350+n])
			check()
			if !slices.Equal(got, want[15350:15350+n]) {
				t.Fatalf("%d numbers: %g", n, got)
			}
		}
		got := make([]float32, len(src))
		FromF16(got, src)
		for i, v := range got {
			if v != want[i] && !(v != v && want[i] != want[i]) {
				t.Fatalf("%04x is %g, want %g", i, v, want[i])
			}
		}
	})
	for _, c := range []struct {
		bits uint16
		want float64
	}{{0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {1, math.Ldexp(1, -24)}, {0x0400, math.Ldexp(1, -14)}, {0x7c00, math.Inf(1)}} {
		if got := Float16(c.bits); float64(got) != c.want {
			t.Errorf("%04x is %g, want %g", c.bits, got, c.want)
		}
	}
}

// BenchmarkMulRows streams weights that no cache holds; MB/s is what memory gives.
func BenchmarkMulRows(b *testing.B) {
	const n, k = 32 << 10, 2048
	for _, threads := range []int{1, 2} {
		pool := NewPool(threads)
		w := NewWork(pool)
		for _, format := range rowFormats {
			r, _ := rowsOf(format, n, k, 1)
			for _, m := range []int{1, 2, 4, 8} {
				x, y := noise(m*k, 1, 2), make([]float32, m*n)
				b.Run(fmt.Sprintf("%s/rows=%d/threads=%d", format, m, threads), func(b *testing.B) {
					f := few{rows: r}
					b.SetBytes(int64(f.size(n * k)))
					for b.Loop() {
						MulRows(w, M(y, m, n), M(x, m, k), r, nil)
					}
				})
			}
		}
		pool.Close()
	}
}

// Parts cover all rows, each once, and become smaller but for rounding.
func TestEdge(t *testing.T) {
	for _, parts := range []int{2, 3, 8, 32} {
		for _, n := range []int{parts, 100, 576, 49152} {
			at, before := 0, n
			for i := range parts {
				from, to := edge(n, i, parts), edge(n, i+1, parts)
				if from != at || to < from || to-from > before+1 {
					t.Fatalf("part %d of %d of %d rows is [%d, %d), the one before had %d and ended at %d", i, parts, n, from, to, before, at)
				}
				if n == parts && to != from+1 {
					t.Fatalf("part %d of %d has %d of as many rows", i, parts, to-from)
				}
				at, before = to, to-from
			}
			if at != n {
				t.Fatalf("%d parts end at %d of %d", parts, at, n)
			}
		}
	}
}
