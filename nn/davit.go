package nn

import (
	"fmt"

	"fovea/autograd"
	"fovea/ops"
)

// DaViTConfig sizes a dual attention vision transformer (DaViT, Ding et al. 2022), under the names that its config.json has.
// Every list has an entry for each stage.
type DaViTConfig struct {
	Widths  []int   `json:"embed_dim"`
	Depths  []int   `json:"depths"`     // blocks
	Heads   []int   `json:"num_heads"`  // of attention within windows
	Groups  []int   `json:"num_groups"` // of attention between channels
	Patch   []int   `json:"patch_size"` // of the convolution that begins the stage
	Stride  []int   `json:"patch_stride"`
	Pad     []int   `json:"patch_padding"`
	PreNorm []bool  `json:"patch_prenorm"` // the norm comes before the convolution, else after it
	Window  int     `json:"window_size"`   // side of a window, tokens
	Ratio   float64 `json:"mlp_ratio"`
	QKVBias bool    `json:"qkv_bias"`
	Act     string  `json:"activation_function"`
}

const (
	davitEps    = 1e-5
	maxWindow   = 32
	maxGridSize = 1 << 18 // tokens of a stage
)

// Check names the first field that cannot work.
func (c *DaViTConfig) Check() error {
	n := len(c.Widths)
	for _, l := range []struct {
		name   string
		v      []int
		lo, hi int
	}{
		{"embed_dim", c.Widths, 1, 1 << 14}, {"depths", c.Depths, 1, 128}, {"num_heads", c.Heads, 1, 1 << 10}, {"num_groups", c.Groups, 1, 1 << 10},
		{"patch_size", c.Patch, 1, 64}, {"patch_stride", c.Stride, 1, 64}, {"patch_padding", c.Pad, 0, 63},
	} {
		if n < 1 || n > 8 || len(l.v) != n {
			return fmt.Errorf("nn: %s has %d entries and embed_dim %d; want as many, 1 … 8", l.name, len(l.v), n)
		}
		for _, v := range l.v {
			if v < l.lo || v > l.hi {
				return fmt.Errorf("nn: %s %d is not within %d … %d", l.name, v, l.lo, l.hi)
			}
		}
	}
	for i, w := range c.Widths {
		switch r := c.Ratio * float64(w); {
		case w%c.Heads[i] != 0 || w%c.Groups[i] != 0:
			return fmt.Errorf("nn: embed_dim %d does not divide into num_heads %d and num_groups %d", w, c.Heads[i], c.Groups[i])
		case c.Pad[i] >= c.Patch[i]:
			return fmt.Errorf("nn: patch_padding %d is not below patch_size %d", c.Pad[i], c.Patch[i])
		case !(r >= 1 && r <= 1<<18):
			return fmt.Errorf("nn: mlp_ratio %g of embed_dim %d is not within 1 … %d", c.Ratio, w, 1<<18)
		}
	}
	if len(c.PreNorm) != n {
		return fmt.Errorf("nn: patch_prenorm has %d entries, want %d", len(c.PreNorm), n)
	}
	if c.Window < 1 || c.Window > maxWindow {
		return fmt.Errorf("nn: window_size %d is not within 1 … %d", c.Window, maxWindow)
	}
	_, err := Activation(c.Act)
	return err
}

// Grid is the size of the last stage's map of a picture of h × w pixels. It refuses pictures that are too small or too large.
func (c *DaViTConfig) Grid(h, w int) (gh, gw int, err error) {
	gh, gw = h, w
	for i, k := range c.Patch {
		gh, gw = gh+2*c.Pad[i]-k, gw+2*c.Pad[i]-k
		if min(gh, gw) < 0 {
			return 0, 0, fmt.Errorf("nn: %d × %d pixels are too small for stage %d", w, h, i)
		}
		if gh, gw = gh/c.Stride[i]+1, gw/c.Stride[i]+1; gh > maxGridSize/gw {
			return 0, 0, fmt.Errorf("nn: %d × %d pixels give %d × %d tokens, at most %d are taken", w, h, gw, gh, maxGridSize)
		}
	}
	return gh, gw, nil
}

// DaViT is a pyramid of stages, each of which begins with a convolution that makes the map smaller.
type DaViT struct {
	Config DaViTConfig
	Stages []*DaViTStage `weight:"stages"`
}

// DaViTStage is a convolution with a norm, and blocks.
type DaViTStage struct {
	Embed  *ConvEmbed    `weight:"embed"`
	Norm   *LayerNorm    `weight:"norm"`
	Blocks []*DaViTBlock `weight:"blocks"`
	first  bool          // the norm comes before the convolution
}

// ConvEmbed is a convolution whose kernels may overlap.
type ConvEmbed struct {
	Weight *autograd.Param `weight:"weight"` // [Out, In, k, k]
	Bias   *autograd.Param `weight:"bias"`

	Stride, Pad int
}

// Forward maps [B, H, W, In] to [B, (H+2·Pad−k)/Stride+1, …, Out].
func (e *ConvEmbed) Forward(x *Value) *Value {
	t := x.Tape()
	return ops.Conv2DPad(x, ops.ChannelsLast(t.Use(e.Weight)), t.Use(e.Bias), e.Weight.Shape[2], e.Stride, e.Pad)
}

// NewDaViT makes a blank network that looks at pictures of 3 channels.
func NewDaViT(c DaViTConfig) (*DaViT, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	v, in := &DaViT{Config: c}, 3
	for i, d := range c.Widths {
		s := &DaViTStage{Embed: &ConvEmbed{Blank(autograd.Matrix, d, in, c.Patch[i], c.Patch[i]), Blank(autograd.Vector, d), c.Stride[i], c.Pad[i]}, first: c.PreNorm[i]}
		if s.Norm = BlankNorm(d, davitEps); s.first {
			s.Norm = BlankNorm(in, davitEps)
		}
		for range c.Depths[i] {
			s.Blocks = append(s.Blocks, &DaViTBlock{Space: c.half(i, c.Heads[i], c.Window), Channel: c.half(i, c.Groups[i], 0)})
		}
		v.Stages, in = append(v.Stages, s), d
	}
	return v, nil
}

func (c *DaViTConfig) half(stage, heads, window int) *DaViTHalf {
	act, _ := Activation(c.Act)
	d := c.Widths[stage]
	return &DaViTHalf{
		Conv1: BlankDepthwise(d, 3), Norm1: BlankNorm(d, davitEps), Attn: BlankAttention(d, heads, c.QKVBias),
		Conv2: BlankDepthwise(d, 3), Norm2: BlankNorm(d, davitEps), MLP: BlankMLP(d, int(c.Ratio*float64(d)), act), window: window,
	}
}

// Forward maps pictures [B, H, W, 3] to the last stage's map [B, GH, GW, D]. tap, when not nil, sees the input of every block
// of a stage and, as one more, the output of the last one, [B, h, w, d].
func (v *DaViT) Forward(x *Value, tap func(stage, block int, x *Value)) *Value {
	if tap == nil {
		tap = func(int, int, *Value) {}
	}
	for i, s := range v.Stages {
		if s.first {
			x = s.Embed.Forward(s.Norm.Forward(x))
		} else {
			x = s.Norm.Forward(s.Embed.Forward(x))
		}
		for j, b := range s.Blocks {
			tap(i, j, x)
			x = Frugal(x, func(x *Value) *Value { return b.Channel.Forward(b.Space.Forward(x)) })
		}
		tap(i, len(s.Blocks), x)
	}
	return x
}

// DaViTBlock attends between the pixels of a window, then between the channels.
type DaViTBlock struct {
	Space   *DaViTHalf `weight:"space"`
	Channel *DaViTHalf `weight:"channel"`
}

// DaViTHalf is a block of attention and a feed-forward layer, each after a convolution that tells where a pixel lies
// (conditional position encoding, Chu et al. 2021).
type DaViTHalf struct {
	Conv1 *Depthwise `weight:"conv1"`
	Norm1 *LayerNorm `weight:"norm1"`
	Attn  *Attention `weight:"attn"`
	Conv2 *Depthwise `weight:"conv2"`
	Norm2 *LayerNorm `weight:"norm2"`
	MLP   *MLP       `weight:"mlp"`

	window int // side of the windows that attention stays in; 0: attention between channels
}

// Forward maps [B, H, W, D] to the same shape.
func (h *DaViTHalf) Forward(x *Value) *Value {
	x = Frugal(x, func(x *Value) *Value {
		x = ops.Add(x, h.Conv1.Forward(x))
		return ops.Add(x, h.attend(h.Norm1.Forward(x)))
	})
	return Frugal(x, func(x *Value) *Value {
		x = ops.Add(x, h.Conv2.Forward(x))
		return ops.Add(x, h.MLP.Forward(nil, h.Norm2.Forward(x)))
	})
}

func (h *DaViTHalf) attend(x *Value) *Value {
	t := x.Tape()
	if h.window == 0 {
		a := h.Attn
		y := ops.ChannelAttention(a.Q.Forward(x), a.K.Forward(x), a.V.Forward(x), a.Heads, x.Shape[0])
		return a.O.Forward(t.View(y, x.Shape...))
	}
	return throughWindows(x, h.window, func(y *Value, n int) *Value {
		return h.Attn.Forward(&Pass{Layout: &ops.Layout{Images: n, Patches: h.window * h.window}}, y)
	})
}

// throughWindows cuts x [B, H, W, D] into n windows of side s, whose rows [n·s·s, D] f maps to as many, and puts them together
// again. What a window has beyond the map is zero.
func throughWindows(x *Value, s int, f func(y *Value, n int) *Value) *Value {
	t, d := x.Tape(), x.Shape.Last()
	into, out, n := windows(x.Shape[0], x.Shape[1], x.Shape[2], s)
	none := t.Input(make([]float32, d), 1, d)
	return t.View(ops.Gather(t, out, f(ops.Gather(t, into, x, none), n)), x.Shape...)
}

// windows cuts maps of h × w tokens into n windows of side s, row by row; those at the right and bottom are filled up with
// row 0 of a second table. into leads from the maps to the windows, out back.
func windows(b, h, w, s int) (into, out []ops.Ref, n int) {
	rows, cols := (h+s-1)/s, (w+s-1)/s
	n = b * rows * cols
	into, out = make([]ops.Ref, n*s*s), make([]ops.Ref, b*h*w)
	for i := range into {
		win, at := i/(s*s), i%(s*s)
		y, x := win/cols%rows*s+at/s, win%cols*s+at%s
		if y >= h || x >= w {
			into[i].Table = 1
			continue
		}
		from := (win/(rows*cols)*h+y)*w + x
		into[i].Row, out[from].Row = int32(from), int32(i)
	}
	return into, out, n
}

// Depthwise is a convolution of every channel by itself that keeps height and width.
type Depthwise struct {
	Weight *autograd.Param `weight:"weight"` // [C, 1, k, k]
	Bias   *autograd.Param `weight:"bias"`
}

// BlankDepthwise is one of blank parameters, k odd.
func BlankDepthwise(c, k int) *Depthwise {
	return &Depthwise{Blank(autograd.Matrix, c, 1, k, k), Blank(autograd.Vector, c)}
}

// Forward maps [B, H, W, C] to the same shape.
func (d *Depthwise) Forward(x *Value) *Value {
	t := x.Tape()
	k := d.Weight.Shape[2]
	return ops.DepthwiseConv2D(x, t.Use(d.Weight), t.Use(d.Bias), k, 1, k/2)
}

// Frugal is f(x), of the shape of x. When no gradients are wanted, the memory of all that f computes on the way is free
// again, so that a deep network needs that of its largest layer only.
func Frugal(x *Value, f func(x *Value) *Value) *Value {
	t := x.Tape()
	if t.Train {
		return f(x)
	}
	y := t.New(false, x.Shape...)
	mark := t.Mark()
	copy(y.Data, f(x).Data)
	t.Release(mark)
	return y
}
