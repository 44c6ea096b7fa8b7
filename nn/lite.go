package nn

import (
	"math"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/ops"
)

// Lite is the convolutional part of EfficientNet-Lite0 (Tan & Le 2019; Liu 2020: no squeeze-and-excitation, ReLU6), whose
// published weights know photographs from ImageNet. Its batch norms are folded into the convolutions: what is left is trained
// like any other layer, without statistics of batches.
type Lite struct {
	Stem   *liteConv   `weight:"stem"` // 3×3, stride 2
	Blocks []*Inverted `weight:"blocks"`
}

// liteConv is a k×k convolution with bias and TensorFlow's padding.
type liteConv struct {
	Weight *autograd.Param `weight:"weight"` // [Out, k·k·In]
	Bias   *autograd.Param `weight:"bias"`
}

// Inverted is an inverted residual block (Sandler et al. 2018): channels are made many, convolved each by itself, and made few.
type Inverted struct {
	Expand  *Dense         `weight:"expand"` // nil in the first block, whose channels are not made more
	Depth   *liteDepthwise `weight:"depth"`
	Project *Dense         `weight:"project"`

	shortcut bool
}

// liteDepthwise convolves every channel by itself, with bias and TensorFlow's padding.
type liteDepthwise struct {
	Weight *autograd.Param `weight:"weight"` // [C, 1, k, k]
	Bias   *autograd.Param `weight:"bias"`

	kernel, stride int
}

// liteStages are the stages of EfficientNet-Lite0: blocks, kernel, stride of the first, expansion, channels.
var liteStages = [...]struct{ blocks, kernel, stride, expand, out int }{
	{1, 3, 1, 1, 16}, {2, 3, 2, 6, 24}, {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80}, {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320},
}

// LiteStem is the number of channels of the first convolution.
const liteStem = 32

// Channels of the maps that Lite gives at strides 4, 8, 16 and 32.
const (
	Lite4  = 24
	Lite8  = 40
	Lite16 = 112
	Lite32 = 320
)

// liteMaps are the numbers of the blocks after which those maps are taken.
var liteMaps = [4]int{3, 5, 11, 16}

// NewLite makes the network with weights from N(0, 2/n), n being the inputs of a sum (He et al. 2015).
func NewLite(rng *rand.Rand) *Lite {
	l := &Lite{Stem: &liteConv{autograd.NewParam(autograd.Table, liteStem, 27), autograd.NewParam(autograd.Vector, liteStem)}}
	Normal(rng, l.Stem.Weight, math.Sqrt(2./27))
	in := liteStem
	for _, s := range liteStages {
		for i := range s.blocks {
			stride := 1
			if i == 0 {
				stride = s.stride
			}
			l.Blocks = append(l.Blocks, newInverted(rng, in, s.expand, s.out, s.kernel, stride))
			in = s.out
		}
	}
	return l
}

func newInverted(rng *rand.Rand, in, expand, out, k, stride int) *Inverted {
	b, mid := &Inverted{shortcut: in == out && stride == 1}, in*expand
	dense := func(in, out int) *Dense {
		d := NewDense(rng, in, out, true).As(autograd.Table)
		Normal(rng, d.Weight, math.Sqrt(2/float64(in)))
		return d
	}
	if expand > 1 {
		b.Expand = dense(in, mid)
	}
	b.Depth = &liteDepthwise{autograd.NewParam(autograd.Table, mid, 1, k, k), autograd.NewParam(autograd.Vector, mid), k, stride}
	Normal(rng, b.Depth.Weight, math.Sqrt(2/float64(k*k)))
	b.Project = dense(mid, out)
	return b
}

// Freeze keeps the layers up to stride 4 as they are while training: edges and colours are the same everywhere, and these
// layers, which see the most pixels, then cost no backward pass and no memory. The others learn at a share of the rate, in [0, 1];
// with 0 all stay as they are.
func (l *Lite) Freeze(share float32) {
	for _, p := range Params(l) {
		p.Rate = share
	}
	Freeze(l, share == 0)
	Freeze(l.Stem, true)
	for _, b := range l.Blocks[:liteMaps[0]] {
		Freeze(b, true)
	}
}

// LiteMaps are what Lite gives of pictures [B, H, W, 3]: maps of strides 4, 8, 16 and 32.
type LiteMaps struct {
	S4  *Value // [B, H/4, W/4, Lite4]
	S8  *Value // [B, H/8, W/8, Lite8]
	S16 *Value // [B, H/16, W/16, Lite16]
	S32 *Value // [B, H/32, W/32, Lite32]
}

// Forward maps pictures [B, H, W, 3], pixels as (p − 127)/128, to maps. H and W are multiples of 32.
func (l *Lite) Forward(x *Value) (m LiteMaps) {
	m.S4 = pictures(x, x.Shape[1]/4, x.Shape[2]/4, Lite4, l.Stem.Weight.Frozen, func(x *Value) *Value {
		t := x.Tape()
		x = ops.ReLU6(ops.Conv2DSame(x, t.Use(l.Stem.Weight), t.Use(l.Stem.Bias), 3, 2))
		for _, b := range l.Blocks[:liteMaps[0]] {
			x = b.Forward(x)
		}
		return x
	})
	x = m.S4
	for i, b := range l.Blocks[liteMaps[0]:] {
		x = b.Forward(x)
		switch i + liteMaps[0] + 1 {
		case liteMaps[1]:
			m.S8 = x
		case liteMaps[2]:
			m.S16 = x
		}
	}
	m.S32 = x
	return m
}

// Forward maps [B, H, W, In] to [B, H/s, W/s, Out].
func (b *Inverted) Forward(x *Value) *Value {
	t, y := x.Tape(), x
	if b.Expand != nil {
		y = ops.ReLU6(b.Expand.Forward(x))
	}
	y = b.Project.Forward(ops.ReLU6(ops.DepthwiseConv2DSame(y, t.Use(b.Depth.Weight), t.Use(b.Depth.Bias), b.Depth.kernel, b.Depth.stride)))
	if b.shortcut {
		return ops.Add(y, x)
	}
	return y
}

// pictures runs f, which makes a map h × w × c of a picture, on a batch. When nothing is recorded, by what f does or at all, the
// pictures go one by one and f's memory is given back: the early maps of a network are the largest.
func pictures(x *Value, h, w, c int, frozen bool, f func(*Value) *Value) *Value {
	t, n := x.Tape(), x.Shape[0]
	if t.Train && (!frozen || x.Wanted()) {
		return f(x)
	}
	y := t.New(false, n, h, w, c)
	in, out := len(x.Data)/n, len(y.Data)/n
	for i := range n {
		mark := t.Mark()
		copy(y.Data[i*out:(i+1)*out], f(t.Input(x.Data[i*in:(i+1)*in], 1, x.Shape[1], x.Shape[2], x.Shape[3])).Data)
		t.Release(mark)
	}
	return y
}
