package ops

import (
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/cpu"
)

func param(rng *rand.Rand, shape ...int) *autograd.Param {
	p := autograd.NewParam(autograd.Matrix, shape...)
	for i := range p.Data {
		p.Data[i] = float32(rng.NormFloat64())
	}
	return p
}

// gradients is the table of all operations: inputs and the function to differentiate.
var gradients = []struct {
	name   string
	shapes [][]int
	f      func(t *autograd.Tape, in []*Value) *Value
}{
	{"linear", [][]int{{3, 5, 7}, {4, 7}, {4}}, func(t *autograd.Tape, in []*Value) *Value { return Linear(in[0], in[1], in[2]) }},
	{"linear and a shortcut", [][]int{{9, 17}, {9, 7}, {17, 7}, {17}}, func(t *autograd.Tape, in []*Value) *Value { return LinearAdd(in[0], in[1], in[2], in[3]) }},
	{"feed-forward layer", [][]int{{5, 4}, {5, 4}, {9, 4}, {9}, {4, 9}, {4}}, func(t *autograd.Tape, in []*Value) *Value {
		return FeedForward(in[0], in[1], in[2], in[3], in[4], in[5])
	}},
	{"linear without bias", [][]int{{9, 7}, {17, 7}}, func(t *autograd.Tape, in []*Value) *Value { return Linear(in[0], in[1], nil) }},
	{"add", [][]int{{3, 6}, {3, 6}}, func(t *autograd.Tape, in []*Value) *Value { return Add(in[0], in[1]) }},
	{"add repeated", [][]int{{2, 3, 6}, {3, 6}}, func(t *autograd.Tape, in []*Value) *Value { return Add(in[0], in[1]) }},
	{"scale", [][]int{{3, 6}}, func(t *autograd.Tape, in []*Value) *Value { return Scale(in[0], -2.5) }},
	{"sum", [][]int{{1}, {1}}, func(t *autograd.Tape, in []*Value) *Value {
		return Sum(t, []*Value{in[0], nil, in[1]}, []float32{2, 5, -3})
	}},
	{"gelu", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return GELU(in[0]) }},
	{"silu", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return SiLU(in[0]) }},
	{"exact gelu", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return GELUExact(in[0]) }},
	{"quick gelu", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return QuickGELU(in[0]) }},
	{"sigmoid", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return Sigmoid(in[0]) }},
	{"tanh", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return Tanh(in[0]) }},
	{"mul", [][]int{{3, 6}, {3, 6}}, func(t *autograd.Tape, in []*Value) *Value { return Mul(in[0], in[1]) }},
	{"mul repeated", [][]int{{2, 3, 6}, {6}}, func(t *autograd.Tape, in []*Value) *Value { return Mul(in[0], in[1]) }},
	{"relu", [][]int{{5, 9}}, func(t *autograd.Tape, in []*Value) *Value { return ReLU(in[0]) }},
	{"layernorm", [][]int{{4, 12}, {12}, {12}}, func(t *autograd.Tape, in []*Value) *Value { return LayerNorm(in[0], in[1], in[2], 1e-5) }},
	{"layernorm by heads", [][]int{{4, 12}, {6}}, func(t *autograd.Tape, in []*Value) *Value { return LayerNorm(in[0], in[1], nil, 1e-5) }},
	{"normalize", [][]int{{4, 6}}, func(t *autograd.Tape, in []*Value) *Value { return Normalize(in[0]) }},
	{"gather", [][]int{{5, 4}, {3, 4}}, func(t *autograd.Tape, in []*Value) *Value {
		return Gather(t, []Ref{{0, 4}, {1, 0}, {0, 4}, {1, 2}}, in[0], in[1])
	}},
	{"slice", [][]int{{5, 4}}, func(t *autograd.Tape, in []*Value) *Value { return Scale(Slice(in[0], 1, 4), 2) }},
	{"mean of rows", [][]int{{6, 4}}, func(t *autograd.Tape, in []*Value) *Value { return MeanRows(in[0], 3) }},
	{"bag", [][]int{{5, 4}}, func(t *autograd.Tape, in []*Value) *Value { return Bag(in[0], [][]int32{{1}, {0, 4}, {1, 1, 2}}) }},
	{"concat", [][]int{{2, 4}, {3, 4}}, func(t *autograd.Tape, in []*Value) *Value { return Concat(in[0], in[1]) }},
	{"conv 3x3", [][]int{{2, 5, 4, 3}, {6, 27}, {6}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2D(in[0], in[1], in[2], 3, 1) }},
	{"conv 3x3 stride 2", [][]int{{2, 6, 5, 3}, {6, 27}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2D(in[0], in[1], nil, 3, 2) }},
	{"conv 3x3 by Winograd's filtering", [][]int{{2, 4, 8, 16}, {18, 144}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2D(in[0], in[1], nil, 3, 1) }},
	{"conv 1x1", [][]int{{2, 3, 3, 4}, {5, 4}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2D(in[0], in[1], nil, 1, 1) }},
	{"conv 4x4 of patches", [][]int{{2, 9, 8, 3}, {5, 48}, {5}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2DPad(in[0], in[1], in[2], 4, 4, 0) }},
	{"conv 4x4 of patches, padded", [][]int{{1, 7, 8, 3}, {5, 48}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2DPad(in[0], in[1], nil, 4, 4, 1) }},
	{"conv 1x1 in a margin", [][]int{{1, 3, 2, 4}, {5, 4}}, func(t *autograd.Tape, in []*Value) *Value { return Conv2DPad(in[0], in[1], nil, 1, 1, 1) }},
	{"transposed conv 4x4 stride 2", [][]int{{2, 3, 4, 3}, {3, 80}, {5}}, func(t *autograd.Tape, in []*Value) *Value { return ConvTranspose2D(in[0], in[1], in[2], 4, 2, 1) }},
	{"transposed conv of patches", [][]int{{1, 3, 2, 3}, {3, 18}}, func(t *autograd.Tape, in []*Value) *Value { return ConvTranspose2D(in[0], in[1], nil, 3, 3, 0) }},
	{"channels last", [][]int{{4, 3, 2, 2}}, func(t *autograd.Tape, in []*Value) *Value { return ChannelsLast(in[0]) }},
	{"resize", [][]int{{2, 3, 2, 4}}, func(t *autograd.Tape, in []*Value) *Value {
		rows := &Taps{In: 3, At: [][]int32{{0}, {0, 1}, {2, 1, 1}, {2}}, Weight: [][]float32{{1}, {.25, .75}, {.5, 1.2, -.7}, {2}}}
		return Resize(in[0], rows, &Taps{In: 2, At: [][]int32{{1, 0}}, Weight: [][]float32{{.3, .7}}})
	}},
	{"cross attention", [][]int{{5, 8}, {7, 8}, {7, 8}}, func(t *autograd.Tape, in []*Value) *Value {
		return CrossAttention(in[0], in[1], in[2], 2, []Span{{0, 2, 0, 3}, {2, 2, 3, 4}, {4, 1, 0, 3}})
	}},
	{"cross attention in parts", [][]int{{taskRows + 9, 4}, {7, 4}, {7, 4}}, func(t *autograd.Tape, in []*Value) *Value {
		return CrossAttention(in[0], in[1], in[2], 2, []Span{{0, taskRows + 6, 0, 7}, {taskRows + 6, 3, 2, 4}})
	}},
	{"join", [][]int{{3, 2}, {3, 5}}, func(t *autograd.Tape, in []*Value) *Value { return Join(in[0], in[1]) }},
	{"pixel shuffle", [][]int{{2, 3, 2, 8}}, func(t *autograd.Tape, in []*Value) *Value { return PixelShuffle(in[0], 2) }},
	{"batchnorm", [][]int{{2, 3, 4, 5}, {5}, {5}, {2, 3, 4, 5}}, func(t *autograd.Tape, in []*Value) *Value {
		run := Running{autograd.NewParam(autograd.Buffer, 5), autograd.NewParam(autograd.Buffer, 5)}
		return BatchNorm(in[0], in[1], in[2], in[3], run, false)
	}},
	{"batchnorm with relu", [][]int{{2, 3, 4, 5}, {5}, {5}}, func(t *autograd.Tape, in []*Value) *Value {
		run := Running{autograd.NewParam(autograd.Buffer, 5), autograd.NewParam(autograd.Buffer, 5)}
		return BatchNorm(in[0], in[1], in[2], nil, run, true)
	}},
	{"attention", [][]int{{14, 8}, {14, 8}, {14, 8}}, func(t *autograd.Tape, in []*Value) *Value {
		return Attention(in[0], in[1], in[2], 2, groups(), nil)
	}},
	{"attention from memory", [][]int{{5, 8}, {5, 8}, {5, 8}}, func(t *autograd.Tape, in []*Value) *Value {
		rng := rand.New(rand.NewPCG(9, 9))
		mem := &Memory{K: param(rng, 6, 8).Data, V: param(rng, 6, 8).Data}
		return Attention(in[0], in[1], in[2], 2, &Layout{Images: 2, Patches: 3, Groups: []Group{{0, 0, 2, true, 0}, {1, 2, 3, true, 2}}}, mem)
	}},
	{"cross-entropy", [][]int{{4, 7}}, func(t *autograd.Tape, in []*Value) *Value {
		return CrossEntropy(in[0], []int32{3, -1, 0, 6}, []float32{.5, 1, 2, 0}, .1)
	}},
	{"soft cross-entropy", [][]int{{2, 3}}, func(t *autograd.Tape, in []*Value) *Value {
		return SoftCrossEntropy(in[0], []float32{.2, .5, .3, 0, 1, 0}, []float32{.5, 2})
	}},
	{"class dice", [][]int{{4, 3}}, func(t *autograd.Tape, in []*Value) *Value {
		return ClassDice(in[0], []float32{.2, .8, 0, 0, 1, 0, 1, 0, 0, .5, .5, 0}, []float32{.5, 2, 1, 0})
	}},
	{"binary cross-entropy", [][]int{{2, 3}}, func(t *autograd.Tape, in []*Value) *Value {
		return BinaryCrossEntropy(in[0], []float32{.2, .5, 1, 0, 1, 0}, []float32{.5, 2, 1, 0, 1, 3})
	}},
	{"absolute error", [][]int{{6}}, func(t *autograd.Tape, in []*Value) *Value {
		return AbsoluteError(in[0], []float32{.2, .5, 1, 0, 1, 0}, []float32{.5, 2, 1, 0, 1, 3})
	}},
	{"expect", [][]int{{3, 5}}, func(t *autograd.Tape, in []*Value) *Value { return Expect(in[0], []float32{.1, .3, .5, .7, .9}) }},
	{"retrieve", [][]int{{4, 6}, {3, 2, 4, 5}}, func(t *autograd.Tape, in []*Value) *Value { return Retrieve(in[0], in[1], []int32{0, 0, 1, 2}) }},
	{"mask loss", [][]int{{2, 6}}, func(t *autograd.Tape, in []*Value) *Value {
		return MaskLoss(in[0], []float32{1, 0, 1, 0, .5, 0, 0, 0, 0, 0, 1, 1}, []float32{.5, 2})
	}},
	{"sigmoid match", [][]int{{3, 4}, {2, 4}, {1}, {1}}, func(t *autograd.Tape, in []*Value) *Value {
		return SigmoidMatch(in[0], in[1], in[2], in[3], []bool{true, false, false, true, false, false})
	}},
}

func groups() *Layout {
	return &Layout{Images: 2, Patches: 2, Groups: []Group{{0, 4, 2, true, 0}, {0, 6, 3, false, 0}, {1, 9, 1, true, 0}, {-1, 10, 3, true, 2}, {-1, 13, 1, false, 0}}}
}

func TestGradients(t *testing.T) {
	for _, impl := range cpu.Impls("kernel") {
		for _, c := range gradients {
			t.Run(impl+"/"+c.name, func(t *testing.T) {
				defer cpu.Select("kernel", impl)()
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
}

// TestGIoUGradient keeps the boxes apart from the kinks (equal edges), where the derivative does not exist.
func TestGIoUGradient(t *testing.T) {
	target := []float32{.2, .2, .6, .7, .1, .1, .3, .3, .2, .2, .8, .8}
	box := autograd.NewParam(autograd.Matrix, 3, 4)
	copy(box.Data, []float32{.3, .1, .5, .9, .5, .5, .9, .7, .35, .3, .6, .6})
	f := func(t *autograd.Tape, in []*Value) *Value { return GIoULoss(in[0], target, []float32{1, .5, 2}) }
	if worst, err := autograd.Check(f, []*autograd.Param{box}, 1e-3, 2e-3); err != nil {
		t.Errorf("%v (worst %g)", err, worst)
	}
}
