package nn

import (
	"fmt"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/ops"
)

// VisionConfig sizes a published vision transformer (Dosovitskiy et al. 2021) and says which of the parts it has that such
// networks may have. The fields with a name in JSON are those of its config.json.
type VisionConfig struct {
	EncoderConfig
	Image    Size `json:"image_size"` // pixels, which the table of positions is made for
	Patch    Size `json:"patch_size"`
	Channels int  `json:"num_channels"`

	ClassToken bool             `json:"-"` // a token before the patches
	Registers  int              `json:"-"` // tokens after that one, without positions (Darcet et al. 2024)
	Detection  int              `json:"-"` // tokens after the patches (Fang et al. 2021)
	SharedPos  bool             `json:"-"` // without a class token, its position is added to every patch
	PatchBias  bool             `json:"-"`
	PatchPad   int              `json:"-"` // zeros around the picture
	PreNorm    bool             `json:"-"` // a norm before the first block
	Batched    bool             `json:"-"` // tokens and positions are stored with a leading axis of 1
	Filter     imageproc.Filter `json:"-"` // how positions are fitted to other sizes
	Antialias  bool             `json:"-"`
}

// Grid is the number of patches down and across a picture of so many pixels.
func (c *VisionConfig) Grid(h, w int) (gh, gw int) {
	return (h+2*c.PatchPad-c.Patch[0])/c.Patch[0] + 1, (w+2*c.PatchPad-c.Patch[1])/c.Patch[1] + 1
}

// MaxTokens bounds the tokens of one sequence: attention needs memory in proportion to their square.
const MaxTokens = 1 << 14

// Check names the first field that cannot work.
func (c *VisionConfig) Check() error {
	const side = 1 << 13
	switch p := c.Patch; {
	case c.Channels != 3:
		return fmt.Errorf("nn: num_channels %d, want 3", c.Channels)
	case p[0] != p[1] || p[0] < 1 || p[0] > 1<<10:
		return fmt.Errorf("nn: patch_size %v is not a square of 1 … 1024 pixels", p)
	case c.Image[0] < p[0] || c.Image[1] < p[1] || c.Image[0] > side || c.Image[1] > side:
		return fmt.Errorf("nn: image_size %v is not within patch_size %d … %d", c.Image, p[0], side)
	case c.Registers < 0 || c.Detection < 0 || c.Registers+c.Detection > MaxTokens/2:
		return fmt.Errorf("nn: %d register tokens and %d detection tokens are not within 0 … %d", c.Registers, c.Detection, MaxTokens/2)
	}
	if err := c.CheckPicture(c.Image[0], c.Image[1]); err != nil {
		return err
	}
	return c.EncoderConfig.Check()
}

// CheckPicture refuses pictures that are smaller than a patch or give too many tokens.
func (c *VisionConfig) CheckPicture(h, w int) error {
	gh, gw := c.Grid(h, w)
	if h < c.Patch[0] || w < c.Patch[1] || gh > MaxTokens/gw || gh*gw+c.Registers+c.Detection > MaxTokens {
		return fmt.Errorf("nn: %d × %d pixels give %d × %d patches; want at least one and at most %d tokens", w, h, gw, gh, MaxTokens)
	}
	return nil
}

// Vision is a vision transformer: patches, tokens and positions, then a stack of blocks.
type Vision struct {
	Config    VisionConfig
	Patch     *PatchEmbed     `weight:"patch"`
	Class     *autograd.Param `weight:"class"`
	Registers *autograd.Param `weight:"registers"`
	Detection *autograd.Param `weight:"detection"`
	Pos       *autograd.Param `weight:"pos"` // class token, patches row by row, detection tokens
	Pre       *LayerNorm      `weight:"pre"`
	Stack     *Stack          `weight:"encoder"`
}

// PatchEmbed embeds every patch of a picture: a convolution whose stride is its kernel's side.
type PatchEmbed struct {
	Weight *autograd.Param `weight:"weight"` // [D, 3, P, P]
	Bias   *autograd.Param `weight:"bias,optional"`
	Pad    int
}

// BlankPatchEmbed is an embedding of p × p patches of blank parameters.
func BlankPatchEmbed(d, p int, bias bool, pad int) *PatchEmbed {
	e := &PatchEmbed{Weight: Blank(autograd.Table, d, 3, p, p), Pad: pad}
	if bias {
		e.Bias = Blank(autograd.Vector, d)
	}
	return e
}

// Forward maps pictures [B, H, W, 3] to [B, GH, GW, D].
func (e *PatchEmbed) Forward(x *Value) *Value {
	t, p := x.Tape(), e.Weight.Shape[2]
	return ops.Conv2DPad(x, ops.ChannelsLast(t.Use(e.Weight)), use(t, e.Bias), p, p, e.Pad)
}

// NewVision makes a blank vision transformer.
func NewVision(c VisionConfig) (*Vision, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	stack, err := NewEncoder(c.EncoderConfig)
	if err != nil {
		return nil, err
	}
	table := func(rows int) *autograd.Param {
		switch {
		case rows == 0:
			return nil
		case c.Batched:
			return Blank(autograd.Table, 1, rows, c.Width)
		}
		return Blank(autograd.Table, rows, c.Width)
	}
	gh, gw := c.Image[0]/c.Patch[0], c.Image[1]/c.Patch[1]
	v := &Vision{Config: c, Stack: stack, Patch: BlankPatchEmbed(c.Width, c.Patch[0], c.PatchBias, c.PatchPad)}
	v.Registers, v.Detection = table(c.Registers), table(c.Detection)
	first := 0
	if c.ClassToken || c.SharedPos {
		first = 1
	}
	if c.ClassToken {
		if v.Class = table(1); !c.Batched {
			v.Class.Shape = v.Class.Shape[1:]
		}
	}
	v.Pos = table(first + gh*gw + c.Detection)
	if c.PreNorm {
		v.Pre = BlankNorm(c.Width, c.Eps)
	}
	return v, nil
}

// Forward maps pictures [B, H, W, 3] to tokens [B·T, D], picture after picture: class token, registers, patches row by
// row, detection tokens. It lays out the pass.
func (v *Vision) Forward(p *Pass, x *Value) *Value {
	h := v.Embed(x)
	if v.Pre != nil {
		h = v.Pre.Forward(h)
	}
	p.Layout = &ops.Layout{Images: x.Shape[0], Patches: h.Shape[0] / x.Shape[0]}
	return v.Stack.Forward(p, h)
}

// Embed gives the tokens that enter the stack, before a PreNorm.
func (v *Vision) Embed(x *Value) *Value {
	t, b := x.Tape(), x.Shape[0]
	y := v.Patch.Forward(x)
	gh, gw, d := y.Shape[1], y.Shape[2], y.Shape[3]
	y = t.View(y, b*gh*gw, d)
	first, grid, last := v.Positions(t.Use(v.Pos), gh, gw)
	y = ops.Add(y, grid)
	if v.Config.SharedPos {
		return ops.Add(y, first)
	}
	var before, after *Value
	if v.Class != nil {
		before = ops.Add(t.View(t.Use(v.Class), 1, d), first)
		if v.Registers != nil {
			before = ops.Concat(before, t.View(t.Use(v.Registers), v.Config.Registers, d))
		}
	}
	if v.Detection != nil {
		after = ops.Add(t.View(t.Use(v.Detection), v.Config.Detection, d), last)
	}
	return Frame(b, before, y, after)
}

// Positions takes a table apart into the class token's row, [1, D] or nil, the patches' rows, fitted to a grid of gh × gw
// by interpolation, and the detection tokens' rows, or nil.
func (v *Vision) Positions(pos *Value, gh, gw int) (first, grid, last *Value) {
	c, t := &v.Config, pos.Tape()
	h, w, d := c.Image[0]/c.Patch[0], c.Image[1]/c.Patch[1], c.Width
	n := 0
	if c.ClassToken || c.SharedPos {
		first, n = ops.Slice(pos, 0, 1), 1
	}
	grid = ops.Slice(pos, n, n+h*w)
	if gh != h || gw != w {
		grid = ops.Resize(t.View(grid, 1, h, w, d), Taps(h, gh, c.Filter, c.Antialias), Taps(w, gw, c.Filter, c.Antialias))
		grid = t.View(grid, gh*gw, d)
	}
	if c.Detection > 0 {
		last = ops.Slice(pos, n+h*w, n+h*w+c.Detection)
	}
	return first, grid, last
}

// Frame puts the rows of before and after, either of which may be nil, around the rows [B·N, D] of each of b pictures.
func Frame(b int, before, rows, after *Value) *Value {
	if before == nil && after == nil {
		return rows
	}
	t, n := rows.Tape(), rows.Shape.Rows()/b
	var refs []ops.Ref
	tables := []*Value{rows}
	each := func(table, from, to int) {
		for i := from; i < to; i++ {
			refs = append(refs, ops.Ref{Table: int32(table), Row: int32(i)})
		}
	}
	for i := range b {
		tables = tables[:1]
		if before != nil {
			tables = append(tables, before)
			each(1, 0, before.Shape.Rows())
		}
		each(0, i*n, (i+1)*n)
		if after != nil {
			tables = append(tables, after)
			each(len(tables)-1, 0, after.Shape.Rows())
		}
	}
	return ops.Gather(t, refs, tables...)
}

// RowsOfEach are rows [from, to) of each of b pictures, whose rows lie one picture after another in x [B·T, D].
func RowsOfEach(x *Value, b, from, to int) *Value {
	n := x.Shape.Rows() / b
	refs := make([]ops.Ref, 0, b*(to-from))
	for i := range b {
		for j := from; j < to; j++ {
			refs = append(refs, ops.Ref{Row: int32(i*n + j)})
		}
	}
	return ops.Gather(x.Tape(), refs, x)
}

// Pile stacks the rows of several values.
func Pile(parts []*Value) *Value {
	var refs []ops.Ref
	for i, p := range parts {
		for j := range p.Shape.Rows() {
			refs = append(refs, ops.Ref{Table: int32(i), Row: int32(j)})
		}
	}
	return ops.Gather(parts[0].Tape(), refs, parts...)
}
