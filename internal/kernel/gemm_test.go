package kernel

import (
	"fmt"
	"math"
	"testing"
)

// layouts of a rows × cols matrix in memory, with padding so that strides differ from sizes.
var layouts = []struct {
	name string
	make func(data []float32, rows, cols int) Mat
}{
	{"row", func(d []float32, r, c int) Mat { return Mat{d, r, c, c, 1} }},
	{"row+3", func(d []float32, r, c int) Mat { return Mat{d, r, c, c + 3, 1} }},
	{"col", func(d []float32, r, c int) Mat { return Mat{d, r, c, 1, r} }},
	{"col+5", func(d []float32, r, c int) Mat { return Mat{d, r, c, 1, r + 5} }},
	{"both", func(d []float32, r, c int) Mat { return Mat{d, r, c, 2, 2*r + 1} }},
}

// random fills exactly the elements of a layout; the rest of the memory is NaN, so that reading it shows.
func random(l int, rows, cols int, seed uint64) Mat {
	m := layouts[l].make(nil, rows, cols)
	n := 0
	if rows > 0 && cols > 0 {
		n = (rows-1)*m.RS + (cols-1)*m.CS + 1
	}
	m.Data = make([]float32, n)
	for i := range m.Data {
		m.Data[i] = sentinel
	}
	for i, v := range noise(rows*cols, 1, seed) {
		m.Data[i/cols*m.RS+i%cols*m.CS] = v
	}
	return m
}

// want computes the product and its epilogue naively in float64, and a bound on the rounding error for each element.
func want(c, a, b Mat, ep Epilogue) (y, tol []float64) {
	for i := range c.Rows {
		for j := range c.Cols {
			var s, size float64
			for k := range a.Cols {
				v := float64(a.Data[i*a.RS+k*a.CS]) * float64(b.Data[k*b.RS+j*b.CS])
				s += v
				size += math.Abs(v)
			}
			if ep.Beta != 0 {
				s += float64(c.Data[i*c.RS+j])
				size += math.Abs(float64(c.Data[i*c.RS+j]))
			}
			if ep.Bias != nil {
				s += float64(ep.Bias[j])
				size += math.Abs(float64(ep.Bias[j]))
			}
			switch ep.Act {
			case ActReLU:
				s = max(s, 0)
			case ActGELU:
				s = 0.5 * s * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(s+0.044715*s*s*s)))
			case ActSiLU:
				s = s / (1 + math.Exp(-s))
			case ActSigmoid:
				s = 1 / (1 + math.Exp(-s))
			case ActTanh:
				s = math.Tanh(s)
			}
			if ep.Residual.Data != nil {
				s += float64(ep.Residual.Data[i*ep.Residual.RS+j])
			}
			y = append(y, s)
			tol = append(tol, 1e-6+4e-7*(size+1)*math.Sqrt(1+float64(a.Cols)/64))
		}
	}
	return y, tol
}

// checkGemm runs one product, plain and packed, and compares it with want. c has padding that must survive.
func checkGemm(t *testing.T, w *Work, a, b Mat, ep Epilogue) {
	t.Helper()
	m, n := a.Rows, b.Cols
	ldc := n + 3
	start := noise(m*ldc, 1, 9)
	if ep.Beta == 0 {
		for i := range start {
			start[i] = sentinel
		}
	}
	y, tol := want(Mat{start, m, n, ldc, 1}, a, b, ep)
	for _, packed := range []bool{false, true} {
		got, check := guarded(t, start, 1)
		c := Mat{got, m, n, ldc, 1}
		if packed {
			GemmPacked(w, c, a, Pack(b), ep)
		} else {
			Gemm(w, c, a, b, ep)
		}
		check()
		bad := 0
		for i := range m {
			for j := range ldc {
				g, s := got[i*ldc+j], start[i*ldc+j]
				if j >= n {
					if math.Float32bits(g) != math.Float32bits(s) {
						t.Errorf("wrote c[%d, %d], outside %d×%d", i, j, m, n)
					}
				} else if d := math.Abs(float64(g) - y[i*n+j]); !(d <= tol[i*n+j]) && bad < 3 {
					bad++
					t.Errorf("%d×%d×%d packed=%v act=%d: c[%d, %d] = %g, want %g ± %.1e",
						m, a.Cols, n, packed, ep.Act, i, j, g, y[i*n+j], tol[i*n+j])
				}
			}
		}
	}
}

func TestGemmShapes(t *testing.T) {
	shapes := [][3]int{ // M, K, N
		{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {2, 1, 3}, {1, 300, 33}, {2, 64, 130}, {3, 70, 31}, {4, 5, 16},
		{5, 9, 17}, {7, 257, 8}, {13, 33, 50}, {14, 64, 96}, {17, 1, 40}, {29, 512, 9}, {64, 64, 64}, {137, 64, 137},
		{137, 137, 64}, {200, 20, 70}, {195, 260, 34}, {33, 1024, 40}, {101, 2048, 33},
	}
	for m := 1; m <= 30; m++ {
		shapes = append(shapes, [3]int{m, 1 + m%7, 1 + m*5%41})
	}
	for n := 1; n <= 34; n++ {
		shapes = append(shapes, [3]int{31 + n%3, 9 + n, n})
	}
	eachImpl(t, func(t *testing.T) {
		w := NewWork(nil)
		for _, s := range shapes {
			for i, l := range [][2]int{{0, 0}, {1, 2}, {2, 1}, {3, 3}} {
				a, b := random(l[0], s[0], s[1], 1), random(l[1], s[1], s[2], 2)
				checkGemm(t, w, a, b, Epilogue{Beta: float32(i % 2)})
			}
		}
	})
}

func TestGemmLayouts(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		w := NewWork(nil)
		for i, la := range layouts {
			for j, lb := range layouts {
				for _, beta := range []float32{0, 1} {
					t.Run(fmt.Sprintf("%s·%s+%g", la.name, lb.name, beta), func(t *testing.T) {
						for _, s := range [][3]int{{2, 40, 37}, {9, 11, 20}, {50, 300, 45}} {
							checkGemm(t, w, random(i, s[0], s[1], 3), random(j, s[1], s[2], 4), Epilogue{Beta: beta})
						}
					})
				}
			}
		}
	})
}

func TestGemmEpilogues(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		w := NewWork(nil)
		for _, s := range [][3]int{{1, 20, 19}, {3, 300, 37}, {40, 0, 37}, {40, 300, 37}, {33, 40, 64}} {
			bias := noise(s[2], 1, 5)
			res := random(1, s[0], s[2], 6)
			for act := ActNone; act <= ActTanh; act++ {
				for _, ep := range []Epilogue{{Act: act}, {Act: act, Bias: bias}, {Act: act, Bias: bias, Residual: res, Beta: 1}} {
					for _, lb := range []int{0, 2} {
						a, b := random(0, s[0], s[1], 7), random(lb, s[1], s[2], 8)
						Scale(a.Data, 0.1)
						checkGemm(t, w, a, b, ep)
					}
				}
			}
		}
	})
}

// Several blocks of K, M and N, and a pool: the same bits with and without one.
func TestGemmBlocksAndPool(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		for _, s := range [][3]int{{200, 1550, 70}, {30, 800, 1600}, {5, 64, 3000}, {3, 300, 700}, {700, 1024, 70}} {
			for _, l := range [][2]int{{0, 2}, {2, 0}} {
				a, b := random(l[0], s[0], s[1], 1), random(l[1], s[1], s[2], 2)
				ep := Epilogue{Bias: noise(s[2], 1, 3), Act: ActReLU}
				alone, pooled := M(make([]float32, s[0]*s[2]), s[0], s[2]), M(make([]float32, s[0]*s[2]), s[0], s[2])
				Gemm(NewWork(nil), alone, a, b, ep)
				Gemm(NewWork(pool), pooled, a, b, ep)
				for i := range alone.Data {
					if alone.Data[i] != pooled.Data[i] {
						t.Fatalf("%v layouts %v: element %d is %g alone, %g with a pool", s, l, i, alone.Data[i], pooled.Data[i])
					}
				}
				y, tol := want(pooled, a, b, ep)
				for i, v := range y {
					if d := math.Abs(v - float64(pooled.Data[i])); !(d <= tol[i]) {
						t.Fatalf("%v layouts %v: element %d is %g, want %g ± %.1e", s, l, i, pooled.Data[i], v, tol[i])
					}
				}
			}
		}
	})
}

func TestGemmNaN(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachImpl(t, func(t *testing.T) {
		for _, m := range []int{2, 40} {
			a, b := random(0, m, 20, 1), random(2, 20, 21, 2)
			a.Data[20+3], a.Data[4] = nan, inf
			c := M(make([]float32, m*21), m, 21)
			Gemm(NewWork(nil), c, a, b, Epilogue{})
			for i := range c.Data {
				v := float64(c.Data[i])
				if i < 21 && !math.IsInf(v, 0) || i >= 21 && i < 42 && !math.IsNaN(v) || i >= 42 && (math.IsNaN(v) || math.IsInf(v, 0)) {
					t.Fatalf("c[%d, %d] = %g", i/21, i%21, v)
				}
			}
		}
	})
}

func TestGemmAllocates(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		for _, w := range []*Work{NewWork(nil), NewWork(pool)} {
			a, b := random(0, 70, 64, 1), random(0, 64, 80, 2)
			c := M(make([]float32, 70*80), 70, 80)
			p := Pack(b)
			ep := Epilogue{Bias: make([]float32, 80), Act: ActGELU}
			f := func() {
				Gemm(w, c, a, b, ep)
				GemmPacked(w, c, a, p, ep)
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

func TestGemmPanics(t *testing.T) {
	w := NewWork(nil)
	m := func(r, c int) Mat { return M(make([]float32, r*c), r, c) }
	for name, f := range map[string]func(){
		"inner size":   func() { Gemm(w, m(2, 3), m(2, 4), m(5, 3), Epilogue{}) },
		"rows":         func() { Gemm(w, m(1, 3), m(2, 4), m(4, 3), Epilogue{}) },
		"columns":      func() { Gemm(w, m(2, 2), m(2, 4), m(4, 3), Epilogue{}) },
		"c transposed": func() { Gemm(w, m(3, 2).T(), m(2, 4), m(4, 3), Epilogue{}) },
		"beta":         func() { Gemm(w, m(2, 3), m(2, 4), m(4, 3), Epilogue{Beta: 2}) },
		"bias":         func() { Gemm(w, m(2, 3), m(2, 4), m(4, 3), Epilogue{Bias: make([]float32, 2)}) },
		"residual":     func() { Gemm(w, m(2, 3), m(2, 4), m(4, 3), Epilogue{Residual: m(3, 3)}) },
		"short data":   func() { Gemm(w, m(2, 3), Mat{make([]float32, 7), 2, 4, 4, 1}, m(4, 3), Epilogue{}) },
		"M":            func() { M(make([]float32, 5), 2, 3) },
		"Slice":        func() { m(2, 3).Slice(0, 3, 0, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
