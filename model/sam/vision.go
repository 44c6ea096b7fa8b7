package sam

import (
	"fmt"
	"slices"

	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
)

// VisionConfig sizes the encoder of pictures.
type VisionConfig struct {
	nn.EncoderConfig
	Image    int     `json:"image_size"`
	Patch    int     `json:"patch_size"`
	Channels int     `json:"num_channels"`
	Ratio    float64 `json:"mlp_ratio"`
	MLP      *int    `json:"mlp_dim"`             // nil: Ratio·hidden_size
	Window   int     `json:"window_size"`         // tokens that the side of a window has
	Global   []int   `json:"global_attn_indexes"` // layers without windows
	Waves    int     `json:"num_pos_feats"`
	Out      int     `json:"output_channels"`
	Absolute bool    `json:"use_abs_pos"`
	Relative bool    `json:"use_rel_pos"`
}

// vision is a ViT whose attention is mostly within windows and knows relative positions, and a neck of two convolutions.
type vision struct {
	Patch  *nn.PatchEmbed  `weight:"patch_embed"`
	Pos    *autograd.Param `weight:"pos_embed"` // [1, G, G, D]
	Layers []*visionLayer  `weight:"layers"`
	Conv1  *autograd.Param `weight:"neck.conv1.weight"` // [Out, D, 1, 1]
	Norm1  *nn.LayerNorm   `weight:"neck.norm1"`
	Conv2  *autograd.Param `weight:"neck.conv2.weight"` // [Out, Out, 3, 3]
	Norm2  *nn.LayerNorm   `weight:"neck.norm2"`
}

type visionLayer struct {
	Norm1 *nn.LayerNorm `weight:"norm1"`
	Attn  *gridAttn     `weight:"attn"`
	Norm2 *nn.LayerNorm `weight:"norm2"`
	MLP   *nn.MLP       `weight:"mlp"`

	window int // 0: the whole picture
}

type gridAttn struct {
	Q      *nn.Dense       `weight:"q"`
	K      *nn.Dense       `weight:"k"`
	V      *nn.Dense       `weight:"v"`
	O      *nn.Dense       `weight:"o"`
	Down   *autograd.Param `weight:"rel_pos_h"`
	Across *autograd.Param `weight:"rel_pos_w"`

	heads int
}

// newVision makes a blank encoder.
func newVision(c *VisionConfig) (*vision, error) {
	if c.Inner = int(min(c.Ratio*float64(c.Width), 1<<30)); c.MLP != nil {
		c.Inner = *c.MLP
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("vision_config: %w", err)
	}
	if c.Channels != 3 || c.Patch < 1 || c.Patch > 1<<10 || c.Image < c.Patch || c.Image > 1<<11 || c.Image%c.Patch != 0 || c.Image/c.Patch > 128 {
		return nil, fmt.Errorf("sam: num_channels %d is not 3, or image_size %d not within 2048, or no multiple, at most the 128th, of patch_size %d", c.Channels, c.Image, c.Patch)
	}
	g := c.Image / c.Patch
	if !c.Absolute || !c.Relative || c.Window < 1 || c.Window > g || c.Out < 1 || c.Out > 1<<12 || c.Waves < 1 || c.Waves > 1<<12 {
		return nil, fmt.Errorf("sam: use_abs_pos %t and use_rel_pos %t are not both true, or window_size %d, output_channels %d or num_pos_feats %d out of range", c.Absolute, c.Relative, c.Window, c.Out, c.Waves)
	}
	act, _ := nn.Activation(c.Act)
	d := c.Width
	v := &vision{
		Patch: nn.BlankPatchEmbed(d, c.Patch, true, 0), Pos: nn.Blank(autograd.Table, 1, g, g, d),
		Conv1: nn.Blank(autograd.Matrix, c.Out, d, 1, 1), Norm1: nn.BlankNorm(c.Out, 1e-6),
		Conv2: nn.Blank(autograd.Matrix, c.Out, c.Out, 3, 3), Norm2: nn.BlankNorm(c.Out, 1e-6),
	}
	for i := range c.Layers {
		side, window := c.Window, c.Window
		if slices.Contains(c.Global, i) {
			side, window = g, 0
		}
		v.Layers = append(v.Layers, &visionLayer{
			Norm1: nn.BlankNorm(d, c.Eps), Norm2: nn.BlankNorm(d, c.Eps), MLP: nn.BlankMLP(d, c.Inner, act), window: window,
			Attn: &gridAttn{
				Q: nn.BlankDense(d, d, c.QKVBias), K: nn.BlankDense(d, d, c.QKVBias), V: nn.BlankDense(d, d, c.QKVBias), O: nn.BlankDense(d, d, true),
				Down: nn.Blank(autograd.Table, 2*side-1, d/c.Heads), Across: nn.Blank(autograd.Table, 2*side-1, d/c.Heads), heads: c.Heads,
			},
		})
	}
	return v, nil
}

// forward maps pictures [B, S, S, 3] to [B, G, G, Out].
func (v *vision) forward(x *autograd.Value, tap func(i int, x *autograd.Value) *autograd.Value) *autograd.Value {
	t := x.Tape()
	x = ops.Add(v.Patch.Forward(x), t.Use(v.Pos))
	for i, l := range v.Layers {
		x = l.forward(tap(i, x))
	}
	x = tap(len(v.Layers), x)
	x = v.Norm1.Forward(ops.Conv2D(x, ops.ChannelsLast(t.Use(v.Conv1)), nil, 1, 1))
	return v.Norm2.Forward(ops.Conv2D(x, ops.ChannelsLast(t.Use(v.Conv2)), nil, 3, 1))
}

// forward maps [B, G, G, D] to the same shape.
func (l *visionLayer) forward(x *autograd.Value) *autograd.Value {
	t, s := x.Tape(), x.Shape
	y := t.New(false, s...)
	mark := t.Mark()
	rows := t.View(x, s[0]*s[1]*s[2], s[3])
	h := l.Norm1.Forward(rows)
	if l.window == 0 {
		h = l.Attn.forward(h, s[1])
	} else {
		into, back := windows(s[0], s[1], l.window)
		zero := t.New(false, 1, s[3])
		clear(zero.Data)
		h = ops.Gather(t, back, l.Attn.forward(ops.Gather(t, into, h, zero), l.window))
	}
	h = ops.Add(rows, h)
	h = ops.Add(h, l.MLP.Forward(nil, l.Norm2.Forward(h)))
	if t.Train {
		return t.View(h, s...)
	}
	copy(y.Data, h.Data)
	t.Release(mark)
	return y
}

func (a *gridAttn) forward(x *autograd.Value, side int) *autograd.Value {
	t := x.Tape()
	return a.O.Forward(ops.GridAttention(a.Q.Forward(x), a.K.Forward(x), a.V.Forward(x), t.Use(a.Down), t.Use(a.Across), a.heads, side, side))
}

// windows cuts b grids of g × g rows into windows of n × n, filled up at the right and bottom with row 0 of table 1, and puts
// them together again.
func windows(b, g, n int) (into, back []ops.Ref) {
	across := (g + n - 1) / n
	back = make([]ops.Ref, b*g*g)
	for i := range b * across * across {
		y0, x0 := i/across%across*n, i%across*n
		for j := range n * n {
			y, x := y0+j/n, x0+j%n
			if y >= g || x >= g {
				into = append(into, ops.Ref{Table: 1})
				continue
			}
			row := i/across/across*g*g + y*g + x
			back[row].Row = int32(len(into))
			into = append(into, ops.Ref{Row: int32(row)})
		}
	}
	return into, back
}
