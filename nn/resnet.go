package nn

import (
	"fmt"

	"fovea/ops"
)

// ResNetConfig sizes a ResNet-vd (He et al. 2019, "Bag of tricks": a stem of three convolutions, shortcuts that average
// before they project) under the names of a published backbone_config of the type rt_detr_resnet.
type ResNetConfig struct {
	StageOutputs
	Channels     int    `json:"num_channels"`
	Embed        int    `json:"embedding_size"` // channels of the stem
	Sizes        []int  `json:"hidden_sizes"`   // channels of the stages
	Depths       []int  `json:"depths"`         // layers of the stages
	Layer        string `json:"layer_type"`     // basic or bottleneck
	Act          string `json:"hidden_act"`
	DownFirst    bool   `json:"downsample_in_first_stage"`
	DownInBottle bool   `json:"downsample_in_bottleneck"` // in the first convolution of a bottleneck, not in the second
}

// ResNet is a ResNet-vd.
type ResNet struct {
	stages
	Stem   []*ConvNorm    `weight:"embedder.embedder"`
	Stages []*resNetStage `weight:"encoder.stages"`
}

type resNetStage struct {
	Layers []*resNetLayer `weight:"layers"`
}

// resNetLayer is a residual block: its convolutions, and its input beside them.
type resNetLayer struct {
	Layer []*ConvNorm `weight:"layer"`
	Short *ConvNorm   `weight:"shortcut"` // nil: the input itself

	halve bool // before the shortcut's convolution
	act   func(*Value) *Value
}

// Check names the first field that cannot work.
func (c *ResNetConfig) Check() error {
	if c.Channels != 3 || c.Layer != "basic" && c.Layer != "bottleneck" || len(c.Sizes) != len(c.Depths) || len(c.Sizes) < 1 || len(c.Sizes) > 16 {
		return fmt.Errorf("nn: num_channels %d is not 3, layer_type %q neither basic nor bottleneck, or hidden_sizes %v and depths %v are not 1 … 16 each", c.Channels, c.Layer, c.Sizes, c.Depths)
	}
	for i, n := range c.Sizes {
		if err := within("hidden_sizes", n, 4, 1<<14); err != nil {
			return err
		}
		if err := within("depths", c.Depths[i], 1, 256); err != nil {
			return err
		}
	}
	if c.Layer == "basic" && !c.DownFirst && c.Sizes[0] != c.Embed {
		return fmt.Errorf("nn: hidden_sizes begins with %d; basic layers that do not downsample need embedding_size %d", c.Sizes[0], c.Embed)
	}
	return within("embedding_size", c.Embed, 2, 1<<14)
}

// NewResNet makes a blank network.
func NewResNet(c ResNetConfig) (*ResNet, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	act, err := Activation(c.Act)
	if err != nil {
		return nil, err
	}
	r := &ResNet{stages: stages{channels: []int{c.Embed}, halvings: []int{2}}}
	if r.picked, err = c.pick(len(c.Sizes)); err != nil {
		return nil, err
	}
	for i, w := range []int{3, c.Embed / 2, c.Embed / 2} {
		out := c.Embed / 2
		if i == 2 {
			out = c.Embed
		}
		r.Stem = append(r.Stem, BlankConvNorm(w, out, ConvConfig{Kernel: 3, Stride: max(2-i, 1), Act: act, Eps: 1e-5}))
	}
	in := c.Embed
	for i, out := range c.Sizes {
		stage, stride := &resNetStage{}, 2
		if i == 0 && !c.DownFirst {
			stride = 1
		}
		for range c.Depths[i] {
			stage.Layers = append(stage.Layers, c.layer(in, out, stride, len(stage.Layers) == 0, act))
			if len(stage.Layers) == 1 {
				r.channels, r.halvings = append(r.channels, out), append(r.halvings, r.halvings[i]+stride-1)
			}
			in, stride = out, 1
		}
		r.Stages = append(r.Stages, stage)
	}
	return r, nil
}

// layer makes a block. The first one of a stage of basic layers has a projection even where it changes nothing.
func (c *ResNetConfig) layer(in, out, stride int, first bool, act func(*Value) *Value) *resNetLayer {
	conv := func(in, out, k, s int, act func(*Value) *Value) *ConvNorm {
		return BlankConvNorm(in, out, ConvConfig{Kernel: k, Stride: s, Act: act, Eps: 1e-5})
	}
	l := &resNetLayer{act: act}
	if c.Layer == "basic" {
		l.Layer = []*ConvNorm{conv(in, out, 3, stride, ops.ReLU), conv(out, out, 3, 1, nil)}
		l.halve = in != out
		if l.halve {
			stride = 1
		}
		if first {
			l.Short = conv(in, out, 1, stride, nil)
		}
		return l
	}
	s1, s2 := 1, stride
	if c.DownInBottle {
		s1, s2 = stride, 1
	}
	l.Layer = []*ConvNorm{conv(in, out/4, 1, s1, ops.ReLU), conv(out/4, out/4, 3, s2, ops.ReLU), conv(out/4, out, 1, 1, nil)}
	if l.halve = stride == 2; l.halve || in != out {
		l.Short = conv(in, out, 1, 1, nil)
	}
	return l
}

// Forward implements Backbone.
func (r *ResNet) Forward(x *Value) []*Value {
	half := func(n int) int { return (n + 1) / 2 }
	x = lean(x, half(half(x.Shape[1])), half(half(x.Shape[2])), r.channels[0], func() *Value {
		y := x
		for _, c := range r.Stem {
			y = c.Forward(y)
		}
		return ops.MaxPool(y, 3, 2, 1)
	})
	return r.run(x, func(i int, x *Value) *Value {
		for _, l := range r.Stages[i].Layers {
			x = l.forward(x)
		}
		return x
	})
}

func (l *resNetLayer) forward(x *Value) *Value {
	s, last := 1, l.Layer[len(l.Layer)-1]
	for _, c := range l.Layer {
		s = max(s, c.Stride)
	}
	return lean(x, (x.Shape[1]-1)/s+1, (x.Shape[2]-1)/s+1, last.Out(), func() *Value {
		y, short := x, x
		for _, c := range l.Layer {
			y = c.Forward(y)
		}
		if l.Short != nil {
			if l.halve {
				short = Halve(x)
			}
			short = l.Short.Forward(short)
		}
		return l.act(ops.Add(y, short))
	})
}
