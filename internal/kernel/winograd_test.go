package kernel

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// winogradCases are pictures, height, width, channels and kernels.
var winogradCases = [][5]int{{1, 2, 4, 2, 2}, {2, 4, 8, 6, 10}, {3, 8, 4, 48, 34}, {1, 6, 12, 20, 96}, {2, 16, 16, 96, 64}, {7, 8, 8, 66, 130}, {1, 32, 32, 18, 50}, {0, 4, 4, 2, 2}}

// A convolution by Winograd's filtering and its gradients are those of patches, up to rounding: of the sums in float32, and of
// transformed operands, which add up four, in bfloat16.
func TestWinograd(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for _, s := range winogradCases {
			for name, w := range map[string]*Work{"f32": NewWork(nil), "bf16": rounding()} {
				b, h, width, c, out := s[0], s[1], s[2], s[3], s[4]
				x := Patches{noise(b*h*width*c, 1, 1), b, h, width, c, h, width, 3, 1, 1}
				if !x.Winograd() {
					t.Fatalf("%v is not for Winograd", s)
				}
				kernels, dy := noise(out*9*c, 1, 2), noise(b*h*width*out, 1, 3)
				u := make([]float32, WinogradParts*out*c)
				WinogradKernels(w, u, kernels, out, c)
				tolerance := 2e-6
				if name == "bf16" {
					tolerance = .006
				}
				// check compares the root of the mean squared difference with the size of the sums, and no single one may be far off.
				check := func(what string, want, got []float32) {
					t.Helper()
					var off, size, worst float64
					for i := range want {
						d := float64(got[i] - want[i])
						off, size, worst = off+d*d, size+float64(want[i])*float64(want[i]), max(worst, math.Abs(d))
						if d != d {
							worst = math.Inf(1)
						}
					}
					if size = math.Sqrt(size / float64(max(len(want), 1))); math.Sqrt(off/float64(max(len(want), 1))) > tolerance*size || worst > 8*tolerance*size {
						t.Errorf("%v, %s, %s: off by %.2g of %.3g, at most %.2g", s, name, what, math.Sqrt(off/float64(len(want))), size, worst)
					}
				}
				plain, m := NewWork(nil), lay(x)
				places := m.Rows

				want := noise(places*out, 1, 4)
				got, intact := guarded(t, want, 1)
				Gemm(plain, M(want, places, out), m, M(kernels, out, 9*c).T(), Epilogue{Beta: 1})
				ConvWinograd(w, got, x, u, out, false, true)
				intact()
				check("added", want, got)
				Gemm(plain, M(want, places, out), m, M(kernels, out, 9*c).T(), Epilogue{})
				for i := range got {
					got[i] = float32(math.NaN())
				}
				ConvWinograd(w, got, x, u, out, false, false)
				intact()
				check("forward", want, got)

				// By pictures: every product goes back to the pixel that it came from.
				dx := make([]float32, len(x.Data))
				cols := M(make([]float32, places*9*c), places, 9*c)
				Gemm(plain, cols, M(dy, places, out), M(kernels, out, 9*c), Epilogue{})
				back := x
				back.Data = dx
				unlay(back, cols)
				got = make([]float32, len(dx))
				ConvWinograd(w, got, Patches{dy, b, h, width, out, h, width, 3, 1, 1}, u, c, true, true)
				check("by pictures", dx, got)

				want, du := noise(out*9*c, 1, 5), noise(len(u), 1, 6)
				got = append([]float32(nil), want...)
				Gemm(plain, M(want, out, 9*c), M(dy, places, out).T(), m, Epilogue{Beta: 1})
				ConvWinogradGrad(w, du, dy, x, out)
				WinogradKernelsGrad(w, got, du, out, c)
				check("by kernels", want, got)
			}
		}
	})
}

// unlay adds the elements of patches to the pictures that they are of.
func unlay(p Patches, m Mat) {
	for i := range p.Rows() {
		b, oy, ox := i/(p.OH*p.OW), i/p.OW%p.OH, i%p.OW
		for j := range p.Cols() {
			y, x := oy*p.S-p.Pad+j/p.C/p.K, ox*p.S-p.Pad+j/p.C%p.K
			if y >= 0 && y < p.H && x >= 0 && x < p.W {
				p.Data[((b*p.H+y)*p.W+x)*p.C+j%p.C] += m.Data[i*m.RS+j]
			}
		}
	}
}

// The transforms are the generic ones for any number of channels, to the bit, and write nothing else.
func TestWinogradTransforms(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for c := 1; c < 70; c++ {
			for n := 1; n < 4; n++ {
				rs, ld := (2*n+2)*c+3, c+5
				ds := n*ld + 2
				for name, f := range map[string][2]func(dst, src []float32, ds, ld, rs, c, n int){
					"in": {winogradInGeneric, winogradIn}, "grad": {winogradGradGeneric, winogradGrad},
					"out": {winogradOutGeneric, winogradOut}, "out, added": {winogradOutAddGeneric, winogradOutAdd},
				} {
					from, to := noise(4*rs, 1, 7), noise(WinogradParts*ds, 1, 8)
					if name[0] == 'o' {
						from, to = to, from
					}
					want := append([]float32(nil), to...)
					f[0](want, from, ds, ld, rs, c, n)
					got, intact := guarded(t, to, c%5)
					f[1](got, from, ds, ld, rs, c, n)
					intact()
					for i := range want {
						if want[i] != got[i] {
							t.Fatalf("%s, %d channels, %d windows: element %d is %g, want %g", name, c, n, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

func TestWinogradPanics(t *testing.T) {
	w, x := NewWork(nil), Patches{make([]float32, 32), 1, 4, 4, 2, 4, 4, 3, 1, 1}
	u, y := make([]float32, 16*4), make([]float32, 32)
	for name, f := range map[string]func(){
		"stride":  func() { q := x; q.S = 2; ConvWinograd(w, y, q, u, 2, false, false) },
		"odd":     func() { q := x; q.H, q.OH = 3, 3; ConvWinogradGrad(w, u, y[:24], q, 2) },
		"results": func() { ConvWinograd(w, y[:30], x, u, 2, false, false) },
		"kernels": func() { ConvWinograd(w, y, x, u[:60], 2, false, false) },
		"weights": func() { WinogradKernels(w, u, make([]float32, 35), 2, 2) },
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

// BenchmarkWinograd reports what convolutions of a model for pictures of 32 pixels take for a batch of 16, by Winograd's filtering and by
// patches, and how many times as fast the former is.
func BenchmarkWinograd(b *testing.B) {
	for _, s := range [][3]int{{32, 48, 96}, {16, 96, 96}, {16, 96, 192}, {8, 192, 192}, {56, 64, 64}} {
		side, c, out := s[0], s[1], s[2]
		x := Patches{noise(16*side*side*c, 1, 1), 16, side, side, c, side, side, 3, 1, 1}
		y, kernels := noise(x.Rows()*out, 1, 2), noise(out*x.Cols(), 1, 3)
		u := make([]float32, WinogradParts*out*c)
		for _, name := range []string{"f32", "bf16"} {
			w := NewWork(nil)
			if name == "bf16" {
				w.RoundBF16()
			}
			WinogradKernels(w, u, kernels, out, c)
			for what, f := range map[string][2]func(){
				"forward": {func() { ConvWinograd(w, y, x, u, out, false, false) },
					func() { GemmPatches(w, M(y, x.Rows(), out), x, M(kernels, out, x.Cols()).T(), Epilogue{}) }},
				"gradient": {func() { ConvWinogradGrad(w, u, y, x, out); WinogradKernelsGrad(w, kernels, u, out, c) },
					func() {
						GemmByPatches(w, M(kernels, out, x.Cols()), M(y, x.Rows(), out).T(), x, Epilogue{Beta: 1})
					}},
			} {
				b.Run(fmt.Sprintf("%dx%dx%d-%d/%s/%s", side, side, c, out, name, what), func(b *testing.B) {
					shortest := [2]time.Duration{time.Hour, time.Hour}
					for b.Loop() {
						for i := range f {
							stop := stopwatch()
							f[i]()
							shortest[i] = min(shortest[i], stop())
						}
					}
					b.ReportMetric(shortest[0].Seconds()*1e3, "ms")
					b.ReportMetric(shortest[1].Seconds()/shortest[0].Seconds(), "times")
				})
			}
		}
	}
}
