package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fovea/autograd"
)

func randomParam(rng *rand.Rand, name string, kind autograd.Kind, shape ...int) *autograd.Param {
	p := autograd.NewParam(kind, shape...)
	p.Name = name
	p.Replicate(1)
	for i := range p.Data {
		p.Data[i] = float32(rng.NormFloat64())
	}
	return p
}

func randomize(rng *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func maxDiff(got []float32, want []float64) (worst float64) {
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i])-want[i]))
	}
	return worst
}

// adamReference is the formula of AdamW in float64.
type adamReference struct {
	t    int
	m, v []float64
}

func (r *adamReference) step(p []float64, g []float32, lr, b1, b2, eps, wd float64) {
	if r.m == nil {
		r.m, r.v = make([]float64, len(p)), make([]float64, len(p))
	}
	r.t++
	for i := range p {
		d := float64(g[i])
		r.m[i] = b1*r.m[i] + (1-b1)*d
		r.v[i] = b2*r.v[i] + (1-b2)*d*d
		mh := r.m[i] / (1 - math.Pow(b1, float64(r.t)))
		vh := r.v[i] / (1 - math.Pow(b2, float64(r.t)))
		p[i] -= lr * (mh/(math.Sqrt(vh)+eps) + wd*p[i])
	}
}

// TestAdamWFormula: max |Δ| ≤ 1e-5 after 20 steps of size 1e-2, decay on Matrix and Table and none on Vector.
func TestAdamWFormula(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	opt := NewAdamW(2)
	opt.Decay = .1
	params := []*autograd.Param{
		randomParam(rng, "w", autograd.Matrix, 5, 7), randomParam(rng, "e", autograd.Table, 9, 3),
		randomParam(rng, "b", autograd.Vector, 17), randomParam(rng, "run", autograd.Buffer, 4), randomParam(rng, "ice", autograd.Matrix, 2, 2),
	}
	params[4].Frozen = true
	var refs [3]adamReference
	want := [][]float64{}
	for _, p := range params {
		want = append(want, wide(p.Data))
	}
	for range 20 {
		for i, p := range params {
			randomize(rng, p.Grads[0])
			if i < 3 {
				wd := .1
				if i == 2 {
					wd = 0
				}
				refs[i].step(want[i], p.Grads[0], .01, .9, .95, 1e-8, wd)
			}
		}
		opt.Step(params, .01)
	}
	for i, p := range params {
		if d := maxDiff(p.Data, want[i]); d > 1e-5 {
			t.Errorf("%s: max |Δ| %g", p.Name, d)
		}
	}
}

type matrix struct {
	r, c int
	x    []float64
}

func (a matrix) mul(b matrix) matrix {
	y := matrix{a.r, b.c, make([]float64, a.r*b.c)}
	for i := range a.r {
		for k := range a.c {
			for j := range b.c {
				y.x[i*b.c+j] += a.x[i*a.c+k] * b.x[k*b.c+j]
			}
		}
	}
	return y
}

func (a matrix) t() matrix {
	y := matrix{a.c, a.r, make([]float64, len(a.x))}
	for i := range a.r {
		for j := range a.c {
			y.x[j*a.r+i] = a.x[i*a.c+j]
		}
	}
	return y
}

// schulzReference follows the published algorithm word for word, transposing tall matrices.
func schulzReference(g matrix) matrix {
	x := matrix{g.r, g.c, append([]float64(nil), g.x...)}
	s := 0.0
	for _, v := range x.x {
		s += v * v
	}
	for i := range x.x {
		x.x[i] /= math.Sqrt(s) + 1e-7
	}
	tall := g.r > g.c
	if tall {
		x = x.t()
	}
	for range 5 {
		a := x.mul(x.t())
		b := a.mul(a)
		for i := range b.x {
			b.x[i] = -4.7750*a.x[i] + 2.0315*b.x[i]
		}
		bx := b.mul(x)
		for i := range x.x {
			bx.x[i] += 3.4445 * x.x[i]
		}
		x = bx
	}
	if tall {
		x = x.t()
	}
	return x
}

// TestMuonReference: five steps of lr .02 on wide, tall, square and convolution-shaped matrices stay within max |Δ| 5e-6 of
// the float64 reference, and other kinds move as AdamW moves them.
func TestMuonReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	opt := NewMuon(2)
	opt.Inner.Decay = .02
	params := []*autograd.Param{
		randomParam(rng, "wide", autograd.Matrix, 6, 20), randomParam(rng, "tall", autograd.Matrix, 24, 7),
		randomParam(rng, "square", autograd.Matrix, 16, 16), randomParam(rng, "conv", autograd.Matrix, 8, 3*3*5),
		randomParam(rng, "row", autograd.Matrix, 1, 9), randomParam(rng, "bias", autograd.Vector, 6), randomParam(rng, "table", autograd.Table, 12, 4),
	}
	want, mom := [][]float64{}, make([][]float64, len(params))
	refs := make([]adamReference, len(params))
	for i, p := range params {
		want, mom[i] = append(want, wide(p.Data)), make([]float64, len(p.Data))
	}
	for range 5 {
		for i, p := range params {
			randomize(rng, p.Grads[0])
			if p.Kind != autograd.Matrix {
				wd := .02
				if p.Kind == autograd.Vector {
					wd = 0
				}
				refs[i].step(want[i], p.Grads[0], .002, .9, .95, 1e-8, wd)
				continue
			}
			r, c := matrixSize(p)
			u := matrix{r, c, make([]float64, r*c)}
			for j, g := range wide(p.Grads[0]) {
				mom[i][j] = .95*mom[i][j] + .05*g
				u.x[j] = .05*g + .95*mom[i][j]
			}
			for j, v := range schulzReference(u).x {
				want[i][j] = want[i][j]*(1-.02*.01) - .02*math.Sqrt(max(1, float64(r)/float64(c)))*v
			}
		}
		opt.Step(params, .02)
	}
	for i, p := range params {
		if d := maxDiff(p.Data, want[i]); d > 5e-6 {
			t.Errorf("%s: max |Δ| %g", p.Name, d)
		}
	}
}

// TestMuonRounds: in bfloat16 the nearest orthogonal matrix is found as near as its three digits allow, and is another one.
func TestMuonRounds(t *testing.T) {
	for _, size := range [][2]int{{40, 100}, {100, 40}, {64, 64}} {
		var found [2][]float32
		for i := range found {
			m := NewMuon(1)
			if i == 1 {
				m.RoundBF16()
			}
			s := m.scratch[0]
			s.grow(size[0]*size[1], min(size[0], size[1]))
			randomize(rand.New(rand.NewPCG(6, 6)), s.x)
			found[i] = slices.Clone(s.orthogonalize(size[0], size[1], m.Iterations))
		}
		var diff, all float64
		for i, v := range found[0] {
			diff += math.Pow(float64(v-found[1][i]), 2)
			all += float64(v) * float64(v)
		}
		if r := math.Sqrt(diff / all); !(r > 1e-4 && r < .03) {
			t.Errorf("%v: off by %g of its size", size, r)
		}
	}
}

// TestMuonWorkers: the number of goroutines changes no bit.
func TestMuonWorkers(t *testing.T) {
	run := func(workers int) []*autograd.Param {
		rng := rand.New(rand.NewPCG(3, 3))
		opt := NewMuon(workers)
		params := []*autograd.Param{}
		for i := range 6 {
			params = append(params, randomParam(rng, "w", autograd.Matrix, 10+i, 30-5*i), randomParam(rng, "b", autograd.Vector, 5))
		}
		for range 3 {
			for _, p := range params {
				randomize(rng, p.Grads[0])
			}
			opt.Step(params, .02)
		}
		return params
	}
	one, three := run(1), run(3)
	for i := range one {
		for j := range one[i].Data {
			if math.Float32bits(one[i].Data[j]) != math.Float32bits(three[i].Data[j]) {
				t.Fatalf("parameter %d element %d: %g with one worker, %g with three", i, j, one[i].Data[j], three[i].Data[j])
			}
		}
	}
}

// TestMuonZeroGradient: a matrix without a gradient only decays.
func TestMuonZeroGradient(t *testing.T) {
	p := randomParam(rand.New(rand.NewPCG(4, 4)), "w", autograd.Matrix, 3, 4)
	was := wide(p.Data)
	NewMuon(1).Step([]*autograd.Param{p}, .02)
	for i := range was {
		was[i] *= 1 - .02*.01
	}
	if d := maxDiff(p.Data, was); d > 1e-7 {
		t.Errorf("max |Δ| %g", d)
	}
}

func TestOptimizersAllocateNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	params := []*autograd.Param{randomParam(rng, "w", autograd.Matrix, 20, 30), randomParam(rng, "x", autograd.Matrix, 30, 20), randomParam(rng, "b", autograd.Vector, 5)}
	for _, opt := range []Optimizer{NewAdamW(2), NewMuon(2)} {
		step := func() {
			for _, p := range params {
				randomize(rng, p.Grads[0])
			}
			opt.Step(params, 1e-3)
		}
		if n := testing.AllocsPerRun(200, step); n > 0 {
			t.Errorf("%v: %v allocations a step", opt.Settings()["name"], n)
		}
	}
}

func TestNewOptimizer(t *testing.T) {
	some := .3
	for _, c := range []struct {
		name  string
		decay *float64
		want  float32
		fails bool
	}{{"", nil, .01, false}, {"muon", &some, .3, false}, {"adamw", nil, .02, false}, {"adamw", &some, .3, false}, {"sgd", nil, 0, true}} {
		o, err := NewOptimizer(c.name, c.decay, 1)
		if (err != nil) != c.fails {
			t.Errorf("%q: %v", c.name, err)
		} else if err == nil && o.Settings()["decay"] != c.want {
			t.Errorf("%q: decay %v, want %v", c.name, o.Settings()["decay"], c.want)
		}
	}
}

func BenchmarkMuon(b *testing.B) {
	rng := rand.New(rand.NewPCG(6, 6))
	var params []*autograd.Param
	for range 8 { // the matrices of the nano model's blocks
		for range 4 {
			params = append(params, randomParam(rng, "", autograd.Matrix, 192, 192))
		}
		params = append(params, randomParam(rng, "", autograd.Matrix, 768, 192), randomParam(rng, "", autograd.Matrix, 192, 768))
	}
	for _, p := range params {
		randomize(rng, p.Grads[0])
	}
	opt := NewMuon(2)
	b.ReportAllocs()
	for b.Loop() {
		opt.Step(params, .02)
	}
}
