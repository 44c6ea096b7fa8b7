package kernel

import (
	"math"
	"slices"
	"testing"
)

// near fails unless |got − want| ≤ tol·(1 + |want|) for every element.
func near(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*(1+math.Abs(w))) {
			t.Fatalf("%s[%d] = %g, want %g ± %.1e", what, i, got[i], w, tol*(1+math.Abs(w)))
		}
	}
}

var rowLengths = []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 96, 127, 128, 129, 192, 255, 768, 1000}

func floats(n int) []float64 { return make([]float64, n) }

func TestLayerNormRows(t *testing.T) {
	const rows, eps = 3, 1e-5
	eachImpl(t, func(t *testing.T) {
		for _, d := range rowLengths {
			for _, with := range []struct{ g, b bool }{{false, false}, {true, false}, {true, true}, {false, true}} {
				x, check := guarded(t, noise(rows*d, 2, 1), 3)
				dy, g, b := noise(rows*d, 1, 2), noise(d, 1, 3), noise(d, 1, 4)
				for i := range x {
					x[i] += 5
				}
				if !with.g {
					g = nil
				}
				if !with.b {
					b = nil
				}
				y, checkY := guarded(t, make([]float32, rows*d), 5)
				mean, rstd := make([]float32, rows), make([]float32, rows)
				LayerNormRows(y, mean, rstd, x, g, b, rows, d, eps)

				start := noise(rows*d, 1, 5)
				dx, checkDX := guarded(t, start, 1)
				dg, checkDG := guarded(t, noise(d, 1, 6), 2)
				db, checkDB := guarded(t, noise(d, 1, 7), 7)
				LayerNormRowsGrad(dx, dg, db, dy, x, g, mean, rstd, rows, d)
				for _, f := range []func(){check, checkY, checkDX, checkDG, checkDB} {
					f()
				}
				wy, wdx, wdg, wdb := floats(rows*d), floats(rows*d), floats(d), floats(d)
				for j, v := range noise(d, 1, 6) {
					wdg[j] = float64(v)
				}
				for j, v := range noise(d, 1, 7) {
					wdb[j] = float64(v)
				}
				for r := range rows {
					row := x[r*d : (r+1)*d]
					var m, v, s0, s1 float64
					for _, a := range row {
						m += float64(a) / float64(d)
					}
					for _, a := range row {
						v += (float64(a) - m) * (float64(a) - m) / float64(d)
					}
					rs := 1 / math.Sqrt(v+eps)
					gain := func(j int) float64 {
						if g == nil {
							return 1
						}
						return float64(g[j])
					}
					for j, a := range row {
						h, dd := (float64(a)-m)*rs, float64(dy[r*d+j])
						wy[r*d+j] = h * gain(j)
						if b != nil {
							wy[r*d+j] += float64(b[j])
						}
						wdg[j] += dd * h
						wdb[j] += dd
						s0 += dd * gain(j) / float64(d)
						s1 += dd * gain(j) * h / float64(d)
					}
					for j, a := range row {
						h, dd := (float64(a)-m)*rs, float64(dy[r*d+j])
						wdx[r*d+j] = float64(start[r*d+j]) + rs*(dd*gain(j)-s0-h*s1)
					}
				}
				near(t, "y", y, wy, 1e-5)
				tol := 2e-5
				if d < 3 { // the variance of one or two equal-ish numbers is mostly eps
					tol = 2e-2
				}
				near(t, "dx", dx, wdx, tol)
				near(t, "dg", dg, wdg, 2e-5)
				near(t, "db", db, wdb, 1e-6)

				// Nothing but y, in place, and each gradient alone.
				in := append([]float32(nil), x...)
				LayerNormRows(in, nil, nil, in, g, b, rows, d, eps)
				near(t, "in place", in, wy, 1e-5)
				alone := append([]float32(nil), start...)
				LayerNormRowsGrad(alone, nil, nil, dy, x, g, mean, rstd, rows, d)
				near(t, "dx alone", alone, wdx, tol)
				dg2 := noise(d, 1, 6)
				LayerNormRowsGrad(nil, dg2, nil, dy, x, g, mean, rstd, rows, d)
				near(t, "dg alone", dg2, wdg, 2e-5)
			}
		}
	})
}

func TestRMSNormRows(t *testing.T) {
	const rows, eps = 2, 1e-6
	eachImpl(t, func(t *testing.T) {
		for _, d := range rowLengths {
			for _, g := range [][]float32{nil, noise(d, 1, 3)} {
				x, dy, start := noise(rows*d, 2, 1), noise(rows*d, 1, 2), noise(rows*d, 1, 5)
				y, checkY := guarded(t, make([]float32, rows*d), 3)
				rstd := make([]float32, rows)
				RMSNormRows(y, rstd, x, g, rows, d, eps)
				dx, checkDX := guarded(t, start, 1)
				dg, checkDG := guarded(t, make([]float32, d), 9)
				RMSNormRowsGrad(dx, dg, dy, x, g, rstd, rows, d)
				checkY()
				checkDX()
				checkDG()
				wy, wdx, wdg := floats(rows*d), floats(rows*d), floats(d)
				for r := range rows {
					var s, s1 float64
					for _, a := range x[r*d : (r+1)*d] {
						s += float64(a) * float64(a) / float64(d)
					}
					rs := 1 / math.Sqrt(s+eps)
					gain := func(j int) float64 {
						if g == nil {
							return 1
						}
						return float64(g[j])
					}
					for j, a := range x[r*d : (r+1)*d] {
						dd := float64(dy[r*d+j])
						wy[r*d+j] = float64(a) * rs * gain(j)
						wdg[j] += dd * float64(a) * rs
						s1 += dd * gain(j) * float64(a) / float64(d)
					}
					for j, a := range x[r*d : (r+1)*d] {
						wdx[r*d+j] = float64(start[r*d+j]) + rs*(float64(dy[r*d+j])*gain(j)-float64(a)*rs*rs*s1)
					}
				}
				near(t, "y", y, wy, 2e-6)
				near(t, "dx", dx, wdx, 1e-5)
				near(t, "dg", dg, wdg, 1e-5)
				dx = append([]float32(nil), start...)
				RMSNormRowsGrad(dx, nil, dy, x, g, rstd, rows, d)
				near(t, "dx alone", dx, wdx, 1e-5)
				RMSNormRows(x, nil, x, g, rows, d, eps)
				near(t, "in place", x, wy, 2e-6)
			}
		}
	})
}

func TestSoftmaxRows(t *testing.T) {
	const rows, scale = 3, 0.3
	eachImpl(t, func(t *testing.T) {
		for _, d := range rowLengths {
			stride := d + 2
			n := (rows-1)*stride + d
			x := noise(n, 5, 1)
			if d > 2 {
				x[1] = float32(math.Inf(-1)) // masked
				x[stride+2] = 1000
			}
			p, check := guarded(t, x, 3)
			SoftmaxRows(p, rows, d, stride, scale)
			check()
			want := make([]float64, n)
			for i := range want {
				want[i] = float64(x[i])
			}
			for r := range rows {
				row := want[r*stride : r*stride+d]
				m, s := math.Inf(-1), 0.0
				for _, v := range row {
					m = max(m, v*scale)
				}
				for i, v := range row {
					row[i] = math.Exp(v*scale - m)
					s += row[i]
				}
				for i := range row {
					row[i] /= s
				}
			}
			near(t, "p", p, want, 4e-7)
			again, checkAgain := guarded(t, x, 5)
			top, inv := make([]float32, rows), make([]float32, rows)
			SoftmaxRowsKept(slices.Clone(x), top, inv, rows, d, stride, scale)
			SoftmaxRowsAgain(again, top, inv, rows, d, stride, scale)
			checkAgain()
			for i, v := range p {
				if again[i] != v {
					t.Fatalf("%g again, %g before", again[i], v)
				}
			}
			if d > 2 && p[1] != 0 {
				t.Errorf("a masked element got %g", p[1])
			}

			dp := noise(n, 1, 2)
			ds, checkDS := guarded(t, dp, 1)
			SoftmaxRowsGrad(ds, p, ds, rows, d, stride, scale)
			checkDS()
			for i := range want {
				want[i] = float64(dp[i])
			}
			for r := range rows {
				s := 0.0
				for j := r * stride; j < r*stride+d; j++ {
					s += float64(p[j]) * float64(dp[j])
				}
				for j := r * stride; j < r*stride+d; j++ {
					want[j] = scale * float64(p[j]) * (float64(dp[j]) - s)
				}
			}
			near(t, "ds", ds, want, 1e-6)
		}
	})
}

func TestSoftmaxSpecialRows(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	eachImpl(t, func(t *testing.T) {
		for _, d := range []int{1, 5, 8, 40} {
			for _, c := range []struct {
				fill, one float64
				want      float64 // of element 0
			}{{-inf, 0, 1}, {-inf, -inf, nan}, {0, nan, nan}, {-200, 0, 1}, {1, 1, 1 / float64(d)}} {
				x := make([]float32, d)
				for i := range x {
					x[i] = float32(c.fill)
				}
				x[0] = float32(c.one)
				SoftmaxRows(x, 1, d, d, 1)
				if got := float64(x[0]); !(math.Abs(got-c.want) < 1e-7) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
					t.Errorf("%d of %g but one %g: %g, want %g", d, c.fill, c.one, got, c.want)
				}
			}
		}
	})
}

func TestRowPanics(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	for name, call := range map[string]func(){
		"LayerNormRows":     func() { LayerNormRows(f(6), nil, nil, f(5), nil, nil, 2, 3, 1e-5) },
		"gain":              func() { LayerNormRows(f(6), nil, nil, f(6), f(2), nil, 2, 3, 1e-5) },
		"LayerNormRowsGrad": func() { LayerNormRowsGrad(f(6), nil, nil, f(6), f(6), nil, f(1), f(2), 2, 3) },
		"RMSNormRowsGrad":   func() { RMSNormRowsGrad(f(5), nil, f(6), f(6), nil, f(2), 2, 3) },
		"SoftmaxRows":       func() { SoftmaxRows(f(6), 2, 3, 4, 1) },
		"stride":            func() { SoftmaxRows(f(60), 2, 3, 2, 1) },
		"Add":               func() { Add(f(3), f(3), f(2)) },
		"AdamW":             func() { AdamW(f(3), f(3), f(2), f(3), 0, 0, 0, 0, 0, 1, 1) },
		"ToBF16":            func() { ToBF16(make([]uint16, 3), f(4)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
