package ops

import (
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// TestAttentionAnswers: without a backward pass, rows are cut and heads of all pictures go side by side; the result is that of
// the forward pass of training, with threads and without.
func TestAttentionAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, l := range []Layout{
		{Images: 2, Patches: 2*taskRows + 3},
		{Images: 3, Patches: 65, Groups: []Group{{Image: 0, Start: 195, Len: 9, Causal: true, Prefix: 3}, {Image: 0, Start: 204, Len: 70}, {Image: 2, Start: 274, Len: 5, Causal: true}, {Image: -1, Start: 279, Len: 11}}},
	} {
		const heads, d = 3, 48
		n := l.Rows()
		q, k, v := param(rng, n, d), param(rng, n, d), param(rng, n, d)
		run := func(work *kernel.Work, train bool) []float32 {
			tape := autograd.NewTape(work, 0, train)
			return Attention(tape.Use(q), tape.Use(k), tape.Use(v), heads, &l, nil).Data
		}
		want := run(kernel.NewWork(nil), true)
		near(t, run(kernel.NewWork(nil), false), want)
		near(t, run(kernel.NewWork(pool), false), want)
	}
}
