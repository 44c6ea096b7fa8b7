package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

func TestGridAttentionGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	ps := []*autograd.Param{param(rng, 12, 6), param(rng, 12, 6), param(rng, 12, 6), param(rng, 3, 3), param(rng, 5, 3)}
	f := func(_ *autograd.Tape, in []*Value) *Value {
		return GridAttention(in[0], in[1], in[2], in[3], in[4], 2, 2, 3)
	}
	if worst, err := autograd.Check(f, ps, 1e-3, 5e-3); err != nil {
		t.Errorf("%v (worst %g)", err, worst)
	}
}

// TestGridAttention follows the definition, number by number.
func TestGridAttention(t *testing.T) {
	const grids, heads, h, w, k = 2, 2, 2, 3, 3
	const n, d = h * w, heads * k
	rng := rand.New(rand.NewPCG(3, 4))
	q, key, v, down, across := param(rng, grids*n, d), param(rng, grids*n, d), param(rng, grids*n, d), param(rng, 2*h-1, k), param(rng, 2*w-1, k)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	got := GridAttention(tape.Use(q), tape.Use(key), tape.Use(v), tape.Use(down), tape.Use(across), heads, h, w)
	want := make([]float32, grids*n*d)
	for i := range grids * n * heads {
		g, row, head := i/heads/n, i/heads, i%heads
		at := func(p *autograd.Param, row, j int) float64 { return float64(p.Data[row*d+head*k+j]) }
		var p [n]float64
		sum := 0.
		for j := range n {
			for c := range k {
				dy, dx := row%n/w-j/w+h-1, row%n%w-j%w+w-1
				p[j] += at(q, row, c) * (at(key, g*n+j, c)/math.Sqrt(k) + float64(down.Data[dy*k+c]) + float64(across.Data[dx*k+c]))
			}
			p[j] = math.Exp(p[j])
			sum += p[j]
		}
		for j := range n {
			for c := range k {
				want[row*d+head*k+c] += float32(p[j] / sum * at(v, g*n+j, c))
			}
		}
	}
	near(t, got.Data, want)
}
