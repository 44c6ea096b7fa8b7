package ops

import (
	"math/rand/v2"
	"testing"

	"fovea/autograd"
)

// TestPublishedGradients checks the gradients of operations that only published models have.
func TestPublishedGradients(t *testing.T) {
	spans := []Span{{0, 2, 0, 3}, {2, 2, 3, 3}, {4, 2, 0, 3}}
	for name, c := range map[string]struct {
		shapes [][]int
		f      func(t *autograd.Tape, in []*Value) *Value
	}{
		"depthwise 3x3": {[][]int{{2, 4, 5, 6}, {6, 1, 3, 3}, {6}}, func(_ *autograd.Tape, in []*Value) *Value {
			return DepthwiseConv2D(in[0], in[1], in[2], 3, 1, 1)
		}},
		"depthwise 2x2 stride 2": {[][]int{{1, 5, 4, 3}, {3, 1, 2, 2}}, func(_ *autograd.Tape, in []*Value) *Value {
			return DepthwiseConv2D(in[0], in[1], nil, 2, 2, 0)
		}},
		"biased attention": {[][]int{{6, 8}, {6, 8}, {6, 8}, {3, 2, 2, 3}}, func(_ *autograd.Tape, in []*Value) *Value {
			return BiasedAttention(in[0], in[1], in[2], in[3], 2, spans)
		}},
		"bias that heads share": {[][]int{{6, 8}, {6, 8}, {6, 8}, {3, 1, 2, 3}}, func(_ *autograd.Tape, in []*Value) *Value {
			return BiasedAttention(in[0], in[1], in[2], in[3], 2, spans)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 7))
			var in []*autograd.Param
			for _, s := range c.shapes {
				in = append(in, param(rng, s...))
			}
			if worst, err := autograd.Check(c.f, in, 2e-3, 5e-3); err != nil {
				t.Errorf("%v (worst %g)", err, worst)
			}
		})
	}
}
