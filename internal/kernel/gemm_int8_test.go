package kernel

import (
	"math"
	"testing"
)

// int8Case is a product by weights of one byte.
type int8Case struct {
	q     []int8
	scale []float32
	a     Mat
}

func newInt8Case(layout, m, k, n int) int8Case {
	c := int8Case{make([]int8, n*k), make([]float32, n), random(layout, m, k, 1)}
	for i, v := range noise(n*k, 50, 2) {
		c.q[i] = int8(max(-128, min(127, v)))
	}
	for i, v := range noise(n, 1, 3) {
		c.scale[i] = abs(v) + .1
	}
	return c
}

// want is the product of the rounded rows, in integers, and what rounding to float32 may change of it.
func (c int8Case) want(n int, ep Epilogue) (y, tol []float64) {
	k := c.a.Cols
	row, u := make([]float32, k), make([]float32, k)
	for i := range c.a.Rows {
		for l := range row {
			row[l] = c.a.Data[i*c.a.RS+l*c.a.CS]
		}
		lo, hi, _ := spreadGeneric(row)
		step, inv := hi/255-lo/255, float32(0)
		if step > 1e-37 {
			inv = 1 / step
		} else {
			step = 0
		}
		encodeRowGeneric(u, row, lo, inv)
		for j := range n {
			var s, sum int64
			for l := range k {
				s, sum = s+int64(u[l])*int64(c.q[j*k+l]), sum+int64(c.q[j*k+l])
			}
			x, z := float64(step)*float64(c.scale[j])*float64(s), 0.
			if k > 0 {
				z = float64(lo) * float64(c.scale[j]) * float64(sum)
			}
			v := x + z
			if ep.Bias != nil {
				v += float64(ep.Bias[j])
			}
			if ep.Act == ActReLU {
				v = max(v, 0)
			}
			y, tol = append(y, v), append(tol, 1e-6+6e-7*(math.Abs(x)+math.Abs(z)+1)*(1+float64(k)/4096))
		}
	}
	return y, tol
}

func eachInt8(t *testing.T, f func(t *testing.T)) {
	eachImpl(t, func(t *testing.T) {
		if s, ok := int8Shape(); ok && !s.words {
			restore, ok := withoutTiles()
			t.Run("quads", f)
			restore()
			if ok {
				t.Run("tiles", f)
			}
			defer withoutQuads()()
		}
		f(t)
	})
}

func checkInt8(t *testing.T, w *Work, c int8Case, n int, ep Epilogue) {
	t.Helper()
	m, ldc := c.a.Rows, n+3
	start := make([]float32, m*ldc)
	for i := range start {
		start[i] = sentinel
	}
	y, tol := c.want(n, ep)
	got, check := guarded(t, start, 1)
	GemmPacked(w, Mat{got, m, n, ldc, 1}, c.a, PackInt8(c.q, c.scale, n, c.a.Cols), ep)
	check()
	for i := range m {
		for j := range ldc {
			g := got[i*ldc+j]
			if j >= n {
				if math.Float32bits(g) != math.Float32bits(sentinel) {
					t.Fatalf("wrote c[%d, %d], outside %d×%d", i, j, m, n)
				}
			} else if d := math.Abs(float64(g) - y[i*n+j]); !(d <= tol[i*n+j]) {
				t.Fatalf("%d×%d×%d: c[%d, %d] = %g, want %g ± %.1e", m, c.a.Cols, n, i, j, g, y[i*n+j], tol[i*n+j])
			}
		}
	}
}

// TestInt8Shapes: every size of 0 … 70 as each of M, K and N, in every layout of rows.
func TestInt8Shapes(t *testing.T) {
	eachInt8(t, func(t *testing.T) {
		w := NewWork(nil)
		for s := range 71 {
			for l := range layouts {
				for _, d := range [][3]int{{s, 11, 9}, {5, s, 7}, {9, 7, s}} {
					ep := Epilogue{}
					if s%2 == 1 {
						ep = Epilogue{Bias: noise(d[2], 1, 4), Act: ActReLU}
					}
					checkInt8(t, w, newInt8Case(l, d[0], d[1], d[2]), d[2], ep)
				}
			}
		}
	})
}

// TestInt8Blocks: several blocks of each axis; the same bits with a pool; constant rows and rows that are not finite.
func TestInt8Blocks(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	eachInt8(t, func(t *testing.T) {
		for _, s := range [][3]int{{200, 6301, 70}, {30, 1024, 1600}, {3, 300, 700}} {
			c := newInt8Case(0, s[0], s[1], s[2])
			for l := range s[1] {
				c.a.Data[l] = 3 // a row of one number
			}
			ep := Epilogue{Bias: noise(s[2], 1, 4)}
			checkInt8(t, NewWork(nil), c, s[2], ep)
			c.a.Data[s[1]+5], c.a.Data[2*s[1]+7] = float32(math.NaN()), float32(math.Inf(-1))
			ep.Residual = random(1, s[0], s[2], 5)
			p := PackInt8(c.q, c.scale, s[2], s[1])
			x, y := M(make([]float32, s[0]*s[2]), s[0], s[2]), M(make([]float32, s[0]*s[2]), s[0], s[2])
			GemmPacked(NewWork(nil), x, c.a, p, ep)
			GemmPacked(NewWork(pool), y, c.a, p, ep)
			for i, v := range x.Data {
				if math.Float32bits(v) != math.Float32bits(y.Data[i]) {
					t.Fatalf("%v: element %d is %g alone, %g with a pool", s, i, v, y.Data[i])
				}
				if row := i / s[2]; (v != v) != (row == 1 || row == 2) {
					t.Fatalf("%v: row %d has %g", s, row, v)
				}
			}
		}
	})
}

// TestInt8Passes: weights that are laid out as the product goes give the bits of those that were laid out before, and take no memory
// once there is some.
func TestInt8Passes(t *testing.T) {
	eachInt8(t, func(t *testing.T) {
		w := NewWork(NewPool(2))
		defer w.pool.Close()
		for _, x := range [][3]int{{3, 70, 5}, {5, 9001, 300}, {40, 64, 130}} { // the second in several parts
			m, k, n := x[0], x[1], x[2]
			c := newInt8Case(0, m, k, n)
			ep := Epilogue{Bias: noise(n, 1, 4), Residual: random(0, m, n, 5)}
			got, want := M(make([]float32, m*n), m, n), M(make([]float32, m*n), m, n)
			GemmPacked(w, want, c.a, PackInt8(c.q, c.scale, n, k), ep)
			shift := ShiftInt8(c.q, c.scale, k)
			run := func() { GemmInt8(w, got, c.a, c.q, c.scale, shift, ep) }
			run()
			for i, v := range want.Data {
				if got.Data[i] != v {
					t.Fatalf("%v: element %d is %g, want %g", x, i, got.Data[i], v)
				}
			}
			if a := testing.AllocsPerRun(2, run); a > 0 {
				t.Errorf("%v: %g allocations", x, a)
			}
		}
	})
}

func TestInt8Allocates(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachInt8(t, func(t *testing.T) {
		for _, w := range []*Work{NewWork(nil), NewWork(pool)} {
			c := newInt8Case(0, 70, 64, 80)
			p, y := PackInt8(c.q, c.scale, 80, 64), M(make([]float32, 70*80), 70, 80)
			f := func() { GemmPacked(w, y, c.a, p, Epilogue{Act: ActGELU}) }
			f()
			if n := testing.AllocsPerRun(20, f); n != 0 {
				t.Errorf("%g allocations", n)
			}
		}
	})
}
