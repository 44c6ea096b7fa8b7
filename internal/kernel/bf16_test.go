package kernel

import (
	"math"
	"slices"
	"testing"
)

// bf16 rounds m and keeps its layout.
func bf16(m Mat) Mat {
	half := make([]uint16, len(m.Data))
	ToBF16(half, m.Data)
	m.Data = make([]float32, len(half))
	FromBF16(m.Data, half)
	return m
}

// eachBF16 is eachImpl, with and without the instructions for bfloat16 where there are some.
func eachBF16(t *testing.T, f func(t *testing.T)) {
	eachImpl(t, func(t *testing.T) {
		if _, ok := bf16Shape(); ok {
			restore, ok := withoutTiles()
			t.Run("pairs", f)
			restore()
			if ok {
				t.Run("tiles", f)
			}
			defer withoutPairs()()
		}
		f(t)
	})
}

// checkBF16 compares a product under RoundBF16 and, for b of a packable layout, one by PackBF16 with the product of the
// rounded matrices in float64.
func checkBF16(t *testing.T, w *Work, a, b Mat, ep Epilogue) {
	t.Helper()
	m, n, k := a.Rows, b.Cols, a.Cols
	ldc := n + 3
	start := noise(m*ldc, 1, 9)
	if ep.Beta == 0 {
		for i := range start {
			start[i] = sentinel
		}
	}
	y, tol := want(Mat{start, m, n, ldc, 1}, bf16(a), bf16(b), ep)
	multiply := map[string]func(c Mat){"plain": func(c Mat) { Gemm(w, c, a, b, ep) }}
	if b.RS == 1 && b.CS == k {
		half := make([]uint16, n*k)
		ToBF16(half, b.Data)
		multiply["packed"] = func(c Mat) { GemmPacked(w, c, a, PackBF16(half, n, k), ep) }
		multiply["rows"] = func(c Mat) { GemmBF16(w, c, a, half, ep) }
	}
	for name, f := range multiply {
		got, check := guarded(t, start, 1)
		f(Mat{got, m, n, ldc, 1})
		check()
		for i := range m {
			for j := range ldc {
				g, s := got[i*ldc+j], start[i*ldc+j]
				if j >= n {
					if math.Float32bits(g) != math.Float32bits(s) {
						t.Fatalf("wrote c[%d, %d], outside %d×%d", i, j, m, n)
					}
				} else if d := math.Abs(float64(g) - y[i*n+j]); !(d <= tol[i*n+j]) {
					t.Fatalf("%s %d×%d×%d, strides %d %d · %d %d: c[%d, %d] = %g, want %g ± %.1e", name, m, k, n, a.RS, a.CS, b.RS, b.CS, i, j, g, y[i*n+j], tol[i*n+j])
				}
			}
		}
	}
}

// TestBF16Shapes: every size of 0 … 70 as each of M, K and N, in every pair of layouts.
func TestBF16Shapes(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		w := NewWork(nil)
		w.RoundBF16()
		for s := range 71 {
			for i := range layouts {
				for j := range layouts {
					for _, d := range [][3]int{{s, 11, 9}, {5, s, 7}, {9, 7, s}} {
						checkBF16(t, w, random(i, d[0], d[1], 1), random(j, d[1], d[2], 2), Epilogue{Beta: float32(s % 2)})
					}
				}
			}
		}
	})
}

// TestBF16Blocks: several blocks of each axis, every epilogue, and the same bits with and without a pool.
func TestBF16Blocks(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	eachBF16(t, func(t *testing.T) {
		for _, s := range [][3]int{{200, 3101, 70}, {30, 1024, 1600}, {3, 300, 700}, {100, 2048, 33}} {
			for _, l := range [][2]int{{0, 2}, {2, 0}} {
				a, b := random(l[0], s[0], s[1], 1), random(l[1], s[1], s[2], 2)
				for act := ActNone; act <= ActTanh; act++ {
					ep := Epilogue{Bias: noise(s[2], 1, 3), Act: act, Residual: random(1, s[0], s[2], 4)}
					alone, pooled := NewWork(nil), NewWork(pool)
					alone.RoundBF16()
					pooled.RoundBF16()
					if act == ActNone {
						checkBF16(t, alone, a, b, ep)
					}
					x, y := M(make([]float32, s[0]*s[2]), s[0], s[2]), M(make([]float32, s[0]*s[2]), s[0], s[2])
					Gemm(alone, x, a, b, ep)
					Gemm(pooled, y, a, b, ep)
					for i, v := range x.Data {
						if v != y.Data[i] {
							t.Fatalf("%v, activation %d: element %d is %g alone, %g with a pool", s, act, i, v, y.Data[i])
						}
					}
				}
			}
		}
	})
}

// TestBF16NaN: what is not finite reaches the elements that it belongs to, and no others.
func TestBF16NaN(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachBF16(t, func(t *testing.T) {
		w := NewWork(nil)
		w.RoundBF16()
		for _, k := range []int{20, 21} {
			for _, m := range []int{2, 40} {
				a, b := random(0, m, k, 1), random(2, k, 21, 2)
				a.Data[k+3], a.Data[k-1] = nan, inf
				half := make([]uint16, len(b.Data))
				ToBF16(half, b.Data)
				for name, f := range map[string]func(c Mat){
					"plain":  func(c Mat) { Gemm(w, c, a, b, Epilogue{}) },
					"packed": func(c Mat) { GemmPacked(w, c, a, PackBF16(half, 21, k), Epilogue{}) },
					"rows":   func(c Mat) { GemmBF16(w, c, a, half, Epilogue{}) },
				} {
					c := M(make([]float32, m*21), m, 21)
					f(c)
					for i, x := range c.Data {
						v := float64(x)
						if i < 21 && !math.IsInf(v, 0) || i >= 21 && i < 42 && !math.IsNaN(v) || i >= 42 && (math.IsNaN(v) || math.IsInf(v, 0)) {
							t.Fatalf("%s, k %d: c[%d, %d] = %g", name, k, i/21, i%21, v)
						}
					}
				}
			}
		}
	})
}

func TestBF16Allocates(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachBF16(t, func(t *testing.T) {
		for _, w := range []*Work{NewWork(nil), NewWork(pool)} {
			w.RoundBF16()
			a, b := random(0, 70, 64, 1), random(0, 64, 80, 2)
			c := M(make([]float32, 70*80), 70, 80)
			half := make([]uint16, 80*64)
			p := PackBF16(half, 80, 64)
			f := func() {
				Gemm(w, c, a, b, Epilogue{})
				GemmPacked(w, c, a, p, Epilogue{Act: ActGELU})
				GemmBF16(w, c, a, half, Epilogue{})
				Gemm(w, b, a.T(), c, Epilogue{Beta: 1})
				clear(b.Data)
			}
			f()
			if n := testing.AllocsPerRun(20, f); n != 0 {
				t.Errorf("%g allocations", n)
			}
		}
	})
}

// TestPackedFits: what was packed for one implementation is refused by another, and a product by float32 weights is not
// rounded.
func TestPackedFits(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		a, b := random(0, 9, 40, 1), random(0, 40, 33, 2)
		half := make([]uint16, 33*40)
		p, wide := PackBF16(half, 33, 40), Pack(b)
		if !p.Fits() || !wide.Fits() || p.Rows() != 40 || p.Cols() != 33 {
			t.Fatalf("fits %v, %v; %d×%d", p.Fits(), wide.Fits(), p.Rows(), p.Cols())
		}
		if _, ok := bf16Shape(); ok {
			restore := withoutPairs()
			if p.Fits() {
				t.Error("pairs fit an implementation without them")
			}
			restore()
		}
		rounding, plain := NewWork(nil), NewWork(nil)
		rounding.RoundBF16()
		x, y := M(make([]float32, 9*33), 9, 33), M(make([]float32, 9*33), 9, 33)
		GemmPacked(rounding, x, a, wide, Epilogue{})
		GemmPacked(plain, y, a, wide, Epilogue{})
		for i, v := range x.Data {
			if v != y.Data[i] {
				t.Fatalf("element %d is %g, want %g", i, v, y.Data[i])
			}
		}
	})
}

// TestGemmF16: the product by binary16 is that by the bfloat16 that it rounds to, in several parts, and where no instruction makes it
// faster nothing is done.
func TestGemmF16(t *testing.T) {
	eachBF16(t, func(t *testing.T) {
		const m, k = 30, 1024
		for _, n := range []int{1, 40, roundedFloats/k + 9} {
			a, ep := random(0, m, k, 1), Epilogue{Beta: 1, Bias: noise(n, 1, 3), Residual: random(1, m, n, 4)}
			half, wide := make([]uint16, n*k), M(make([]float32, n*k), n, k)
			for i := range half {
				half[i] = uint16(0x2c00 + 0x8000*(i%2) + i*7919%0x1400) // sizes 1/16 … 2, both signs
				wide.Data[i] = Float16(half[i])
			}
			start := noise(m*n, 1, 9)
			y, tol := want(M(start, m, n), bf16(a), bf16(wide.T()), ep)
			c := M(append([]float32(nil), start...), m, n)
			w := NewWork(nil)
			if _, ok := bf16Shape(); GemmF16(w, c, a, half, ep) != ok {
				t.Fatalf("reports %v", !ok)
			} else if !ok {
				if !slices.Equal(c.Data, start) {
					t.Fatal("did something")
				}
				return
			}
			for i, v := range c.Data {
				if !(math.Abs(float64(v)-y[i]) <= tol[i]) {
					t.Fatalf("%d columns: c[%d, %d] = %g, want %g ± %.1e", n, i/n, i%n, v, y[i], tol[i])
				}
			}
			f := func() { GemmF16(w, c, a, half, Epilogue{}) }
			if n := testing.AllocsPerRun(3, f); n != 0 {
				t.Errorf("%g allocations", n)
			}
			if w.bf16 {
				t.Error("other products are rounded from now on")
			}
		}
	})
}
