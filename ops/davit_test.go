package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// TestDaViTGradients compares the gradients of the operations that DaViT adds with finite differences.
func TestDaViTGradients(t *testing.T) {
	for name, c := range map[string]struct {
		shapes [][]int
		f      func(in []*Value) *Value
	}{
		"depthwise 3x3":              {[][]int{{2, 3, 4, 5}, {5, 1, 3, 3}, {5}}, func(in []*Value) *Value { return DepthwiseConv2D(in[0], in[1], in[2], 3, 1, 1) }},
		"depthwise 5x5 without bias": {[][]int{{1, 2, 3, 4}, {4, 1, 5, 5}}, func(in []*Value) *Value { return DepthwiseConv2D(in[0], in[1], nil, 5, 1, 2) }},
		"convolution, same padding":  {[][]int{{2, 6, 6, 3}, {4, 27}, {4}}, func(in []*Value) *Value { return Conv2DSame(in[0], in[1], in[2], 3, 2) }},
		"depthwise, same padding":    {[][]int{{2, 6, 6, 3}, {3, 1, 5, 5}, {3}}, func(in []*Value) *Value { return DepthwiseConv2DSame(in[0], in[1], in[2], 5, 2) }},
		"relu6":                      {[][]int{{5, 4}, {6, 4}}, func(in []*Value) *Value { return ReLU6(Linear(in[0], in[1], nil)) }},
		"channel attention":          {[][]int{{10, 6}, {10, 6}, {10, 6}}, func(in []*Value) *Value { return ChannelAttention(in[0], in[1], in[2], 2, 2) }},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var ps []*autograd.Param
			for _, s := range c.shapes {
				ps = append(ps, param(rng, s...))
			}
			if worst, err := autograd.Check(func(_ *autograd.Tape, in []*Value) *Value { return c.f(in) }, ps, 1e-2, 2e-2); err != nil {
				t.Errorf("%v (worst %g)", err, worst)
			}
		})
	}
}

// TestDepthwiseConv2D: a kernel for each channel is a kernel for all of them with zeros between different channels.
func TestDepthwiseConv2D(t *testing.T) {
	const c, k = 3, 3
	rng := rand.New(rand.NewPCG(3, 4))
	x, w, bias := param(rng, 2, 4, 5, c), param(rng, c, 1, k, k), param(rng, c)
	full := autograd.NewParam(autograd.Matrix, c, c, k, k)
	for i, v := range w.Data {
		ch := i / (k * k)
		full.Data[(ch*c+ch)*k*k+i%(k*k)] = v
	}
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	want := Conv2D(tape.Use(x), ChannelsLast(tape.Use(full)), tape.Use(bias), k, 1)
	near(t, DepthwiseConv2D(tape.Use(x), tape.Use(w), tape.Use(bias), k, 1, 1).Data, want.Data)
}

// TestSamePadding: TensorFlow pads an even picture for a stride of 2 after its end: the kernel's centre is on pixels 1, 3, ….
func TestSamePadding(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	x := tape.Input([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 1, 4, 4, 1)
	centre := tape.Input([]float32{0, 0, 0, 0, 1, 0, 0, 0, 0}, 1, 9)
	near(t, Conv2DSame(x, centre, nil, 3, 2).Data, []float32{6, 8, 14, 16})
	corner := tape.Input([]float32{0, 0, 0, 0, 0, 0, 0, 0, 1}, 1, 1, 3, 3)
	near(t, DepthwiseConv2DSame(x, corner, nil, 3, 2).Data, []float32{11, 0, 0, 0})
	near(t, DepthwiseConv2DSame(x, corner, nil, 3, 1).Data, []float32{6, 7, 8, 0, 10, 11, 12, 0, 14, 15, 16, 0, 0, 0, 0, 0})
}

// TestChannelAttention follows the definition, number by number.
func TestChannelAttention(t *testing.T) {
	const pictures, n, groups, c = 2, 3, 2, 2
	rng := rand.New(rand.NewPCG(5, 6))
	q, k, v := param(rng, pictures*n, groups*c), param(rng, pictures*n, groups*c), param(rng, pictures*n, groups*c)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	got := ChannelAttention(tape.Use(q), tape.Use(k), tape.Use(v), groups, pictures)
	want := make([]float32, len(got.Data))
	for b := range pictures {
		for g := range groups {
			at := func(row, ch int) int { return (b*n+row)*groups*c + g*c + ch }
			for i := range c {
				var p [c]float64
				sum := 0.
				for j := range c {
					for row := range n {
						p[j] += float64(q.Data[at(row, i)]) * float64(k.Data[at(row, j)])
					}
					p[j] = math.Exp(p[j] / math.Sqrt(n))
					sum += p[j]
				}
				for row := range n {
					for j := range c {
						want[at(row, i)] += float32(p[j] / sum * float64(v.Data[at(row, j)]))
					}
				}
			}
		}
	}
	near(t, got.Data, want)
}
