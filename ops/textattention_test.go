package ops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// TestTextAttention: it is CachedAttention of whole texts, and has the gradient that finite differences give.
func TestTextAttention(t *testing.T) {
	for _, c := range []struct {
		heads, groups, kd int
		limit             float32
		runs              []Run
	}{
		{heads: 2, groups: 2, kd: 3, runs: []Run{{Rows: 5}}},
		{heads: 4, groups: 2, kd: 2, runs: []Run{{Rows: 4}, {Row: 4, Rows: 3}}},
		{heads: 4, groups: 1, kd: 2, limit: 1.5, runs: []Run{{Rows: 6, Prefix: 4}, {Row: 6, Rows: 1}}},
		{heads: 2, groups: 1, kd: 4, limit: 2, runs: []Run{{Rows: 7, Prefix: 2, Window: 3}}},
		{heads: 2, groups: 2, kd: 2, runs: []Run{{Rows: 4, Prefix: 4}}},
		{heads: 2, groups: 1, kd: 2, limit: 2, runs: []Run{{Rows: taskRows + 9, Window: 30}, {Row: taskRows + 9, Rows: 5}}}, // in parts
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rng, n := rand.New(rand.NewPCG(3, 4)), 0
			for _, r := range c.runs {
				n += r.Rows
			}
			in := []*autograd.Param{param(rng, n, c.heads*c.kd), param(rng, n, c.groups*c.kd), param(rng, n, c.groups*c.kd)}
			f := func(t *autograd.Tape, in []*Value) *Value {
				return TextAttention(in[0], in[1], in[2], c.heads, c.groups, .7, c.limit, c.runs)
			}
			if worst, err := autograd.Check(f, in, 2e-3, 5e-3); err != nil {
				t.Errorf("%v (worst %g)", err, worst)
			}
			tape, w := autograd.NewTape(kernel.NewWork(nil), 0, false), c.groups*c.kd
			got := f(tape, []*Value{tape.Use(in[0]), tape.Use(in[1]), tape.Use(in[2])})
			cached := slices.Clone(c.runs)
			for i, r := range cached {
				cached[i].Text = []Past{{K: in[1].Data[r.Row*w : (r.Row+r.Rows)*w], V: in[2].Data[r.Row*w : (r.Row+r.Rows)*w]}}
			}
			near(t, got.Data, CachedAttention(tape.Use(in[0]), c.heads, c.groups, .7, c.limit, cached).Data)
		})
	}
}
