package nn

import (
	"fmt"

	"fovea/ops"
)

// HGNetConfig sizes an HGNetV2 (PaddlePaddle's PP-HGNetV2) under the names of a published backbone_config. All lists have an
// element for each stage.
type HGNetConfig struct {
	StageOutputs
	Channels int    `json:"num_channels"`
	Act      string `json:"hidden_act"`         // of the stem
	Stem     []int  `json:"stem_channels"`      // of the picture, inside the stem, and of its map
	In       []int  `json:"stage_in_channels"`  // as many as the map before has
	Mid      []int  `json:"stage_mid_channels"` // of every layer of a block
	Out      []int  `json:"stage_out_channels"`
	Blocks   []int  `json:"stage_num_blocks"`
	Down     []bool `json:"stage_downsample"`
	Light    []bool `json:"stage_light_block"` // layers are a 1×1 and a depthwise convolution
	Kernel   []int  `json:"stage_kernel_size"`
	Layers   []int  `json:"stage_numb_of_layers"` // of a block
	Affine   bool   `json:"use_learnable_affine_block"`
}

// HGNet is an HGNetV2.
type HGNet struct {
	stages
	Stem1  *ConvNorm     `weight:"embedder.stem1"`
	Stem2A *ConvNorm     `weight:"embedder.stem2a"`
	Stem2B *ConvNorm     `weight:"embedder.stem2b"`
	Stem3  *ConvNorm     `weight:"embedder.stem3"`
	Stem4  *ConvNorm     `weight:"embedder.stem4"`
	Stages []*hgNetStage `weight:"encoder.stages"`
}

type hgNetStage struct {
	Down   *ConvNorm     `weight:"downsample"` // nil: none
	Blocks []*hgNetBlock `weight:"blocks"`
}

// hgNetBlock joins its input and what each of its layers, one after the other, makes of it.
type hgNetBlock struct {
	Layers    []mapLayer  `weight:"layers"`
	Aggregate []*ConvNorm `weight:"aggregation"`

	residual bool
}

// mapLayer maps a map of features to another one.
type mapLayer interface{ Forward(x *Value) *Value }

// ConvPair is two convolutions, one after the other.
type ConvPair struct {
	A *ConvNorm `weight:"conv1"`
	B *ConvNorm `weight:"conv2"`
}

// Forward maps [B, H, W, In] to [B, H', W', Out].
func (l *ConvPair) Forward(x *Value) *Value { return l.B.Forward(l.A.Forward(x)) }

// Check names the first field that cannot work.
func (c *HGNetConfig) Check() error {
	n := len(c.In)
	if n < 1 || n > 16 || len(c.Mid) != n || len(c.Out) != n || len(c.Blocks) != n || len(c.Down) != n || len(c.Light) != n || len(c.Kernel) != n || len(c.Layers) != n {
		return fmt.Errorf("nn: the lists of stages of backbone_config are not all of one length within 1 … 16")
	}
	if c.Channels != 3 || len(c.Stem) != 3 || c.Stem[0] != 3 {
		return fmt.Errorf("nn: num_channels %d and stem_channels %v: want 3 and three numbers, of which the first is 3", c.Channels, c.Stem)
	}
	before := c.Stem[2]
	for i := range n {
		if c.In[i] != before {
			return fmt.Errorf("nn: stage_in_channels %v: stage %d gets %d", c.In, i+1, before)
		}
		before = c.Out[i]
		for _, f := range []struct {
			name       string
			v, lo, max int
		}{
			{"stage_mid_channels", c.Mid[i], 1, 1 << 14}, {"stage_out_channels", c.Out[i], 2, 1 << 14}, {"stage_num_blocks", c.Blocks[i], 1, 64},
			{"stage_kernel_size", c.Kernel[i], 1, 31}, {"stage_numb_of_layers", c.Layers[i], 1, 64},
		} {
			if err := within(f.name, f.v, f.lo, f.max); err != nil {
				return err
			}
		}
		if c.Kernel[i]%2 == 0 {
			return fmt.Errorf("nn: stage_kernel_size %d is even", c.Kernel[i])
		}
	}
	if err := within("stem_channels", c.Stem[2], 1, 1<<14); err != nil {
		return err
	}
	return within("stem_channels", c.Stem[1], 2, 1<<14)
}

// NewHGNet makes a blank network.
func NewHGNet(c HGNetConfig) (*HGNet, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	act, err := Activation(c.Act)
	if err != nil {
		return nil, err
	}
	conv := func(in, out, k, s int, act func(*Value) *Value) *ConvNorm {
		return BlankConvNorm(in, out, ConvConfig{Kernel: k, Stride: s, Act: act, Affine: c.Affine && act != nil, Eps: 1e-5})
	}
	mid := c.Stem[1]
	h := &HGNet{
		stages: stages{channels: []int{c.Stem[2]}, halvings: []int{2}},
		Stem1:  conv(3, mid, 3, 2, act), Stem2A: conv(mid, mid/2, 2, 1, act), Stem2B: conv(mid/2, mid, 2, 1, act),
		Stem3: conv(2*mid, mid, 3, 2, act), Stem4: conv(mid, c.Stem[2], 1, 1, act),
	}
	if h.picked, err = c.pick(len(c.In)); err != nil {
		return nil, err
	}
	for i, in := range c.In {
		s, halvings := &hgNetStage{}, h.halvings[i]
		if c.Down[i] {
			s.Down = BlankConvNorm(in, in, ConvConfig{Kernel: 3, Stride: 2, Depthwise: true, Eps: 1e-5})
			halvings++
		}
		for j := range c.Blocks[i] {
			b := &hgNetBlock{residual: j > 0}
			for k := range c.Layers[i] {
				from := c.Mid[i]
				if k == 0 {
					from = in
				}
				b.Layers = append(b.Layers, c.layer(i, from, conv))
			}
			all := in + c.Layers[i]*c.Mid[i]
			b.Aggregate = []*ConvNorm{conv(all, c.Out[i]/2, 1, 1, ops.ReLU), conv(c.Out[i]/2, c.Out[i], 1, 1, ops.ReLU)}
			s.Blocks = append(s.Blocks, b)
			in = c.Out[i]
		}
		h.channels, h.halvings = append(h.channels, in), append(h.halvings, halvings)
		h.Stages = append(h.Stages, s)
	}
	return h, nil
}

// layer makes a layer of a block of stage i.
func (c *HGNetConfig) layer(i, in int, conv func(in, out, k, s int, act func(*Value) *Value) *ConvNorm) mapLayer {
	if !c.Light[i] {
		return conv(in, c.Mid[i], c.Kernel[i], 1, ops.ReLU)
	}
	return &ConvPair{conv(in, c.Mid[i], 1, 1, nil), BlankConvNorm(c.Mid[i], c.Mid[i], ConvConfig{
		Kernel: c.Kernel[i], Stride: 1, Act: ops.ReLU, Affine: c.Affine, Depthwise: true, Eps: 1e-5,
	})}
}

// Forward implements Backbone.
func (h *HGNet) Forward(x *Value) []*Value {
	half := func(n int) int { return (n + 1) / 2 }
	x = lean(x, half(half(x.Shape[1])), half(half(x.Shape[2])), h.channels[0], func() *Value {
		y := ops.PadEnd(h.Stem1.Forward(x), 1, 1)
		z := h.Stem2B.Forward(ops.PadEnd(h.Stem2A.Forward(y), 1, 1))
		return h.Stem4.Forward(h.Stem3.Forward(ops.JoinAll(ops.MaxPool(y, 2, 1, 0), z)))
	})
	return h.run(x, func(i int, x *Value) *Value {
		s := h.Stages[i]
		if s.Down != nil {
			x = s.Down.Forward(x)
		}
		for _, b := range s.Blocks {
			x = b.forward(x)
		}
		return x
	})
}

func (b *hgNetBlock) forward(x *Value) *Value {
	return same(x, b.Aggregate[1].Out(), func() *Value {
		all, y := []*Value{x}, x
		for _, l := range b.Layers {
			y = l.Forward(y)
			all = append(all, y)
		}
		y = b.Aggregate[1].Forward(b.Aggregate[0].Forward(ops.JoinAll(all...)))
		if b.residual {
			y = ops.Add(y, x)
		}
		return y
	})
}
