package ops

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// BenchmarkDepthwise times the depthwise convolutions of EfficientNet-Lite0 for one picture of 192 pixels, forward and backward.
func BenchmarkDepthwise(b *testing.B) {
	for _, s := range []struct{ side, c, k, stride int }{{96, 32, 3, 1}, {96, 96, 3, 2}, {48, 144, 3, 1}, {48, 144, 5, 2}, {24, 240, 5, 1}, {12, 480, 3, 1}, {12, 672, 5, 1}, {6, 1152, 5, 1}} {
		b.Run(fmt.Sprintf("%d×%d/%d", s.side, s.c, s.k), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
			x, w, bias := param(rng, 1, s.side, s.side, s.c), param(rng, s.c, 1, s.k, s.k), param(rng, s.c)
			for b.Loop() {
				tape.Reset()
				DepthwiseConv2DSame(tape.Use(x), tape.Use(w), tape.Use(bias), s.k, s.stride)
				tape.Backward(tape.New(true, 1), 1)
			}
		})
	}
}
