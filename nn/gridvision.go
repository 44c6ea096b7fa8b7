package nn

import (
	"fmt"
	"slices"

	"fovea/autograd"
	"fovea/ops"
)

// GridVisionConfig sizes a vision transformer whose tokens stay a grid (ViTDet, Li et al. 2022), under the names that its
// config.json has. Its attention is mostly within windows, and knows how far apart tokens lie.
type GridVisionConfig struct {
	EncoderConfig
	Image    int     `json:"image_size"`
	Patch    int     `json:"patch_size"`
	Channels int     `json:"num_channels"`
	Ratio    float64 `json:"mlp_ratio"`
	MLP      *int    `json:"mlp_dim"`             // nil: Ratio·hidden_size
	Window   int     `json:"window_size"`         // tokens that the side of a window has
	Global   []int   `json:"global_attn_indexes"` // layers without windows
	Out      int     `json:"output_channels"`
	Absolute bool    `json:"use_abs_pos"`
	Relative bool    `json:"use_rel_pos"`
}

// check names the first field that cannot work.
func (c *GridVisionConfig) check() error {
	if err := c.EncoderConfig.Check(); err != nil {
		return err
	}
	if c.Channels != 3 || c.Patch < 1 || c.Patch > 1<<10 || c.Image < c.Patch || c.Image > 1<<11 || c.Image%c.Patch != 0 || c.Image/c.Patch > 128 {
		return fmt.Errorf("nn: num_channels %d is not 3, or image_size %d not within 2048, or no multiple, at most the 128th, of patch_size %d", c.Channels, c.Image, c.Patch)
	}
	if !c.Absolute || !c.Relative || c.Window < 1 || c.Window > c.Image/c.Patch || c.Out < 1 || c.Out > 1<<12 {
		return fmt.Errorf("nn: use_abs_pos %t and use_rel_pos %t are not both true, or window_size %d or output_channels %d out of range", c.Absolute, c.Relative, c.Window, c.Out)
	}
	return nil
}

// GridVision is such a transformer, with a neck of two convolutions.
type GridVision struct {
	Patch  *PatchEmbed     `weight:"patch_embed"`
	Pos    *autograd.Param `weight:"pos_embed"` // [1, G, G, D]
	Layers []*GridBlock    `weight:"layers"`
	Conv1  *autograd.Param `weight:"neck.conv1.weight"` // [Out, D, 1, 1]
	Norm1  *LayerNorm      `weight:"neck.norm1"`
	Conv2  *autograd.Param `weight:"neck.conv2.weight"` // [Out, Out, 3, 3]
	Norm2  *LayerNorm      `weight:"neck.norm2"`
}

// GridBlock is a pre-norm block over a grid.
type GridBlock struct {
	Norm1 *LayerNorm     `weight:"norm1"`
	Attn  *GridAttention `weight:"attn"`
	Norm2 *LayerNorm     `weight:"norm2"`
	MLP   *MLP           `weight:"mlp"`

	window int // 0: the whole picture
}

// GridAttention is ops.GridAttention with its maps.
type GridAttention struct {
	Q      *Dense          `weight:"q"`
	K      *Dense          `weight:"k"`
	V      *Dense          `weight:"v"`
	O      *Dense          `weight:"o"`
	Down   *autograd.Param `weight:"rel_pos_h"`
	Across *autograd.Param `weight:"rel_pos_w"`

	heads int
}

// NewGridVision makes a blank encoder.
func NewGridVision(c *GridVisionConfig) (*GridVision, error) {
	if c.Inner = int(min(c.Ratio*float64(c.Width), 1<<30)); c.MLP != nil {
		c.Inner = *c.MLP
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	act, _ := Activation(c.Act)
	d, g := c.Width, c.Image/c.Patch
	v := &GridVision{
		Patch: BlankPatchEmbed(d, c.Patch, true, 0), Pos: Blank(autograd.Table, 1, g, g, d),
		Conv1: Blank(autograd.Matrix, c.Out, d, 1, 1), Norm1: BlankNorm(c.Out, 1e-6),
		Conv2: Blank(autograd.Matrix, c.Out, c.Out, 3, 3), Norm2: BlankNorm(c.Out, 1e-6),
	}
	for i := range c.Layers {
		side, window := c.Window, c.Window
		if slices.Contains(c.Global, i) {
			side, window = g, 0
		}
		v.Layers = append(v.Layers, &GridBlock{
			Norm1: BlankNorm(d, c.Eps), Norm2: BlankNorm(d, c.Eps), MLP: BlankMLP(d, c.Inner, act), window: window,
			Attn: &GridAttention{
				Q: BlankDense(d, d, c.QKVBias), K: BlankDense(d, d, c.QKVBias), V: BlankDense(d, d, c.QKVBias), O: BlankDense(d, d, true),
				Down: Blank(autograd.Table, 2*side-1, d/c.Heads), Across: Blank(autograd.Table, 2*side-1, d/c.Heads), heads: c.Heads,
			},
		})
	}
	return v, nil
}

// Forward maps pictures [B, S, S, 3] to [B, G, G, Out]. tap sees the input of every block, and the output of the last.
func (v *GridVision) Forward(x *Value, tap func(i int, x *Value) *Value) *Value {
	t := x.Tape()
	x = ops.Add(v.Patch.Forward(x), t.Use(v.Pos))
	for i, l := range v.Layers {
		x = Frugal(tap(i, x), l.forward)
	}
	x = tap(len(v.Layers), x)
	x = v.Norm1.Forward(ops.Conv2D(x, ops.ChannelsLast(t.Use(v.Conv1)), nil, 1, 1))
	return v.Norm2.Forward(ops.Conv2D(x, ops.ChannelsLast(t.Use(v.Conv2)), nil, 3, 1))
}

// forward maps [B, G, G, D] to the same shape.
func (l *GridBlock) forward(x *Value) *Value {
	h := l.Norm1.Forward(x)
	if l.window == 0 {
		h = l.Attn.forward(h, x.Shape[1])
	} else {
		h = throughWindows(h, l.window, func(h *Value, _ int) *Value { return l.Attn.forward(h, l.window) })
	}
	t, s := x.Tape(), x.Shape
	h = ops.Add(x, t.View(h, s...))
	return ops.Add(h, l.MLP.Forward(nil, l.Norm2.Forward(h)))
}

// forward attends within grids of side × side tokens, whose rows lie one after another.
func (a *GridAttention) forward(x *Value, side int) *Value {
	t := x.Tape()
	return a.O.Forward(ops.GridAttention(a.Q.Forward(x), a.K.Forward(x), a.V.Forward(x), t.Use(a.Down), t.Use(a.Across), a.heads, side, side))
}
