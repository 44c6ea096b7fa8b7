package kernel

import (
	"fmt"
	"testing"
)

// lay lays patches out, sample by sample.
func lay(p Patches) Mat {
	m := M(make([]float32, p.Rows()*p.Cols()), p.Rows(), p.Cols())
	for i := range p.Rows() {
		b, oy, ox := i/(p.OH*p.OW), i/p.OW%p.OH, i%p.OW
		for j := range p.Cols() {
			y, x := oy*p.S-p.Pad+j/p.C/p.K, ox*p.S-p.Pad+j/p.C%p.K
			if y >= 0 && y < p.H && x >= 0 && x < p.W {
				m.Data[i*m.RS+j] = p.Data[((b*p.H+y)*p.W+x)*p.C+j%p.C]
			}
		}
	}
	return m
}

// patchCases are windows: pictures, height, width, channels, places, kernel, stride, padding. Some see nothing but padding at the edge, and
// sums are longer than a block.
var patchCases = [][9]int{ // B, H, W, C, OH, OW, K, S, Pad
	{1, 1, 1, 1, 1, 1, 1, 1, 0}, {2, 5, 4, 3, 5, 4, 3, 1, 1}, {2, 6, 5, 8, 3, 3, 3, 2, 1}, {1, 7, 9, 16, 7, 9, 3, 1, 1},
	{3, 8, 8, 32, 8, 8, 3, 1, 1}, {1, 6, 7, 20, 3, 4, 5, 2, 2}, {2, 9, 8, 5, 2, 2, 4, 4, 0}, {1, 3, 3, 2, 7, 7, 3, 1, 3},
	{5, 4, 4, 96, 4, 4, 3, 1, 1}, {20, 7, 6, 40, 7, 6, 3, 1, 1}, {1, 2, 2, 33, 2, 2, 3, 2, 1}, {5, 5, 5, 7, 1, 1, 3, 7, 1}, {0, 4, 4, 3, 4, 4, 3, 1, 1},
}

// Products by patches are those by the matrix that they stand for, to the bit.
func TestPatches(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		for _, s := range patchCases {
			p := Patches{noise(s[0]*s[1]*s[2]*s[3], 1, 1), s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]}
			m := lay(p)
			for _, n := range []int{1, 19, 64} {
				for _, works := range [][2]*Work{{NewWork(nil), NewWork(nil)}, {NewWork(nil), NewWork(pool)}, {rounding(), rounding()}} {
					w, wp := works[0], works[1]
					kernels := M(noise(n*m.Cols, 1, 2), n, m.Cols)
					dy := M(noise(m.Rows*n, 1, 3), m.Rows, n)
					check := func(what string, want, got Mat) {
						t.Helper()
						for i := range want.Data {
							if want.Data[i] != got.Data[i] {
								t.Fatalf("%v, %d kernels, %s: element %d is %g, want %g", s, n, what, i, got.Data[i], want.Data[i])
							}
						}
					}
					ep := Epilogue{Bias: noise(n, 1, 4), Act: ActReLU}
					want, got := M(make([]float32, m.Rows*n), m.Rows, n), M(make([]float32, m.Rows*n), m.Rows, n)
					Gemm(w, want, m, kernels.T(), ep)
					GemmPatches(wp, got, p, kernels.T(), ep)
					check("left", want, got)
					want, got = M(noise(n*m.Cols, 1, 5), n, m.Cols), M(noise(n*m.Cols, 1, 5), n, m.Cols)
					Gemm(w, want, dy.T(), m, Epilogue{Beta: 1})
					GemmByPatches(wp, got, dy.T(), p, Epilogue{Beta: 1})
					check("right", want, got)
				}
			}
		}
	})
}

func rounding() *Work {
	w := NewWork(nil)
	w.RoundBF16()
	return w
}

func TestPatchesPanics(t *testing.T) {
	w := NewWork(nil)
	c, b := M(make([]float32, 16*2), 16, 2), M(make([]float32, 9*2), 9, 2)
	p := Patches{make([]float32, 16), 1, 4, 4, 1, 4, 4, 3, 1, 1}
	for name, f := range map[string]func(){
		"short data":   func() { q := p; q.Data = q.Data[1:]; GemmPatches(w, c, q, b, Epilogue{}) },
		"no stride":    func() { q := p; q.S = 0; GemmPatches(w, c, q, b, Epilogue{}) },
		"negative pad": func() { q := p; q.Pad = -1; GemmByPatches(w, b.T(), c.T(), q, Epilogue{}) },
		"inner size":   func() { GemmPatches(w, c, p, M(make([]float32, 16), 8, 2), Epilogue{}) },
		"places":       func() { GemmByPatches(w, M(make([]float32, 18), 2, 9), M(make([]float32, 20), 2, 10), p, Epilogue{}) },
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

// BenchmarkPatches reports the GFLOP/s of the convolutions of a model for pictures of 32 pixels, over a batch of 32: by the kernels, by
// what comes back to the pictures, and for the kernels' gradient.
func BenchmarkPatches(b *testing.B) {
	for _, s := range []struct{ side, in, out, stride int }{{16, 96, 96, 1}, {8, 192, 192, 1}, {32, 32, 96, 2}} {
		oh := s.side / s.stride
		p := Patches{noise(32*s.side*s.side*s.in, 1, 1), 32, s.side, s.side, s.in, oh, oh, 3, s.stride, 1}
		y, kernels := M(noise(p.Rows()*s.out, 1, 2), p.Rows(), s.out), M(noise(s.out*p.Cols(), 1, 3), s.out, p.Cols())
		w := NewWork(nil)
		for name, f := range map[string]func(){
			"forward":  func() { GemmPatches(w, y, p, kernels.T(), Epilogue{}) },
			"gradient": func() { GemmByPatches(w, kernels, y.T(), p, Epilogue{Beta: 1}) },
		} {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s.side, s.side, s.in, name), func(b *testing.B) {
				limit := peak(1)
				d := best(b, f)
				rate := 2 * float64(p.Rows()*s.out*p.Cols()) / d.Seconds() / 1e9
				b.ReportMetric(rate, "GFLOP/s")
				b.ReportMetric(100*rate/max(limit, peak(1)), "%peak")
			})
		}
	}
}
