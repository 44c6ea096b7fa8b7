//go:build linux

package ops

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// BenchmarkStem reports the processor time of the convolutions, norms and pools of a small model for pictures of 32 pixels, forward and
// backward over 64 of them, the rate of its products, and its share of the peak in turns with the work as BenchmarkConv does.
func BenchmarkStem(b *testing.B) {
	for _, precision := range []string{"f32", "bf16"} {
		b.Run(precision, func(b *testing.B) {
			const batch = 64
			rng := rand.New(rand.NewPCG(1, 2))
			work := kernel.NewWork(nil)
			if precision == "bf16" {
				work.RoundBF16()
			}
			tape := autograd.NewTape(work, 0, true)
			x := make([]float32, batch*32*32*3)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			type layer struct{ w, gain, bias, mean, variance *autograd.Param }
			newLayer := func(in, out int) layer {
				l := layer{param(rng, out, 9*in), param(rng, out), param(rng, out), autograd.NewParam(autograd.Buffer, out), autograd.NewParam(autograd.Buffer, out)}
				kernel.Scale(l.w.Data, float32(math.Sqrt(2/float64(9*in))))
				return l
			}
			layers := []layer{newLayer(3, 48), newLayer(48, 96), newLayer(96, 96), newLayer(96, 96), newLayer(96, 192), newLayer(192, 192), newLayer(192, 192)}
			conv := func(x, res *Value, l layer) *Value {
				y := Conv2D(x, tape.Use(l.w), nil, 3, 1)
				return BatchNorm(y, tape.Use(l.gain), tape.Use(l.bias), res, Running{Mean: l.mean, Var: l.variance}, true)
			}
			var spent, peak time.Duration
			var operations, multiplied float64
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for b.Loop() {
				at := processorTime()
				tape.Reset()
				h := MaxPool(conv(conv(tape.Input(x, batch, 32, 32, 3), nil, layers[0]), nil, layers[1]), 2, 2, 0)
				h = conv(conv(h, nil, layers[2]), h, layers[3])
				h = MaxPool(conv(h, nil, layers[4]), 2, 2, 0)
				h = conv(conv(h, nil, layers[5]), h, layers[6])
				y := tape.New(true, 1)
				for i := range h.Grad() {
					h.Grad()[i] = h.Data[i] - 1
				}
				tape.Backward(y, 1)
				end := processorTime()
				spent += end - at
				multiplied += batch * 6 * 9 * (1024*(3*48*2/3.+48*96) + 256*(2*96*96+96*192) + 64*2*192*192)
				for range 10 {
					if precision == "bf16" {
						operations += kernel.MultiplyAdds(10000, 2)
					} else {
						operations += kernel.MultiplyAdds(10000, 1)
					}
				}
				peak += processorTime() - end
			}
			b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(multiplied/spent.Seconds()/1e9, "GFLOP/s")
			if operations > 0 {
				b.ReportMetric(100*multiplied/spent.Seconds()/(operations/peak.Seconds()), "%peak")
			}
		})
	}
}
