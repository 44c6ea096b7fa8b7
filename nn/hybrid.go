package nn

import (
	"fmt"
	"math"

	"fovea/autograd"
	"fovea/ops"
)

// HybridConfig sizes the encoder of RT-DETR (Zhao et al. 2024) and D-FINE (Peng et al. 2025), under the names of their
// config.json.
type HybridConfig struct {
	Width       int     `json:"encoder_hidden_dim"`
	Heads       int     `json:"encoder_attention_heads"`
	Inner       int     `json:"encoder_ffn_dim"`
	Layers      int     `json:"encoder_layers"` // of attention, on each of the maps that have it
	BlockAct    string  `json:"encoder_activation_function"`
	ConvAct     string  `json:"activation_function"`
	Expansion   float64 `json:"hidden_expansion"`
	Attended    []int   `json:"encode_proj_layers"` // numbers of the maps that have attention
	Temperature float64 `json:"positional_encoding_temperature"`
	NormFirst   bool    `json:"normalize_before"`
	Eps         float32 `json:"layer_norm_eps"`
	BatchEps    float32 `json:"batch_norm_eps"`
	Depth       float64 `json:"depth_mult"` // of D-FINE's blocks

	Maps int  `json:"-"` // number of maps
	ELAN bool `json:"-"` // D-FINE's blocks and downsampling
}

// Hybrid is that encoder: attention within small maps of features (AIFI), then blocks of convolutions that carry what the
// small maps know to the large ones and back (CCFM).
type Hybrid struct {
	AIFI    []*AIFI     `weight:"aifi"`
	Lateral []*ConvNorm `weight:"lateral_convs"`
	FPN     []mapLayer  `weight:"fpn_blocks"` // small to large
	Down    []mapLayer  `weight:"downsample_convs"`
	PAN     []mapLayer  `weight:"pan_blocks"` // large to small

	attended    []int
	temperature float64
}

// AIFI is the attention within one map.
type AIFI struct {
	Layers []*PostBlock `weight:"layers"`
}

// Check names the first field that cannot work.
func (c *HybridConfig) Check() error {
	e := EncoderConfig{Width: c.Width, Heads: c.Heads, Inner: c.Inner, Layers: max(c.Layers, 1), Act: c.BlockAct, Eps: c.Eps}
	if err := e.Check(); err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	blocks, wide := math.RoundToEven(3*c.Depth), c.Expansion*float64(c.Width)
	switch {
	case c.NormFirst:
		return fmt.Errorf("nn: normalize_before is not supported")
	case c.Layers < 0 || c.Width%4 != 0:
		return fmt.Errorf("nn: encoder_layers %d is below 0, or encoder_hidden_dim %d no multiple of 4", c.Layers, c.Width)
	case !(c.Temperature >= 1 && c.Temperature < 1e12):
		return fmt.Errorf("nn: positional_encoding_temperature %g is not within 1 … 1e12", c.Temperature)
	case !(c.BatchEps > 0 && c.BatchEps < 1):
		return fmt.Errorf("nn: batch_norm_eps %g is not within 0 … 1", c.BatchEps)
	case !(wide >= 2 && wide <= 1<<14) || !(blocks >= 0 && blocks <= 64):
		return fmt.Errorf("nn: hidden_expansion %g of %d channels is not within 2 … 16384, or depth_mult %g gives no 0 … 64 blocks", c.Expansion, c.Width, c.Depth)
	}
	for i, m := range c.Attended {
		if m < 0 || m >= c.Maps || len(c.Attended) > c.Maps {
			return fmt.Errorf("nn: encode_proj_layers %v: number %d is none of %d maps", c.Attended, i, c.Maps)
		}
	}
	return nil
}

// NewHybrid makes a blank encoder.
func NewHybrid(c HybridConfig) (*Hybrid, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	act, err := Activation(c.ConvAct)
	if err != nil {
		return nil, err
	}
	conv := func(in, out, k, s int, act func(*Value) *Value) *ConvNorm {
		return BlankConvNorm(in, out, ConvConfig{Kernel: k, Stride: s, Act: act, Eps: c.BatchEps})
	}
	d, h := c.Width, &Hybrid{attended: c.Attended, temperature: c.Temperature}
	for range c.Attended {
		a := &AIFI{}
		for range c.Layers {
			a.Layers = append(a.Layers, NewPostBlock(EncoderConfig{Width: d, Heads: c.Heads, Inner: c.Inner, Act: c.BlockAct, Eps: c.Eps}, 0))
		}
		h.AIFI = append(h.AIFI, a)
	}
	block := func() mapLayer { return newCSPRep(2*d, int(float64(d)*c.Expansion), d, 3, act, c.BatchEps) }
	lateral := act
	if c.ELAN {
		inner, n := int(c.Expansion*float64(d)/2), int(math.RoundToEven(3*c.Depth))
		block = func() mapLayer { return newELAN(d, inner, n, act, c.BatchEps) }
		lateral = nil
	}
	for range c.Maps - 1 {
		h.Lateral = append(h.Lateral, conv(d, d, 1, 1, lateral))
		h.FPN, h.PAN = append(h.FPN, block()), append(h.PAN, block())
		if c.ELAN {
			h.Down = append(h.Down, &ConvPair{conv(d, d, 1, 1, nil), BlankConvNorm(d, d, ConvConfig{Kernel: 3, Stride: 2, Depthwise: true, Eps: c.BatchEps})})
		} else {
			h.Down = append(h.Down, conv(d, d, 3, 2, act))
		}
	}
	return h, nil
}

// Forward maps maps [B, Hᵢ, Wᵢ, D], each half as high and wide as the one before, to as many of the same shapes. tap sees
// the states of the attention layers, as Pass.Tap does; nil: nobody.
func (h *Hybrid) Forward(maps []*Value, tap func(i int, x *Value) *Value) []*Value {
	maps = append([]*Value(nil), maps...)
	state := 0
	for i, m := range h.attended {
		x, p := maps[m], &Pass{Tap: tap}
		t, s := x.Tape(), x.Shape
		p.Layout = &ops.Layout{Images: s[0], Patches: s[1] * s[2]}
		pos := SinePositions(t, s[1], s[2], s[3], h.temperature)
		y := t.View(x, s[0]*s[1]*s[2], s[3])
		for _, b := range h.AIFI[i].Layers {
			y = b.Placed(p, p.tap(state, y), pos)
			state++
		}
		maps[m] = t.View(p.tap(state, y), s[0], s[1], s[2], s[3])
	}
	last := len(maps) - 1
	up := make([]*Value, len(maps))
	up[last] = maps[last]
	for i, lateral := range h.Lateral {
		small := last - i
		up[small] = lateral.Forward(up[small])
		up[small-1] = h.fuse(h.FPN[i], maps[small-1], func() *Value { return ops.JoinAll(Double(up[small]), maps[small-1]) })
	}
	out := append([]*Value(nil), up[0])
	for i, down := range h.Down {
		out = append(out, h.fuse(h.PAN[i], up[i+1], func() *Value { return ops.JoinAll(down.Forward(out[i]), up[i+1]) }))
	}
	return out
}

// fuse runs a block on what join makes; the result is of the shape of like.
func (h *Hybrid) fuse(block mapLayer, like *Value, join func() *Value) *Value {
	return same(like, like.Shape[3], func() *Value { return block.Forward(join()) })
}

// CSPRep is a cross-stage partial block of RepVGG blocks: two projections of the input, one of which goes through the blocks,
// are added and projected back.
type CSPRep struct {
	A      *ConvNorm `weight:"conv1"`
	B      *ConvNorm `weight:"conv2"`
	Blocks []*RepVGG `weight:"bottlenecks"`
	C      *ConvNorm `weight:"conv3"` // nil: the sum itself
}

func newCSPRep(in, inner, out, blocks int, act func(*Value) *Value, eps float32) *CSPRep {
	conv := func(in, out, k int, act func(*Value) *Value) *ConvNorm {
		return BlankConvNorm(in, out, ConvConfig{Kernel: k, Stride: 1, Act: act, Eps: eps})
	}
	l := &CSPRep{A: conv(in, inner, 1, act), B: conv(in, inner, 1, act)}
	for range blocks {
		l.Blocks = append(l.Blocks, &RepVGG{A: conv(inner, inner, 3, nil), B: conv(inner, inner, 1, nil), act: act})
	}
	if inner != out {
		l.C = conv(inner, out, 1, act)
	}
	return l
}

// Forward maps [B, H, W, In] to [B, H, W, Out].
func (l *CSPRep) Forward(x *Value) *Value {
	y := l.A.Forward(x)
	for _, b := range l.Blocks {
		y = b.Forward(y)
	}
	if y = ops.Add(y, l.B.Forward(x)); l.C != nil {
		y = l.C.Forward(y)
	}
	return y
}

// ELAN is D-FINE's block: half of the input's projection goes through two CSPRep blocks, each followed by a convolution, and
// everything on the way is joined (RepNCSPELAN4 of Wang et al. 2024, YOLOv9).
type ELAN struct {
	A    *ConvNorm `weight:"conv1"`
	Rep1 *CSPRep   `weight:"csp_rep1"`
	B    *ConvNorm `weight:"conv2"`
	Rep2 *CSPRep   `weight:"csp_rep2"`
	C    *ConvNorm `weight:"conv3"`
	D    *ConvNorm `weight:"conv4"`
}

func newELAN(d, inner, blocks int, act func(*Value) *Value, eps float32) *ELAN {
	conv := func(in, out, k int) *ConvNorm {
		return BlankConvNorm(in, out, ConvConfig{Kernel: k, Stride: 1, Act: ops.SiLU, Eps: eps})
	}
	return &ELAN{
		A: conv(2*d, 2*d, 1), Rep1: newCSPRep(d, inner, inner, blocks, act, eps), B: conv(inner, inner, 3),
		Rep2: newCSPRep(inner, inner, inner, blocks, act, eps), C: conv(inner, inner, 3), D: conv(2*d+2*inner, d, 1),
	}
}

// Forward maps [B, H, W, 2·D] to [B, H, W, D].
func (l *ELAN) Forward(x *Value) *Value {
	both := l.A.Forward(x)
	d := both.Shape[3]
	one := l.B.Forward(l.Rep1.Forward(ops.Columns(both, d/2, d)))
	two := l.C.Forward(l.Rep2.Forward(one))
	return l.D.Forward(ops.JoinAll(both, one, two))
}

// SinePositions says where a map's rows are: [H·W, D], of which the first half is sines and cosines of y and the second of x,
// as many of each, at wavelengths from 2π cells to 2π·temperature (Vaswani et al. 2017, in two dimensions).
func SinePositions(t *autograd.Tape, h, w, d int, temperature float64) *Value {
	y, n := t.New(false, h*w, d), d/4
	for i := range h * w {
		for j := range n {
			omega := 1 / math.Pow(temperature, float64(j)/float64(n))
			for axis, v := range []int{i / w, i % w} {
				sin, cos := math.Sincos(float64(v) * omega)
				y.Data[i*d+2*n*axis+j], y.Data[i*d+2*n*axis+n+j] = float32(sin), float32(cos)
			}
		}
	}
	return y
}

// Placed attends within x [N, D], whose rows lie where pos, which is repeated for each picture, says: queries and keys know it,
// values do not (Carion et al. 2020).
func (a *Attention) Placed(p *Pass, x, pos *Value) *Value {
	at := ops.Add(x, pos)
	return a.O.Forward(ops.Attention(a.Q.Forward(at), a.K.Forward(at), a.V.Forward(x), a.Heads, p.Layout, nil))
}

// Placed is Forward for rows that lie where pos says, with nothing to look at across.
func (b *PostBlock) Placed(p *Pass, x, pos *Value) *Value {
	x = b.Norm1.Forward(ops.Add(x, b.Attn.Placed(p, x, pos)))
	return b.Norm2.Forward(ops.Add(x, b.MLP.Forward(p, x)))
}
