package kernel

import (
	"math"
	"testing"

	"fovea/internal/cpu"
)

// A vectorCase is one call with slices of n elements. in are the arguments, of which the first out are results.
type vectorCase struct {
	name string
	out  int
	args int
	call func(a [][]float32) float32
	// tolerance as NMSE-like bound: |got − want| ≤ rel·|want| + abs
	rel, abs float64
	scaled   bool // and abs counts in units of the element's arguments
	positive bool // arguments must not be negative (second moments)
	reduces  bool // the result is a sum over n: the tolerance grows with Σ|x|
}

// none wraps a call without a result.
func none(f func(a [][]float32)) func(a [][]float32) float32 {
	return func(a [][]float32) float32 { f(a); return 0 }
}

var vectorCases = []vectorCase{
	{name: "Add", out: 1, args: 3, call: none(func(a [][]float32) { Add(a[0], a[1], a[2]) })},
	{name: "AddTo", out: 1, args: 2, call: none(func(a [][]float32) { AddTo(a[0], a[1]) })},
	{name: "Axpy", out: 1, args: 2, call: none(func(a [][]float32) { Axpy(0.37, a[1], a[0]) }), abs: 1e-6, rel: 3e-7},
	{name: "Scale", out: 1, args: 1, call: none(func(a [][]float32) { Scale(a[0], -1.7) })},
	{name: "Mul", out: 1, args: 3, call: none(func(a [][]float32) { Mul(a[0], a[1], a[2]) })},
	{name: "MulTo", out: 1, args: 3, call: none(func(a [][]float32) { MulTo(a[0], a[1], a[2]) }), rel: 1.2e-7},
	{name: "MaxTo", out: 1, args: 2, call: none(func(a [][]float32) { MaxTo(a[0], a[1]) })},
	{name: "MaxGrad", out: 3, args: 5, call: none(func(a [][]float32) {
		for i := range a[1] {
			if a[1][i] > 0 {
				a[1][i] = 0
			}
			if i%3 > 0 {
				a[2][i] = a[3][i]
			}
		}
		MaxGrad(a[0], a[1], a[3], a[2], a[4])
	})},
	{name: "Lerp", out: 1, args: 2, call: none(func(a [][]float32) { Lerp(a[0], a[1], 0.01) }), abs: 1e-6, rel: 3e-7},
	{name: "Dot", args: 2, call: func(a [][]float32) float32 { return Dot(a[0], a[1]) }, reduces: true, rel: 1e-6},
	{name: "Sum", args: 1, call: func(a [][]float32) float32 { return Sum(a[0]) }, reduces: true, rel: 1e-6},
	{name: "SumSq", args: 1, call: func(a [][]float32) float32 { return SumSq(a[0]) }, reduces: true, rel: 1e-6},
	{name: "Max", args: 1, call: func(a [][]float32) float32 { return Max(a[0]) }},
	{name: "MaxAbs", args: 1, call: func(a [][]float32) float32 { return MaxAbs(a[0]) }},
	{name: "LogSumExp", args: 1, call: func(a [][]float32) float32 { return LogSumExp(a[0]) }, rel: 4e-7, abs: 4e-7},
	{name: "Exp", out: 1, args: 2, call: none(func(a [][]float32) { Exp(a[0], a[1]) }), rel: 2.4e-7},
	{name: "GELU", out: 1, args: 2, call: none(func(a [][]float32) { GELU(a[0], a[1]) }), rel: 6e-7, abs: 1e-9},
	{name: "GELUGrad", out: 1, args: 3, call: none(func(a [][]float32) { GELUGrad(a[0], a[1], a[2]) }), rel: 3e-7, abs: 5e-7, scaled: true},
	{name: "GELUBackward", out: 2, args: 3, call: none(func(a [][]float32) { GELUBackward(a[0], a[1], a[2]) }), rel: 6e-7, abs: 5e-7, scaled: true},
	{name: "GELUExact", out: 1, args: 2, call: none(func(a [][]float32) { GELUExact(a[0], a[1]) }), abs: 1.5e-7, scaled: true},
	{name: "GELUExactGrad", out: 1, args: 3, call: none(func(a [][]float32) { GELUExactGrad(a[0], a[1], a[2]) }), rel: 3e-7, abs: 5e-7, scaled: true},
	{name: "ReLU", out: 1, args: 2, call: none(func(a [][]float32) { ReLU(a[0], a[1]) })},
	{name: "ReLUGrad", out: 1, args: 3, call: none(func(a [][]float32) { ReLUGrad(a[0], a[1], a[2]) })},
	{name: "ReLU6", out: 1, args: 2, call: none(func(a [][]float32) { ReLU6(a[0], a[1]) })},
	{name: "ReLU6Grad", out: 1, args: 2, call: none(func(a [][]float32) { ReLU6Grad(a[0], a[1]) })},
	{name: "SiLU", out: 1, args: 2, call: none(func(a [][]float32) { SiLU(a[0], a[1]) }), rel: 4e-7, abs: 1e-36},
	{name: "SiLUGrad", out: 1, args: 3, call: none(func(a [][]float32) { SiLUGrad(a[0], a[1], a[2]) }), rel: 3e-7, abs: 5e-7, scaled: true},
	{name: "Sigmoid", out: 1, args: 2, call: none(func(a [][]float32) { Sigmoid(a[0], a[1]) }), rel: 4e-7, abs: 1e-38},
	{name: "Tanh", out: 1, args: 2, call: none(func(a [][]float32) { Tanh(a[0], a[1]) }), rel: 2.4e-7},
	{name: "AdamW", out: 3, args: 4, call: none(func(a [][]float32) {
		AdamW(a[0], a[3], a[1], a[2], 1e-2, 0.9, 0.99, 1e-8, 0.1, 0.271, 0.029701)
	}), rel: 1e-6, abs: 1e-6, positive: true},
}

// lengths are all up to 130, which covers every unrolling and tail, then coarse steps.
func lengths() []int {
	var ns []int
	for n := 0; n <= 1000; {
		ns = append(ns, n)
		if n < 130 {
			n++
		} else {
			n += 87
		}
	}
	return ns
}

// run copies in to guarded memory at odd offsets, calls c and returns what it computed.
func (c vectorCase) run(t *testing.T, in [][]float32) (out [][]float32, r float32) {
	args := make([][]float32, len(in))
	checks := make([]func(), len(in))
	for i, x := range in {
		args[i], checks[i] = guarded(t, x, (3*i+len(x))%17)
	}
	r = c.call(args)
	for i, check := range checks {
		check()
		for j, v := range args[i] {
			if i >= c.out && math.Float32bits(v) != math.Float32bits(in[i][j]) {
				t.Fatalf("%s changed argument %d", c.name, i)
			}
		}
	}
	return args[:c.out], r
}

// agree reports whether got is want within the case's tolerance, NaN and infinities exactly.
func (c vectorCase) agree(got, want float32, size float64) bool {
	g, w := float64(got), float64(want)
	if g == w || math.IsNaN(w) || math.IsInf(w, 0) || math.IsInf(g, 0) {
		return g == w || math.IsNaN(w) && math.IsNaN(g)
	}
	tol := c.abs + c.rel*math.Abs(w)
	switch {
	case c.reduces:
		tol = c.rel * size
	case c.scaled:
		tol += c.abs * size
	}
	return math.Abs(g-w) <= tol
}

// compare runs c under the current implementation and the generic one.
func (c vectorCase) compare(t *testing.T, in [][]float32) {
	t.Helper()
	out, r := c.run(t, in)
	restore := cpu.Select("kernel", cpu.Generic)
	wantOut, wantR := c.run(t, in)
	restore()
	size := 0.0
	for i := range in[0] {
		p := 1.0
		for _, x := range in {
			p *= math.Abs(float64(x[i]))
		}
		size += p
		if c.name == "SumSq" {
			size += p * p
		}
	}
	if !c.agree(r, wantR, size) {
		t.Errorf("%s of %d elements: %g, generic %g", c.name, len(in[0]), r, wantR)
	}
	bad := 0
	for i, x := range out {
		for j, v := range x {
			size := 0.0
			for _, x := range in {
				size += math.Abs(float64(x[j]))
			}
			if w := wantOut[i][j]; !c.agree(v, w, size) && bad < 3 {
				bad++
				var arg []float32
				for _, x := range in {
					arg = append(arg, x[j])
				}
				t.Errorf("%s, n %d: result %d[%d] of %g is %g, generic %g", c.name, len(x), i, j, arg, v, w)
			}
		}
	}
}

func (c vectorCase) input(n int, sd float64) [][]float32 {
	in := make([][]float32, c.args)
	for i := range in {
		in[i] = noise(n, sd, uint64(n*10+i))
		if c.positive {
			for j, v := range in[i] {
				in[i][j] = abs(v)
			}
		}
	}
	return in
}

func TestVectorsAgreeWithGeneric(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for _, c := range vectorCases {
			t.Run(c.name, func(t *testing.T) {
				for _, n := range lengths() {
					c.compare(t, c.input(n, 1))
					c.compare(t, c.input(n, 20))
				}
			})
		}
	})
}

// Every special value in every lane of the vectors and of the tail, and beside every other one.
func TestVectorsSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), 1e-45, -1e-40, math.MaxFloat32, -math.MaxFloat32,
		88.8, 89.5, -87.4, -87.9, -103.2, -104.5, 127, 1e20, -1e20}
	eachImpl(t, func(t *testing.T) {
		for _, c := range vectorCases {
			t.Run(c.name, func(t *testing.T) {
				if c.name == "AdamW" {
					special = special[:3] // numbers whose squares overflow belong to the formula's rearrangement
				}
				for _, v := range special {
					for _, n := range []int{1, 7, 19, 37} {
						for i := range n {
							in := c.input(n, 1)
							for k := range in {
								if k >= c.out || k == 0 && c.out == c.args {
									in[k][i] = v
								}
							}
							c.compare(t, in)
						}
					}
				}
			})
		}
	})
}
